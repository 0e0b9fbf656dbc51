//! A histogram of an argument of a kernel function, or of its result.

use crate::common::{
    Args, ENTRY, Function, Histogram, Outcome, Parameter, RETURN, Tool, load_for, refused,
};
use rawbpf::reloc::Target;
use rawbpf::{ErrorKind, TypeId};

pub(crate) const TOOL: Tool = Tool {
    name: "argdist",
    about: "Draws a histogram of an argument of a kernel function, or of what it returns",
    operands: "FUNCTION ARGUMENT",
    options: &[],
    examples: &[
        ("vfs_read count", "how much is to be read"),
        (
            "vfs_read '$retval'",
            "how much was read; errors are below 0",
        ),
        (
            "-p 185 -d 5 tcp_sendmsg size",
            "what a process sends in five seconds",
        ),
    ],
    run,
};

rawbpf::include_bpf!("bpf/argdist.bpf.o", mod = bpf);

/// What stands for the result, as in the original.
const RESULT: &str = "$retval";

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let function: String = args.operand("FUNCTION")?;
    let argument: String = args.operand("ARGUMENT")?;
    args.end()?;

    let target = Target::running();
    let function = Function::find(&target, &function)?;
    let (probes, type_id, register) = if argument == RESULT {
        (RETURN, result_of(&function)?, 0)
    } else {
        let parameter = function.parameter(&argument)?;
        (ENTRY, parameter.type_id, register_of(parameter)?)
    };
    let type_name = function.type_name(type_id);
    let number = function.number(type_id)?.ok_or_else(|| {
        refused(
            ErrorKind::InvalidArgument,
            format!("`{argument}` is not a number: its type is {type_name}"),
        )
    })?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    open.rodata.targ_register = register;
    open.rodata.targ_bits = number.bits;
    open.rodata.targ_signed = number.signed;
    let object = load_for(open.into_object()?, &[probes], &function.name)?;
    let loaded = bpf::Loaded::new(object)?;
    let slots = &loaded.bss.slots;
    let link = probes.attach(loaded.object(), &function.name)?;
    let name = &function.name;
    run.stop
        .begin(&format!("counting `{type_name} {argument}` of {name}"))?;
    run.stop.wait();
    drop(link);
    let histogram = Histogram {
        unit: &argument,
        slots: &slots.get(),
        negative: loaded.bss.negative.get(),
    };
    Ok(histogram.print(run.json)?)
}

fn result_of(function: &Function) -> Outcome<TypeId> {
    let nothing = || {
        refused(
            ErrorKind::InvalidArgument,
            format!("`{}` returns nothing", function.name),
        )
    };
    function.result.ok_or_else(nothing)
}

fn register_of(parameter: &Parameter) -> Outcome<u32> {
    let register = parameter.register.and_then(|one| u32::try_from(one).ok());
    let elsewhere = || {
        refused(
            ErrorKind::InvalidArgument,
            format!("`{}` is not passed in a register", parameter.name),
        )
    };
    register.ok_or_else(elsewhere)
}
