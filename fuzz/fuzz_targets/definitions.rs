//! Reads any bytes as types, and writes their definitions: in C, with the asserts, and in Rust; and compares them with themselves.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::Btf;
use rawbpf::btf::c::{Header, Order};
use rawbpf::btf::diff::Comparison;
use rawbpf::btf::rust::Module;

fuzz_target!(|bytes: &[u8]| {
    let Ok(btf) = Btf::parse(bytes) else {
        return;
    };
    for order in [Order::Names, Order::Numbers] {
        if let Ok(mut definitions) = Header::new(&btf).order(order).write() {
            let _ = definitions.asserts();
        }
        let _ = Module::new(&btf).order(order).write();
    }
    if let Ok(diff) = Comparison::new(&btf, &btf).run() {
        assert!(diff.is_empty(), "{diff:?}");
    }
});
