//! Attaches a loaded [`Program`](crate::program::Program) and returns a [`Link`]: from then on the kernel runs the program.
//!
//! In: programs, and where to attach them: by section name ([`Program::attach`](crate::program::Program::attach),
//! [`Object::attach`](crate::load::Object::attach)) or by call, with one options type per kind ([`Kprobe`], [`Uprobe`]).
//! Out: [`Link`], which detaches when it is dropped. Not here: what programs do when they run.
//!
//! On networks, cgroups and sockets ([`Xdp`], [`Tcx`], [`Cgroup`] and others) some programs are attached without a kernel
//! link: on old kernels, for sockets, and on request. The [`Link`] detaches those, too, when it is dropped; but a process
//! that is killed leaves them behind. [`AttachPoint`] shows what is attached.
//!
//! Three terms that are easily confused: a *trace event* is an entry in tracefs; a *tracepoint* is a trace event that kernel
//! developers put into the code; a *perf event* is a descriptor to which older kinds of programs are attached.
//!
//! Start with `auto`, or with the kind of link:
//!
//! ```text
//!  auto (grammar of section names; unsaid, where one says too little)
//!      |--> functions of the kernel     kprobe, kprobe_multi, tracing (freplace), tracing_multi, lsm, iter
//!      |--> functions of programs       uprobe, uprobe_multi, usdt
//!      |--> trace events                tracepoint, raw_tracepoint
//!      `--> interfaces of the kernel    struct_ops
//!  by call only
//!      |--> perf events                 perf_event, sampling
//!      |--> networks                    xdp, tcx, tc, netkit, netfilter, netns
//!      `--> cgroups, sockets            cgroup, socket, sockmap
//!  all of them --> link (links) --> attachment, unlinked    what else has to be undone, or where the kernel has no link
//! ```
//!
//! Finding functions: `functions`, `duplicates`, `switches`; `binary`, `user_functions`; `glob`. Probe events: `probe_event`,
//! `legacy`, `tracefs`. Attach points: `point`, `anchor`; `interface`, `rtnetlink`, `tc_hook`, `xdp_status`. Explaining the
//! kernel's errors: `refusal`. Queries: `possible`, `task_fd`.

mod anchor;
mod attachment;
mod auto;
mod binary;
mod cgroup;
mod duplicates;
mod freplace;
mod functions;
mod glob;
mod grammar;
mod interface;
mod iter;
mod kprobe;
mod kprobe_multi;
mod legacy;
mod link;
mod links;
mod lsm;
mod netfilter;
mod netkit;
mod netns;
mod perf_event;
mod point;
pub(crate) mod possible;
mod probe_event;
mod raw_tracepoint;
mod refusal;
mod rtnetlink;
mod sampling;
mod socket;
mod sockmap;
mod struct_ops;
mod switches;
mod task_fd;
mod tc;
mod tc_hook;
mod tcx;
mod tracefs;
mod tracepoint;
mod tracing;
mod tracing_multi;
mod unlinked;
mod unsaid;
mod uprobe;
mod uprobe_multi;
mod usdt;
mod user_functions;
mod xdp;
mod xdp_status;

#[doc(inline)]
pub use crate::sys::bpf::{
    Attached, AttachedProgram, CgroupOrder, IterScope, IterTarget, LinkDetails, LinkInfo,
    PerfEventDetails,
};
pub use anchor::Anchor;
pub(crate) use cgroup::is_of_cgroups;
pub use cgroup::{Cgroup, CgroupMode};
pub use interface::{Direction, Interface};
pub use iter::IterReader;
pub use kprobe::Kprobe;
pub use kprobe_multi::KprobeMulti;
pub use link::Link;
pub use links::Links;
pub use netfilter::{Netfilter, NetfilterFamily, NetfilterHook};
pub use netkit::{Netkit, NetkitSide};
pub use netns::Netns;
pub use perf_event::PerfEventOptions;
pub use point::{AttachOptions, AttachPoint};
pub use probe_event::ProbeMode;
pub use sampling::{HardwareEvent, Sampling, SoftwareEvent};
pub use task_fd::{TaskFd, task_fd};
pub use tc::Tc;
pub use tc_hook::{TcFilter, TcHook};
pub use tcx::Tcx;
pub use tracing_multi::TracingMulti;
pub use uprobe::{Processes, Uprobe};
pub use uprobe_multi::UprobeMulti;
pub use usdt::Usdt;
pub use xdp::Xdp;
pub use xdp_status::{XdpMode, XdpStatus};
