//! Prints every file that is opened, by which process, and whether that worked.
//!
//! Shows: an object built in with Rust types, a global variable set before loading, attaching by section name, typed events
//! from a ring buffer.
//! Needs: Linux 5.8 (ring buffers), tracefs, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, TICK, started};

const HELP: &str = "\
Prints every file that is opened: process, result (a descriptor or a negative error number), command, name.

usage: opensnoop [--pid PID] [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/opensnoop.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let until = args.until()?;

    let mut open = opensnoop::open()?;
    open.rodata.targ_tgid = pid.unwrap_or_default();
    let snoop = open.load()?;
    let mut ring = snoop.maps.events.ring()?;
    let _links = snoop.attach()?;

    started("watching open, openat and openat2");
    while !until.is_over() {
        for event in &ring.wait(Some(TICK))? {
            let opensnoop::event {
                tgid,
                ret,
                comm,
                fname,
                ..
            } = event?;
            println!("{tgid:7} {ret:4} {comm:16} {fname}");
        }
    }
    Ok(())
}
