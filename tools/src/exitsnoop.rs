//! Processes that end, with their age and result.

use crate::common::{Args, Column, Outcome, Tool, follow, fraction, left, number, text, uint};
use rawbpf::btf::Value;
use signal_hook::low_level::signal_name;

pub(crate) const TOOL: Tool = Tool {
    name: "exitsnoop",
    about: "Prints processes that end, with their age and result",
    operands: "",
    options: &[
        ("-x, --failed", "only those that fail"),
        ("-T, --threaded", "each thread"),
    ],
    examples: &[
        ("", "all processes"),
        ("-x", "failures, and processes that are killed"),
        ("-p 1216 -T", "the threads of a process"),
    ],
    run,
};

rawbpf::include_bpf!("bpf/exitsnoop.bpf.o", mod = bpf);

const COLUMNS: &[Column] = &[
    left("PCOMM", 16),
    left("PID", 7),
    left("PPID", 7),
    left("TID", 7),
    number("AGE(s)", 7, 2),
    left("EXIT_CODE", 0),
];

fn run(mut args: Args) -> Outcome {
    let run = args.common()?;
    let failed = args.flag(&["-x", "--failed"]);
    let each_thread = args.flag(&["-T", "--threaded"]);
    args.end()?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    open.rodata.targ_failed = failed;
    open.rodata.each_thread = each_thread;
    let loaded = open.load()?;
    let links = loaded.attach()?;
    let (events, lost) = (&loaded.maps.events, &loaded.bss.lost);
    follow(run, COLUMNS, events, links, lost, |event| {
        Ok(Some([
            text(&event.comm),
            uint(event.tgid),
            uint(event.ppid),
            uint(event.tid),
            fraction(event.age_ns, 1e9),
            Value::Text(result(event.exit_code)),
        ]))
    })
}

/// What wait(2) says: how a process ended.
fn result(code: u32) -> String {
    let (status, signal) = (code >> 8 & 0xff, code & 0x7f);
    let core = if code & 0x80 == 0 {
        ""
    } else {
        ", core dumped"
    };
    match (signal, status) {
        (0, 0) => "0".to_owned(),
        (0, status) => format!("code {status}"),
        (signal, _) => {
            let number = i32::try_from(signal).unwrap_or_default();
            let name = signal_name(number).unwrap_or("unknown");
            format!("signal {signal} ({name}{core})")
        }
    }
}
