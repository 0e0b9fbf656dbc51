//! TCP connections when they end.

use crate::common::{
    Args, Column, Outcome, Tool, address, follow, fraction, left, number, text, uint,
};
use rawbpf::open::OpenObject;
use zerocopy::{FromBytes, Immutable, KnownLayout};

pub(crate) const TOOL: Tool = Tool {
    name: "tcplife",
    about: "Prints TCP connections that end: whose, how much they carried, how long they lasted",
    operands: "",
    options: &[("-P, --port PORT", "only with this port at either end")],
    examples: &[
        ("", "all connections"),
        ("-p 1215", "those of a process"),
        ("-P 443", "those with a port"),
    ],
    run,
};

const OBJECT: &[u8] = include_bytes!("../../fixtures/tcplife.bpf.o");

/// Process 0 means that the owner ended before the connection did, or that the connection is older than this program.
const COLUMNS: &[Column] = &[
    left("PID", 7),
    left("COMM", 16),
    left("LADDR", 26),
    left("LPORT", 5),
    left("RADDR", 26),
    left("RPORT", 5),
    number("TX_KB", 6, 2),
    number("RX_KB", 6, 2),
    number("MS", 1, 2),
];

/// `struct event` of `fixtures/src/tcplife.bpf.c`.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    duration_ns: u64,
    received: u64,
    acked: u64,
    tgid: u32,
    family: u16,
    sport: u16,
    dport: u16,
    saddr: [u8; 16],
    daddr: [u8; 16],
    comm: [u8; 16],
    pad: [u8; 6],
}

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let port: Option<u16> = args.option(&["-P", "--port"])?;
    args.end()?;

    let mut open = OpenObject::from_bytes_named("tcplife", OBJECT)?;
    open.variable_mut("targ_port")?
        .set(&port.unwrap_or_default())?;
    let object = open.load()?;
    let links = object.attach()?;
    let mut table = run.table(COLUMNS)?;
    let pid = run.pid;
    follow(
        &object,
        links,
        &mut run,
        &mut table,
        |table, event: &Event| {
            if pid != 0 && pid != event.tgid {
                return Ok(());
            }
            Ok(table.row([
                uint(event.tgid),
                text(&event.comm),
                address(event.family, event.saddr),
                uint(event.sport),
                address(event.family, event.daddr),
                uint(event.dport),
                fraction(event.acked, 1024.0),
                fraction(event.received, 1024.0),
                fraction(event.duration_ns, 1e6),
            ])?)
        },
    )
}
