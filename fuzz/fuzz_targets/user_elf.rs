//! Reads any bytes as an executable or library: its functions, and its USDT probes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::elf::usdt::UsdtFile;
use rawbpf::elf::user;
use rawbpf::symbols::Symbols;

fuzz_target!(|bytes: &[u8]| {
    let _ = user::function_offset(bytes, "main");
    let _ = Symbols::from_executable(bytes).map(|symbols| symbols.len());
    let Ok(file) = UsdtFile::parse(bytes) else {
        return;
    };
    for note in file.notes() {
        let _ = (file.args(note), file.place(note));
    }
});
