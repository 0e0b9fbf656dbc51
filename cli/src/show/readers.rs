//! All buffers of an object, read together and printed as events arrive.

use crate::cannot_print;
use crate::show::events::Printer;
use rawbpf::Result;
use rawbpf::ring::{PerfBuffer, PerfRecord, Poller, RingBuffer};
use std::io::Write;
use std::time::Duration;

/// The readers of one object's buffers, each with its printer.
pub(crate) struct Readers<'b> {
    poller: Poller,
    rings: Vec<(RingBuffer, Printer<'b>)>,
    perf: Vec<(PerfBuffer, Printer<'b>)>,
}

impl<'b> Readers<'b> {
    /// A set without readers.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            rings: Vec::new(),
            perf: Vec::new(),
        })
    }

    /// Adds a ring buffer.
    pub(crate) fn add_ring(&mut self, ring: RingBuffer, printer: Printer<'b>) -> Result<()> {
        self.poller.add(&ring)?;
        self.rings.push((ring, printer));
        Ok(())
    }

    /// Adds a perf buffer.
    pub(crate) fn add_perf(&mut self, perf: PerfBuffer, printer: Printer<'b>) -> Result<()> {
        self.poller.add(&perf)?;
        self.perf.push((perf, printer));
        Ok(())
    }

    /// Waits for events, prints those that are available, and returns how many.
    pub(crate) fn print(&mut self, timeout: Duration, out: &mut impl Write) -> Result<usize> {
        self.poller.wait(Some(timeout))?;
        self.print_batch(out)
    }

    /// Prints the remaining events after everything has been detached, and returns their number.
    pub(crate) fn print_rest(&mut self, out: &mut impl Write) -> Result<usize> {
        /// A batch is a quarter of a ring. Events that other users' programs keep writing are not waited for.
        const OF_A_FULL_RING: usize = 4;
        (0..OF_A_FULL_RING).try_fold(0, |shown, _| Ok(shown + self.print_batch(out)?))
    }

    fn print_batch(&mut self, out: &mut impl Write) -> Result<usize> {
        let mut shown = 0;
        for (ring, printer) in &mut self.rings {
            for record in &ring.poll() {
                printer.print(out, record?.bytes())?;
                shown += 1;
            }
        }
        for (perf, printer) in &mut self.perf {
            for record in &perf.poll() {
                // The number of lost events is printed at the end.
                if let PerfRecord::Sample(sample) = record? {
                    printer.print(out, sample.bytes())?;
                    shown += 1;
                }
            }
        }
        out.flush().map_err(cannot_print)?;
        Ok(shown)
    }

    /// How many events were lost because a perf buffer was full; `None` if there is no perf buffer.
    pub(crate) fn lost(&self) -> Option<u64> {
        let counts = self.perf.iter().map(|(perf, _)| perf.lost());
        counts.reduce(u64::saturating_add)
    }
}
