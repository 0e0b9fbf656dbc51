//! What a caller may ask of a load besides the plan.

use super::context::LoadContext;
use super::workers;
use crate::open::OpenObject;
use crate::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How to load a plan; the default is what most need.
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

    /// Asks the verifier for a log of every program, not only of those that it refuses: 1 for the path to a refusal (of an
    /// accepted program: how much there was to verify), 2 for every path and state, 4 for statistics.
    /// [`Program::verifier_log`](crate::program::Program::verifier_log) has it, and
    /// [`Error::verifier_log`](crate::Error::verifier_log) that of a refused program.
    ///
    /// A program then takes longer to load.
    /// [`OpenProgram::set_log_level`](crate::open::OpenProgram::set_log_level) asks for that of one program alone.
    #[doc(alias = "kernel_log_level")]
    pub fn log_level(mut self, level: u32) -> Self {
        self.log_level = level;
        self
    }

    /// Keeps at most this many bytes of each log (16 MiB unless set), and takes no more memory for it. Of a longer one the
    /// end is kept, where the reason of a refusal stands, after a line that says how much is missing. Kernels before 6.4
    /// give the beginning, to which the reason is added.
    ///
    /// The smallest limit is 4 KiB, the largest what the kernel takes, 1 GiB.
    #[doc(alias = "kernel_log_size")]
    pub fn log_limit(mut self, bytes: usize) -> Self {
        self.log_limit = bytes;
        self
    }

    /// Gives the load up soon after somebody (the handler of a signal, say) has set this flag, and gives back what was made
    /// until then: between two items of the plan, or in the middle of a verification that a signal interrupts. The error is
    /// then [`ErrorKind::Interrupted`].
    pub fn stop_when(mut self, flag: &Arc<AtomicBool>) -> Self {
        self.stop = Some(Arc::clone(flag));
        self
    }

    /// Loads programs on so many threads side by side, as they do not depend on each other once the maps exist. Unless set, objects
    /// of 8 programs or more are loaded on as many threads as there are CPUs, others on the caller's alone, which 1 asks for; so are
    /// all that can be stopped ([`LoadOptions::stop_when`]), as a signal reaches one thread only.
    ///
    /// The outcome is the same: the first error in the order of the plan, after which everything is given back. A signal interrupts
    /// the verification on the thread that receives it; the others finish the program that they are at.
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = Some(threads.max(1));
        self
    }

    /// How many threads load so many programs.
    pub(super) fn workers_for(&self, programs: usize) -> usize {
        let workers = self.workers.unwrap_or_else(|| match self.stop() {
            Some(_) => 1,
            None => workers::default_for(programs),
        });
        workers.min(programs).max(1)
    }

    /// Hands over the maps and programs that go into the holes of the plan.
    pub fn context(mut self, context: LoadContext) -> Self {
        self.context = context;
        self
    }

    /// With another program that has the function of the plan's program of this name.
    pub(super) fn attach_program(mut self, name: &str, program: &Arc<OwnedFd>) -> Self {
        self.context.put_program(name, program);
        self
    }

    /// What goes into the holes of the plan.
    pub(super) fn given(&self) -> &LoadContext {
        &self.context
    }

    /// With what was given to this object, beside what the caller gives here.
    pub(super) fn for_object(&self, open: &OpenObject) -> Self {
        let mut context = LoadContext::of(open);
        context.extend(self.context.clone());
        self.clone().context(context)
    }

    /// The flag that ends the load.
    pub(super) fn stop(&self) -> Option<&AtomicBool> {
        self.stop.as_deref()
    }

    /// An error if the load is to be given up.
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
