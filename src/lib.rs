//! Loads eBPF objects into Linux with nothing but Rust and the `bpf(2)` system call.
//!
//! ```text
//!  bytes --open--> OpenObject --relocate(&Target)--> LoadPlan --load--> Object --attach--> Links
//!         elf btf    (edit it)   reloc   (plain data)        load sys            attach  sys
//!         \______________ pure: no system call _____________/ \________ effects ________/
//! ```
//!
//! ```no_run
//! use rawbpf::ring::RingBuffer;
//! use rawbpf::OpenObject;
//!
//! fn main() -> rawbpf::Result<()> {
//!     let mut open = OpenObject::from_file("opensnoop.bpf.o")?;
//!     open.variable_mut("targ_tgid")?.set(&std::process::id())?;
//!     let object = open.load()?;
//!     let _links = object.attach()?;
//!     let mut ring = RingBuffer::new(object.map("events")?)?;
//!     loop {
//!         for record in &ring.wait(None)? {
//!             println!("{} bytes", record?.bytes().len());
//!         }
//!     }
//! }
//! ```
//!
//! # Words
//!
//! - **open**: read an object file ([`OpenObject`]); what it says may be changed before the next step.
//! - **relocate**: make it fit one kernel, a [`Target`](reloc::Target): CO-RE relocations, subprograms, externs. The outcome is a
//!   [`LoadPlan`](reloc::LoadPlan), plain data. No system call so far.
//! - **load**: create the maps and load the programs ([`Object`](load::Object) owns them).
//! - **attach**: connect programs to events; a [`Link`](attach::Link) that is dropped detaches.
//! - **pin**: give a map or link a name in the BPF file system, under which it outlives its process.
//! - **probe**: find out what the running kernel supports, by a small experiment.
//! - **BTF**: the type information of an object or kernel ([`btf`]). **CO-RE**: relocation of field offsets and the like by it.
//!
//! # Rust types for events, keys, values and variables
//!
//! They are plain data as zerocopy defines it. Traits of another version of zerocopy would not count, so this crate has the one
//! that it uses, [`zerocopy`]. Its derives work from there if they are told where they are, and the type's crate needs no
//! dependency of its own:
//!
//! ```
//! use rawbpf::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
//!
//! #[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
//! #[zerocopy(crate = "rawbpf::zerocopy")]
//! #[repr(C)]
//! struct Event {
//!     pid: u32,
//!     uid: u32,
//! }
//! rawbpf::layout!(Event { pid, uid });
//! ```
//!
//! [`btf::Layout`] says what `layout!` is for, and what to derive for `bool` and enums.
//!
//! # Features
//!
//! Each adds what it names and takes nothing away, and none needs a C compiler. `load`, `gz` and `xz` are on by default.
//!
//! | feature | what it adds | without it | what it costs |
//! |---|---|---|---|
//! | `load` | everything that asks the kernel: loading, attaching, maps, events, probing; on Linux alone | the crate opens objects and plans loads for kernels that files describe, on any Unix | nothing |
//! | `dwarf` | BTF made of debug information ([`dwarf`]), for kernels and objects that have none; files, lines and inlined functions for addresses ([`symbols`]); not on by default | `pahole -J` makes BTF; addresses have names of functions alone | `gimli`, `ruzstd`, `flate2`: 9 crates |
//! | `gz` | the kernel's configuration where it is compressed (`/proc/config.gz`), for `__kconfig` variables | it is found as `/boot/config-*` alone | `flate2`: 6 crates |
//! | `xz` | the symbols that stripped executables keep compressed (`.gnu_debugdata`), for uprobes and [`symbols`] | those functions have no names | `xz4rust`: 1 crate |
//! | `tokio` | `ring::Async`, which waits for events in tasks of tokio | a thread waits, or whatever watches the reader's descriptor | `tokio` with `net` and `rt`: 4 crates |
//!
//! The crate itself, without features, depends on `bitflags`, `libc`, `memchr`, `memmap2`, `object`, `thiserror` and `zerocopy`.

// What panics by itself: printing to a closed pipe, and sums of times that overflow (clippy.toml excepts plain numbers).
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]
#![deny(clippy::arithmetic_side_effects)]
// Some of what the pure rooms have is there for those that ask the kernel, or that read debug information.
#![cfg_attr(
    not(all(feature = "load", feature = "dwarf", target_os = "linux")),
    allow(dead_code, unreachable_pub, unused_imports)
)]

// Compiles what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(all(feature = "load", target_os = "linux"))]
pub mod attach;
pub mod bindings;
#[cfg(all(feature = "load", target_os = "linux"))]
pub mod bound;
pub mod btf;
mod btf_file;
mod debug_files;
#[cfg(feature = "dwarf")]
pub mod dwarf;
pub mod elf;
mod error;
pub mod feature;
mod files;
mod frame;
#[cfg(all(fuzzing, feature = "load", target_os = "linux"))]
pub mod fuzzing;
mod ids;
pub mod insn;
#[cfg(all(feature = "load", target_os = "linux"))]
pub mod kernel;
mod keyed_hash;
mod kinds;
mod layout;
pub mod linker;
#[cfg(all(feature = "load", target_os = "linux"))]
pub mod load;
#[cfg(all(feature = "load", target_os = "linux"))]
pub mod map;
#[cfg(all(feature = "load", target_os = "linux"))]
pub mod mounts;
mod near_functions;
mod near_names;
mod object_file;
pub mod open;
pub mod printing;
#[cfg(all(feature = "load", target_os = "linux"))]
pub mod program;
pub mod reloc;
#[cfg(all(feature = "load", target_os = "linux"))]
pub mod ring;
#[cfg(all(feature = "load", target_os = "linux"))]
mod running;
mod sha256;
mod since;
pub mod symbols;
#[cfg(all(feature = "load", target_os = "linux"))]
#[doc(hidden)]
pub mod sys;
mod target_files;
mod verifier_log;
mod work;

#[cfg(all(feature = "macros", feature = "load", target_os = "linux"))]
pub use rawbpf_macros::include_bpf;
/// The version of zerocopy whose traits this crate asks for: what plain data is. See [above](crate#rust-types-for-events-keys-values-and-variables)
/// for deriving them from here.
pub use zerocopy;
/// What the running kernel supports, each found out by one small experiment: a [`Feature`](feature::Feature), a type of program or
/// map, a helper function, a place to attach to. Nothing is remembered here: a [`Target`](reloc::Target) that asked keeps the answer.
#[cfg(all(feature = "load", target_os = "linux"))]
pub mod probe {
    pub use crate::attach::possible::{Attachable, attach, attach_for, section, section_for};
    pub use crate::kernel::probe::{
        Support, helper, helper_in, map, map_kind, program, program_kind,
    };
}

pub use error::{Errno, Error, ErrorKind, Result, VerifierLog};
pub use ids::{ByteOrder, KernelVersion, SectionIndex, TypeId};
pub use kinds::{
    AttachType, LinkType, MapFlags, MapType, Pinning, ProgramFlags, ProgramType, TaskFdType,
};
pub use near_names::{did_you_mean, near_names};
pub use open::{OpenObject, OpenOptions};
