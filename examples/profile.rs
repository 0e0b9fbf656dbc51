//! Samples stacks of running threads, and prints them folded, the input of flame graph tools.
//!
//! Shows: a program on a perf event of each CPU; stacks looked up in a map by number; names for kernel and user addresses.
//! Needs: Linux 5.8 with CONFIG_PERF_EVENTS, CAP_BPF and CAP_PERFMON; CAP_SYSLOG for the kernel's names (or root).

mod common;

use common::{Args, Outcome, mapped_file, started, text};
use rawbpf::attach::{Sampling, SoftwareEvent};
use rawbpf::open::OpenObject;
use rawbpf::symbols::Symbols;
use std::{collections::HashMap, fs};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const HELP: &str = "\
Samples stacks, 99 times a second on each CPU. At Ctrl-C it prints each with its count, outermost function first:
command;function;function;function COUNT

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
    let mut names = Names::new()?;
    for entry in &object.map("counts")?.typed::<Sample, u64>()? {
        let (sample, count) = entry?;
        let mut line = vec![text(&sample.comm)];
        for address in frames(sample.user_stack)?.into_iter().rev() {
            line.push(names.user(sample.tgid, address));
        }
        for address in frames(sample.kernel_stack)?.into_iter().rev() {
            line.push(name(Some(&names.kernel), address, address));
        }
        println!("{} {count}", line.join(";"));
    }
    Ok(())
}

struct Names {
    kernel: Symbols,
    /// By path; `None` for files that cannot be read.
    files: HashMap<String, Option<Symbols>>,
}

impl Names {
    fn new() -> Outcome<Self> {
        Ok(Self {
            kernel: Symbols::of_kernel()?,
            files: HashMap::new(),
        })
    }

    /// The name of an address in a process, as long as the process lives.
    fn user(&mut self, pid: u32, address: u64) -> String {
        let Some((path, place)) = mapped_file(pid, address) else {
            return format!("{address:#x}");
        };
        let read = |path: &String| Symbols::from_executable(&fs::read(path).ok()?).ok();
        let symbols = self.files.entry(path).or_insert_with_key(read);
        name(symbols.as_ref(), place, address)
    }
}

fn name(symbols: Option<&Symbols>, place: u64, address: u64) -> String {
    let found = symbols.and_then(|symbols| symbols.name_of(place));
    found.map_or_else(|| format!("{address:#x}"), |(name, _)| name.to_owned())
}
