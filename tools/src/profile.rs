//! Where processors spend their time: sampled stacks.

use crate::common::{Args, Failure, Form, Outcome, Tool, print_stacks, samples};
use rawbpf::attach::{Sampling, SoftwareEvent};

pub(crate) const TOOL: Tool = Tool {
    name: "profile",
    about: "Samples the stacks of running threads, and counts them",
    operands: "",
    options: &[
        ("-F, --frequency HERTZ", "samples a second on each CPU (49)"),
        (
            "-f, --folded",
            "a line for each stack, the input of flame graph tools",
        ),
    ],
    examples: &[
        ("", "until Ctrl-C"),
        ("-F 99 -d 10 -f", "for ten seconds, for a flame graph"),
        ("-p 185", "one process"),
    ],
    run,
};

rawbpf::include_bpf!("../../fixtures/profile.bpf.o", mod = bpf);

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let frequency = args.option(&["-F", "--frequency"])?.unwrap_or(49);
    let folded = args.flag(&["-f", "--folded"]);
    args.end()?;
    if frequency == 0 {
        return Err(Failure::Usage("no samples at 0 Hertz".to_owned()));
    }

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    let loaded = open.load()?;
    let clock = Sampling::software(SoftwareEvent::CpuClock).frequency(frequency);
    let link = loaded.programs.tick.attach(&clock)?;
    run.stop.begin(&format!("sampling at {frequency} Hertz"))?;
    run.stop.wait();
    drop(link);
    let samples = samples!(loaded.maps.counts);
    print_stacks(&loaded.maps.stacks, samples, Form::of(&run, folded))
}
