//! Reads arbitrary text as a verifier log.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|log: &str| rawbpf::fuzzing::verifier_log(log));
