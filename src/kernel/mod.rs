//! The running machine as a [`Target`](crate::reloc::Target): what it says about itself, and what it turns out to support.
//!
//! In: questions about a kernel, from relocating, loading and attaching. Out: its types, version, configuration, symbols and
//! [`Feature`](crate::feature::Feature)s, each fetched when first needed; and a hint when the machine can tell why something
//! was refused. `probe` finds things out by small experiments. Not here: other kernels, which are plain data
//! ([`OfflineKernel`](crate::reloc::OfflineKernel)).
//!
//! Start with `running`, which gets each answer from another file:
//!
//! ```text
//!  running --> token                the rights to ask with
//!         |--> files --> places     version, configuration, symbols: in one place or another
//!         |--> btf --> by_id        the types of the kernel and of its modules
//!         `--> memlock --> probe    features and obstacles, once memory is not limited
//! ```
//!
//! After a refusal, other rooms ask `advice` and `device`, which know the kernel's rules, and `rights`, which knows this
//! process.

pub(crate) mod advice;
mod btf;
pub(crate) mod by_id;
pub(crate) mod device;
pub(crate) mod files;
pub(crate) mod memlock;
pub(crate) mod places;
pub(crate) mod probe;
pub(crate) mod rights;
mod running;
pub(crate) mod token;

#[doc(inline)]
pub use crate::sys::bpf::BtfInfo;
pub(crate) use running::{target, target_with};
