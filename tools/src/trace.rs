//! The calls of a kernel function, with arguments and result.

use crate::common::{
    Args, Column, ENTRY, Function, Outcome, Pointee, REGISTERS, RETURN, Tool, follow, fraction,
    left, load_for, number, text, uint,
};
use rawbpf::btf::Value;
use rawbpf::reloc::Target;

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

rawbpf::include_bpf!("bpf/trace.bpf.o", mod = bpf);

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
const PART: u32 = 256;

fn run(mut args: Args) -> Outcome {
    let run = args.common()?;
    let structures = args.flag(&["-s", "--structs"]);
    let function: String = args.operand("FUNCTION")?;
    args.end()?;

    let function = Function::find(&Target::running(), &function)?;
    let pointees = function.pointees(structures)?;
    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    open.rodata.sizes = pointees.map(size);
    open.rodata.are_strings = pointees.map(|one| u8::from(one == Some(Pointee::Text)));
    let object = load_for(open.into_object()?, &[ENTRY, RETURN], &function.name)?;
    let loaded = bpf::Loaded::new(object)?;
    // The end of a call whose start was missed is not shown, so that the order does not matter.
    let links = [
        RETURN.attach(loaded.object(), &function.name)?,
        ENTRY.attach(loaded.object(), &function.name)?,
    ];
    let (events, lost) = (&loaded.maps.events, &loaded.bss.lost);
    follow(run, COLUMNS, events, links, lost, |event| {
        let result = match function.result {
            Some(id) => function.decode(id, &event.result.to_ne_bytes())?,
            None => Value::Missing,
        };
        Ok(Some([
            uint(event.tgid),
            uint(event.tid),
            text(&event.comm),
            Value::Text(function.name.clone()),
            fraction(event.duration_ns, 1e3),
            result,
            arguments(&function, &pointees, event)?,
        ]))
    })
}

fn size(pointee: Option<Pointee>) -> u32 {
    match pointee {
        None => 0,
        Some(Pointee::Text) => PART,
        Some(Pointee::Structure(_, size)) => size.min(PART),
    }
}

/// The arguments by their names.
fn arguments(
    function: &Function,
    pointees: &[Option<Pointee>; REGISTERS],
    event: &bpf::event,
) -> Outcome<Value> {
    let mut members = Vec::new();
    for parameter in &function.parameters {
        let at = parameter.register.unwrap_or(REGISTERS);
        let value = match (event.arguments.get(at), event.pointees.get(at)) {
            (Some(argument), Some(bytes)) => match pointees.get(at).copied().flatten() {
                Some(Pointee::Text) if *argument != 0 => text(bytes),
                Some(Pointee::Structure(id, _)) if *argument != 0 => {
                    function.decode(id, &bytes.0)?
                }
                _ => function.decode(parameter.type_id, &argument.to_ne_bytes())?,
            },
            _ => Value::Missing,
        };
        members.push((parameter.name.clone(), value));
    }
    Ok(Value::Struct(members))
}
