//! TCP connections when they end.

use crate::common::{
    Args, Column, Outcome, Tool, address, follow, fraction, left, number, text, uint,
};

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

rawbpf::include_bpf!("../../fixtures/tcplife.bpf.o", mod = bpf);

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

fn run(mut args: Args) -> Outcome {
    let run = args.common()?;
    let port: Option<u16> = args.option(&["-P", "--port"])?;
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_port = port.unwrap_or_default();
    let loaded = open.load()?;
    let links = loaded.attach()?;
    let (events, lost) = (&loaded.maps.events, &loaded.bss.lost);
    let pid = run.pid;
    follow(run, COLUMNS, events, links, lost, |event| {
        let is_shown = pid == 0 || pid == event.tgid;
        Ok(is_shown.then(|| {
            [
                uint(event.tgid),
                text(&event.comm),
                address(event.family, event.saddr),
                uint(event.sport),
                address(event.family, event.daddr),
                uint(event.dport),
                fraction(event.acked, 1024.0),
                fraction(event.received, 1024.0),
                fraction(event.duration_ns, 1e6),
            ]
        }))
    })
}
