//! `include_bpf!`: Rust types for an eBPF object, read when the program is compiled. `rawbpf` re-exports it.
//!
//! In: the tokens of the call. Out: those of a module, or of an error. Options are read in `options`, paths found in `place`, and
//! `generate` does the rest with rooms of `rawbpf` itself: what opens objects, and `bindings`, which writes the text. They are
//! compiled here once more, from the same files (`src/rooms` leads to them), because `rawbpf` depends on this crate, so that this
//! crate cannot depend on `rawbpf`. None of them asks a kernel. Not here: any code that knows what is in an object.

// The rooms are tested where they are at home; what `--all-targets` would build here has nothing that tests need.
#![cfg(not(test))]
// Most of what the rooms offer is for others, and some of it has features that this crate does not.
#![allow(
    dead_code,
    unexpected_cfgs,
    unreachable_pub,
    unused_imports,
    unused_macros
)]

mod generate;
mod options;
mod place;

#[path = "rooms/bindings/mod.rs"]
mod bindings;
#[path = "rooms/btf/mod.rs"]
mod btf;
#[path = "rooms/elf/mod.rs"]
mod elf;
#[path = "rooms/error.rs"]
mod error;
#[path = "rooms/feature.rs"]
mod feature;
#[path = "rooms/files.rs"]
mod files;
#[path = "rooms/ids.rs"]
mod ids;
#[path = "rooms/insn/mod.rs"]
mod insn;
#[path = "rooms/keyed_hash.rs"]
mod keyed_hash;
#[path = "rooms/kinds.rs"]
mod kinds;
#[path = "rooms/near_names.rs"]
mod near_names;
#[path = "rooms/open/mod.rs"]
mod open;
#[path = "rooms/printing.rs"]
mod printing;
#[path = "rooms/sha256.rs"]
mod sha256;
#[path = "rooms/since.rs"]
mod since;
#[path = "rooms/work.rs"]
mod work;

pub(crate) use error::{Errno, Error, ErrorKind, Result, VerifierLog};
pub(crate) use ids::{ByteOrder, KernelVersion, SectionIndex, TypeId};
pub(crate) use kinds::{
    AttachType, LinkType, MapFlags, MapType, Pinning, ProgramFlags, ProgramType, TaskFdType,
};
pub(crate) use near_names::{did_you_mean, near_names};
pub(crate) use open::{OpenObject, OpenOptions};

use proc_macro::TokenStream;

/// Makes a module of a compiled eBPF object (`.bpf.o`): its maps, programs, variables and events with Rust types.
///
/// ```ignore
/// rawbpf::include_bpf!("opensnoop.bpf.o");
///
/// let mut open = opensnoop::open()?;
/// open.rodata.targ_tgid = 7;
/// let skel = open.load()?;
/// let _links = skel.attach()?;
/// for event in &skel.maps.events.ring()?.wait(None)? {
///     println!("{}", event?.fname.to_str_lossy());
/// }
/// ```
///
/// The path is relative to the file with the call, or else to the package (`CARGO_MANIFEST_DIR`); it may be a
/// `concat!` of literals and `env!`, as for files that a build script makes in `OUT_DIR`. The module is named after the file, up to the first
/// dot. If the file changes, what includes it is compiled again.
///
/// What can follow the path, in any order, with commas between:
///
/// | | |
/// |---|---|
/// | `mod = name`, `pub mod = name` | the module's name, and whether others see it |
/// | `pub` | others see the module |
/// | `derive(PartialEq, serde::Serialize)` | more traits to derive for all types |
/// | `types("event", "state")` | types that neither maps, variables nor events reach |
/// | `events(ring = "event")` | the type of the events of a map that does not state it |
/// | `optional("map")` | maps that the program may leave out: an `Option` |
///
/// `rawbpf gen rust OBJECT` prints what the macro makes.
#[proc_macro]
pub fn include_bpf(input: TokenStream) -> TokenStream {
    generate::include_bpf(input)
}
