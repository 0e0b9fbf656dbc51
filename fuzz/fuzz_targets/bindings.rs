//! Reads any bytes as an object, and generates Rust for it: neither without end, nor anything that a name has smuggled in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::OpenObject;
use rawbpf::bindings::{ObjectBytes, Rust};

fuzz_target!(|bytes: &[u8]| {
    let Ok(open) = OpenObject::from_bytes(bytes) else {
        return;
    };
    let mut rust = Rust::new(&open).object(ObjectBytes::Include("/object".into()));
    for map in open.maps().iter().take(3) {
        rust = rust.optional(map.name());
    }
    if let Ok(text) = rust.write() {
        assert!(text.len() <= bytes.len().saturating_mul(128) + (1 << 20));
        // Names that are not identifiers stand in quotes, as escapes where they are orders.
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        // One item, that ends where it should.
        assert!(text.ends_with("\n}\n") && text.matches("\n}\n").count() == 1);
    }
});
