//! Counts calls of kernel functions whose names match a pattern.
//!
//! Shows: one program on any number of functions (kprobe.multi), and names for the addresses it was called for.
//! Needs: Linux 5.18 with CONFIG_FPROBE, tracefs, CAP_BPF and CAP_PERFMON; CAP_SYSLOG for names (or root).

mod common;

use common::{Args, Outcome, started};
use rawbpf::attach::KprobeMulti;
use rawbpf::symbols::Symbols;

const HELP: &str = "\
Counts calls of kernel functions until Ctrl-C, then prints each with its count, most frequent first.

usage: funccount PATTERN [--pid PID] [--duration SECONDS]
example: funccount 'vfs_*'
";

rawbpf::include_bpf!("../fixtures/funccount.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let pattern: String = args.operand("PATTERN");
    let until = args.until()?;

    let mut open = funccount::open()?;
    open.rodata.targ_tgid = pid.unwrap_or_default();
    let symbols = Symbols::of_kernel()?;
    let counter = open.load()?;
    let program = &counter.programs.called;
    let link = program.attach(&KprobeMulti::pattern(pattern.as_str()))?;
    started(&format!("counting calls of {pattern}"));
    until.sleep();
    link.detach()?;

    let mut counts = Vec::new();
    for entry in &counter.maps.counts {
        let (address, of_each_cpu) = entry?;
        counts.push((of_each_cpu.iter().sum::<u64>(), address));
    }
    counts.sort_unstable_by(|a, b| b.cmp(a));
    for (count, address) in counts {
        match symbols.name_of(address) {
            Some((name, _)) => println!("{count:9} {name}"),
            None => println!("{count:9} {address:#x}"),
        }
    }
    Ok(())
}
