//! The `rawbpf` command: run, inspect, plan and load eBPF objects.

// Deny what can panic: printing to a closed pipe (`outlet` handles that), and overflowing sums of times (clippy.toml exempts
// plain numbers).
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::arithmetic_side_effects
)]

mod commands;
#[cfg(test)]
mod hints;
mod show;
mod stop;

use clap::Parser;
use commands::Cli;
use rawbpf::{Error, ErrorKind};
use show::escape::Escaping;
use show::outlet::{Outlet, say};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use stop::Stop;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let stop = Stop::default();
    let format = cli.command.format();
    let mut out = BufWriter::new(Escaping::new(Outlet::stdout(&stop), format));
    let done = cli.command.run(&stop, &mut out);
    // First finish what was printed, then say why there is no more.
    let printed = out.flush().and_then(|()| out.get_mut().finish());
    let printed = printed.map_err(cannot_print);
    match done.and(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&stop, format_args!("rawbpf: {error}"));
            if error.verifier_log().is_some() {
                let hint = "`rawbpf load --each --json` shows the verifier's full log";
                say(&stop, format_args!("{hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// The error for output that standard output does not accept.
pub(crate) fn cannot_print(error: io::Error) -> Error {
    let message = format!("cannot write to standard output: {error}");
    let errno = error.raw_os_error().map(rawbpf::Errno);
    let result = Error::new(ErrorKind::Io, message).with_source(error);
    match errno {
        Some(errno) => result.with_errno(errno),
        None => result,
    }
}

/// The reader of a pipe (`| head`) has exited, which is not a failure.
fn is_broken_pipe(error: &Error) -> bool {
    error.kind() == ErrorKind::Io && error.errno() == Some(rawbpf::Errno::EPIPE)
}
