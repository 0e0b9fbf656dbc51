//! `cargo xtask vm`: real kernels in virtual machines.
//!
//! In: names of kernel series. Out: the live tests' results in each, as a table; or the output of one
//! command; or a kernel's BTF. Other chores run commands in guests with [`Cache`] and [`Guest`].
//!
//! Not here: the tests themselves (`tests/live`), and kernels that are not Debian's.

mod build;
mod command;
mod cpio;
mod fetch;
mod guest;
mod image;
mod kernels;
mod modules;
mod payload;
mod report;
mod sources;
mod stream;
mod tools;

pub(crate) use build::workspace;
pub(crate) use command::{Args, run};
pub(crate) use fetch::Apt;
pub(crate) use guest::Guest;
pub(crate) use kernels::{Cache, Kernel};
pub(crate) use sources::Mirror;
pub(crate) use tools::{APT_GET, DPKG, output_of};
