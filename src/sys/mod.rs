//! The only door to the kernel: typed wrappers over system calls, and nothing that could be computed without one.
//!
//! In: slices, borrowed descriptors, plain data. Out: owned descriptors (close-on-exec, never 0 to 2), values, or an
//! [`Errno`](crate::Errno). This is the only room with `unsafe`; every function that can be called from outside is safe,
//! and `UNSAFE.md` says why, file by file.
//!
//! Hidden from the documentation and outside of what versions promise: it may change with any release. It is `pub` for the tests
//! and benchmarks of this project, which check the kernel against it. Types that users meet have their documented path in the
//! rooms that hand them out (`map`, `program`, `attach`, `ring`, `kernel`).
//!
//! Not here: words. What an error number means for a map or a program is said by the rooms that know its name.
//!
//! Start with `bpf`, the one call that most of the rooms are about:
//!
//! ```text
//!  bpf, perf_event ------> attr     the kernel's structs, with asserted layouts
//!  ring, mapping, arena --> words   memory that somebody else writes, too
//!  all of them ----------> fd, errno
//! ```
//!
//! What is asked besides: of files `file_system` and `mount`; of networks `netlink` and `socket`; for events `epoll`, `readiness`
//! (tokio) and `perf_sample` (what is in a sample); of the machine `system` and `rlimit`; `probe_calls` are made to see how they fail.

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
pub mod words;
