//! `cargo xtask`: the chores of the project, a module for each.

mod fixtures;

use clap::{Parser, Subcommand};

/// Chores of the rawbpf project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Rebuild fixtures/*.bpf.o from fixtures/src/*.bpf.c with clang.
    Fixtures(fixtures::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Fixtures(args) => fixtures::run(&args),
    }
}
