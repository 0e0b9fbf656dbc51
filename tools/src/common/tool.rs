//! What a tool says about itself, and how it was asked to run.

use super::table::Table;
use super::{Args, Column, Outcome, Stop};
use std::fmt::Write as _;
use std::io;

/// A tool: what `--help` says, and what it does.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// One line.
    pub(crate) about: &'static str,
    /// What is needed besides options, such as `FUNCTION`.
    pub(crate) operands: &'static str,
    /// Options of this tool alone, with what they do.
    pub(crate) options: &'static [(&'static str, &'static str)],
    /// Arguments, with what they show.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    pub(crate) run: fn(Args) -> Outcome,
}

const COMMON: [(&str, &str); 4] = [
    ("-p, --pid PID", "only this process"),
    (
        "-d, --duration SECONDS",
        "end after this time; without it, at Ctrl-C",
    ),
    ("--json", "a JSON object on each line"),
    ("-h, --help", "print this"),
];

impl Tool {
    pub(crate) fn help(&self) -> String {
        let space = if self.operands.is_empty() { "" } else { " " };
        let mut text = format!(
            "{}.\n\nusage: {} [OPTIONS]{space}{}\n\n",
            self.about, self.name, self.operands
        );
        for (option, effect) in self.options.iter().chain(&COMMON) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {option:<24} {effect}");
        }
        text += "\nexamples:\n";
        for (args, effect) in self.examples {
            let line = format!("{} {args}", self.name);
            let _ = writeln!(text, "  {:<36} {effect}", line.trim_end());
        }
        text
    }
}

/// The common options, and when to end.
pub(crate) struct Run {
    /// The process to look at; zero, as in the programs, means all.
    pub(crate) pid: u32,
    pub(crate) json: bool,
    pub(crate) stop: Stop,
}

impl Run {
    /// A table on standard output, or its rows as JSON.
    pub(crate) fn table(&self, columns: &'static [Column]) -> io::Result<Table> {
        Table::new(columns, self.json)
    }
}
