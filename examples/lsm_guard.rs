//! Keeps everybody, even root, from opening one file, and prints who tried.
//!
//! Shows: a BPF program as a security module: its return value is what open(2) returns.
//! Needs: Linux 5.8 with BTF, `bpf` among the security modules (`lsm=...,bpf` on the kernel command line), CAP_BPF,
//! CAP_PERFMON and CAP_MAC_ADMIN (or root).

mod common;

use common::{Args, Outcome, TICK, started, text};
use rawbpf::open::OpenObject;
use rawbpf::ring::RingBuffer;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use zerocopy::{FromBytes, Immutable, KnownLayout};

const HELP: &str = "\
Lets nobody open a file until Ctrl-C, and prints who tried: process, user, command. Processes that have it open keep it.

usage: lsm_guard FILE [--duration SECONDS]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/lsm_guard.bpf.o");

/// `struct event` of `fixtures/src/lsm_guard.bpf.c`, field by field.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    tgid: u32,
    uid: u32,
    command: [u8; 16],
}

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let path: String = args.operand("FILE");
    let until = args.until()?;

    let file = fs::metadata(&path)
        .map_err(|e| io::Error::new(e.kind(), format!("cannot look at {path}: {e}")))?;
    // The kernel encodes device numbers differently inside than for user space.
    let device = libc::major(file.dev()) << 20 | libc::minor(file.dev());
    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.variable_mut("targ_ino")?.set(&file.ino())?;
    open.variable_mut("targ_dev")?.set(&device)?;
    let object = open.load()?;
    let mut ring = RingBuffer::new(object.map("events")?)?;
    let _links = object.attach()?;

    started(&format!("guarding {path}"));
    while !until.is_over() {
        for record in &ring.wait(Some(TICK))? {
            let event: &Event = record?.view()?;
            println!("{:7} {:5} {}", event.tgid, event.uid, text(&event.command));
        }
    }
    Ok(())
}
