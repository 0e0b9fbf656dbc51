//! `cargo xtask dwarf VMLINUX --pahole PATH`: compares the BTF that rawbpf and pahole generate from one kernel's debug
//! information.
//!
//! Compares all named types, functions and per-CPU variables in full. Every difference must have a reason that the debug
//! information or the symbol table itself proves (`evidence`): any other difference is a failure.

mod describe;
mod evidence;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use rawbpf::btf::Btf;
use rawbpf::dwarf::Encoder;

use describe::Described;
use evidence::Evidence;

/// Arguments of `cargo xtask dwarf`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A kernel with debug information
    vmlinux: PathBuf,
    /// The reference
    #[arg(long, default_value = "pahole")]
    pahole: PathBuf,
    /// Additional options of the reference
    #[arg(long, value_name = "OPTION", default_values = ["--btf_gen_floats"], allow_hyphen_values = true)]
    option: Vec<String>,
    /// How many differences with the same reason are shown
    #[arg(long, default_value_t = 10)]
    show: usize,
}

/// Compares and prints; fails if a difference has no reason.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    let theirs = folder.path().join("pahole.btf");
    encode_by_pahole(args, &theirs)?;
    let theirs = Btf::from_vec(fs::read(&theirs)?)?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let ours = Encoder::new().threads(threads).encode_file(&args.vmlinux)?;
    let ours = Btf::from_vec(ours)?;
    ours.validate()?;
    let evidence = Evidence::read(&args.vmlinux)?;
    let (ours, theirs) = (Described::of(&ours)?, Described::of(&theirs)?);
    let mut report = Report::default();
    report.types(&ours.types, &theirs.types);
    report.functions(&ours.functions, &theirs.functions, &evidence);
    report.variables(&ours.variables, &theirs.variables);
    report.print(args.show);
    Ok(if report.is_explained() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn encode_by_pahole(args: &Args, to: &Path) -> Result<()> {
    let mut command = Command::new(&args.pahole);
    command.args(["-J", "--btf_encode_detached"]).arg(to);
    command.args(&args.option).arg(&args.vmlinux);
    let status = command
        .status()
        .with_context(|| format!("start {}", args.pahole.display()))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

/// The reason for a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// Of several prototypes in the debug information, pahole takes the first one; it is unknown which of them a program is
    /// attached to.
    SeveralPrototypes,
    /// The symbol has a suffix added by the compiler; the pahole of kernels since Linux 6.4 (`--btf_gen_optimized`) includes
    /// it, too.
    SuffixedSymbol,
    /// In one of them, the type is only declared and nowhere defined under this name; the other has the definition.
    DeclaredOnly,
    /// `int a[2][3]`, which pahole turns into `int a[6]`.
    Dimensions,
    /// A variable at the start of per-CPU memory: pahole treats address zero as none.
    AtZero,
    /// No evidence.
    Unknown,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Self::SeveralPrototypes => "units define it with several prototypes",
            Self::SuffixedSymbol => "its symbol has a suffix (.isra, .constprop, ...)",
            Self::DeclaredOnly => "a declaration of what is defined, too",
            Self::Dimensions => "arrays of several dimensions, which pahole makes one of",
            Self::AtZero => "at the address zero, which pahole takes for none",
            Self::Unknown => "NO KNOWN REASON",
        }
    }
}

#[derive(Debug, Default)]
struct Report {
    /// What was compared, the total number, and the number of equal ones.
    totals: Vec<(String, usize, usize)>,
    differences: BTreeMap<(String, Reason), Vec<String>>,
}

impl Report {
    fn add(&mut self, sort: &str, reason: Reason, what: String) {
        let key = (sort.to_owned(), reason);
        self.differences.entry(key).or_default().push(what);
    }

    /// Types by kind and name, each with all definitions of that name.
    fn types(&mut self, ours: &describe::Types, theirs: &describe::Types) {
        let kinds: BTreeSet<&str> = theirs.keys().map(|(kind, _)| *kind).collect();
        for kind in kinds {
            let of_kind = theirs.keys().filter(|(k, _)| *k == kind);
            let same = of_kind
                .clone()
                .filter(|key| ours.get(key) == theirs.get(key));
            self.totals
                .push((kind.to_owned(), of_kind.count(), same.count()));
        }
        let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        for key in keys {
            let (one, other) = (ours.get(key), theirs.get(key));
            if one == other {
                continue;
            }
            let (kind, name) = key;
            let is_full = |types: &describe::Types| {
                let mut kinds = ["struct", "union", "enum"].iter();
                kinds.any(|kind| types.contains_key(&(kind, name.clone())))
            };
            let flat = |all: Option<&Vec<String>>| {
                let all = all?.iter().map(|text| describe::flattened(text));
                Some(all.collect::<BTreeSet<_>>())
            };
            let reason = if *kind == "fwd" && is_full(ours) && is_full(theirs) {
                Reason::DeclaredOnly
            } else if flat(one) == flat(other) {
                Reason::Dimensions
            } else {
                Reason::Unknown
            };
            let what = format!("{kind} {name}\n    ours   {one:?}\n    pahole {other:?}");
            self.add("types", reason, what);
        }
    }

    fn functions(
        &mut self,
        ours: &BTreeMap<String, String>,
        theirs: &BTreeMap<String, String>,
        evidence: &Evidence,
    ) {
        let is_same = |name: &&String| ours.get(*name) == theirs.get(*name);
        let same = theirs.keys().filter(is_same).count();
        self.totals.push(("functions".into(), theirs.len(), same));
        let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            let several = evidence.has_several_prototypes(name);
            let (sort, reason) = match (ours.get(name), theirs.get(name)) {
                (Some(one), Some(other)) if one == other => continue,
                (Some(_), None) if evidence.has_only_suffixed_symbols(name) => {
                    ("functions of ours alone", Reason::SuffixedSymbol)
                }
                (Some(_), None) => ("functions of ours alone", Reason::Unknown),
                (None, Some(_)) if several => {
                    ("functions of pahole's alone", Reason::SeveralPrototypes)
                }
                (None, _) => ("functions of pahole's alone", Reason::Unknown),
                (Some(_), Some(_)) if several => {
                    ("functions with other types", Reason::SeveralPrototypes)
                }
                _ => ("functions with other types", Reason::Unknown),
            };
            let show = |proto: Option<&String>| proto.cloned().unwrap_or_else(|| "-".to_owned());
            let what = format!(
                "{name}: ours {}, pahole {}; debug information {:?}",
                show(ours.get(name)),
                show(theirs.get(name)),
                evidence.prototypes(name)
            );
            self.add(sort, reason, what);
        }
    }

    fn variables(&mut self, ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) {
        let is_same = |name: &&String| ours.get(*name) == theirs.get(*name);
        let same = theirs.keys().filter(is_same).count();
        self.totals.push(("variables".into(), theirs.len(), same));
        let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            let (one, other) = (ours.get(name), theirs.get(name));
            if one == other {
                continue;
            }
            let reason = match (one, other) {
                (Some(one), None) if one.contains(" at 0x0,") => Reason::AtZero,
                (Some(one), Some(other))
                    if describe::flattened(one) == describe::flattened(other) =>
                {
                    Reason::Dimensions
                }
                _ => Reason::Unknown,
            };
            let what = format!("{name}: ours {one:?}, pahole {other:?}");
            self.add("variables", reason, what);
        }
    }

    fn is_explained(&self) -> bool {
        let mut reasons = self.differences.keys();
        reasons.all(|(_, reason)| *reason != Reason::Unknown)
    }

    fn print(&self, most: usize) {
        println!("| | pahole's | the same |\n| --- | ---: | ---: |");
        for (what, all, same) in &self.totals {
            println!("| {what} | {all} | {same} |");
        }
        for ((sort, reason), all) in &self.differences {
            println!("\n{sort}: {} differ: {}", all.len(), reason.text());
            for what in all.iter().take(most) {
                println!("  {what}");
            }
        }
    }
}
