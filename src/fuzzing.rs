//! Doors for the fuzzer to readers of untrusted bytes that have no public door of their own. Exists in builds of `cargo fuzz` only.

use crate::verifier_log::{LogNames, summarize};
use crate::{elf, sys};

/// Looks up a member of a zip archive.
pub fn zip_member(archive: &[u8], name: &str) {
    if let Ok(place) = elf::zip::member(&archive, name) {
        assert!(place.within(archive.len() as u64).is_some());
    }
}

/// Looks up a library in the dynamic loader's list.
pub fn ld_cache(cache: &[u8], name: &str) {
    for path in elf::ld_cache::paths(cache, name) {
        assert!(path.len() <= cache.len());
    }
}

/// Reads what procfs shows of a map.
pub fn fdinfo(text: &str) {
    let _ = sys::bpf::map_info_from_text(text);
}

/// The gist of a verifier's log, of a program without relocations.
pub fn verifier_log(log: &str) {
    let gist = summarize(log, LogNames::default());
    // A few lines of the log, escapes and our own words.
    assert!(gist.len() <= log.len().saturating_mul(4) + 1024);
}
