//! Prints every program that is started, with its parent and arguments.
//!
//! Shows: a typed tracepoint, whose program follows kernel pointers with CO-RE: one object for all kernels.
//! Needs: Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, TICK, started};

const HELP: &str = "\
Prints every program that is started: process, parent, user, command, arguments.

usage: execsnoop [--parent PID] [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/execsnoop.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let parent: Option<u32> = args.option("--parent");
    let until = args.until()?;

    let mut open = execsnoop::open()?;
    open.rodata.targ_ppid = parent.unwrap_or_default();
    let snoop = open.load()?;
    let mut ring = snoop.maps.events.ring()?;
    let _links = snoop.attach()?;

    started("watching execve");
    while !until.is_over() {
        for event in &ring.wait(Some(TICK))? {
            let execsnoop::event {
                pid,
                ppid,
                uid,
                args_len,
                comm,
                args,
                ..
            } = event?;
            let more = if *args_len > 256 { " ..." } else { "" };
            println!("{pid:7} {ppid:7} {uid:5} {comm:16} {args}{more}");
        }
    }
    Ok(())
}
