//! `rawbpf btf merge` and `rawbpf btf dedup`: merges the types of several files, and deduplicates types.

use super::source;
use crate::cannot_print;
use crate::show::progress::Progress;
use clap::Args;
use rawbpf::btf::{Btf, BtfBuilder};
use rawbpf::{Error, Result, TypeId};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
#[command(
    after_help = "Types that continue others (a module's) are put in together with those, unless --base says that the output continues them, \
                  too. Numbers of types change; what .BTF.ext says about an object's types does not come along."
)]
pub(crate) struct MergeArgs {
    /// Raw BTF, ELF files with a .BTF section, or files of /sys/kernel/btf
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<PathBuf>,
    /// Where to write the BTF
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Keep duplicate types, one from each file
    #[arg(long)]
    keep: bool,
    /// The base BTF of the inputs: the kernel's types, for modules'. It is also the base of the output
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Numbers of types change; what .BTF.ext says about an object's types does not come along. Types that continue others still do."
)]
pub(crate) struct DedupArgs {
    /// Raw BTF, or an ELF file with a .BTF section
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where to write the BTF
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// The base BTF of the file: the kernel's types, for a module's [default, for files of /sys/kernel/btf: vmlinux there]
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
}

pub(super) fn merge(args: &MergeArgs, out: &mut impl Write) -> Result<()> {
    let progress = Progress::of("reading types");
    let base = args.base.as_ref().map(Btf::from_file).transpose()?;
    let mut all = Together::new(base.map(Arc::new));
    for path in &args.inputs {
        progress.step(|| format!("reading {}", path.display()));
        all.read(path)?;
    }
    let Together {
        mut builder,
        before,
        ..
    } = all;
    if !args.keep {
        progress.step(|| "keeping each type once".to_owned());
        builder.dedup();
    }
    let written = write(&builder, &args.output);
    drop(progress);
    tell(out, &args.output, &written?, before)
}

pub(super) fn dedup(args: &DedupArgs, out: &mut impl Write) -> Result<()> {
    let progress = Progress::of(format!(
        "keeping each type of {} once",
        args.input.display()
    ));
    let btf = source::file(&args.input, args.base.as_deref())?;
    let mut builder = BtfBuilder::copy_of(&btf);
    builder.dedup();
    let written = write(&builder, &args.output)
        .map_err(|error| error.context(args.input.display().to_string()));
    drop(progress);
    tell(out, &args.output, &written?, Size::of(&btf))
}

/// The amount of type information.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    types: usize,
    bytes: usize,
}

impl Size {
    fn of(btf: &Btf<'_>) -> Self {
        Self {
            types: btf.types().count(),
            bytes: btf.bytes().len(),
        }
    }

    fn add(&mut self, btf: &Btf<'_>) {
        let Self { types, bytes } = Self::of(btf);
        self.types = self.types.saturating_add(types);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn write(builder: &BtfBuilder, output: &Path) -> Result<Size> {
    let btf = builder.build()?;
    fs::write(output, btf.bytes()).map_err(|error| Error::from_io(error, "write", output))?;
    Ok(Size::of(&btf))
}

fn tell(out: &mut impl Write, output: &Path, now: &Size, before: Size) -> Result<()> {
    writeln!(
        out,
        "{}: {} types, {} bytes (of {} types, {} bytes)",
        output.display(),
        now.types,
        now.bytes,
        before.types,
        before.bytes
    )
    .map_err(cannot_print)
}

/// The types of several files, concatenated.
struct Together {
    builder: BtfBuilder,
    /// The base of all of them.
    base: Option<Arc<Btf<'static>>>,
    /// The bases that were added because files are split on them, and the id of the first type of each.
    bases: Vec<(Arc<Btf<'static>>, TypeId)>,
    /// The total size of the inputs.
    before: Size,
}

impl Together {
    fn new(base: Option<Arc<Btf<'static>>>) -> Self {
        let builder = match &base {
            Some(base) => BtfBuilder::split(Arc::clone(base)),
            None => BtfBuilder::new(),
        };
        Self {
            builder,
            base,
            bases: Vec::new(),
            before: Size::default(),
        }
    }

    fn read(&mut self, path: &Path) -> Result<()> {
        let btf = match &self.base {
            Some(base) => Btf::from_file_split(path, base)?,
            None => match source::base_of(path) {
                Some(base) => Btf::from_file_split(path, &self.base_in(base)?)?,
                None => Btf::from_file(path)?,
            },
        };
        self.before.add(&btf);
        if self.base.is_none() && btf.base().is_some() {
            self.add_whole(&btf);
        } else {
            self.builder.add_btf(&btf);
        }
        match self.builder.error() {
            Some(error) => Err(Error::from(error).context(path.display().to_string())),
            None => Ok(()),
        }
    }

    /// The base of a file in /sys/kernel/btf, the same for all.
    fn base_in(&mut self, path: &Path) -> Result<Arc<Btf<'static>>> {
        let btf = Arc::new(Btf::from_file(path)?);
        let known = self.bases.iter().map(|(base, _)| base);
        let mut known = known.filter(|base| base.bytes() == btf.bytes());
        Ok(known.next().map_or(btf, Arc::clone))
    }

    /// Adds the types of a file, and those of its base once.
    fn add_whole(&mut self, btf: &Btf<'static>) {
        let start = match btf.base() {
            Some(base) => self.add_base(base),
            None => TypeId(1),
        };
        let first_own = btf.own_ids().start;
        let first = self.builder.next_id();
        let map = |id: TypeId| match id.0.checked_sub(first_own) {
            Some(own) => TypeId(first.0.saturating_add(own)),
            // Type ids start at 1.
            None => TypeId(start.0.saturating_add(id.0).saturating_sub(1)),
        };
        for ty in btf.types() {
            self.builder.add_type_with(&ty, map);
        }
    }

    /// The id of the base's first type.
    fn add_base(&mut self, base: &Arc<Btf<'static>>) -> TypeId {
        let known = self
            .bases
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, base));
        if let Some((_, first)) = known {
            return *first;
        }
        self.before.add(base);
        let first = self.builder.add_btf(base);
        self.bases.push((Arc::clone(base), first));
        first
    }
}
