//! Using loaded programs: handles, running them on given data, what they write, what the kernel knows about them.
//!
//! In: the descriptor of a program that exists (from `load`). Out: bytes and plain data, [`crate::Error`]s that name the
//! program. Not here: loading the programs of an object (see `load`), attaching them (see `attach`).

mod handle;
mod stream;
mod test_run;
pub(crate) mod usdt;

pub use handle::Program;
pub(crate) use handle::ProgramParts;
pub use stream::Stream;
pub use test_run::{Stats, TestRun, TestRunOutcome, enable_stats};
