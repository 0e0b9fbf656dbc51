//! Files being opened, by which process, and whether that worked.

use crate::common::{Args, Column, Outcome, Tool, follow, left, right, text, uint};
use rawbpf::btf::Value;

pub(crate) const TOOL: Tool = Tool {
    name: "opensnoop",
    about: "Prints files that are opened, and whether that worked",
    operands: "",
    options: &[("-x, --failed", "only what could not be opened")],
    examples: &[
        ("", "all processes"),
        ("-p 181", "one of them"),
        ("-x -d 10", "what is not found within ten seconds"),
    ],
    run,
};

rawbpf::include_bpf!("../../fixtures/opensnoop.bpf.o", mod = bpf);

const COLUMNS: &[Column] = &[
    left("PID", 6),
    left("COMM", 16),
    right("FD", 3),
    right("ERR", 3),
    left("PATH", 0),
];

fn run(mut args: Args) -> Outcome {
    let run = args.common()?;
    let failed = args.flag(&["-x", "--failed"]);
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    open.rodata.targ_failed = failed;
    // Newer architectures have no open(2).
    let has_open = cfg!(target_arch = "x86_64");
    open.programs().enter_open().set_autoload(has_open);
    open.programs().exit_open().set_autoload(has_open);
    let loaded = open.load()?;
    let links = loaded.attach()?;
    let (events, lost) = (&loaded.maps.events, &loaded.bss.lost);
    follow(run, COLUMNS, events, links, lost, |event| {
        Ok(Some([
            uint(event.tgid),
            text(&event.comm),
            Value::Int(event.ret.max(-1).into()),
            Value::Int(event.ret.min(0).abs().into()),
            text(&event.fname),
        ]))
    })
}
