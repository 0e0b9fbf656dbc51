//! Reads any text as what procfs shows of a map's descriptor.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| rawbpf::fuzzing::fdinfo(text));
