//! Using loaded programs: handles, running them on given data, what they write, what the kernel knows about them.
//!
//! In: the descriptor of a program that exists (from `load`, a pin, an id). Out: bytes and plain data, [`crate::Error`]s that name the
//! program. Not here: loading the programs of an object (see `load`), attaching them (see `attach`).

mod handle;
mod info;
mod maps;
mod stream;
mod test_run;
pub(crate) mod usdt;

#[doc(inline)]
pub use crate::sys::bpf::ProgramInfo;
pub use handle::Program;
pub(crate) use handle::{Origin, ProgramParts};
pub use info::{FuncInfo, JitedFunction, LineInfo};
pub use stream::Stream;
pub use test_run::{Stats, TestRun, TestRunOutcome, enable_stats};
