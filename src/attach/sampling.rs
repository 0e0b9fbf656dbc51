//! Programs that run whenever a counter has advanced by some number, or some number of times per second.

use super::attachment::Attachment;
use super::link::Link;
use super::perf_event::{self, PerfEventOptions};
use super::uprobe::Processes;
use crate::kernel::rights;
use crate::program::Program;
use crate::sys::perf_event::{PerfEvent, PerfScope, SampleRate, perf_event_open};
use crate::sys::system::online_cpus;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::OwnedFd;

/// Counters that the kernel maintains (`PERF_TYPE_SOFTWARE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "perf_sw_ids")]
pub enum SoftwareEvent {
    /// CPU time in nanoseconds. What profilers sample on machines without hardware counters.
    CpuClock,
    /// The task's run time in nanoseconds.
    TaskClock,
    /// Page faults, minor and major.
    PageFaults,
    /// Context switches.
    ContextSwitches,
    /// Migrations of a task to another CPU.
    CpuMigrations,
    /// Page faults that did not require disk I/O.
    MinorFaults,
    /// Page faults that required disk I/O.
    MajorFaults,
}

/// Counters of the processor, in the kernel's generalized form (`PERF_TYPE_HARDWARE`). Virtual machines often have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "perf_hw_id")]
pub enum HardwareEvent {
    /// Cycles.
    CpuCycles,
    /// Retired instructions.
    Instructions,
    /// Accesses to the last-level cache.
    CacheReferences,
    /// Misses of the last-level cache.
    CacheMisses,
    /// Retired branches.
    BranchInstructions,
    /// Mispredicted branches.
    BranchMisses,
}

/// What to count, how often to run the program, and for which processes.
///
/// ```
/// use rawbpf::attach::{Processes, Sampling, SoftwareEvent};
/// let profile = Sampling::software(SoftwareEvent::CpuClock).frequency(99);
/// let one = Sampling::software(SoftwareEvent::PageFaults).period(1).processes(Processes::Pid(4321));
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "perf_event_attr")]
pub struct Sampling {
    kind: u32,
    config: u64,
    rate: SampleRate,
    processes: Processes,
    cpu: Option<u32>,
    cookie: u64,
}

impl Sampling {
    /// A counter that the kernel maintains.
    pub fn software(event: SoftwareEvent) -> Self {
        /// `PERF_TYPE_SOFTWARE`
        const SOFTWARE: u32 = 1;
        Self::event(SOFTWARE, event as u64)
    }

    /// A counter of the processor.
    pub fn hardware(event: HardwareEvent) -> Self {
        /// `PERF_TYPE_HARDWARE`
        const HARDWARE: u32 = 0;
        Self::event(HARDWARE, event as u64)
    }

    /// Any counter, by `PERF_TYPE_*` (or a number from `/sys/bus/event_source/devices/*/type`) and its configuration.
    ///
    /// By default: a thousand times a second, all processes, every CPU.
    pub fn event(kind: u32, config: u64) -> Self {
        Self {
            kind,
            config,
            rate: SampleRate::Frequency(1000),
            processes: Processes::All,
            cpu: None,
            cookie: 0,
        }
    }

    /// Runs the program about this many times per second on each CPU, while there is something to count.
    pub fn frequency(mut self, hertz: u64) -> Self {
        self.rate = SampleRate::Frequency(hertz);
        self
    }

    /// Runs the program each time the counter has advanced by this number.
    pub fn period(mut self, counts: u64) -> Self {
        self.rate = SampleRate::Period(counts);
        self
    }

    /// Which processes are counted. Here, a process is a single thread: `Own` is the calling thread, `Pid` takes any thread
    /// id.
    pub fn processes(mut self, processes: Processes) -> Self {
        self.processes = processes;
        self
    }

    /// Only on this CPU.
    pub fn cpu(mut self, cpu: u32) -> Self {
        self.cpu = Some(cpu);
        self
    }

    /// A number that the program can read with `bpf_get_attach_cookie`. Since Linux 5.15.
    pub fn cookie(mut self, cookie: u64) -> Self {
        self.cookie = cookie;
        self
    }

    /// Opens the counter without a program: one descriptor per CPU if it counts all processes, otherwise one. For maps of
    /// type `perf_event_array`, whose programs read it (`bpf_perf_event_read_value`), and for [`Program::attach_perf_event`].
    /// The cookie is not used.
    ///
    /// # Errors
    /// Those of [`Program::attach_sampling`].
    #[doc(alias = "perf_event_open")]
    pub fn open(&self) -> Result<Vec<OwnedFd>> {
        let scopes = self.scopes()?.into_iter();
        scopes.map(|scope| self.open_for(scope)).collect()
    }

    fn open_for(&self, scope: PerfScope) -> Result<OwnedFd> {
        let event = PerfEvent::Sampled {
            kind: self.kind,
            config: self.config,
            rate: self.rate,
        };
        perf_event_open(&event, scope).map_err(|errno| refused(errno, self))
    }

    /// One scope for each event to open: an event that counts all processes is bound to one CPU.
    fn scopes(&self) -> Result<Vec<PerfScope>> {
        let pid = match self.processes {
            Processes::All => None,
            Processes::Own => Some(0),
            Processes::Pid(pid) => Some(
                i32::try_from(pid)
                    .ok()
                    .filter(|pid| *pid > 0)
                    .ok_or_else(|| {
                        let message = format!("{pid} is no number of a process");
                        Error::new(ErrorKind::InvalidArgument, message)
                    })?,
            ),
        };
        Ok(match (pid, self.cpu) {
            (Some(pid), None) => vec![PerfScope::Process(pid)],
            (Some(pid), Some(cpu)) => vec![PerfScope::ProcessOnCpu(pid, cpu)],
            (None, Some(cpu)) => vec![PerfScope::Cpu(cpu)],
            (None, None) => {
                let cpus = online_cpus().map_err(|errno| {
                    Error::from_errno(errno, "cannot read which CPUs are online")
                })?;
                cpus.into_iter().map(PerfScope::Cpu).collect()
            }
        })
    }
}

impl Program {
    /// Runs the program when a counter triggers it. For programs of `SEC("perf_event")`.
    ///
    /// Counting all processes on every CPU takes an event and a link for each CPU: the returned [`Link`] owns all of them and
    /// cannot be pinned. CPUs that come online later are not counted.
    ///
    /// # Errors
    /// `NotFound` if the machine has no such counter or the process is gone; `Permission` with what is missing.
    #[doc(alias = "bpf_program__attach_perf_event_opts")]
    pub fn attach_sampling(&self, at: &Sampling) -> Result<Link> {
        let attach = || {
            let mut links = Vec::new();
            for scope in at.scopes()? {
                links.push(self.sample(at, scope)?);
            }
            match links.len() {
                1 => links.pop().ok_or_else(no_cpu),
                0 => Err(no_cpu()),
                _ => Ok(Link::with(self.name(), None, EachCpu(links))),
            }
        };
        attach().map_err(|e: Error| e.context(format!("attaching `{}` to a counter", self.name())))
    }

    fn sample(&self, at: &Sampling, scope: PerfScope) -> Result<Link> {
        perf_event::attach(
            self,
            at.open_for(scope)?,
            &PerfEventOptions::new().cookie(at.cookie),
            None,
        )
    }
}

fn no_cpu() -> Error {
    Error::new(ErrorKind::Corrupt, "no CPU is online")
}

/// The links of all CPUs' events.
#[derive(Debug)]
struct EachCpu(Vec<Link>);

impl Attachment for EachCpu {
    fn undo(&mut self) -> Result<()> {
        self.0.drain(..).try_for_each(Link::detach)
    }

    fn why_no_link(&self) -> &'static str {
        "it is a link for each CPU: attach to each with Sampling::cpu to have them one by one"
    }
}

fn refused(errno: Errno, at: &Sampling) -> Error {
    let error = Error::from_errno(errno, "the kernel does not open the counter");
    match errno {
        Errno::EPERM | Errno::EACCES => error.with_hint(rights::for_perf_event()),
        Errno::ENOENT | Errno::EOPNOTSUPP | Errno::ENODEV => {
            let message = format!("this machine has no counter {} of type {}", at.config, at.kind);
            Error::new(ErrorKind::NotFound, message)
                .with_errno(errno)
                .with_hint("virtual machines often have no hardware counters: SoftwareEvent::CpuClock is always there")
        }
        Errno::ESRCH => {
            let message = format!("there is no process for {:?}", at.processes);
            Error::new(ErrorKind::NotFound, message).with_errno(errno)
        }
        Errno::EINVAL => match at.rate {
            SampleRate::Frequency(hertz) => error.with_hint(format!(
                "{hertz} times a second may be more than /proc/sys/kernel/perf_event_max_sample_rate allows"
            )),
            SampleRate::Period(_) => error,
        },
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_kernels_numbers() {
        assert_eq!(SoftwareEvent::MajorFaults as u64, 6);
        assert_eq!(HardwareEvent::BranchMisses as u64, 5);
    }

    #[test]
    fn one_process_is_one_event() {
        let at = Sampling::software(SoftwareEvent::CpuClock);
        let scopes = |processes| at.clone().processes(processes).scopes().unwrap();
        assert_eq!(scopes(Processes::Own), [PerfScope::Process(0)]);
        assert_eq!(scopes(Processes::Pid(7)), [PerfScope::Process(7)]);
        assert!(!scopes(Processes::All).is_empty());
        assert!(at.clone().processes(Processes::Pid(0)).scopes().is_err());
        assert_eq!(at.cpu(1).scopes().unwrap(), [PerfScope::Cpu(1)]);
    }
}
