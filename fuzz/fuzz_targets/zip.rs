//! Reads arbitrary bytes as a zip archive. Up to the first line break, they are the name of the member to look for.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (name, archive) = rawbpf_fuzz::name_and_rest(bytes);
    rawbpf::fuzzing::zip_member(archive, &name);
});
