//! Prints every file that is opened, by which process, and whether that worked.
//!
//! Shows: an embedded object, a global variable set before loading, attaching by section name, typed events from a ring
//! buffer.
//! Needs: Linux 5.8 (ring buffers), tracefs, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, TICK, started, text};
use rawbpf::open::OpenObject;
use rawbpf::ring::RingBuffer;
use zerocopy::{FromBytes, Immutable, KnownLayout};

const HELP: &str = "\
Prints every file that is opened: process, result (a descriptor or a negative error number), command, name.

usage: opensnoop [--pid PID] [--duration SECONDS]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/opensnoop.bpf.o");

/// `struct event` of `fixtures/src/opensnoop.bpf.c`, field by field.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    time: u64,
    pid: u32,
    tgid: u32,
    uid: u32,
    result: i32,
    flags: u32,
    mode: u32,
    command: [u8; 16],
    name: [u8; 256],
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

    started("watching open, openat and openat2");
    while !until.is_over() {
        for record in &ring.wait(Some(TICK))? {
            let event: &Event = record?.view()?;
            let (command, name) = (text(&event.command), text(&event.name));
            println!("{:7} {:4} {command:16} {name}", event.tgid, event.result);
        }
    }
    Ok(())
}
