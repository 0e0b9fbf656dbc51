//! TCP connections being made.

use crate::common::{Args, Column, Outcome, Tool, address, follow, left, text, uint};

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

rawbpf::include_bpf!("bpf/tcpconnect.bpf.o", mod = bpf);

const COLUMNS: &[Column] = &[
    left("PID", 6),
    left("COMM", 16),
    left("IP", 2),
    left("SADDR", 25),
    left("DADDR", 25),
    left("DPORT", 5),
];

fn run(mut args: Args) -> Outcome {
    let run = args.common()?;
    let port: Option<u16> = args.option(&["-P", "--port"])?;
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    open.rodata.targ_port = port.unwrap_or_default();
    let loaded = open.load()?;
    let links = loaded.attach()?;
    let (events, lost) = (&loaded.maps.events, &loaded.bss.lost);
    follow(run, COLUMNS, events, links, lost, |event| {
        Ok(Some([
            uint(event.tgid),
            text(&event.comm),
            uint(if event.family == 2 { 4_u8 } else { 6 }),
            address(event.family, event.saddr),
            address(event.family, event.daddr),
            uint(event.dport),
        ]))
    })
}
