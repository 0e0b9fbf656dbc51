//! Requests to block devices, with their latency.

use crate::common::{
    Args, Column, Outcome, Tool, follow, fraction, left, number, right, text, uint,
};
use std::cell::OnceCell;

pub(crate) const TOOL: Tool = Tool {
    name: "biosnoop",
    about: "Prints requests to block devices, and how long they took",
    operands: "",
    options: &[],
    examples: &[
        ("", "all requests"),
        ("-p 181", "those that a process makes itself"),
        ("-d 10 --json", "for ten seconds, for a program to read"),
    ],
    run,
};

rawbpf::include_bpf!("bpf/biosnoop.bpf.o", mod = bpf);

const COLUMNS: &[Column] = &[
    number("TIME(s)", 11, 6),
    left("COMM", 14),
    left("PID", 7),
    left("DISK", 9),
    left("T", 4),
    right("SECTOR", 10),
    right("BYTES", 7),
    number("LAT(ms)", 7, 3),
];

/// Programs that see who makes a request: the first that this kernel has a place for.
const MAKERS: [&str; 4] = [
    "accounted",
    "accounted_since_5_16",
    "accounted_before_5_16",
    "inserted",
];

fn run(mut args: Args) -> Outcome {
    let run = args.common()?;
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    open.object_mut().prefer(&MAKERS)?;
    let loaded = open.load()?;
    let links = loaded.attach()?;
    let (events, lost) = (&loaded.maps.events, &loaded.bss.lost);
    let first = OnceCell::new();
    follow(run, COLUMNS, events, links, lost, |event| {
        let completed = event.issued.saturating_add(event.duration_ns);
        let first = *first.get_or_init(|| completed);
        Ok(Some([
            fraction(completed.saturating_sub(first), 1e9),
            text(&event.comm),
            uint(event.tgid),
            text(&event.disk),
            text(&event.rwbs),
            uint(event.sector),
            uint(event.bytes),
            fraction(event.duration_ns, 1e6),
        ]))
    })
}
