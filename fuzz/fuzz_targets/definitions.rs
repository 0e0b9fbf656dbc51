//! Reads any bytes as types, and writes their definitions: in C, with the asserts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::Btf;
use rawbpf::btf::c::{Header, Order};

fuzz_target!(|bytes: &[u8]| {
    let Ok(btf) = Btf::parse(bytes) else {
        return;
    };
    for order in [Order::Names, Order::Numbers] {
        if let Ok(mut definitions) = Header::new(&btf).order(order).write() {
            let _ = definitions.asserts();
        }
    }
});
