//! Reads arbitrary text as what procfs shows about a map's descriptor.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| rawbpf::fuzzing::fdinfo(text));
