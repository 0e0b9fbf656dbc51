//! Reads arbitrary bytes as an executable or library: its functions, and its USDT probes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::elf::functions::Functions;
use rawbpf::elf::usdt::UsdtFile;
use rawbpf::symbols::Symbols;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(functions) = Functions::open(&bytes) {
        let _ = (functions.offset("main"), functions.offset("memcpy@@V2"));
        // Any file may claim to hold another file's symbols.
        if let Ok(functions) = functions.with_symbols_of(&bytes) {
            let _ = functions.offsets(&["main", "f"]);
        }
    }
    let _ = Symbols::from_executable(bytes).map(|symbols| symbols.len());
    let Ok(file) = UsdtFile::open(&bytes) else {
        return;
    };
    for note in file.notes() {
        let _ = (file.args(note), file.place(note));
    }
});
