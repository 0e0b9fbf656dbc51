//! Why a tool ends without success.

use super::Tool;
use rawbpf::ErrorKind;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// What a tool, and most of its parts, return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

pub(crate) enum Failure {
    /// The command line was wrong.
    Usage(String),
    /// `--help` was given.
    Help,
    Error(Box<dyn Error>),
}

/// The tool cannot do what it was asked to, although the command line is one.
pub(crate) fn refused(kind: ErrorKind, why: String) -> Failure {
    Failure::from(rawbpf::Error::new(kind, why))
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Failure {
    /// The exit status of a wrong command line.
    pub(crate) const USAGE: u8 = 2;

    /// Tells the user; returns the exit status.
    pub(crate) fn report(self, tool: &Tool) -> ExitCode {
        let (text, code) = match self {
            Self::Help => return say(&mut io::stdout(), &tool.help(), ExitCode::SUCCESS),
            // Whoever read the output has seen enough.
            Self::Error(error) if is_broken_pipe(&*error) => return ExitCode::SUCCESS,
            Self::Usage(why) => {
                let name = tool.name;
                let text = format!("{name}: {why}\n{name} --help explains the options\n");
                (text, Self::USAGE)
            }
            Self::Error(error) => (format!("{}: {error}\n", tool.name), 1),
        };
        say(&mut io::stderr(), &text, code.into())
    }
}

fn say(out: &mut impl Write, text: &str, code: ExitCode) -> ExitCode {
    // There is nobody left to tell.
    let _ = out.write_all(text.as_bytes());
    code
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
