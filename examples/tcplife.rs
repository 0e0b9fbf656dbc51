//! Prints every TCP connection when it ends: its owner, how long it lasted, how much it carried.
//!
//! Shows: state that a program keeps between events, in a hash map that user space never reads.
//! Needs: Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, TICK, address, started, text};
use rawbpf::open::OpenObject;
use rawbpf::ring::RingBuffer;
use std::net::SocketAddr;
use std::time::Duration;
use zerocopy::{FromBytes, Immutable, KnownLayout};

const HELP: &str = "\
Prints every TCP connection that ends, on either side: process, command, addresses, bytes received and sent, duration.
The end of the other side's data counts as a byte. Process 0 means that the owner ended before the connection did, or that the connection is older than this program.

usage: tcplife [--port PORT] [--duration SECONDS]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/tcplife.bpf.o");

/// `struct event` of `fixtures/src/tcplife.bpf.c`, field by field.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    duration_ns: u64,
    received: u64,
    acked: u64,
    tgid: u32,
    family: u16,
    source_port: u16,
    dest_port: u16,
    source: [u8; 16],
    dest: [u8; 16],
    command: [u8; 16],
    _pad: [u8; 6],
}

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let port: Option<u16> = args.option("--port");
    let until = args.until()?;

    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.variable_mut("targ_port")?
        .set(&port.unwrap_or_default())?;
    let object = open.load()?;
    let mut ring = RingBuffer::new(object.map("events")?)?;
    let _links = object.attach()?;

    started("watching TCP connections");
    while !until.is_over() {
        for record in &ring.wait(Some(TICK))? {
            print(record?.view()?);
        }
    }
    Ok(())
}

fn print(event: &Event) {
    let from = SocketAddr::new(address(event.family, event.source), event.source_port);
    let to = SocketAddr::new(address(event.family, event.dest), event.dest_port);
    println!(
        "{:7} {:16} {from} -> {to} received {} sent {} in {:?}",
        event.tgid,
        text(&event.command),
        event.received,
        event.acked,
        Duration::from_nanos(event.duration_ns)
    );
}
