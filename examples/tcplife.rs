//! Prints every TCP connection when it ends: its owner, how long it lasted, how much it carried.
//!
//! Shows: state that a program keeps between events, in a hash map that user space never reads.
//! Needs: Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, TICK, address, started};
use std::net::SocketAddr;
use std::time::Duration;

const HELP: &str = "\
Prints every TCP connection that ends, on either side: process, command, addresses, bytes received and sent, duration.
The end of the other side's data counts as a byte. Process 0 means that the owner ended before the connection did, or that the connection is older than this program.

usage: tcplife [--port PORT] [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/tcplife.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let port: Option<u16> = args.option("--port");
    let until = args.until()?;

    let mut open = tcplife::open()?;
    open.rodata.targ_port = port.unwrap_or_default();
    let tracer = open.load()?;
    let mut ring = tracer.maps.events.ring()?;
    let _links = tracer.attach()?;

    started("watching TCP connections");
    while !until.is_over() {
        for event in &ring.wait(Some(TICK))? {
            print(event?);
        }
    }
    Ok(())
}

fn print(event: &tcplife::event) {
    let from = SocketAddr::new(address(event.family, event.saddr), event.sport);
    let to = SocketAddr::new(address(event.family, event.daddr), event.dport);
    println!(
        "{:7} {:16} {from} -> {to} received {} sent {} in {:?}",
        event.tgid,
        event.comm,
        event.received,
        event.acked,
        Duration::from_nanos(event.duration_ns)
    );
}
