//! `rawbpf btf diff`: the differences between two kernels' types.

use super::source;
use crate::cannot_print;
use crate::commands::object;
use crate::show::differences::{self, DiffJson};
use crate::show::json::print_json;
use crate::show::progress::Progress;
use crate::stop::Stop;
use clap::Args;
use rawbpf::btf::Btf;
use rawbpf::btf::diff::Comparison;
use rawbpf::reloc::{OfflineKernel, Target, minimize};
use rawbpf::{Error, Result};
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 also if there are differences; nothing is printed if there are none (with --json: empty lists)."
)]
pub(crate) struct DiffArgs {
    /// The old types (raw BTF, or an ELF file with a .BTF section)
    #[arg(value_name = "A")]
    old: PathBuf,
    /// The new types
    #[arg(value_name = "B")]
    new: PathBuf,
    /// Only what this object uses: the types, and members of structures, that its CO-RE relocations refer to in A or in B (may
    /// be repeated)
    #[arg(long = "of", value_name = "OBJECT")]
    of: Vec<PathBuf>,
    /// The base BTF of both files: the kernel's types, for a module's [default, for files of /sys/kernel/btf: vmlinux there]
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn diff(args: &DiffArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let objects = args.of.iter().map(|path| object::open(path, stop));
    let objects: Vec<_> = objects.collect::<Result<_>>()?;
    let progress = Progress::of("comparing types");
    let old = source::file(&args.old, args.base.as_deref())?;
    let new = source::file(&args.new, args.base.as_deref())?;
    let sides = [(&old, &args.old), (&new, &args.new)];
    let used = sides.iter().filter(|_| !objects.is_empty());
    let used = used.map(|(btf, path)| {
        let used = minimize(&objects, &described(btf, path));
        used.map_err(|error| error.context(path.display().to_string()))
    });
    let used: Vec<Btf<'static>> = used.collect::<Result<_>>()?;
    let diff = Comparison::new(&old, &new).only(&used).run();
    drop(progress);
    let diff = diff.map_err(Error::from)?;
    let printed = if args.json {
        print_json(out, &DiffJson::from(&diff))
    } else {
        differences::print(out, &diff)
    };
    printed.map_err(cannot_print)
}

/// The kernel with these types, or the kernel and the module with them.
fn described(btf: &Btf<'_>, path: &Path) -> Target {
    let name = path.display().to_string();
    let (kernel, modules) = match btf.base() {
        None => (btf, Vec::new()),
        Some(base) => (&**base, vec![(name.clone(), btf.bytes().to_vec())]),
    };
    Target::offline(OfflineKernel {
        name,
        btf: Some(kernel.bytes().to_vec()),
        modules,
        ..OfflineKernel::default()
    })
}
