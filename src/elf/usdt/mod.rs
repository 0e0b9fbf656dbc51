//! USDT probes: places that a program's authors marked, with the places of their arguments.
//!
//! In: the bytes of an executable or library. Out: its probes ([`UsdtFile`]), where they are in the file ([`UsdtPlace`]) and
//! where their arguments are when they are hit ([`UsdtArg`]). Not here: attaching to them (see `attach`).
//!
//! The compiler leaves a note for each place where a probe stands, in a section that is never loaded: three addresses
//! (of the probe, of a byte that tells whether addresses were moved since, of a counter of those who listen, called the
//! *semaphore*), then the names of provider and probe, and a text that says where each argument is.

mod arg;
mod file;
mod note;
mod register;

pub use arg::{ArgPlace, MAX_ARGS, UsdtArg, parse_args};
pub use file::{UsdtFile, UsdtPlace};
pub use note::UsdtNote;
pub use register::Machine;
