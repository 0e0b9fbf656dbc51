//! USDT probes: locations that a program's authors marked, and where the probes' arguments are.
//!
//! In: the bytes of an executable or library. Out: its probes ([`UsdtFile`]), where they are in the file ([`UsdtPlace`]) and
//! where their arguments are when they are hit ([`UsdtArg`]). Not here: attaching to them (see `attach`).
//!
//! The compiler writes a note for each location of a probe, in a section that is never loaded: three addresses
//! (of the probe; of a byte that shows whether addresses have moved since; of a counter of the attached tracers, called the
//! *semaphore*), then the names of the provider and the probe, and a text that says where each argument is.

mod arg;
mod file;
mod note;
mod register;

pub use arg::{ArgPlace, MAX_ARGS, UsdtArg, parse_args};
pub use file::{UsdtFile, UsdtPlace};
pub use note::UsdtNote;
pub use register::Machine;
