//! The `rawbpf` command: run, inspect, plan and load eBPF objects.

// What panics by itself: printing to a closed pipe (`outlet` does not), and sums of times that overflow (clippy.toml excepts plain
// numbers).
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::arithmetic_side_effects
)]

mod args;
mod choices;
mod elements;
mod escape;
mod events;
#[cfg(test)]
mod hints;
mod histogram;
mod inspect;
mod load;
mod maps;
mod outlet;
mod output;
mod pins;
mod plan;
mod readers;
mod run;
mod sources;
mod stop;
mod streams;
mod target;

use args::{Cli, Command};
use clap::Parser;
use escape::Escaping;
use outlet::{Outlet, say};
use rawbpf::reloc::{LoadPlan, Target};
use rawbpf::{Error, ErrorKind, OpenObject};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use stop::Stop;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let stop = Stop::default();
    let format = cli.command.format();
    let mut out = BufWriter::new(Escaping::new(Outlet::stdout(&stop), format));
    let done = match &cli.command {
        Command::Run(args) => run::run(args, &stop, &mut out),
        Command::Inspect(args) => inspect::inspect(args, &stop, &mut out),
        Command::Plan(args) => plan::plan(args, &stop, &mut out),
        Command::Load(args) => load::load(args, &stop, &mut out),
    };
    // First what was printed, then why there is no more of it.
    let printed = out.flush().and_then(|()| out.get_mut().finish());
    let printed = printed.map_err(cannot_print);
    match done.and(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&stop, format_args!("rawbpf: {error}"));
            if error.verifier_log().is_some() {
                let hint = "`rawbpf load --each --json` shows the verifier's whole log";
                say(&stop, format_args!("{hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// Opens an object, and says on standard error what is odd about it.
pub(crate) fn open(path: &Path, stop: &Stop) -> rawbpf::Result<OpenObject> {
    let object = OpenObject::from_file(path)?;
    warn(&object.warnings(), stop);
    Ok(object)
}

/// Works out what loading it takes, and says on standard error what is odd about that.
pub(crate) fn relocate(
    object: &OpenObject,
    target: &Target,
    stop: &Stop,
) -> rawbpf::Result<LoadPlan> {
    let plan = object.relocate(target)?;
    warn_of_plan(object, &plan, stop);
    Ok(plan)
}

/// Says what is odd about a plan. What is odd about its object comes first there, and was said when that was opened.
pub(crate) fn warn_of_plan(object: &OpenObject, plan: &LoadPlan, stop: &Stop) {
    let said = object.warnings().len();
    warn(plan.warnings.get(said..).unwrap_or_default(), stop);
}

pub(crate) fn warn(warnings: &[Error], stop: &Stop) {
    for warning in warnings {
        say(stop, format_args!("rawbpf: warning: {warning}"));
    }
}

/// Standard output does not take what is printed.
pub(crate) fn cannot_print(error: io::Error) -> Error {
    let message = format!("cannot write to standard output: {error}");
    let errno = error.raw_os_error().map(rawbpf::Errno);
    let result = Error::new(ErrorKind::Io, message).with_source(error);
    match errno {
        Some(errno) => result.with_errno(errno),
        None => result,
    }
}

/// The reader of a pipe (`| head`) went away: no failure of ours.
fn is_broken_pipe(error: &Error) -> bool {
    error.kind() == ErrorKind::Io && error.errno() == Some(rawbpf::Errno::EPIPE)
}
