//! TCP connections being made.

use crate::common::{Args, Column, Outcome, Tool, address, follow, left, text, uint};
use rawbpf::open::OpenObject;
use zerocopy::{FromBytes, Immutable, KnownLayout};

pub(crate) const TOOL: Tool = Tool {
    name: "tcpconnect",
    about: "Prints which process connects where over TCP",
    operands: "",
    options: &[("-P, --port PORT", "only to this port")],
    examples: &[
        ("", "all processes"),
        ("-p 181", "one of them"),
        (
            "-P 443 --json",
            "connections to a port, for a program to read",
        ),
    ],
    run,
};

const OBJECT: &[u8] = include_bytes!("bpf/tcpconnect.bpf.o");

const COLUMNS: &[Column] = &[
    left("PID", 6),
    left("COMM", 16),
    left("IP", 2),
    left("SADDR", 25),
    left("DADDR", 25),
    left("DPORT", 5),
];

/// `struct event` of `bpf/tcpconnect.bpf.c`.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    tgid: u32,
    uid: u32,
    family: u16,
    dport: u16,
    saddr: [u8; 16],
    daddr: [u8; 16],
    comm: [u8; 16],
}

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let port: Option<u16> = args.option(&["-P", "--port"])?;
    args.end()?;

    let mut open = OpenObject::from_bytes_named("tcpconnect", OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&run.pid)?;
    open.variable_mut("targ_port")?
        .set(&port.unwrap_or_default())?;
    let object = open.load()?;
    let links = object.attach()?;
    let mut table = run.table(COLUMNS)?;
    follow(
        &object,
        links,
        &mut run,
        &mut table,
        |table, event: &Event| {
            Ok(table.row([
                uint(event.tgid),
                text(&event.comm),
                uint(if event.family == 2 { 4_u8 } else { 6 }),
                address(event.family, event.saddr),
                address(event.family, event.daddr),
                uint(event.dport),
            ])?)
        },
    )
}
