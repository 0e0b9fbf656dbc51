//! Programs being started, with their arguments.

use crate::common::{Args, Column, Outcome, Tool, follow, left, right, text, uint};
use rawbpf::btf::Value;

pub(crate) const TOOL: Tool = Tool {
    name: "execsnoop",
    about: "Prints programs that are started, with their arguments",
    operands: "",
    options: &[("-P, --ppid PID", "only children of this process")],
    examples: &[
        ("", "everywhere"),
        ("-P $$", "what this shell starts"),
        ("--json -d 10", "for ten seconds, for a program to read"),
    ],
    run,
};

rawbpf::include_bpf!("../../fixtures/execsnoop.bpf.o", mod = bpf);

/// Programs that could not be started are not seen, so `RET` is 0, as in the original without `-x`.
const COLUMNS: &[Column] = &[
    left("PCOMM", 16),
    left("PID", 6),
    left("PPID", 6),
    right("RET", 3),
    left("ARGS", 0),
];

fn run(mut args: Args) -> Outcome {
    let run = args.common()?;
    let parent: Option<u32> = args.option(&["-P", "--ppid"])?;
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_ppid = parent.unwrap_or_default();
    let loaded = open.load()?;
    let links = loaded.attach()?;
    let (events, lost) = (&loaded.maps.events, &loaded.bss.lost);
    let pid = run.pid;
    follow(run, COLUMNS, events, links, lost, |event| {
        let is_shown = pid == 0 || pid == event.pid;
        Ok(is_shown.then(|| {
            [
                text(&event.comm),
                uint(event.pid),
                uint(event.ppid),
                Value::Int(0),
                arguments(event),
            ]
        }))
    })
}

/// The arguments, with a mark if there are more than fit into the event.
fn arguments(event: &bpf::event) -> Value {
    let more = event.args_len as usize > event.args.len();
    let args = event.args.to_str_lossy();
    Value::Text(if more {
        format!("{args} ...")
    } else {
        args.into_owned()
    })
}
