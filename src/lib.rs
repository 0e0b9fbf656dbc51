//! Loads eBPF objects into Linux with nothing but Rust and the `bpf(2)` system call.
//!
//! ```text
//!  bytes --open--> OpenObject --relocate(&Target)--> LoadPlan --load--> Object --attach--> Links
//!         elf btf    (edit it)   reloc   (plain data)        load sys            attach  sys
//!         \______________ pure: no system call _____________/ \________ effects ________/
//! ```

pub mod attach;
pub mod btf;
pub mod elf;
mod error;
pub mod feature;
mod ids;
pub mod insn;
mod kinds;
pub mod load;
pub mod map;
mod object_file;
pub mod open;
pub mod probe;
pub mod reloc;
pub mod ring;
mod sha256;
pub mod sys;

pub use error::{Errno, Error, ErrorKind, Result, VerifierLog, did_you_mean, near_names};
pub use ids::{KernelVersion, SectionIndex, TypeId};
pub use kinds::{AttachType, LinkType, MapFlags, MapType, ProgramFlags, ProgramType};
pub use open::{OpenObject, OpenOptions};
