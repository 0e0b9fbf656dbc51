//! Links arbitrary bytes with an object, and with themselves: what comes out can be opened or is refused, and is not much more than what
//! went in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::OpenObject;
use rawbpf::linker::Linker;

/// An object that shares names with seeds.
const OTHER: &[u8] = include_bytes!("../../fixtures/parts/linked_data.2.o");

fuzz_target!(|bytes: &[u8]| {
    let link = |parts: &[&[u8]]| {
        let mut linker = Linker::new();
        for (number, part) in parts.iter().enumerate() {
            linker.add(number.to_string(), part);
        }
        let linked = linker.link().ok()?;
        let input: usize = parts.iter().map(|part| part.len()).sum();
        // Alignment may add four megabytes beside.
        assert!(linked.len() <= 16 * input + (5 << 20), "{} of {input}", linked.len());
        let _ = OpenObject::from_bytes(&linked);
        Some(linked)
    };
    if let Some(linked) = link(&[bytes]) {
        link(&[&linked]);
    }
    link(&[bytes, OTHER]);
    link(&[OTHER, bytes]);
    link(&[bytes, bytes]);
});
