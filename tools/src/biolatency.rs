//! How long block devices take for requests.

use crate::common::{Args, Histogram, Outcome, Tool};

pub(crate) const TOOL: Tool = Tool {
    name: "biolatency",
    about: "Draws a histogram of how long block devices took for their requests",
    operands: "",
    options: &[],
    examples: &[
        ("", "until Ctrl-C"),
        ("-d 10", "for ten seconds"),
        (
            "-p 181",
            "requests that a process itself submits to the device",
        ),
    ],
    run,
};

rawbpf::include_bpf!("../../fixtures/biolatency.bpf.o", mod = bpf);

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    let loaded = open.load()?;
    let slots = &loaded.bss.slots;
    let links = loaded.attach()?;
    run.stop.begin("timing block devices")?;
    run.stop.wait();
    drop(links);
    let histogram = Histogram {
        unit: "usecs",
        slots: &slots.get(),
        negative: 0,
    };
    Ok(histogram.print(run.json)?)
}
