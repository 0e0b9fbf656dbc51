//! Counts system calls by name.
//!
//! Shows: a per-CPU map, so that counting never waits, read as Rust types.
//! Needs: Linux 5.8, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, started};
use syscalls::Sysno;

const HELP: &str = "\
Counts system calls until Ctrl-C, then prints each with its count, most frequent first.

usage: syscount [--pid PID] [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/syscount.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let until = args.until()?;

    let mut open = syscount::open()?;
    open.rodata.targ_tgid = pid.unwrap_or_default();
    let counter = open.load()?;
    let links = counter.attach()?;
    started("counting system calls");
    until.sleep();
    drop(links);

    let mut counts = Vec::new();
    for entry in &counter.maps.counts {
        let (number, of_each_cpu) = entry?;
        counts.push((of_each_cpu.iter().sum::<u64>(), number));
    }
    counts.sort_unstable_by(|a, b| b.cmp(a));
    for (count, number) in counts.into_iter().filter(|(count, _)| *count > 0) {
        match Sysno::new(number as usize) {
            Some(call) => println!("{count:9} {call}"),
            None => println!("{count:9} {number}"),
        }
    }
    Ok(())
}
