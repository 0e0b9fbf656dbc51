//! Programs whose `attach` takes what their section's name does not say.

use crate::attach::{
    Cgroup, Kprobe, KprobeMulti, Link, Netfilter, Netkit, Netns, Sampling, Tc, Tcx, TracingMulti,
    Uprobe, UprobeMulti, Usdt, Xdp,
};
use crate::load::Object;
use crate::map::Map;
use crate::program::Program;
use crate::{Error, Result};
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::AsFd;

/// A program of an object with bindings. `How` is how it is attached (see [`how`]).
///
/// Clones share the program.
pub struct Bound<How> {
    program: Result<Program>,
    how: PhantomData<fn() -> How>,
}

impl<How> Bound<How> {
    /// The program with this name; of several, the one with this number. One that was not loaded counts, too: it is an
    /// error where it is used.
    pub fn new(object: &Object, name: &str, number: usize) -> Self {
        let mut named = object.programs().iter().filter(|p| p.name() == name);
        let program = match named.nth(number) {
            Some(program) => Ok(program),
            None => object.program(name),
        };
        Self {
            program: program.cloned(),
            how: PhantomData,
        }
    }

    /// The program, for everything that its bindings do not offer.
    ///
    /// # Errors
    /// `NotFound` if it was not loaded: its autoload is off, or another one was preferred.
    pub fn program(&self) -> Result<&Program> {
        self.program.as_ref().map_err(Error::clone)
    }
}

impl<How> Clone for Bound<How> {
    fn clone(&self) -> Self {
        Self {
            program: self.program.clone(),
            how: PhantomData,
        }
    }
}

impl<How> fmt::Debug for Bound<How> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bound").field(&self.program).finish()
    }
}

/// How programs are attached: what [`Bound::attach`] takes.
pub mod how {
    macro_rules! kinds {
        ($($(#[$note:meta])* $name:ident),* $(,)?) => {$(
            $(#[$note])*
            #[derive(Debug)]
            pub enum $name {}
        )*};
    }
    kinds!(
        /// As the section's name, or the target that was set before loading, says.
        Said,
        /// To a function of the kernel.
        Kprobe,
        /// To functions of the kernel that match a pattern.
        KprobeMulti,
        /// To functions of the kernel that match a pattern, by their types.
        TracingMulti,
        /// To a system call.
        Ksyscall,
        /// To the return from a system call.
        Kretsyscall,
        /// To a function of an executable or a library.
        Uprobe,
        /// To functions of an executable or a library that match a pattern.
        UprobeMulti,
        /// To a probe that its authors put into an executable or a library.
        Usdt,
        /// To a trace event.
        Tracepoint,
        /// To a tracepoint, without tracefs.
        RawTracepoint,
        /// To a perf event.
        PerfEvent,
        /// To a network interface, before the kernel's network stack.
        Xdp,
        /// To a network interface, as a filter.
        Tc,
        /// To a netkit interface.
        Netkit,
        /// To a hook of netfilter.
        Netfilter,
        /// To a network namespace.
        Netns,
        /// To a control group.
        Cgroup,
        /// To a map of sockets.
        Sockmap,
        /// To a socket.
        Socket,
        /// To a group of sockets that share a port.
        Reuseport,
        /// Not at all: it is run by call, as part of a map, or by another tool.
        Unattached,
    );
}

impl Bound<how::Said> {
    /// Attaches it to what its section's name says ([`Program::attach`]).
    pub fn attach(&self) -> Result<Link> {
        self.program()?.attach()
    }
}

impl Bound<how::Tracepoint> {
    /// Attaches it to a trace event, by its category and name ([`Program::attach_tracepoint`]).
    pub fn attach(&self, category: &str, name: &str) -> Result<Link> {
        self.program()?.attach_tracepoint(category, name)
    }
}

impl Bound<how::Tc> {
    /// Attaches it by a link ([`Program::attach_tcx`]).
    pub fn attach(&self, at: &Tcx<'_>) -> Result<Link> {
        self.program()?.attach_tcx(at)
    }

    /// Attaches it as a classic filter, also on kernels before 6.6 ([`Program::attach_tc`]).
    pub fn attach_tc(&self, at: &Tc) -> Result<Link> {
        self.program()?.attach_tc(at)
    }
}

impl Bound<how::Socket> {
    /// Attaches it to a socket ([`Program::attach_socket_filter`]).
    pub fn attach(&self, socket: impl AsFd) -> Result<Link> {
        self.program()?.attach_socket_filter(socket)
    }
}

impl Bound<how::Reuseport> {
    /// Attaches it to a socket, and so to its group ([`Program::attach_reuseport`]).
    pub fn attach(&self, socket: impl AsFd) -> Result<Link> {
        self.program()?.attach_reuseport(socket)
    }
}

macro_rules! attach_to {
    ($($how:ident: $method:ident, $at:ty;)*) => {$(
        impl Bound<how::$how> {
            #[doc = concat!("Attaches it ([`Program::", stringify!($method), "`]).")]
            pub fn attach(&self, at: &$at) -> Result<Link> {
                self.program()?.$method(at)
            }
        }
    )*};
}
attach_to!(
    Kprobe: attach_kprobe, Kprobe;
    KprobeMulti: attach_kprobe_multi, KprobeMulti;
    TracingMulti: attach_tracing_multi, TracingMulti;
    Ksyscall: attach_ksyscall, str;
    Kretsyscall: attach_kretsyscall, str;
    Uprobe: attach_uprobe, Uprobe;
    UprobeMulti: attach_uprobe_multi, UprobeMulti;
    Usdt: attach_usdt, Usdt;
    RawTracepoint: attach_raw_tracepoint, str;
    PerfEvent: attach_sampling, Sampling;
    Xdp: attach_xdp, Xdp<'_>;
    Netkit: attach_netkit, Netkit<'_>;
    Netfilter: attach_netfilter, Netfilter;
    Netns: attach_netns, Netns<'_>;
    Cgroup: attach_cgroup, Cgroup<'_>;
    Sockmap: attach_sockmap, Map;
);
