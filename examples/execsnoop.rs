//! Prints every program that is started, with its parent and arguments.
//!
//! Shows: a typed tracepoint, whose program follows kernel pointers with CO-RE: one object for all kernels.
//! Needs: Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, TICK, started, text};
use rawbpf::open::OpenObject;
use rawbpf::ring::RingBuffer;
use zerocopy::{FromBytes, Immutable, KnownLayout};

const HELP: &str = "\
Prints every program that is started: process, parent, user, command, arguments.

usage: execsnoop [--parent PID] [--duration SECONDS]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/execsnoop.bpf.o");

/// `struct event` of `fixtures/src/execsnoop.bpf.c`, field by field.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    time: u64,
    pid: u32,
    ppid: u32,
    uid: u32,
    args_len: u32,
    command: [u8; 16],
    file: [u8; 128],
    args: [u8; 256],
}

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let parent: Option<u32> = args.option("--parent");
    let until = args.until()?;

    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.variable_mut("targ_ppid")?
        .set(&parent.unwrap_or_default())?;
    let object = open.load()?;
    let mut ring = RingBuffer::new(object.map("events")?)?;
    let _links = object.attach()?;

    started("watching execve");
    while !until.is_over() {
        for record in &ring.wait(Some(TICK))? {
            let event: &Event = record?.view()?;
            let (command, args) = (text(&event.command), text(&event.args));
            let more = if event.args_len > 256 { " ..." } else { "" };
            println!(
                "{:7} {:7} {:5} {command:16} {args}{more}",
                event.pid, event.ppid, event.uid
            );
        }
    }
    Ok(())
}
