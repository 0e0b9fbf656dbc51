//! Files being opened, by which process, and whether that worked.

use crate::common::{Args, Column, Outcome, Tool, follow, left, right, text, uint};
use rawbpf::btf::Value;
use rawbpf::open::OpenObject;
use zerocopy::{FromBytes, Immutable, KnownLayout};

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

const OBJECT: &[u8] = include_bytes!("../../fixtures/opensnoop.bpf.o");

const COLUMNS: &[Column] = &[
    left("PID", 6),
    left("COMM", 16),
    right("FD", 3),
    right("ERR", 3),
    left("PATH", 0),
];

/// `struct event` of `fixtures/src/opensnoop.bpf.c`.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    ts: u64,
    pid: u32,
    tgid: u32,
    uid: u32,
    ret: i32,
    flags: u32,
    mode: u32,
    comm: [u8; 16],
    fname: [u8; 256],
}

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let failed = args.flag(&["-x", "--failed"]);
    args.end()?;

    let mut open = OpenObject::from_bytes_named("opensnoop", OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&run.pid)?;
    open.variable_mut("targ_failed")?.set(&failed)?;
    let object = open.load()?;
    let links = object.attach()?;
    let mut table = run.table(COLUMNS)?;
    follow(
        &object,
        links,
        &mut run,
        &mut table,
        |table, event: &Event| {
            Ok(table.row([
                uint(event.tgid),
                text(&event.comm),
                Value::Int(event.ret.max(-1).into()),
                Value::Int(event.ret.min(0).abs().into()),
                text(&event.fname),
            ])?)
        },
    )
}
