//! Reads arbitrary bytes as extended type information and visits every record.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::BtfExt;

fuzz_target!(|bytes: &[u8]| {
    let Ok(ext) = BtfExt::parse(bytes) else {
        return;
    };
    let sections = ext
        .func_info()
        .chain(ext.line_info())
        .chain(ext.core_relo());
    for section in sections {
        let records: usize = section.iter().map(<[u8]>::len).sum();
        assert!(records <= bytes.len());
        let _ = section.core_relos().count();
    }
});
