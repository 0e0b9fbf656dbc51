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
pub mod probe_calls;
#[cfg(feature = "tokio")]
pub mod readiness;
pub mod ring;
pub mod rlimit;
pub mod socket;
pub mod system;
pub mod words;
