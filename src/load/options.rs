//! Options for loading a plan.

use super::context::LoadContext;
use super::workers;
use crate::open::OpenObject;
use crate::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How to load a plan; the defaults suit most callers.
#[derive(Debug, Clone)]
#[doc(alias = "bpf_object_open_opts")]
pub struct LoadOptions {
    log_level: u32,
    log_limit: usize,
    stop: Option<Arc<AtomicBool>>,
    context: LoadContext,
    workers: Option<usize>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            log_level: 0,
            log_limit: 16 << 20,
            stop: None,
            context: LoadContext::default(),
            workers: None,
        }
    }
}

impl LoadOptions {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests a verifier log for every program, not only for those that are rejected: 1 for the path to the failure (for an
    /// accepted program, how much there was to verify), 2 for every path and state, 4 for statistics.
    /// [`Program::verifier_log`](crate::program::Program::verifier_log) returns it, and
    /// [`Error::verifier_log`](crate::Error::verifier_log) returns that of a rejected program.
    ///
    /// This makes loading slower. [`OpenProgram::set_log_level`](crate::open::OpenProgram::set_log_level) sets the level of a
    /// single program.
    #[doc(alias = "kernel_log_level")]
    pub fn log_level(mut self, level: u32) -> Self {
        self.log_level = level;
        self
    }

    /// Keeps at most this many bytes of each log (16 MiB by default), and uses no more memory for it. If a log is longer, its
    /// end is kept, which contains the reason for a rejection, after a line that says how much is missing. Kernels before 6.4
    /// return the beginning, to which the reason is added.
    ///
    /// The smallest limit is 4 KiB, the largest 1 GiB, the kernel's own limit.
    #[doc(alias = "kernel_log_size")]
    pub fn log_limit(mut self, bytes: usize) -> Self {
        self.log_limit = bytes;
        self
    }

    /// Stops the load soon after this flag is set (by a signal handler, for example), and undoes what was created by then:
    /// between two items of the plan, or in the middle of a verification that a signal interrupts. The error is then
    /// [`ErrorKind::Interrupted`].
    pub fn stop_when(mut self, flag: &Arc<AtomicBool>) -> Self {
        self.stop = Some(Arc::clone(flag));
        self
    }

    /// Loads programs in parallel on this many threads, as they do not depend on each other once the maps exist. By default,
    /// objects with 8 programs or more are loaded on as many threads as there are CPUs. All others are loaded on the caller's
    /// thread alone, as with 1, and so are loads that can be stopped ([`LoadOptions::stop_when`]), because a signal reaches
    /// only one thread.
    ///
    /// The outcome is the same: the first error in the order of the plan, after which everything is undone. A signal interrupts
    /// the verification on the thread that receives it; the other threads finish their current program.
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = Some(threads.max(1));
        self
    }

    /// How many threads load this many programs.
    pub(super) fn workers_for(&self, programs: usize) -> usize {
        let workers = self.workers.unwrap_or_else(|| match self.stop() {
            Some(_) => 1,
            None => workers::default_for(programs),
        });
        workers.min(programs).max(1)
    }

    /// Sets the maps and programs that complete the plan.
    pub fn context(mut self, context: LoadContext) -> Self {
        self.context = context;
        self
    }

    /// Replaces the target program of the plan's program with this name.
    pub(super) fn attach_program(mut self, name: &str, program: &Arc<OwnedFd>) -> Self {
        self.context.put_program(name, program);
        self
    }

    /// What completes the plan.
    pub(super) fn given(&self) -> &LoadContext {
        &self.context
    }

    /// Adds what was provided for this object to what the caller provides here.
    pub(super) fn for_object(&self, open: &OpenObject) -> Self {
        let mut context = LoadContext::of(open);
        context.extend(self.context.clone());
        self.clone().context(context)
    }

    /// The flag that stops the load.
    pub(super) fn stop(&self) -> Option<&AtomicBool> {
        self.stop.as_deref()
    }

    /// An error if the load is to be stopped.
    pub(super) fn go_on(&self) -> Result<()> {
        match self.stop() {
            Some(stop) if stop.load(Ordering::Relaxed) => Err(Error::new(
                ErrorKind::Interrupted,
                "stopped before everything was loaded",
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn level(&self) -> u32 {
        self.log_level
    }

    pub(super) fn limit(&self) -> usize {
        self.log_limit
    }
}
