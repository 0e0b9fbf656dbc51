//! System calls, counted by name.

use crate::common::{Args, Column, Outcome, Tool, left, right, uint};
use rawbpf::btf::Value;
use std::cmp::Reverse;
use syscalls::Sysno;

pub(crate) const TOOL: Tool = Tool {
    name: "syscount",
    about: "Counts system calls, and prints the most frequent ones",
    operands: "",
    options: &[("-T, --top COUNT", "how many of them (10)")],
    examples: &[
        ("", "until Ctrl-C"),
        ("-p 181 -T 100", "everything that a process calls"),
        ("-d 5 --json", "for five seconds, for a program to read"),
    ],
    run,
};

rawbpf::include_bpf!("../../fixtures/syscount.bpf.o", mod = bpf);

const COLUMNS: &[Column] = &[left("SYSCALL", 22), right("COUNT", 8)];

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let top = args.option(&["-T", "--top"])?.unwrap_or(10);
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    let loaded = open.load()?;
    let links = loaded.attach()?;
    run.stop.begin("counting system calls")?;
    run.stop.wait();
    drop(links);

    let mut counts = Vec::new();
    for entry in &loaded.maps.counts {
        let (number, of_each_cpu) = entry?;
        counts.push((of_each_cpu.iter().sum::<u64>(), number));
    }
    counts.retain(|(count, _)| *count > 0);
    counts.sort_unstable_by_key(|count| Reverse(*count));
    let mut table = run.table(COLUMNS)?;
    for (count, number) in counts.into_iter().take(top) {
        let known = Sysno::new(number as usize);
        let name = known.map_or_else(|| format!("[unknown: {number}]"), |call| call.to_string());
        table.row([Value::Text(name), uint(count)])?;
    }
    Ok(table.flush()?)
}
