//! `rawbpf btf encode`: converts the debug information of a file to BTF.

use crate::show::outlet::say;
use crate::show::progress::Progress;
use crate::stop::Stop;
use clap::Args;
use rawbpf::dwarf::Encoder;
use rawbpf::{Error, Result};
use std::fs;
use std::io::Write;
use std::num::NonZero;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "The file may be a vmlinux with debug information (of a package such as linux-image-*-dbg), a module, an object, or any \
                  other ELF file that was compiled with -g. What is written can be given to `rawbpf plan --btf` and to every other \
                  BPF loader."
)]
pub(crate) struct EncodeArgs {
    /// The ELF file
    #[arg(value_name = "ELF")]
    file: PathBuf,
    /// Where to write the BTF
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The number of threads; the output does not depend on it
    #[arg(short, long, value_name = "N", default_value = "1")]
    jobs: NonZero<usize>,
}

pub(super) fn encode(args: &EncodeArgs, stop: &Stop, _out: &mut impl Write) -> Result<()> {
    let progress = Progress::of(format!(
        "reading the debug information of {}",
        args.file.display()
    ));
    let types = Encoder::new().threads(args.jobs).encode_file(&args.file);
    drop(progress);
    let types = types?;
    fs::write(&args.output, &types)
        .map_err(|error| Error::from_io(error, "write", &args.output))?;
    let len = types.len();
    let output = args.output.display();
    say(
        stop,
        format_args!("rawbpf: {len} bytes of type information in {output}"),
    );
    Ok(())
}
