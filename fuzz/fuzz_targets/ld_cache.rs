//! Reads arbitrary bytes as the dynamic loader's cache of libraries. Up to the first line break, they are the name of a
//! library.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (name, cache) = rawbpf_fuzz::name_and_rest(bytes);
    rawbpf::fuzzing::ld_cache(cache, &name);
});
