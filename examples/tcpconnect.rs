//! Prints which process connects where over TCP.
//!
//! Shows: one typed tracepoint that fires in the process's own context; IPv4 and IPv6 in one event type.
//! Needs: Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, TICK, address, started};
use std::net::SocketAddr;

const HELP: &str = "\
Prints every attempted TCP connection: process, user, command, address and port.

usage: tcpconnect [--pid PID] [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/tcpconnect.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let until = args.until()?;

    let mut open = tcpconnect::open()?;
    open.rodata.targ_tgid = pid.unwrap_or_default();
    let tracer = open.load()?;
    let mut ring = tracer.maps.events.ring()?;
    let _links = tracer.attach()?;

    started("watching connect");
    while !until.is_over() {
        for event in &ring.wait(Some(TICK))? {
            let event = event?;
            let to = SocketAddr::new(address(event.family, event.daddr), event.dport);
            println!("{:7} {:5} {:16} {to}", event.tgid, event.uid, event.comm);
        }
    }
    Ok(())
}
