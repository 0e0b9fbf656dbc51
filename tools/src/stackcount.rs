//! The stacks that lead to functions or a tracepoint, counted.

use crate::common::{
    Args, Failure, Form, Outcome, Tool, attach_to_many, choose_for_many, print_stacks,
};
use rawbpf::attach::Link;
use rawbpf::load::Object;
use rawbpf::open::OpenObject;

pub(crate) const TOOL: Tool = Tool {
    name: "stackcount",
    about: "Counts the stacks that lead to kernel functions or to a tracepoint",
    operands: "PATTERN | t:CATEGORY:NAME",
    options: &[
        ("-P, --perpid", "by process, with its own stack"),
        (
            "-f, --folded",
            "a line for each stack, the input of flame graph tools",
        ),
    ],
    examples: &[
        ("submit_bio", "who reads and writes blocks"),
        (
            "-P t:sched:sched_switch",
            "why processes give up the processor",
        ),
        ("-p 185 -f 'tcp_send*'", "functions that a process calls"),
    ],
    run,
};

const OBJECT: &[u8] = include_bytes!("bpf/stackcount.bpf.o");

/// What to attach to.
enum Place {
    Functions(String),
    Tracepoint { category: String, name: String },
}

impl Place {
    fn parse(text: String) -> Outcome<Self> {
        let Some(tracepoint) = text.strip_prefix("t:") else {
            return Ok(Self::Functions(text));
        };
        let parts = tracepoint.split_once(':');
        let (category, name) = parts
            .ok_or_else(|| Failure::Usage(format!("not a tracepoint (t:CATEGORY:NAME): {text}")))?;
        Ok(Self::Tracepoint {
            category: category.to_owned(),
            name: name.to_owned(),
        })
    }

    fn choose(&self, open: &mut OpenObject) -> Outcome {
        match self {
            Self::Functions(_) => choose_for_many(open),
            Self::Tracepoint { .. } => {
                open.program_mut("of_tracepoint")?.set_autoload(true);
                Ok(())
            }
        }
    }

    fn attach(&self, object: &Object) -> Outcome<Vec<Link>> {
        match self {
            Self::Functions(pattern) => attach_to_many(object, std::slice::from_ref(pattern)),
            Self::Tracepoint { category, name } => {
                let program = object.program("of_tracepoint")?;
                Ok(vec![program.attach_tracepoint(category, name)?])
            }
        }
    }
}

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let each_process = args.flag(&["-P", "--perpid"]);
    let folded = args.flag(&["-f", "--folded"]);
    let text: String = args.operand("PATTERN")?;
    args.end()?;

    let place = Place::parse(text.clone())?;
    let mut open = OpenObject::from_bytes_named("stackcount", OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&run.pid)?;
    open.variable_mut("each_process")?.set(&each_process)?;
    place.choose(&mut open)?;
    let object = open.load()?;
    let links = place.attach(&object)?;
    run.stop.begin(&format!("counting stacks at {text}"))?;
    run.stop.wait();
    drop(links);
    print_stacks(&object, Form::of(&run, folded))
}
