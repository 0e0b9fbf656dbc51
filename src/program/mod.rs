//! Using loaded programs: handles, test runs, what they write, what the kernel knows about them.
//!
//! In: the descriptor of an existing program (from `load`, a pin, an id). Out: bytes and plain data, and [`crate::Error`]s
//! that name the program. Not here: loading an object's programs (see `load`), attaching them (see `attach`).

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
