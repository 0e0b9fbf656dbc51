//! Samples stacks of running threads, and prints them folded, the input of flame graph tools.
//!
//! Shows: a program on a perf event of each CPU; stacks looked up in a map by number; names for kernel and user addresses, with
//! files and lines where there is debug information (built with `--features dwarf`).
//! Needs: Linux 5.8 with CONFIG_PERF_EVENTS, CAP_BPF and CAP_PERFMON; CAP_SYSLOG for the kernel's names (or root).

mod common;

use common::{Args, Outcome, started, text};
use rawbpf::attach::{Sampling, SoftwareEvent};
use rawbpf::open::OpenObject;
use rawbpf::symbols::{Frame, Symbolizer, Symbols};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const HELP: &str = "\
Samples stacks, 99 times a second on each CPU. At Ctrl-C it prints each with its count, outermost function first:
command;function file:line;function file:line (inlined);function COUNT

usage: profile [--pid PID] [--duration SECONDS]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/profile.bpf.o");

/// `struct sample` of `fixtures/src/profile.bpf.c`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Sample {
    tgid: u32,
    kernel_stack: i32,
    user_stack: i32,
    comm: [u8; 16],
}
rawbpf::layout!(Sample {
    tgid,
    kernel_stack,
    user_stack,
    comm
});

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let until = args.until()?;

    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.variable_mut("targ_tgid")?
        .set(&pid.unwrap_or_default())?;
    let object = open.load()?;
    let clock = Sampling::software(SoftwareEvent::CpuClock).frequency(99);
    let link = object.program("tick")?.attach_sampling(&clock)?;
    started("sampling stacks");
    until.sleep();
    drop(link);

    let stacks = object.map("stacks")?.typed::<u32, [u64; 127]>()?;
    let frames = |id: i32| -> rawbpf::Result<Vec<u64>> {
        let stack = u32::try_from(id).map_or(Ok(None), |id| stacks.get(&id))?;
        let inner_first = stack.into_iter().flatten();
        Ok(inner_first.take_while(|address| *address != 0).collect())
    };
    let mut names = Symbolizer::new(Symbols::of_kernel()?);
    for entry in &object.map("counts")?.typed::<Sample, u64>()? {
        let (sample, count) = entry?;
        let mut line = vec![text(&sample.comm)];
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
