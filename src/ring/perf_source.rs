//! What fills a perf buffer.

use crate::sys::perf_event::{BufferSource, SampleRate};
use crate::sys::perf_sample::{SampleFields, SampleShape};
use crate::{Error, ErrorKind, Result};

/// What fills the buffers of a [`PerfBuffer`](super::PerfBuffer): programs, or a counter that programs can read from the same map
/// (`bpf_perf_event_read_value`); and what each sample says besides.
///
/// ```
/// use rawbpf::ring::{PerfSource, SampleFields};
///
/// let stamped = PerfSource::programs().fields(SampleFields::TIME | SampleFields::TID);
/// // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK: nanoseconds, and one sample a millisecond.
/// let profile = PerfSource::counter(1, 0).period(1_000_000).fields(SampleFields::IP);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "perf_event_attr")]
pub struct PerfSource(BufferSource);

impl PerfSource {
    /// What programs write with `bpf_perf_event_output`.
    #[doc(alias = "PERF_COUNT_SW_BPF_OUTPUT")]
    pub fn programs() -> Self {
        Self(BufferSource::PROGRAMS)
    }

    /// Any counter, by `PERF_TYPE_*` (or a number from `/sys/bus/event_source/devices/*/type`) and its configuration. What
    /// programs write does not go there. Until told otherwise, a thousand samples a second, of no fields.
    pub fn counter(kind: u32, config: u64) -> Self {
        Self(BufferSource {
            kind,
            config,
            rate: SampleRate::Frequency(1000),
            shape: SampleShape {
                fields: SampleFields::empty(),
                raw: false,
            },
        })
    }

    /// One sample of a counter every so many counts. Programs make one each time that they write.
    #[doc(alias = "sample_period")]
    pub fn period(mut self, counts: u64) -> Self {
        self.0.rate = SampleRate::Period(counts);
        self
    }

    /// About so many samples of a counter a second on each CPU, while there is something to count.
    #[doc(alias = "sample_freq")]
    pub fn frequency(mut self, hertz: u64) -> Self {
        self.0.rate = SampleRate::Frequency(hertz);
        self
    }

    /// What each sample says besides what a program wrote; see [`Sample::details`](super::Sample::details).
    #[doc(alias = "sample_type")]
    pub fn fields(mut self, fields: SampleFields) -> Self {
        self.0.shape.fields = fields;
        self
    }

    /// # Errors
    /// `InvalidArgument` if it is programs that are to be sampled: the kernel would take no notice.
    pub(super) fn check(&self) -> Result<()> {
        let programs = BufferSource::PROGRAMS;
        let is_programs = (self.0.kind, self.0.config) == (programs.kind, programs.config);
        if is_programs && self.0.rate != programs.rate {
            let message = "programs make a sample each time that they write, not now and then";
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .with_hint("leave out the period (or frequency); it is for counters"));
        }
        Ok(())
    }

    pub(super) fn raw(&self) -> BufferSource {
        self.0
    }
}
