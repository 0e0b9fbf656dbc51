//! The only door to the kernel: typed wrappers around system calls. Whatever can be computed without one lives elsewhere.
//!
//! In: slices, borrowed descriptors, plain data. Out: owned descriptors (close-on-exec, never 0 to 2), values, or an
//! [`Errno`](crate::Errno). This is the only room with `unsafe`; every function that can be called from outside is safe,
//! and `UNSAFE.md` says why, file by file.
//!
//! Hidden from the documentation and outside of semver: any release may change it. It is `pub` for this project's tests and
//! benchmarks, which check the kernel against it. Types that users meet are documented in the rooms that hand them out
//! (`map`, `program`, `attach`, `ring`, `kernel`).
//!
//! Not here: explanations. What an error number means for a map or program is for the rooms that know its name.
//!
//! Start with `bpf`, the call that most rooms need:
//!
//! ```text
//!  bpf, perf_event ------> attr     the kernel's structs, with asserted layouts
//!  ring, mapping, arena --> words   memory that others write as well
//!  all of them ----------> fd, errno
//!  ring -----------------> timer    sleeping while programs flood a ring
//! ```
//!
//! The rest: `file_system` and `mount` are about files, `netlink` and `socket` about networks, `epoll`, `readiness` (tokio)
//! and `perf_sample` (what is in a sample) about events, `system` and `rlimit` about the machine; `probe_calls` are made
//! only to see how they fail.

pub mod arena;
mod attr;
pub mod bpf;
pub mod epoll;
mod errno;
pub mod fd;
pub mod file_system;
pub mod mapping;
pub mod mount;
pub mod netlink;
pub mod perf_event;
pub mod perf_sample;
pub mod probe_calls;
#[cfg(feature = "tokio")]
pub mod readiness;
pub mod ring;
pub mod rlimit;
pub mod socket;
pub mod system;
pub mod timer;
pub mod words;
