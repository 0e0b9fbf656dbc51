//! The events of kprobes and uprobes: created by a PMU, or through tracefs on kernels without one.

use super::legacy::{self, LegacyProbe};
use super::link::Link;
use super::perf_event::{self, PerfEventOptions, Way};
use crate::Result;
use crate::kinds::{ProbeKind, ProbePmu};
use crate::program::Program;
use crate::reloc::Target;
use crate::sys::perf_event::{PerfEvent, PerfScope};
use std::os::fd::OwnedFd;

/// How a probe is created and owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[doc(alias = "probe_attach_mode")]
pub enum ProbeMode {
    /// The newest way that the kernel supports.
    #[default]
    Default,
    /// A line in tracefs.
    Tracefs,
    /// A perf event without a link.
    PerfEvent,
    /// A perf event owned by a link. Since Linux 5.15.
    Link,
}

impl ProbeMode {
    /// What creates the probe.
    ///
    /// # Errors
    /// `Unsupported` if a PMU is required and the kernel has none.
    pub(super) fn source(self, kind: ProbeKind, kernel: &Target) -> Result<ProbeSource> {
        self.choose(|| kernel.probe_pmu(kind))
            .ok_or_else(|| legacy::no_pmu(kind))
    }

    fn choose(self, pmu: impl FnOnce() -> Option<ProbePmu>) -> Option<ProbeSource> {
        match self {
            Self::Tracefs => Some(ProbeSource::Tracefs),
            Self::Default => Some(pmu().map_or(ProbeSource::Tracefs, ProbeSource::Pmu)),
            Self::PerfEvent | Self::Link => pmu().map(ProbeSource::Pmu),
        }
    }

    fn way(self) -> Way {
        match self {
            Self::Default => Way::Best,
            Self::Tracefs | Self::PerfEvent => Way::Ioctl,
            Self::Link => Way::Link,
        }
    }
}

/// What creates a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeSource {
    /// Since Linux 4.17.
    Pmu(ProbePmu),
    Tracefs,
}

/// A probe to which a program can be attached.
#[derive(Debug)]
pub(super) struct ProbeEvent {
    event: OwnedFd,
    legacy: Option<LegacyProbe>,
}

impl ProbeEvent {
    pub(super) fn of_pmu(event: OwnedFd) -> Self {
        Self {
            event,
            legacy: None,
        }
    }

    /// Opens the trace event of a probe in tracefs, which lives as long as the event.
    pub(super) fn of_tracefs(probe: LegacyProbe, scope: PerfScope) -> Result<Self> {
        let id = probe.event_id()?;
        Ok(Self {
            event: perf_event::open(&PerfEvent::Tracepoint { id }, scope)?,
            legacy: Some(probe),
        })
    }

    pub(super) fn attach(self, program: &Program, mode: ProbeMode, cookie: u64) -> Result<Link> {
        let options = PerfEventOptions::of(cookie, mode.way());
        perf_event::attach(program, self.event, &options, self.legacy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_has_its_source() {
        let pmu = ProbePmu {
            number: 6,
            return_bit: 0,
            counts_users: true,
        };
        let with_pmu = |mode: ProbeMode| mode.choose(|| Some(pmu));
        let without = |mode: ProbeMode| mode.choose(|| None);
        let (by_pmu, tracefs) = (Some(ProbeSource::Pmu(pmu)), Some(ProbeSource::Tracefs));
        for (mode, expected, expected_without) in [
            (ProbeMode::Default, by_pmu, tracefs),
            (ProbeMode::Tracefs, tracefs, tracefs),
            (ProbeMode::PerfEvent, by_pmu, None),
            (ProbeMode::Link, by_pmu, None),
        ] {
            assert_eq!(with_pmu(mode), expected, "{mode:?}");
            assert_eq!(without(mode), expected_without, "{mode:?}");
        }
    }

    #[test]
    fn who_wants_tracefs_does_not_look_for_a_pmu() {
        let never = || -> Option<ProbePmu> { panic!("it looked") };
        let source = ProbeMode::Tracefs.choose(never);
        assert_eq!(source, Some(ProbeSource::Tracefs));
    }
}
