//! How long threads wait for a processor.

use crate::common::{Args, Histogram, Outcome, Tool};
use rawbpf::open::OpenObject;

pub(crate) const TOOL: Tool = Tool {
    name: "runqlat",
    about: "Draws a histogram of how long threads that could run waited for a processor",
    operands: "",
    options: &[],
    examples: &[
        ("", "until Ctrl-C"),
        ("-d 10", "for ten seconds"),
        ("-p 185", "the threads of a process"),
    ],
    run,
};

const OBJECT: &[u8] = include_bytes!("bpf/runqlat.bpf.o");

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    args.end()?;

    let mut open = OpenObject::from_bytes_named("runqlat", OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&run.pid)?;
    let object = open.load()?;
    let slots = object.live::<[u64; 32]>("slots")?;
    let links = object.attach()?;
    run.stop.begin("timing the wait for processors")?;
    run.stop.wait();
    drop(links);
    let histogram = Histogram {
        unit: "usecs",
        slots: &slots.get(),
        negative: 0,
    };
    Ok(histogram.print(run.json)?)
}
