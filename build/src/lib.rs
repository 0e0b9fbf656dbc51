//! Compiles eBPF programs written in C, from a build script.
//!
//! ```no_run
//! // build.rs
//! fn main() -> rawbpf_build::Result<()> {
//!     rawbpf_build::compile("src/bpf/tool.bpf.c")?;
//!     Ok(())
//! }
//! ```
//!
//! makes `tool.bpf.o` in Cargo's `OUT_DIR`, and `tool.rs` beside it: Rust types for its maps, programs, variables and events.
//!
//! ```ignore
//! // src/main.rs
//! include!(concat!(env!("OUT_DIR"), "/tool.rs"));
//! // or, with more traits for the types:
//! rawbpf::include_bpf!(concat!(env!("OUT_DIR"), "/tool.bpf.o"), derive(PartialEq));
//! ```
//!
//! It needs clang (12 or newer), and nothing else: the headers that BPF programs include
//! (`bpf/bpf_helpers.h` and its neighbours) are part of this crate, and `vmlinux.h` is made from the types of the running
//! kernel, or of the one that [`Build::btf`] names.
//!
//! Several sources are linked into one object, which has type information (BTF) and no debug information. Errors and warnings are
//! clang's, at the lines of the sources. The script runs again when a source or a header that it includes changes.
//!
//! # Which `vmlinux.h`
//!
//! A `vmlinux.h` beside the source or in a folder of [`Build::include`] is used as it is. Otherwise the header is made of the kernel's types. They
//! decide what compiles, and not what the object runs on: accesses to fields are relocated when it is loaded (CO-RE). A build
//! that has to give the same bytes on every machine names a file with a kernel's types (a copy of `/sys/kernel/btf/vmlinux`), or has a
//! `vmlinux.h` in its sources (`rawbpf gen vmlinux`).

// ```text
//  build (options) --> compile --> includes, words    what a source names
//    |                   |    |--> types, vmlinux     the header with that of a kernel
//    |                   |    |--> headers, stage     all headers where clang reads them
//    |                   |    |--> clang, arch        running it; depfile: what it read
//    |                   |    `--> cache              what was compiled before
//    `--> cargo          `--> compiled
// ```

mod arch;
mod build;
#[cfg(target_os = "linux")]
mod cache;
mod cargo;
mod clang;
mod compile;
mod compiled;
mod depfile;
mod headers;
mod includes;
mod stage;
mod types;
mod vmlinux;
mod words;

pub use build::{Build, Warnings};
pub use cargo::Built;
pub use compiled::Compiled;
pub use headers::headers;
pub use rawbpf::{Error, ErrorKind, Result};

use std::path::Path;

/// Compiles a source, for a build script: [`Build`] with nothing set.
///
/// # Errors
/// Those of [`Build::compile`].
pub fn compile(source: impl AsRef<Path>) -> Result<Built> {
    Build::new().source(source).compile()
}
