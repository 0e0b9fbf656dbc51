//! Tracepoints, through perf events.

use super::link::Link;
use super::perf_event::{self, PerfEventOptions};
use super::tracefs;
use crate::Result;
use crate::program::Program;
use crate::sys::perf_event::{PerfEvent, PerfScope};

impl Program {
    /// Attaches to a tracepoint, such as `("syscalls", "sys_enter_openat")`.
    ///
    /// # Errors
    /// `NotFound` if the tracepoint does not exist. `Permission` if tracefs, which lists it, is not mounted and this process
    /// may not mount it for itself (see [`mounts`](crate::mounts)).
    #[doc(alias = "bpf_program__attach_tracepoint")]
    pub fn attach_tracepoint(&self, category: &str, name: &str) -> Result<Link> {
        self.attach_tracepoint_with_cookie(category, name, 0)
    }

    /// [`Program::attach_tracepoint`] with a cookie that the program can read with `bpf_get_attach_cookie`. Since Linux 5.15.
    #[doc(alias = "bpf_program__attach_tracepoint_opts")]
    pub fn attach_tracepoint_with_cookie(
        &self,
        category: &str,
        name: &str,
        cookie: u64,
    ) -> Result<Link> {
        let link = || {
            let id = tracefs::event_id(category, name)?;
            let event = perf_event::open(&PerfEvent::Tracepoint { id }, PerfScope::Everyone)?;
            perf_event::attach(self, event, &PerfEventOptions::new().cookie(cookie), None)
        };
        link().map_err(|e| {
            e.context(format!(
                "attaching `{}` to tracepoint {category}/{name}",
                self.name()
            ))
        })
    }
}
