//! Reads arbitrary bytes as the kernel's symbol list, to find names of addresses.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::symbols::Symbols;

fuzz_target!(|bytes: &[u8]| {
    let symbols = Symbols::from_kallsyms(bytes);
    assert!(symbols.len() <= bytes.len());
    for address in [0, 1, 0xffff_ffff_8100_0000, u64::MAX] {
        let _ = symbols.name_of(address);
    }
});
