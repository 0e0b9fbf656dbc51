#![allow(unsafe_code)]
//! Perf events, which tracepoint, kprobe and uprobe programs are attached to: opening, enabling and disabling them.
//!
//! A *tracepoint* event is identified by its number in tracefs. A *kprobe* or *uprobe* event belongs to a performance
//! monitoring unit (PMU) of that name, whose number is found in sysfs (since Linux 4.17).

use super::attr::{Attr, PerfEventAttr};
use super::perf_sample::SampleShape;
use super::system::first_online_cpu;
use super::{errno, fd};
use crate::Errno;
use crate::kinds::{ProbeKind, ProbePmu};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// `PERF_TYPE_SOFTWARE` and `PERF_TYPE_TRACEPOINT`.
const TYPE_SOFTWARE: u32 = 1;
const TYPE_TRACEPOINT: u32 = 2;
/// `PERF_COUNT_SW_BPF_OUTPUT`.
const SOFTWARE_BPF_OUTPUT: u64 = 10;
/// `PERF_FORMAT_LOST`: the event's value is followed by how many records were lost for want of room.
const FORMAT_LOST: u64 = 1 << 4;
/// The bit `freq` of the attributes' bit field: `sample_period` is a frequency.
const BIT_FREQ: u64 = 1 << 10;
/// The bit `watermark`: `wakeup_events` counts bytes.
const BIT_WATERMARK: u64 = 1 << 14;
/// In a uprobe event's configuration, the upper half is the semaphore's offset.
const REF_CTR_SHIFT: u32 = 32;

/// Reads the numbers of a PMU from sysfs; `ENOENT` if the kernel has no such PMU. Since Linux 4.17.
pub fn find_probe_pmu(kind: ProbeKind) -> Result<ProbePmu, Errno> {
    let name = match kind {
        ProbeKind::Kprobe => "kprobe",
        ProbeKind::Uprobe => "uprobe",
    };
    let path = |file: &str| format!("/sys/bus/event_source/devices/{name}/{file}");
    let read = |file| std::fs::read_to_string(path(file)).map_err(|e| errno::from_io(&e));
    let number = read("type")?.trim().parse().map_err(|_| Errno::EINVAL)?;
    let return_bit = parse_config_bit(&read("format/retprobe")?).ok_or(Errno::EINVAL)?;
    Ok(ProbePmu {
        number,
        return_bit,
        counts_users: std::path::Path::new(&path("format/ref_ctr_offset")).exists(),
    })
}

/// Reads the bit in `"config:0"`.
fn parse_config_bit(text: &str) -> Option<u32> {
    let bit = text.trim().strip_prefix("config:")?.parse().ok()?;
    (bit < u64::BITS).then_some(bit)
}

/// Whether a probe fires when the function is entered or when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeMoment {
    /// At the instruction.
    Entry,
    /// When the function that starts there returns.
    Return,
}

/// What an event observes.
#[derive(Debug, Clone, Copy)]
pub enum PerfEvent<'a> {
    /// A tracepoint (or a probe that was created through tracefs), by its number in tracefs.
    Tracepoint {
        /// Contents of the tracepoint's file `id`.
        id: u64,
    },
    /// A probe in the kernel.
    Kprobe {
        /// From [`find_probe_pmu`].
        pmu: ProbePmu,
        /// On entry or on return.
        moment: ProbeMoment,
        /// The function; `None` if `offset` is an address.
        function: Option<&'a CStr>,
        /// Bytes from the start of the function.
        offset: u64,
    },
    /// A probe in an executable or library.
    Uprobe {
        /// From [`find_probe_pmu`].
        pmu: ProbePmu,
        /// On entry or on return.
        moment: ProbeMoment,
        /// The file.
        path: &'a CStr,
        /// Bytes from the start of the file.
        offset: u64,
        /// File offset of the semaphore; 0 for none. Since Linux 4.20.
        ref_ctr_offset: u32,
    },
    /// An event whose samples go into a buffer that is read.
    Buffered {
        /// What fills the buffer.
        source: BufferSource,
        /// When the reader is woken.
        wakeup: Wakeup,
        /// Whether reading the event reports how many records were lost for want of room. Since Linux 6.0.
        count_lost: bool,
    },
    /// Any counter, sampled: what `perf_event` programs are attached to.
    Sampled {
        /// `PERF_TYPE_*`.
        kind: u32,
        /// `PERF_COUNT_*` of that type.
        config: u64,
        /// How often.
        rate: SampleRate,
    },
}

/// When the reader of an event's buffer is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wakeup {
    /// After this many events.
    #[doc(alias = "wakeup_events")]
    Events(u32),
    /// After this many bytes.
    #[doc(alias = "wakeup_watermark")]
    Bytes(u32),
}

/// How often a counter is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleRate {
    /// Once per this many counts.
    Period(u64),
    /// This many times a second.
    Frequency(u64),
}

impl SampleRate {
    /// `sample_period`, and the bit that says whether it is a frequency.
    fn in_attributes(self) -> (u64, u64) {
        match self {
            Self::Period(period) => (period, 0),
            Self::Frequency(frequency) => (frequency, BIT_FREQ),
        }
    }
}

/// What fills a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferSource {
    /// `PERF_TYPE_*`
    pub kind: u32,
    /// `PERF_COUNT_*` of that type.
    pub config: u64,
    /// How often it is sampled.
    pub rate: SampleRate,
    /// What a sample contains.
    pub shape: SampleShape,
}

impl BufferSource {
    /// What programs write with `bpf_perf_event_output`: one sample for each call.
    pub const PROGRAMS: Self = Self {
        kind: TYPE_SOFTWARE,
        config: SOFTWARE_BPF_OUTPUT,
        rate: SampleRate::Period(1),
        shape: SampleShape::PLAIN,
    };
}

/// Whose events are observed, and on which CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerfScope {
    /// Every process's. Probes and tracepoints fire everywhere, whichever CPU the event is opened on: it is opened on the
    /// first online CPU, which need not be number 0.
    Everyone,
    /// One process, on every CPU; 0 is the caller.
    Process(i32),
    /// Every process's, on one CPU.
    Cpu(u32),
    /// One process on one CPU.
    ProcessOnCpu(i32, u32),
}

impl PerfScope {
    fn pid_and_cpu(self) -> (i32, i32) {
        let number = |cpu| i32::try_from(cpu).unwrap_or(i32::MAX);
        match self {
            Self::Everyone => (-1, number(first_online_cpu())),
            Self::Process(pid) => (pid, -1),
            Self::Cpu(cpu) => (-1, number(cpu)),
            Self::ProcessOnCpu(pid, cpu) => (pid, number(cpu)),
        }
    }
}

impl PerfEvent<'_> {
    fn attr(&self) -> PerfEventAttr {
        let empty = PerfEventAttr {
            size: PerfEventAttr::SENT,
            ..PerfEventAttr::default()
        };
        let text = |text: &CStr| text.as_ptr().expose_provenance() as u64;
        let config = |pmu: ProbePmu, moment| match moment {
            ProbeMoment::Entry => 0,
            ProbeMoment::Return => 1u64.checked_shl(pmu.return_bit).unwrap_or(0),
        };
        match *self {
            Self::Tracepoint { id } => PerfEventAttr {
                kind: TYPE_TRACEPOINT,
                config: id,
                ..empty
            },
            Self::Kprobe {
                pmu,
                moment,
                function,
                offset,
            } => PerfEventAttr {
                kind: pmu.number,
                config: config(pmu, moment),
                config1: function.map_or(0, text),
                config2: offset,
                ..empty
            },
            Self::Uprobe {
                pmu,
                moment,
                path,
                offset,
                ref_ctr_offset,
            } => PerfEventAttr {
                kind: pmu.number,
                config: config(pmu, moment) | u64::from(ref_ctr_offset) << REF_CTR_SHIFT,
                config1: text(path),
                config2: offset,
                ..empty
            },
            Self::Buffered {
                source,
                wakeup,
                count_lost,
            } => {
                let (wakeup_events, bits) = match wakeup {
                    Wakeup::Events(count) => (count, 0),
                    Wakeup::Bytes(count) => (count, BIT_WATERMARK),
                };
                let (sample_period, freq) = source.rate.in_attributes();
                PerfEventAttr {
                    kind: source.kind,
                    config: source.config,
                    sample_type: source.shape.sample_type(),
                    sample_period,
                    read_format: if count_lost { FORMAT_LOST } else { 0 },
                    wakeup_events,
                    bits: bits | freq,
                    ..empty
                }
            }
            Self::Sampled { kind, config, rate } => {
                let (sample_period, bits) = rate.in_attributes();
                PerfEventAttr {
                    kind,
                    config,
                    sample_period,
                    bits,
                    ..empty
                }
            }
        }
    }
}

/// Opens an event. It counts immediately, but programs run only after [`enable`].
pub fn perf_event_open(event: &PerfEvent<'_>, scope: PerfScope) -> Result<OwnedFd, Errno> {
    /// No group.
    const NO_GROUP: libc::c_int = -1;
    /// `PERF_FLAG_FD_CLOEXEC`
    const FLAG_CLOEXEC: libc::c_ulong = 1 << 3;
    let mut attr = event.attr();
    let (pid, cpu) = scope.pid_and_cpu();
    loop {
        // SAFETY: `attr` is as long as its field `size` says; its pointers are null or those of C strings that `event`
        // borrows (an unknown PMU takes them for numbers).
        let raw = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                std::ptr::from_mut(&mut attr),
                pid,
                cpu,
                NO_GROUP,
                FLAG_CLOEXEC,
            )
        };
        match errno::check(raw) {
            Err(Errno::EINTR) => {}
            // SAFETY: the call returns a new descriptor.
            result => return result.and_then(|raw| unsafe { fd::adopt(raw) }),
        }
    }
}

/// Runs `program` at every event once the event is [`enable`]d: the way before links (Linux 5.15), without cookies.
#[doc(alias = "PERF_EVENT_IOC_SET_BPF")]
pub fn set_program(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    const SET_BPF: libc::Ioctl = libc::_IOW::<u32>(b'$' as u32, 8);
    control(event, SET_BPF, program.as_raw_fd())
}

/// Starts an event.
#[doc(alias = "PERF_EVENT_IOC_ENABLE")]
pub fn enable(event: BorrowedFd<'_>) -> Result<(), Errno> {
    const ENABLE: libc::Ioctl = libc::_IO(b'$' as u32, 0);
    control(event, ENABLE, 0)
}

/// Stops an event.
#[doc(alias = "PERF_EVENT_IOC_DISABLE")]
pub fn disable(event: BorrowedFd<'_>) -> Result<(), Errno> {
    const DISABLE: libc::Ioctl = libc::_IO(b'$' as u32, 1);
    control(event, DISABLE, 0)
}

fn control(event: BorrowedFd<'_>, request: libc::Ioctl, number: libc::c_int) -> Result<(), Errno> {
    // SAFETY: these requests take a number, not a pointer; other kinds of files answer ENOTTY.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), request, libc::c_long::from(number)) };
    errno::check(result.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_bits_are_read() {
        assert_eq!(parse_config_bit("config:0\n"), Some(0));
        assert_eq!(parse_config_bit("config:63"), Some(63));
        assert_eq!(parse_config_bit("config:64"), None);
        assert_eq!(parse_config_bit("config1:0"), None);
        assert_eq!(parse_config_bit("config:0-3"), None);
    }

    #[test]
    fn a_uprobe_carries_offset_and_semaphore() {
        let event = PerfEvent::Uprobe {
            pmu: ProbePmu {
                number: 9,
                return_bit: 0,
                counts_users: true,
            },
            moment: ProbeMoment::Return,
            path: c"/bin/true",
            offset: 0x1234,
            ref_ctr_offset: 0x10,
        };
        let attr = event.attr();
        assert_eq!(attr.kind, 9);
        assert_eq!(attr.config, 0x10_0000_0001);
        assert_eq!(attr.config2, 0x1234);
        assert_ne!(attr.config1, 0);
    }

    #[test]
    fn scopes_follow_the_kernels_rules() {
        let (pid, cpu) = PerfScope::Everyone.pid_and_cpu();
        let online = crate::sys::system::online_cpus().unwrap();
        assert_eq!(
            (pid, u32::try_from(cpu).ok()),
            (-1, online.first().copied())
        );
        assert_eq!(PerfScope::Process(0).pid_and_cpu(), (0, -1));
        assert_eq!(PerfScope::Cpu(3).pid_and_cpu(), (-1, 3));
    }
}
