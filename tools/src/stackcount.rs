//! The stacks that lead to functions or a tracepoint, counted.

use crate::common::{
    Args, Failure, Form, Outcome, Tool, attach_to_many, load_for_many, print_stacks, samples,
};
use rawbpf::attach::Link;

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

rawbpf::include_bpf!("bpf/stackcount.bpf.o", mod = bpf);

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

    fn load(&self, mut open: bpf::Open) -> Outcome<bpf::Loaded> {
        if let Self::Functions(_) = self {
            let object = load_for_many(open.into_object()?)?;
            return Ok(bpf::Loaded::new(object)?);
        }
        open.programs().of_tracepoint().set_autoload(true);
        Ok(open.load()?)
    }

    fn attach(&self, loaded: &bpf::Loaded) -> Outcome<Vec<Link>> {
        match self {
            Self::Functions(pattern) => {
                attach_to_many(loaded.object(), std::slice::from_ref(pattern))
            }
            Self::Tracepoint { category, name } => {
                let program = &loaded.programs.of_tracepoint;
                Ok(vec![program.attach(category, name)?])
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
    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    open.rodata.each_process = each_process;
    let loaded = place.load(open)?;
    let links = place.attach(&loaded)?;
    run.stop.begin(&format!("counting stacks at {text}"))?;
    run.stop.wait();
    drop(links);
    let samples = samples!(loaded.maps.counts);
    print_stacks(&loaded.maps.stacks, samples, Form::of(&run, folded))
}
