//! Requests to block devices, with their latency.

use crate::common::{
    Args, Column, Outcome, Tool, follow, fraction, left, number, right, text, uint,
};
use rawbpf::btf::Kind;
use rawbpf::open::OpenObject;
use rawbpf::reloc::Target;
use zerocopy::{FromBytes, Immutable, KnownLayout};

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

const OBJECT: &[u8] = include_bytes!("bpf/biosnoop.bpf.o");

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

/// `struct event` of `bpf/biosnoop.bpf.c`.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    issued: u64,
    duration_ns: u64,
    sector: u64,
    bytes: u32,
    tgid: u32,
    comm: [u8; 16],
    disk: [u8; 32],
    rwbs: [u8; 8],
}

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    args.end()?;

    let target = Target::running();
    let mut open = OpenObject::from_bytes_named("biosnoop", OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&run.pid)?;
    // Since Linux 6.5. Before, a request belongs to whoever hands it to the device.
    let tells_who = target
        .vmlinux_btf()?
        .find("btf_trace_block_io_start", Kind::Typedef);
    open.program_mut("made")?
        .set_autoload(tells_who.is_some())
        .set_autoattach(tells_who.is_some());
    let object = open.load()?;
    let links = object.attach()?;
    let mut table = run.table(COLUMNS)?;
    let mut first = None;
    follow(
        &object,
        links,
        &mut run,
        &mut table,
        |table, event: &Event| {
            let completed = event.issued.saturating_add(event.duration_ns);
            let since_first = completed.saturating_sub(*first.get_or_insert(completed));
            Ok(table.row([
                fraction(since_first, 1e9),
                text(&event.comm),
                uint(event.tgid),
                text(&event.disk),
                text(&event.rwbs),
                uint(event.sector),
                uint(event.bytes),
                fraction(event.duration_ns, 1e6),
            ])?)
        },
    )
}
