//! `rawbpf map`: the maps in the kernel.

mod show;

use clap::{Args, Subcommand};
use rawbpf::Result;
use std::io::Write;

#[derive(Debug, Args)]
pub(crate) struct MapArgs {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// List maps: what they are, how much memory they take, who holds them
    #[command(visible_alias = "list")]
    Show(show::ShowArgs),
}

impl MapArgs {
    pub(crate) fn is_json(&self) -> bool {
        match &self.job {
            Job::Show(args) => args.output.is_json(),
        }
    }
}

pub(crate) fn map(args: &MapArgs, out: &mut impl Write) -> Result<()> {
    match &args.job {
        Job::Show(args) => show::show(args, out),
    }
}
