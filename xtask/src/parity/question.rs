//! What is asked of the two programs about one object.

use super::Depth;

/// One command to run over an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// The reference's opinion.
    Reference(Depth),
    /// Whether rawbpf can open it.
    Inspect,
    /// Whether rawbpf can load it as it stands.
    Load,
    /// What rawbpf and the kernel say about each program.
    LoadEach,
    /// What rawbpf would pass to the kernel.
    Plan,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// The driver on libbpf.
    Reference,
    /// The `rawbpf` command.
    Rawbpf,
}

impl Question {
    /// All questions to ask.
    pub(crate) fn all(depth: Depth) -> &'static [Self] {
        match depth {
            Depth::Load => &[Self::Reference(Depth::Load), Self::Load, Self::LoadEach],
            Depth::Prepare => &[Self::Reference(Depth::Prepare), Self::Inspect, Self::Plan],
        }
    }

    /// Which program to ask.
    pub(crate) fn program(self) -> Program {
        match self {
            Self::Reference(_) => Program::Reference,
            Self::Inspect | Self::Load | Self::LoadEach | Self::Plan => Program::Rawbpf,
        }
    }

    /// The words between the program and the object.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Reference(Depth::Load) => &["load"],
            Self::Reference(Depth::Prepare) => &["prepare", "--each"],
            Self::Inspect => &["inspect", "--json"],
            Self::Load => &["load", "--json"],
            Self::LoadEach => &["load", "--each", "--json"],
            Self::Plan => &["plan", "--json"],
        }
    }
}

/// The answer to a question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The exit status; `None` after a signal.
    pub(crate) status: Option<i32>,
    /// Standard output.
    pub(crate) output: String,
    /// Standard error.
    pub(crate) message: String,
}
