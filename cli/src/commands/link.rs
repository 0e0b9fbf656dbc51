//! `rawbpf link`: the attachments of programs that the kernel keeps as objects.

mod details;
mod show;

use clap::{Args, Subcommand};
use rawbpf::Result;
use std::io::Write;

#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// List links: what is attached where, by which program, and who holds it
    #[command(visible_alias = "list")]
    Show(show::ShowArgs),
}

impl LinkArgs {
    pub(crate) fn is_json(&self) -> bool {
        match &self.job {
            Job::Show(args) => args.output.is_json(),
        }
    }
}

pub(crate) fn link(args: &LinkArgs, out: &mut impl Write) -> Result<()> {
    match &args.job {
        Job::Show(args) => show::show(args, out),
    }
}
