//! Programs being started, with their arguments.

use crate::common::{Args, Column, Outcome, Tool, follow, left, right, text, uint};
use rawbpf::btf::Value;
use rawbpf::open::OpenObject;
use zerocopy::{FromBytes, Immutable, KnownLayout};

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

const OBJECT: &[u8] = include_bytes!("../../fixtures/execsnoop.bpf.o");

/// Programs that could not be started are not seen, so `RET` is 0, as in the original without `-x`.
const COLUMNS: &[Column] = &[
    left("PCOMM", 16),
    left("PID", 6),
    left("PPID", 6),
    right("RET", 3),
    left("ARGS", 0),
];

/// `struct event` of `fixtures/src/execsnoop.bpf.c`.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    ts: u64,
    pid: u32,
    ppid: u32,
    uid: u32,
    args_len: u32,
    comm: [u8; 16],
    filename: [u8; 128],
    args: [u8; 256],
}

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let parent: Option<u32> = args.option(&["-P", "--ppid"])?;
    args.end()?;

    let mut open = OpenObject::from_bytes_named("execsnoop", OBJECT)?;
    open.variable_mut("targ_ppid")?
        .set(&parent.unwrap_or_default())?;
    let object = open.load()?;
    let links = object.attach()?;
    let mut table = run.table(COLUMNS)?;
    let pid = run.pid;
    follow(
        &object,
        links,
        &mut run,
        &mut table,
        |table, event: &Event| {
            if pid != 0 && pid != event.pid {
                return Ok(());
            }
            Ok(table.row([
                text(&event.comm),
                uint(event.pid),
                uint(event.ppid),
                Value::Int(0),
                arguments(event),
            ])?)
        },
    )
}

/// The arguments, with a mark if there are more than fit into the event.
fn arguments(event: &Event) -> Value {
    match text(&event.args) {
        Value::Text(args) if event.args_len as usize > event.args.len() => {
            Value::Text(args + " ...")
        }
        args => args,
    }
}
