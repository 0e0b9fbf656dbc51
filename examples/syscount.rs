//! Counts system calls by name.
//!
//! Shows: a per-CPU map, so that counting never waits, read as Rust types.
//! Needs: Linux 5.8, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, started};
use rawbpf::map::PerCpu;
use rawbpf::open::OpenObject;
use syscalls::Sysno;

const HELP: &str = "\
Counts system calls until Ctrl-C, then prints each with its count, most frequent first.

usage: syscount [--pid PID] [--duration SECONDS]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/syscount.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let until = args.until()?;

    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.variable_mut("targ_tgid")?
        .set(&pid.unwrap_or_default())?;
    let object = open.load()?;
    let links = object.attach()?;
    started("counting system calls");
    until.sleep();
    drop(links);

    let mut counts = Vec::new();
    for entry in &object.map("counts")?.typed::<u32, PerCpu<u64>>()? {
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
