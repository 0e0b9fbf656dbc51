//! Reads arbitrary bytes as a file with debug information: its types, and the places in the source of addresses.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::Btf;
use rawbpf::dwarf::{Encoder, Places};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(types) = Encoder::new().encode(&bytes) {
        let types = Btf::from_vec(types).expect("what was written can be read");
        types.validate().expect("and is sound");
    }
    if let Ok(mut places) = Places::open(Box::new(bytes.to_vec())) {
        // Where the seeds have code, and where the input says.
        let told = bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
        for address in [0, 0x1000, 0x1010, 0x1020, told] {
            let _ = places.frames(address);
        }
    }
});
