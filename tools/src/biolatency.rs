//! How long block devices take for requests.

use crate::common::{Args, Histogram, Outcome, Tool};
use rawbpf::open::OpenObject;

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

const OBJECT: &[u8] = include_bytes!("../../fixtures/biolatency.bpf.o");

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    args.end()?;

    let mut open = OpenObject::from_bytes_named("biolatency", OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&run.pid)?;
    let object = open.load()?;
    let slots = object.live::<[u64; 32]>("slots")?;
    let links = object.attach()?;
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
