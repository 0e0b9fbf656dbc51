//! `rawbpf-tools NAME`, or a link with the tool's name: the tools that the field knows, in one binary.
//!
//! Each tool is a file with its name, and a program in `bpf` or among the library's fixtures. `common` is what they share.

mod common;

mod argdist;
mod biolatency;
mod biosnoop;
mod execsnoop;
mod exitsnoop;
mod funccount;
mod opensnoop;
mod profile;
mod runqlat;
mod stackcount;
mod syscount;
mod tcpconnect;
mod tcplife;
mod trace;
mod xdp_count;

use common::{Args, Failure, Tool};
use std::collections::VecDeque;
use std::env;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// All of them, in the order of their names.
const TOOLS: [&Tool; 15] = [
    &argdist::TOOL,
    &biolatency::TOOL,
    &biosnoop::TOOL,
    &execsnoop::TOOL,
    &exitsnoop::TOOL,
    &funccount::TOOL,
    &opensnoop::TOOL,
    &profile::TOOL,
    &runqlat::TOOL,
    &stackcount::TOOL,
    &syscount::TOOL,
    &tcpconnect::TOOL,
    &tcplife::TOOL,
    &trace::TOOL,
    &xdp_count::TOOL,
];

fn main() -> ExitCode {
    let mut words: VecDeque<String> = env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let called = words.pop_front().unwrap_or_default();
    let called = Path::new(&called).file_name().unwrap_or_default();
    let by_link = TOOLS.into_iter().find(|tool| called == tool.name);
    let Some(tool) = by_link.or_else(|| named(&words.pop_front()?)) else {
        return explain();
    };
    match (tool.run)(Args::new(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(tool),
    }
}

fn named(name: &str) -> Option<&'static Tool> {
    TOOLS.into_iter().find(|tool| tool.name == name)
}

/// No tool was named: says which there are.
fn explain() -> ExitCode {
    let mut text =
        String::from("usage: rawbpf-tools NAME [OPTIONS]; or NAME, as a link to this file\n\n");
    for tool in TOOLS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<11} {}", tool.name, tool.about);
    }
    text += "\nrawbpf-tools NAME --help explains one of them.\n";
    let asked = env::args()
        .nth(1)
        .is_some_and(|word| word == "--help" || word == "-h");
    let written = if asked {
        io::stdout().write_all(text.as_bytes())
    } else {
        io::stderr().write_all(text.as_bytes())
    };
    match written {
        Ok(()) if asked => ExitCode::SUCCESS,
        _ => Failure::USAGE.into(),
    }
}
