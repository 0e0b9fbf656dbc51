//! Events from a ring buffer, shown until the tool ends.

use super::stop::TICK;
use super::{Column, Outcome, Run};
use rawbpf::btf::Value;
use rawbpf::load::Live;
use rawbpf::ring::{Event, RingMap};
use std::io::{self, Write};
use std::time::Duration;

/// Shows a row for each event, or none, until the end; then detaches (drops `links`), and shows those that are left.
///
/// `lost` is what the programs count the events in that found no room.
pub(crate) fn follow<T: Event, const N: usize>(
    mut run: Run,
    columns: &'static [Column],
    events: &RingMap<T>,
    links: impl Sized,
    lost: &Live<u64>,
    row: impl Fn(&T) -> Outcome<Option<[Value; N]>>,
) -> Outcome {
    let mut ring = events.ring()?;
    let mut table = run.table(columns)?;
    let mut show = |timeout| -> Outcome {
        for event in &ring.wait(Some(timeout))? {
            if let Some(values) = row(event?)? {
                table.row(values)?;
            }
        }
        Ok(table.flush()?)
    };
    run.stop.begin("attached")?;
    while !run.stop.is_over() {
        show(TICK)?;
    }
    drop(links);
    show(Duration::ZERO)?;
    let lost = lost.get();
    if lost > 0 {
        let why = "they came faster than they were shown";
        writeln!(io::stderr(), "{lost} events were lost: {why}")?;
    }
    Ok(())
}
