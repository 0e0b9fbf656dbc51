//! `rawbpf gen headers`: the headers for BPF programs, for other build systems and for editors.

use crate::cannot_print;
use clap::Args;
use rawbpf::{Error, ErrorKind, Result};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    after_help = "Sources that `rawbpf compile` compiles need no such folder; editors and other compilers do:\n  \
                  rawbpf gen headers include && rawbpf gen vmlinux > include/vmlinux.h\n  \
                  clang -g -O2 -target bpf -I include -c tool.bpf.c\n\n\
                  Nothing is written if a file of the same name is there with other contents."
)]
pub(super) struct HeadersArgs {
    /// The folder, created if missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Replace files of the same names
    #[arg(long)]
    overwrite: bool,
}

pub(super) fn headers(args: &HeadersArgs, out: &mut impl Write) -> Result<()> {
    let files: Vec<(PathBuf, &str)> = rawbpf_build::headers()
        .map(|(name, text)| (args.folder.join(name), text))
        .collect();
    if !args.overwrite {
        for (path, text) in &files {
            check(path, text)?;
        }
    }
    for (path, text) in &files {
        let folder = path.parent().unwrap_or(&args.folder);
        fs::create_dir_all(folder).map_err(|error| Error::from_io(error, "make", folder))?;
        fs::write(path, text).map_err(|error| Error::from_io(error, "write", path))?;
        writeln!(out, "{}", path.display()).map_err(cannot_print)?;
    }
    Ok(())
}

/// What is there has the same contents, or nothing is there.
fn check(path: &Path, text: &str) -> Result<()> {
    match fs::read(path) {
        Ok(found) if found == text.as_bytes() => Ok(()),
        Ok(_) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!("{} exists, with other contents", path.display()),
        )
        .with_hint("name another folder, or replace it with --overwrite")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::from_io(error, "read", path)),
    }
}
