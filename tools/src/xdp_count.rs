//! Packets that an interface receives, by protocol, before the kernel does any work on them.

use crate::common::{Args, Column, Failure, Outcome, Run, Tool, left, right, uint};
use rawbpf::attach::Xdp;
use rawbpf::btf::Value;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

pub(crate) const TOOL: Tool = Tool {
    name: "xdp_count",
    about: "Counts the packets that an interface receives, by IPv4 protocol, in a table that is renewed every second",
    operands: "INTERFACE",
    options: &[],
    examples: &[
        ("eth0", "until Ctrl-C"),
        ("-d 10 eth0", "for ten seconds"),
        (
            "--json eth0",
            "a row for each protocol every second, for a program to read",
        ),
    ],
    run,
};

rawbpf::include_bpf!("../../fixtures/xdp.bpf.o", mod = bpf);

const COLUMNS: &[Column] = &[
    left("PROTOCOL", 10),
    right("PACKETS", 12),
    right("PER_SECOND", 12),
];

/// How often the table is renewed.
const INTERVAL: Duration = Duration::from_secs(1);

/// Moves to the upper left corner of a terminal, and clears it.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let interface: String = args.operand("INTERFACE")?;
    args.end()?;
    if run.pid != 0 {
        let why = "--pid: packets are counted before it is known which process they are for";
        return Err(Failure::Usage(why.to_owned()));
    }

    let loaded = bpf::open()?.load()?;
    let mut before = [0; 257];
    let at = Xdp::on(interface.as_str());
    let link = loaded.programs.count_packets.attach(&at)?;
    run.stop.begin(&format!("counting on {interface}"))?;
    while run.stop.wait_for(INTERVAL) {
        before = show(&loaded, &before, &run)?;
    }
    drop(link);
    show(&loaded, &before, &run)?;
    Ok(())
}

/// Packets by protocol; the last count is of those that are not IPv4.
type Counts = [u64; 257];

/// Prints what has been counted, and what has been added since `before`.
fn show(loaded: &bpf::Loaded, before: &Counts, run: &Run) -> Outcome<Counts> {
    let by_protocol = loaded.bss.by_protocol.get();
    let seen = loaded.bss.seen.get();
    let other = seen.saturating_sub(by_protocol.iter().sum());
    let mut now = [other; 257];
    now[..256].copy_from_slice(&by_protocol);

    if !run.json && io::stdout().is_terminal() {
        io::stdout().write_all(CLEAR)?;
    }
    let mut table = run.table(COLUMNS)?;
    for (protocol, (count, before)) in now.iter().zip(before).enumerate() {
        if *count > 0 {
            let new = count.saturating_sub(*before);
            table.row([Value::Text(name(protocol)), uint(*count), uint(new)])?;
        }
    }
    table.flush()?;
    Ok(now)
}

fn name(protocol: usize) -> String {
    match protocol {
        1 => "ICMP".to_owned(),
        2 => "IGMP".to_owned(),
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        47 => "GRE".to_owned(),
        50 => "ESP".to_owned(),
        132 => "SCTP".to_owned(),
        256 => "not IPv4".to_owned(),
        other => other.to_string(),
    }
}
