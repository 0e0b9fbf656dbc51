//! The contents of a sample: the fields that its event was opened for, in the kernel's order.

use bitflags::bitflags;

bitflags! {
    /// What a perf event adds to each sample (`PERF_SAMPLE_*`), besides what programs write.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SampleFields: u64 {
        /// The address of the sampled instruction.
        const IP = 1 << 0;
        /// The process and the thread.
        const TID = 1 << 1;
        /// The time, in nanoseconds of the kernel's own clock for perf events.
        const TIME = 1 << 2;
        /// The address that was accessed, if the event has one.
        const ADDR = 1 << 3;
        /// The id of the event.
        const ID = 1 << 6;
        /// The CPU.
        const CPU = 1 << 7;
        /// How many counts the sample stands for.
        const PERIOD = 1 << 8;
    }
}

/// `PERF_SAMPLE_RAW`: what programs write, a length (4 bytes) followed by that many bytes. Always requested where programs
/// write.
const RAW: u64 = 1 << 10;

/// The fields of one sample; `None` for those that its event was not opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleDetails {
    /// The address of the sampled instruction.
    pub ip: Option<u64>,
    /// The process and the thread.
    pub process_and_thread: Option<(u32, u32)>,
    /// The time, in nanoseconds of the kernel's own clock for perf events.
    pub time: Option<u64>,
    /// The address that was accessed.
    pub addr: Option<u64>,
    /// The id of the event.
    pub id: Option<u64>,
    /// The CPU.
    pub cpu: Option<u32>,
    /// How many counts the sample stands for.
    pub period: Option<u64>,
}

/// What each sample of an event contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleShape {
    /// The fields at the start.
    pub fields: SampleFields,
    /// Whether a program's data follows them.
    pub raw: bool,
}

impl SampleShape {
    /// Only what programs write.
    pub const PLAIN: Self = Self {
        fields: SampleFields::empty(),
        raw: true,
    };

    /// `perf_event_attr.sample_type`
    pub(in crate::sys) fn sample_type(self) -> u64 {
        self.fields.bits() | if self.raw { RAW } else { 0 }
    }

    /// Parses a sample's bytes; the second part is what a program wrote. An error says how many bytes were expected.
    pub(in crate::sys) fn parse(self, body: &[u8]) -> Result<(SampleDetails, &[u8]), u64> {
        parse(self.fields, self.raw, body)
    }
}

fn parse(fields: SampleFields, has_raw: bool, body: &[u8]) -> Result<(SampleDetails, &[u8]), u64> {
    let mut words = Words { body, at: 0 };
    let mut word = |field| {
        if fields.contains(field) {
            words.next().map(Some)
        } else {
            Ok(None)
        }
    };
    // The lower half comes first in memory, whatever the byte order.
    let halves = |word: u64| {
        let bytes = word.to_ne_bytes();
        let half = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes));
        (half(bytes.first_chunk()), half(bytes.last_chunk()))
    };
    let details = SampleDetails {
        ip: word(SampleFields::IP)?,
        process_and_thread: word(SampleFields::TID)?.map(halves),
        time: word(SampleFields::TIME)?,
        addr: word(SampleFields::ADDR)?,
        id: word(SampleFields::ID)?,
        cpu: word(SampleFields::CPU)?.map(|word| halves(word).0),
        period: word(SampleFields::PERIOD)?,
    };
    if !has_raw {
        return Ok((details, &[]));
    }
    let rest = body.get(words.at..).unwrap_or_default();
    let before = words.at as u64;
    let (len, rest) = rest.split_first_chunk().ok_or(before.saturating_add(4))?;
    let len = u32::from_ne_bytes(*len);
    let raw = usize::try_from(len).ok().and_then(|len| rest.get(..len));
    let wanted = before.saturating_add(u64::from(len)).saturating_add(4);
    raw.map(|raw| (details, raw)).ok_or(wanted)
}

struct Words<'b> {
    body: &'b [u8],
    at: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Result<u64, u64> {
        let end = self.at.saturating_add(8);
        let found = self.body.get(self.at..).and_then(|rest| rest.first_chunk());
        let word = found.ok_or(end as u64)?;
        self.at = end;
        Ok(u64::from_ne_bytes(*word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_the_kernels_order() {
        let fields = SampleFields::TIME | SampleFields::TID | SampleFields::CPU;
        let mut body = Vec::new();
        body.extend([7u32, 8].map(u32::to_ne_bytes).concat());
        body.extend(99u64.to_ne_bytes());
        body.extend([3u32, 0].map(u32::to_ne_bytes).concat());
        body.extend(2u32.to_ne_bytes());
        body.extend(b"hi\0\0");
        let (details, raw) = parse(fields, true, &body).unwrap();
        let expected = SampleDetails {
            process_and_thread: Some((7, 8)),
            time: Some(99),
            cpu: Some(3),
            ..SampleDetails::default()
        };
        assert_eq!((details, raw), (expected, &b"hi"[..]));
        assert_eq!(parse(fields, false, &body), Ok((expected, &[][..])));
        // Without the last byte that is expected, at each position.
        for (len, wanted) in [(7, 8), (15, 16), (23, 24), (27, 28), (29, 30)] {
            assert_eq!(parse(fields, true, &body[..len]), Err(wanted));
        }
    }
}
