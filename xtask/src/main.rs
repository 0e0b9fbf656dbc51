//! `cargo xtask`: the project's chores, a module for each.

mod api;
mod bench;
mod binaries;
mod definitions;
mod dwarf;
mod fixtures;
mod headers;
mod link;
mod matrix;
mod parity;
mod slices;
mod streams;
mod template;
mod vm;
mod vmlinux_h;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the rawbpf project
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// List the library's public API in docs/public-api.txt
    Api(api::Args),
    /// Benchmark rawbpf against other loaders
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Compare the BTF that rawbpf and pahole generate from a kernel's debug information
    Dwarf(dwarf::Args),
    /// Check kernels' types, written as Rust, with the compiler against the sizes and offsets in their BTF
    Definitions(definitions::Args),
    /// Rebuild fixtures/*.bpf.o from fixtures/src/*.bpf.c with clang
    Fixtures(fixtures::Args),
    /// Write the C header that declares the helper functions, and compare the C headers with libbpf's
    Headers(headers::Args),
    /// Compare rawbpf's linker with bpftool's on the same objects
    Link(link::Args),
    /// Compare the table of attachments and kernels with what the live tests see here (as root)
    Matrix(matrix::Args),
    /// Compare rawbpf with libbpf on the same objects (as root)
    Parity(parity::Args),
    /// Cut the kernel BTF in fixtures/btf out of whole kernels' BTF (as root)
    Slices(slices::Args),
    /// Rebuild the eBPF program of the projects that `rawbpf new` writes, with clang
    Template,
    /// Boot real kernels in virtual machines and run the live tests in each
    Vm(vm::Args),
    /// Check kernels' types, written as C, with compilers against the sizes and offsets in their BTF.
    VmlinuxH(vmlinux_h::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().chore) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<ExitCode> {
    match chore {
        Chore::Api(args) => api::run(&args),
        Chore::Bench(bench) => bench::run(&bench).map(|()| ExitCode::SUCCESS),
        Chore::Dwarf(args) => dwarf::run(&args),
        Chore::Definitions(args) => definitions::run(&args),
        Chore::Fixtures(args) => fixtures::run(&args).map(|()| ExitCode::SUCCESS),
        Chore::Headers(args) => headers::run(&args),
        Chore::Link(args) => link::run(&args),
        Chore::Matrix(args) => matrix::run(&args),
        Chore::Parity(args) => parity::run(&args),
        Chore::Slices(args) => slices::run(&args).map(|()| ExitCode::SUCCESS),
        Chore::Template => template::run().map(|()| ExitCode::SUCCESS),
        Chore::Vm(args) => vm::run(&args),
        Chore::VmlinuxH(args) => vmlinux_h::run(&args),
    }
}
