//! The calls of a kernel function, with arguments and result.

use crate::common::{
    Args, Column, ENTRY, Function, Outcome, Pointee, REGISTERS, RETURN, Tool, follow, fraction,
    left, number, text, uint,
};
use rawbpf::btf::Value;
use rawbpf::open::OpenObject;
use rawbpf::reloc::Target;
use zerocopy::{FromBytes, Immutable, KnownLayout};

pub(crate) const TOOL: Tool = Tool {
    name: "trace",
    about: "Prints the calls of a kernel function with arguments and result, by the kernel's types",
    operands: "FUNCTION",
    options: &[("-s, --structs", "also what pointers to structures point to")],
    examples: &[
        ("do_filp_open", "files being opened"),
        (
            "-s -p 185 tcp_sendmsg",
            "what a process sends, with the structures",
        ),
        (
            "-d 5 --json vfs_read",
            "for five seconds, for a program to read",
        ),
    ],
    run,
};

const OBJECT: &[u8] = include_bytes!("bpf/trace.bpf.o");

const COLUMNS: &[Column] = &[
    left("PID", 7),
    left("TID", 7),
    left("COMM", 15),
    left("FUNC", 16),
    number("LAT(us)", 8, 1),
    left("RESULT", 8),
    left("ARGS", 0),
];

/// How much is read where a pointer points to.
const PART: usize = 256;

/// `struct event` of `bpf/trace.bpf.c`.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    ts: u64,
    duration_ns: u64,
    tgid: u32,
    tid: u32,
    comm: [u8; 16],
    result: u64,
    arguments: [u64; REGISTERS],
    pointees: [[u8; PART]; REGISTERS],
}

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let structures = args.flag(&["-s", "--structs"]);
    let function: String = args.operand("FUNCTION")?;
    args.end()?;

    let function = Function::find(&Target::running(), &function)?;
    let pointees = pointees(&function, structures)?;
    let mut open = OpenObject::from_bytes_named("trace", OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&run.pid)?;
    open.variable_mut("sizes")?.set(&pointees.map(size))?;
    let are_strings = pointees.map(|one| u8::from(one == Some(Pointee::Text)));
    open.variable_mut("are_strings")?.set(&are_strings)?;
    for probes in [&ENTRY, &RETURN] {
        probes.choose(&mut open, &function.name)?;
    }
    let object = open.load()?;
    // The end of a call whose start was missed is not shown, so it is attached first.
    let end = RETURN.attach(&object, &function.name)?;
    let start = ENTRY.attach(&object, &function.name)?;
    let mut table = run.table(COLUMNS)?;
    follow(
        &object,
        [start, end],
        &mut run,
        &mut table,
        |table, event: &Event| {
            let result = match function.result {
                Some(id) => function.decode(id, &event.result.to_ne_bytes())?,
                None => Value::Missing,
            };
            Ok(table.row([
                uint(event.tgid),
                uint(event.tid),
                text(&event.comm),
                Value::Text(function.name.clone()),
                fraction(event.duration_ns, 1e3),
                result,
                arguments(&function, &pointees, event)?,
            ])?)
        },
    )
}

/// What to read for each register.
fn pointees(function: &Function, structures: bool) -> Outcome<[Option<Pointee>; REGISTERS]> {
    let mut found = [None; REGISTERS];
    for parameter in &function.parameters {
        let place = parameter.register.and_then(|at| found.get_mut(at));
        if let Some(place) = place {
            let pointee = function.pointee(parameter.type_id)?;
            *place = pointee.filter(|one| structures || *one == Pointee::Text);
        }
    }
    Ok(found)
}

fn size(pointee: Option<Pointee>) -> u32 {
    match pointee {
        None => 0,
        Some(Pointee::Text) => PART as u32,
        Some(Pointee::Structure(_, size)) => size.min(PART as u32),
    }
}

/// The arguments by their names.
fn arguments(
    function: &Function,
    pointees: &[Option<Pointee>; REGISTERS],
    event: &Event,
) -> Outcome<Value> {
    let mut members = Vec::new();
    for parameter in &function.parameters {
        let at = parameter.register.unwrap_or(REGISTERS);
        let value = match (event.arguments.get(at), event.pointees.get(at)) {
            (Some(argument), Some(bytes)) => match pointees.get(at).copied().flatten() {
                Some(Pointee::Text) if *argument != 0 => text(bytes),
                Some(Pointee::Structure(id, _)) if *argument != 0 => function.decode(id, bytes)?,
                _ => function.decode(parameter.type_id, &argument.to_ne_bytes())?,
            },
            _ => Value::Missing,
        };
        members.push((parameter.name.clone(), value));
    }
    Ok(Value::Struct(members))
}
