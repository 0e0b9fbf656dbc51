//! Samples stacks of running threads, and prints them folded, the input of flame graph tools.
//!
//! Shows: a program on a perf event of each CPU; stacks looked up in a map by number; names for kernel and user addresses, with
//! files and lines where there is debug information (built with `--features dwarf`).
//! Needs: Linux 5.8 with CONFIG_PERF_EVENTS, CAP_BPF and CAP_PERFMON; CAP_SYSLOG for the kernel's names (or root).

mod common;

use common::{Args, Outcome, started};
use rawbpf::attach::{Sampling, SoftwareEvent};
use rawbpf::symbols::{Frame, Symbolizer, Symbols};

const HELP: &str = "\
Samples stacks, 99 times a second on each CPU. At Ctrl-C it prints each with its count, outermost function first:
command;function file:line;function file:line (inlined);function COUNT

usage: profile [--pid PID] [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/profile.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let until = args.until()?;

    let mut open = profile::open()?;
    open.rodata.targ_tgid = pid.unwrap_or_default();
    let profile = open.load()?;
    let clock = Sampling::software(SoftwareEvent::CpuClock).frequency(99);
    let link = profile.programs.tick.attach(&clock)?;
    started("sampling stacks");
    until.sleep();
    drop(link);

    let stacks = &profile.maps.stacks;
    let frames = |id: i32| -> rawbpf::Result<Vec<u64>> {
        let stack = u32::try_from(id).map_or(Ok(None), |id| stacks.get(&id))?;
        let inner_first = stack.into_iter().flatten();
        Ok(inner_first.take_while(|address| *address != 0).collect())
    };
    let mut names = Symbolizer::new(Symbols::of_kernel()?);
    for entry in &profile.maps.counts {
        let (sample, count) = entry?;
        let mut line = vec![sample.comm.to_string()];
        let user = names.process(sample.tgid, &frames(sample.user_stack)?);
        let kernel = names.kernel(&frames(sample.kernel_stack)?);
        line.extend(user.into_iter().rev().map(name));
        line.extend(kernel.into_iter().rev().map(name));
        println!("{} {count}", line.join(";"));
    }
    Ok(())
}

/// The function, and the line if that is known: not the instruction, as those of a line are to be counted together.
fn name(mut frame: Frame) -> String {
    frame.offset = None;
    frame.to_string()
}
