//! A loaded [`Program`](crate::load::Program) in, a [`Link`] out: from then on the kernel runs it.
//!
//! In: programs, and where to attach them: by the name of their section ([`Program::attach`](crate::load::Program::attach),
//! [`Object::attach`](crate::load::Object::attach)) or by call, with one options type per kind ([`Kprobe`], [`Uprobe`]).
//! Out: [`Link`], which detaches when it is dropped. Not here: what programs do when they run.
//!
//! Three words that are easily mixed up: a *trace event* is a place in tracefs; a *tracepoint* is a trace event that
//! kernel developers put into the code; a *perf event* is a descriptor that a program of the older kinds hangs on.

mod attachment;
mod auto;
mod binary;
mod glob;
mod grammar;
mod iter;
mod kprobe;
mod kprobe_multi;
mod legacy;
mod link;
mod links;
mod lsm;
mod perf_event;
mod raw_tracepoint;
mod struct_ops;
mod tracefs;
mod tracepoint;
mod tracing;
mod uprobe;
mod uprobe_multi;

#[doc(inline)]
pub use crate::sys::bpf::{IterScope, IterTarget, LinkDetails, LinkInfo, PerfEventDetails};
pub use iter::IterReader;
pub use kprobe::{Kprobe, ProbeMode};
pub use kprobe_multi::KprobeMulti;
pub use link::Link;
pub use links::Links;
pub use uprobe::{Processes, Uprobe};
pub use uprobe_multi::UprobeMulti;
