//! `rawbpf btf minimize`: the subset of kernels' types that objects need, to ship with them.

use crate::cannot_print;
use crate::commands::object;
use crate::show::progress::Progress;
use crate::stop::Stop;
use clap::Args;
use rawbpf::reloc::{OfflineKernel, Target, minimize};
use rawbpf::{Error, ErrorKind, OpenObject, Result};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct MinimizeArgs {
    /// The compiled objects (.bpf.o)
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<PathBuf>,
    /// The types of a kernel (raw BTF, or an ELF file with a .BTF section), or several: another option ends the list
    #[arg(long = "kernel", required = true, num_args = 1.., value_name = "FILE")]
    kernels: Vec<PathBuf>,
    /// The output directory, created if missing; the result for a kernel in `6.1.btf` or `6.1` is `6.1.btf`
    #[arg(short, long = "output", value_name = "FOLDER")]
    output: PathBuf,
}

/// Writes for each kernel the types that any of the objects need.
pub(crate) fn run(args: &MinimizeArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let names = names(&args.kernels)?;
    let opened = args.objects.iter().map(|path| object::open(path, stop));
    let objects: Vec<OpenObject> = opened.collect::<Result<_>>()?;
    fs::create_dir_all(&args.output)
        .map_err(|error| Error::from_io(error, "make", &args.output))?;
    let progress = Progress::of("reading types");
    for (kernel, name) in args.kernels.iter().zip(names) {
        progress.step(|| format!("looking through {}", kernel.display()));
        let target = Target::offline(OfflineKernel::from_btf_file(kernel)?);
        let small = minimize(&objects, &target)
            .map_err(|error| error.context(kernel.display().to_string()))?;
        let path = args.output.join(name);
        fs::write(&path, small.bytes()).map_err(|error| Error::from_io(error, "write", &path))?;
        let (types, bytes) = (small.types().count(), small.bytes().len());
        writeln!(out, "{}: {types} types, {bytes} bytes", path.display()).map_err(cannot_print)?;
    }
    Ok(())
}

/// The names of the results, which must be unique.
fn names(kernels: &[PathBuf]) -> Result<Vec<OsString>> {
    let mut taken = HashSet::new();
    let mut names = Vec::new();
    for kernel in kernels {
        let name = result_name(kernel);
        if !taken.insert(name.clone()) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "two kernels would be written to `{}`",
                    Path::new(&name).display()
                ),
            )
            .with_hint("rename their files so that they differ"));
        }
        names.push(name);
    }
    Ok(names)
}

fn result_name(kernel: &Path) -> OsString {
    let is_btf = kernel.extension() == Some(OsStr::new("btf"));
    let name = if is_btf {
        kernel.file_stem()
    } else {
        kernel.file_name()
    };
    let mut name = name.unwrap_or(OsStr::new("kernel")).to_os_string();
    name.push(".btf");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_named_after_their_kernels() {
        let name = |path: &str| result_name(Path::new(path)).into_string().unwrap();
        assert_eq!(name("kernels/6.1.btf"), "6.1.btf");
        assert_eq!(name("kernels/5.10.0-32-amd64"), "5.10.0-32-amd64.btf");
        assert_eq!(name("/sys/kernel/btf/vmlinux"), "vmlinux.btf");
        let twice = names(&["a/vmlinux".into(), "b/vmlinux".into()]).unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::InvalidArgument);
    }
}
