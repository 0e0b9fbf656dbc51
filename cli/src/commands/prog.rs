//! `rawbpf prog`: the programs in the kernel.

mod show;

use clap::{Args, Subcommand};
use rawbpf::Result;
use std::io::Write;

#[derive(Debug, Args)]
pub(crate) struct ProgArgs {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// List programs: what they are, what they cost, who holds them, what they are attached to
    #[command(visible_alias = "list")]
    Show(show::ShowArgs),
}

impl ProgArgs {
    pub(crate) fn is_json(&self) -> bool {
        match &self.job {
            Job::Show(args) => args.output.is_json(),
        }
    }
}

pub(crate) fn prog(args: &ProgArgs, out: &mut impl Write) -> Result<()> {
    match &args.job {
        Job::Show(args) => show::show(args, out),
    }
}
