//! The command line: each command has a file with its arguments and its implementation; [`args`] has the arguments shared by
//! several.

mod args;
mod attachments;
mod btf;
mod choices;
mod compile;
mod generate;
mod holders;
mod inspect;
mod link;
mod listing;
mod load;
mod map;
mod new;
mod object;
mod pinned;
mod pins;
mod plan;
mod prog;
mod run;
mod target;
mod which;
mod write;

use crate::show::escape::Format;
use crate::stop::Stop;
use clap::{Parser, Subcommand};
use std::io::Write;

pub(crate) use run::{EventArg, MapArg, StacksArgs};

/// Load eBPF objects: run them, inspect them, plan a load for any kernel.
#[derive(Debug, Parser)]
#[command(name = "rawbpf", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 success, 1 failure (the reason is on standard error), 2 wrong usage."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load an object, attach all its programs, and print the events they send, what they write to their streams, and maps; a C
    /// source is compiled first
    Run(run::RunArgs),
    /// Compile C sources to an object, with clang; headers and vmlinux.h are included
    Compile(compile::CompileArgs),
    /// Show what an object contains, without any bpf system call
    Inspect(inspect::InspectArgs),
    /// Relocate an object for a kernel, this one or another, and show what would be loaded
    Plan(plan::PlanArgs),
    /// Load an object, report on each map and program, and unload it
    Load(load::LoadArgs),
    /// Show the programs in the kernel
    Prog(prog::ProgArgs),
    /// Show the maps in the kernel
    Map(map::MapArgs),
    /// Show the links in the kernel: which program is attached where
    Link(link::LinkArgs),
    /// Show types: those in a file, those of the kernel, and those of programs and maps
    Btf(btf::BtfArgs),
    /// Write a small project that builds and runs: a program in C, and a tool in Rust that loads it
    New(new::NewArgs),
    /// Generate files for BPF developers
    Gen(generate::GenArgs),
}

impl Command {
    /// The output format.
    pub(crate) fn format(&self) -> Format {
        let json = match self {
            Self::Run(args) => args.json,
            Self::Inspect(args) => args.json,
            Self::Plan(args) => args.json,
            Self::Load(args) => args.json,
            Self::Prog(args) => args.is_json(),
            Self::Map(args) => args.is_json(),
            Self::Link(args) => args.is_json(),
            Self::Btf(args) => args.is_json(),
            Self::Compile(_) | Self::New(_) | Self::Gen(_) => false,
        };
        if json { Format::Json } else { Format::Text }
    }

    /// Runs the command.
    pub(crate) fn run(&self, stop: &Stop, out: &mut impl Write) -> rawbpf::Result<()> {
        match self {
            Self::Run(args) => run::run(args, stop, out),
            Self::Compile(args) => compile::compile(args, stop),
            Self::Inspect(args) => inspect::inspect(args, stop, out),
            Self::Plan(args) => plan::plan(args, stop, out),
            Self::Load(args) => load::load(args, stop, out),
            Self::Prog(args) => prog::prog(args, out),
            Self::Map(args) => map::map(args, out),
            Self::Link(args) => link::link(args, out),
            Self::Btf(args) => btf::btf(args, stop, out),
            Self::New(args) => new::new(args, out),
            Self::Gen(args) => generate::generate(args, stop, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
