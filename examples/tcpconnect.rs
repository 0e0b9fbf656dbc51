//! Prints which process connects where over TCP.
//!
//! Shows: one typed tracepoint that fires in the process's own context; IPv4 and IPv6 in one event type.
//! Needs: Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, TICK, address, started, text};
use rawbpf::open::OpenObject;
use rawbpf::ring::RingBuffer;
use std::net::SocketAddr;
use zerocopy::{FromBytes, Immutable, KnownLayout};

const HELP: &str = "\
Prints every attempted TCP connection: process, user, command, address and port.

usage: tcpconnect [--pid PID] [--duration SECONDS]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/tcpconnect.bpf.o");

/// `struct event` of `fixtures/src/tcpconnect.bpf.c`, field by field.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    tgid: u32,
    uid: u32,
    family: u16,
    port: u16,
    address: [u8; 16],
    command: [u8; 16],
}

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let until = args.until()?;

    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.variable_mut("targ_tgid")?
        .set(&pid.unwrap_or_default())?;
    let object = open.load()?;
    let mut ring = RingBuffer::new(object.map("events")?)?;
    let _links = object.attach()?;

    started("watching connect");
    while !until.is_over() {
        for record in &ring.wait(Some(TICK))? {
            let event: &Event = record?.view()?;
            let to = SocketAddr::new(address(event.family, event.address), event.port);
            let command = text(&event.command);
            println!("{:7} {:5} {command:16} {to}", event.tgid, event.uid);
        }
    }
    Ok(())
}
