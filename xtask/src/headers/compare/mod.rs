//! The same sources compiled with our headers and with libbpf's: whether the objects are equal.
//!
//! In: sources, libbpf's headers, the types of a kernel. Out: what differs, source by source, and counts.

mod compile;
mod contents;

use super::{Args, include_dir};
use crate::fixtures::find_clang;
use anyhow::{Context as _, Result, ensure};
use compile::Compiler;
use contents::Contents;
use rawbpf::btf::{Btf, c::Header};
use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

/// The result for one source.
enum Outcome {
    Equal,
    /// Everything that differs.
    Different(Vec<String>),
    /// It includes none of the headers.
    Unrelated,
    /// Neither compiles: the first error with ours.
    Neither(String),
    /// Only one compiles: `ours` or `theirs`, and the other's first error.
    OnlyOne(&'static str, String),
}

/// Compares and prints; the exit status is a failure if there is a difference.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let work = tempfile::tempdir()?;
    let vmlinux = work.path().join("vmlinux.h");
    write_vmlinux(args, &vmlinux)?;
    // Under a folder of their own, so that nothing else of the reference's folder is found.
    let reference = work.path().join("reference");
    fs::create_dir(&reference)?;
    let headers = args.reference.join("bpf").canonicalize();
    let headers =
        headers.with_context(|| format!("{} has no folder `bpf`", args.reference.display()))?;
    std::os::unix::fs::symlink(headers, reference.join("bpf"))?;
    let sources = sources(&args.compare)?;
    ensure!(!sources.is_empty(), "no C sources there");
    let compiler = Compiler {
        clang: find_clang()?,
        flags: args.flags.clone(),
        types: work.path().to_owned(),
    };
    let trial = Trial {
        compiler,
        ours: include_dir()?,
        theirs: reference,
    };
    let outcomes = trial.all(&sources, work.path())?;
    Ok(report(&outcomes))
}

/// The header with the kernel's types: a given one, or as `rawbpf gen vmlinux` writes it for this kernel.
fn write_vmlinux(args: &Args, path: &Path) -> Result<()> {
    if let Some(given) = &args.vmlinux {
        fs::copy(given, path).with_context(|| format!("copying {}", given.display()))?;
        return Ok(());
    }
    let btf = Btf::from_file(&args.btf)?;
    let text = Header::new(&btf).write()?.take_text();
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// The C files that are named, or in the folders that are, in the order of their names.
fn sources(places: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for place in places {
        if place.is_file() {
            found.push(place.clone());
            continue;
        }
        let entries =
            fs::read_dir(place).with_context(|| format!("listing {}", place.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "c") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What every source goes through.
struct Trial {
    compiler: Compiler,
    ours: PathBuf,
    theirs: PathBuf,
}

impl Trial {
    /// The outcomes, printed as they are known, of as many sources at once as there are processors.
    fn all(&self, sources: &[PathBuf], work: &Path) -> Result<Vec<Outcome>> {
        let next = AtomicUsize::new(0);
        let worker = |number: usize| -> Result<Vec<Outcome>> {
            let objects = ["ours", "theirs"].map(|whose| work.join(format!("{whose}{number}.o")));
            let mut outcomes = Vec::new();
            while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = self.one(source, &objects)?;
                print(source, &outcome);
                outcomes.push(outcome);
            }
            Ok(outcomes)
        };
        let count = thread::available_parallelism().map_or(1, usize::from);
        let ended: Vec<_> = thread::scope(|scope| {
            let worker = &worker;
            let workers: Vec<_> = (0..count)
                .map(|number| scope.spawn(move || worker(number)))
                .collect();
            workers.into_iter().map(ScopedJoinHandle::join).collect()
        });
        let mut outcomes = Vec::new();
        for end in ended {
            outcomes.extend(end.unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(outcomes)
    }

    fn one(&self, source: &Path, [our_object, their_object]: &[PathBuf; 2]) -> Result<Outcome> {
        if !self.compiler.includes(source, &self.ours)? {
            return Ok(Outcome::Unrelated);
        }
        let ours = self.compiler.compile(source, &self.ours, our_object)?;
        let theirs = self.compiler.compile(source, &self.theirs, their_object)?;
        Ok(match (ours, theirs) {
            (Ok(()), Ok(())) => {
                let [ours, theirs] = [our_object, their_object].map(|path| Contents::of_file(path));
                let differences = ours?.differences(&theirs?);
                if differences.is_empty() {
                    Outcome::Equal
                } else {
                    Outcome::Different(differences)
                }
            }
            (Err(error), Err(_)) => Outcome::Neither(error),
            (Ok(()), Err(error)) => Outcome::OnlyOne("ours", error),
            (Err(error), Ok(())) => Outcome::OnlyOne("theirs", error),
        })
    }
}

/// How many differences of a source are printed.
const SHOWN: usize = 8;

/// Prints what is to be said about a source that is not equal.
fn print(source: &Path, outcome: &Outcome) {
    let source = source.display();
    match outcome {
        Outcome::Equal | Outcome::Unrelated => {}
        Outcome::Neither(error) => println!("{source}: does not compile: {error}"),
        Outcome::OnlyOne(whose, error) => {
            println!("{source}: COMPILES ONLY WITH {whose}: {error}");
        }
        Outcome::Different(how) => {
            let shown = how.get(..SHOWN).unwrap_or(how);
            println!("{source}: DIFFERENT\n  {}", shown.join("\n  "));
            if how.len() > SHOWN {
                println!("  and {} more", how.len() - SHOWN);
            }
        }
    }
}

/// Prints the counts.
fn report(outcomes: &[Outcome]) -> ExitCode {
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    let different = count(|outcome| matches!(outcome, Outcome::Different(_)));
    let one = count(|outcome| matches!(outcome, Outcome::OnlyOne(..)));
    println!(
        "{} sources: {} equal, {different} different, {one} compile with one, {} with neither, {} include none of the headers",
        outcomes.len(),
        count(|outcome| matches!(outcome, Outcome::Equal)),
        count(|outcome| matches!(outcome, Outcome::Neither(_))),
        count(|outcome| matches!(outcome, Outcome::Unrelated)),
    );
    if different + one == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
