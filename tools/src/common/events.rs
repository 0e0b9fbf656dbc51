//! Events from a ring buffer, shown until the tool ends.

use super::stop::TICK;
use super::{Outcome, Run, Table};
use rawbpf::load::Object;
use rawbpf::ring::RingBuffer;
use std::io::{self, Write};
use std::time::Duration;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Shows the events of the map `events` until the end, then detaches
/// (drops `links`) and shows those that are left.
pub(crate) fn follow<T: FromBytes + Immutable + KnownLayout, L>(
    object: &Object,
    links: L,
    run: &mut Run,
    table: &mut Table,
    mut show: impl FnMut(&mut Table, &T) -> Outcome,
) -> Outcome {
    let mut ring = RingBuffer::new(object.map("events")?)?;
    let mut show_all = |timeout| -> Outcome {
        for record in &ring.wait(Some(timeout))? {
            show(table, record?.view()?)?;
        }
        Ok(table.flush()?)
    };
    run.stop.begin("attached")?;
    while !run.stop.is_over() {
        show_all(TICK)?;
    }
    drop(links);
    show_all(Duration::ZERO)?;
    let lost = object.live::<u64>("lost")?.get();
    if lost > 0 {
        writeln!(
            io::stderr(),
            "{lost} events were lost: they came faster than they were shown"
        )?;
    }
    Ok(())
}
