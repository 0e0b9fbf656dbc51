//! Lists all threads, as the kernel itself reports them, without `/proc`.
//!
//! Shows: an iterator, a program that runs once for each task and writes a record that is read here like a file.
//! Needs: Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, text};
use rawbpf::open::OpenObject;
use std::io::Read;
use zerocopy::FromBytes;

const HELP: &str = "\
Lists all threads: process, thread, command.

usage: ps [--pid PID]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/iter_task.bpf.o");

/// `struct record` of `fixtures/src/iter_task.bpf.c`, field by field.
#[derive(FromBytes)]
#[repr(C)]
struct Record {
    pid: u32,
    tgid: u32,
    command: [u8; 16],
}

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let only: Option<u32> = args.option("--pid");
    // No need to wait: the list ends by itself.
    drop(args.until()?);

    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.program_mut("list_tasks")?.set_autoload(false);
    let object = open.load()?;
    let link = object.program("dump_tasks")?.attach_iter()?;
    let mut bytes = Vec::new();
    link.iterate()?.read_to_end(&mut bytes)?;

    println!("   TGID     PID COMMAND");
    for chunk in bytes.chunks_exact(size_of::<Record>()) {
        let Ok(record) = Record::read_from_bytes(chunk) else {
            continue;
        };
        if only.is_none_or(|pid| pid == record.tgid) {
            let command = text(&record.command);
            println!("{:7} {:7} {command}", record.tgid, record.pid);
        }
    }
    Ok(())
}
