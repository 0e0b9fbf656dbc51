//! Running a program on given data, without attaching it.

use super::Program;
use crate::kernel::rights;
use crate::kinds::ProgramType;
use crate::sys::bpf;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// `BPF_F_TEST_RUN_ON_CPU`: runs raw tracepoint programs on a given CPU.
const ON_CPU: u32 = 1;
/// `BPF_F_TEST_XDP_LIVE_FRAMES`: forwards the frames as the program decides.
const LIVE_FRAMES: u32 = 2;
/// How many bytes a program may add to a packet and still have it returned whole.
const GROWTH: usize = 4096;

/// What to run a program on, for [`Program::test_run`].
///
/// Which settings are allowed depends on the program type; the kernel refuses the others.
#[derive(Debug, Clone, Copy, Default)]
#[doc(alias = "bpf_test_run_opts")]
pub struct TestRun<'a> {
    data: &'a [u8],
    context: &'a [u8],
    repeat: u32,
    cpu: Option<u32>,
    live: Option<u32>,
}

impl<'a> TestRun<'a> {
    /// One run without data: enough for programs of type `syscall` and `raw_tracepoint`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the packet, starting at the Ethernet header. At least 14 bytes.
    pub fn data(self, data: &'a [u8]) -> Self {
        Self { data, ..self }
    }

    /// Sets the context: for `syscall` programs what they receive, for `raw_tracepoint` the arguments (8 bytes each), for
    /// packets a `__sk_buff` or `xdp_md` with the fields that may be set.
    pub fn context(self, context: &'a [u8]) -> Self {
        Self { context, ..self }
    }

    /// Sets how many times to run; the reported time of a run is their average.
    pub fn repeat(self, times: u32) -> Self {
        Self {
            repeat: times,
            ..self
        }
    }

    /// Sets the CPU to run on; for `raw_tracepoint`. Since Linux 5.10.
    pub fn on_cpu(self, cpu: u32) -> Self {
        Self {
            cpu: Some(cpu),
            ..self
        }
    }

    /// Forwards the frames as the program decides, `batch` at a time (0 for the kernel's default, 64); for XDP. Since Linux
    /// 5.18.
    #[doc(alias = "BPF_F_TEST_XDP_LIVE_FRAMES")]
    pub fn live_frames(self, batch: u32) -> Self {
        Self {
            live: Some(batch),
            ..self
        }
    }

    fn flags(&self) -> u32 {
        self.cpu.map_or(0, |_| ON_CPU) | self.live.map_or(0, |_| LIVE_FRAMES)
    }
}

/// The result of a test run. Returned by [`Program::test_run`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestRunOutcome {
    /// What the program returned.
    pub return_value: u32,
    /// Average duration of a run.
    pub duration: Duration,
    /// The packet as the program left it.
    pub data: Vec<u8>,
    /// The context as the program left it.
    pub context: Vec<u8>,
}

impl Program {
    /// Runs the program without attaching it. Since Linux 4.12; `raw_tracepoint` since 5.10, `syscall` since 5.14.
    ///
    /// ```no_run
    /// # fn main() -> rawbpf::Result<()> {
    /// # let object = rawbpf::OpenObject::from_file("xdp.bpf.o")?.load()?;
    /// use rawbpf::program::TestRun;
    ///
    /// let packet = [0; 64];
    /// let outcome = object.program("drop_all")?.test_run(&TestRun::new().data(&packet).repeat(1000))?;
    /// println!("returned {}, {:?} a run", outcome.return_value, outcome.duration);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Unsupported` if programs of this type cannot be test-run; the kernel's error if it does not accept `run`.
    #[doc(alias = "bpf_prog_test_run_opts")]
    pub fn test_run(&self, run: &TestRun<'_>) -> Result<TestRunOutcome> {
        // These two take a context and return nothing but their return value (and `syscall`, the context itself).
        let bare = matches!(
            self.kind(),
            ProgramType::SYSCALL | ProgramType::RAW_TRACEPOINT
        );
        let returns_data = !bare && !run.data.is_empty() && run.live.is_none();
        let mut data = vec![
            0;
            if returns_data {
                run.data.len().saturating_add(GROWTH)
            } else {
                0
            }
        ];
        let mut context = run.context.to_vec();
        let mut context_out = vec![
            0;
            if bare || run.live.is_some() {
                0
            } else {
                context.len()
            }
        ];
        let mut request = bpf::TestRun {
            data_in: run.data,
            data_out: &mut data,
            context: &mut context,
            context_out: &mut context_out,
            repeat: run.repeat,
            flags: run.flags(),
            cpu: run.cpu.unwrap_or(0),
            batch_size: run.live.unwrap_or(0),
        };
        let ran = bpf::prog_test_run(self.as_fd(), &mut request)
            .map_err(|errno| self.explain_run(errno, run))?;
        data.truncate(ran.data_len);
        if !context_out.is_empty() {
            context_out.truncate(ran.context_len);
            context = context_out;
        }
        Ok(TestRunOutcome {
            return_value: ran.return_value,
            duration: Duration::from_nanos(ran.nanoseconds.into()),
            data,
            context,
        })
    }

    #[cold]
    fn explain_run(&self, errno: Errno, run: &TestRun<'_>) -> Error {
        let doing = format!("cannot run program `{}`", self.name());
        match errno {
            Errno::ENOTSUPP | Errno::EOPNOTSUPP => Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{doing}: this kernel has no test runs for programs of type {}",
                    self.kind()
                ),
            )
            .with_errno(errno),
            Errno::EINVAL => {
                let hint = match run.data.len() {
                    1..14 => "a packet has at least the 14 bytes of an Ethernet header",
                    _ => {
                        "programs of this type do not take one of the settings, or need one that is missing: packets data, \
                          raw tracepoints their arguments as context"
                    }
                };
                Error::from_errno(errno, doing).with_hint(hint)
            }
            _ => Error::from_errno(errno, doing),
        }
    }
}

/// Keeps the kernel counting the runs and run time of all programs until dropped; see
/// [`ProgramInfo::run_count`](super::ProgramInfo). Returned by [`enable_stats`].
#[derive(Debug)]
pub struct Stats {
    _on: OwnedFd,
}

/// Makes the kernel count the runs and run time of all programs. Since Linux 5.8.
///
/// # Errors
/// `Permission` without `CAP_SYS_ADMIN`.
#[doc(alias = "bpf_enable_stats")]
pub fn enable_stats() -> Result<Stats> {
    let on = bpf::enable_run_time_stats().map_err(|errno| {
        let error = Error::from_errno(errno, "cannot enable program statistics");
        match errno {
            Errno::EPERM => error.with_hint(rights::for_ids()),
            Errno::EINVAL => error.with_hint("this needs Linux 5.8"),
            _ => error,
        }
    })?;
    Ok(Stats { _on: on })
}
