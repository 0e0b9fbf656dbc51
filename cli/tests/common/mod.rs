//! Shared by the command's live tests.

use std::fs;
use std::path::{Path, PathBuf};

/// A fixture, also in a guest.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    std::env::var_os("RAWBPF_FIXTURES")
        .map_or_else(here, PathBuf::from)
        .join(name)
}

/// Whether this process is root; otherwise the test is skipped, which is not allowed with `CI=true`.
pub(crate) fn can_load(test: &str) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    if !root {
        assert!(std::env::var("CI").is_err(), "CI must not skip {test}");
        println!("skipped: {test}: needs root");
    }
    root
}
