//! How long threads wait for a processor.

use crate::common::{Args, Histogram, Outcome, Tool};

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

rawbpf::include_bpf!("bpf/runqlat.bpf.o", mod = bpf);

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    let loaded = open.load()?;
    let slots = &loaded.bss.slots;
    let links = loaded.attach()?;
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
