//! `cargo xtask link`: compares rawbpf's linker with libbpf's on the same objects.
//!
//! In: a folder of objects, such as the kernel's selftests, and bpftool. Out: for each set of objects whether both link it or
//! both reject it, and, if they link it, every difference between the outputs once they are opened and planned for this kernel.
//!
//! bpftool's output is linked once more by itself, because a single pass leaves the offsets of some variables as in the first
//! file.

#[path = "../../../tests/linker/said.rs"]
mod said;
mod sets;

use crate::fixtures::fixtures_dir;
use anyhow::{Context as _, Result, anyhow, ensure};
use rawbpf::linker::Linker;
use rawbpf::reloc::Target;
use rawbpf::{OpenObject, OpenOptions};
use sets::Set;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Arguments of `cargo xtask link`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The reference
    #[arg(long, default_value = "bpftool", value_name = "PATH")]
    bpftool: PathBuf,
    /// Also link this many pairs of unrelated objects
    #[arg(long, default_value_t = 200, value_name = "N")]
    pairs: usize,
    /// Also load the objects that are meant to be linked, and compare the kernel's verdicts and tags (as root)
    #[arg(long)]
    load: bool,
    /// Only link the parts of the fixtures with the reference, for tests/linker.rs to compare
    #[arg(long, conflicts_with = "folder")]
    references: bool,
    /// A folder of objects, such as the kernel's selftests
    #[arg(required_unless_present = "references")]
    folder: Option<PathBuf>,
}

/// Rejected by ours but not by bpftool, whose sizes have 32 bits: variables after 4 GiB of zeros.
const STRICTER: &str = "would have 4 GiB or more";

/// The result for one set.
enum Outcome {
    /// Both link it, with this many programs and maps.
    Same(usize, usize),
    /// Both reject it, or neither output can be opened.
    BothRefuse(String, String),
    Different(Vec<String>),
}

/// Compares and prints; the exit status is a failure if there is a difference.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Some(folder) = &args.folder else {
        return write_references(args);
    };
    let sets = sets::of(folder, args.pairs)?;
    ensure!(!sets.is_empty(), "{} has no objects", folder.display());
    let target = Target::running();
    let work = tempfile::tempdir()?;
    let (mut linked, mut refused, mut different) = (0_usize, 0_usize, 0_usize);
    for set in &sets {
        match compare(args, set, &target, work.path())? {
            Outcome::Same(programs, maps) => {
                linked += 1;
                if set.is_named {
                    println!("{}: the same, {programs} programs, {maps} maps", set.name);
                }
            }
            Outcome::BothRefuse(ours, theirs) => {
                refused += 1;
                println!(
                    "{}: both refuse it\n  ours   {ours}\n  theirs {theirs}",
                    set.name
                );
            }
            Outcome::Different(how) => {
                different += 1;
                println!("{}: DIFFERENT", set.name);
                println!("  {}", how.join("\n  "));
            }
        }
    }
    println!(
        "{} sets: {linked} linked to the same, {refused} refused by both, {different} different",
        sets.len()
    );
    Ok(if different == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Writes the reference's output for the fixtures' parts.
fn write_references(args: &Args) -> Result<ExitCode> {
    let fixtures = fixtures_dir()?;
    let references = fixtures.join("../tests/linker");
    let work = tempfile::tempdir()?;
    for set in sets::of_fixtures(&fixtures)? {
        let linked = reference(args, &set, work.path())?;
        let twice = linked.map_err(|words| anyhow!("{}: {words}", set.name))?;
        let once = fs::read(work.path().join("once.o"))?;
        for (passes, bytes) in [("once", once), ("twice", twice)] {
            let path = references.join(format!("{}.{passes}.o", set.name));
            fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        }
        println!("{}: {} parts", set.name, set.files.len());
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(args: &Args, set: &Set, target: &Target, work: &Path) -> Result<Outcome> {
    let mut linker = Linker::new();
    for file in &set.files {
        linker.add_file(file)?;
    }
    let ours = linker.link();
    let theirs = reference(args, set, work)?;
    let (ours, theirs) = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(error), Err(words)) => return Ok(Outcome::BothRefuse(error.to_string(), words)),
        (Err(error), Ok(_)) if error.message().contains(STRICTER) => {
            let theirs = "linked, with offsets modulo 4 GiB".to_owned();
            return Ok(Outcome::BothRefuse(error.to_string(), theirs));
        }
        (Err(error), Ok(_)) => {
            return Ok(Outcome::Different(vec![format!(
                "ours alone refuses: {error}"
            )]));
        }
        (Ok(_), Err(error)) => {
            return Ok(Outcome::Different(vec![format!(
                "theirs alone refuses: {error}"
            )]));
        }
    };
    let open = |bytes: &[u8]| OpenOptions::new().object_name("linked").open_bytes(bytes);
    // The reference must be able to read our output, too.
    let path = work.join("ours.o");
    fs::write(&path, &ours)?;
    let read = run_reference(args, &work.join("read.o"), &[path])?;
    let (ours, theirs) = match (open(&ours), open(&theirs)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        // Undefined names are left for another link, so the output cannot be opened. bpftool's second pass over it takes some
        // declarations for definitions, so the messages differ.
        (Err(ours), Err(theirs)) => {
            let [ours, theirs] = [ours, theirs].map(|error| format!("linked, not opened: {error}"));
            return Ok(Outcome::BothRefuse(ours, theirs));
        }
        (ours, theirs) => {
            let how = format!("opened: {:?} and {:?}", ours.err(), theirs.err());
            return Ok(Outcome::Different(vec![how]));
        }
    };
    let said = said::said(&ours, target);
    let mut differences = said::differences(&said, &said::said(&theirs, target));
    match read.map(|read| open(&read)) {
        Ok(Ok(read)) => {
            let changed = said::differences(&said, &said::said(&read, target));
            differences.extend(changed.iter().map(|what| format!("read by theirs: {what}")));
        }
        Ok(Err(error)) => differences.push(format!("read by theirs: {error}")),
        Err(words) => differences.push(format!("theirs cannot read it: {words}")),
    }
    let counts = (ours.programs().len(), ours.maps().len());
    if args.load && set.is_named {
        let (ours, theirs) = (verdicts(ours, target)?, verdicts(theirs, target)?);
        println!(
            "  {}",
            ours.values().cloned().collect::<Vec<_>>().join("\n  ")
        );
        differences.extend(said::differences(&ours, &theirs));
    }
    Ok(if differences.is_empty() {
        Outcome::Same(counts.0, counts.1)
    } else {
        Outcome::Different(differences)
    })
}

/// The kernel's verdict on each program, and its tag.
fn verdicts(mut object: OpenObject, target: &Target) -> Result<said::Said> {
    for program in object.programs_mut() {
        program.set_autoload(true);
    }
    let loaded = object.relocate_each(target)?.load_each(target)?;
    let mut said = said::Said::new();
    for outcome in loaded.programs {
        let name = &outcome.name;
        let verdict = match (outcome.error, loaded.object.program(name)) {
            (Some(error), _) => format!("{name}: {}", error.message()),
            (None, Ok(program)) => {
                let tag = u64::from_be_bytes(program.tag()?);
                format!("{name}: loaded, tag {tag:016x}")
            }
            (None, Err(error)) => format!("{name}: {error}"),
        };
        said.insert(format!("verdict on {name}"), verdict);
    }
    Ok(said)
}

/// bpftool's output; its error message if it fails.
fn reference(args: &Args, set: &Set, work: &Path) -> Result<Result<Vec<u8>, String>> {
    let (once, twice) = (work.join("once.o"), work.join("twice.o"));
    let linked = run_reference(args, &once, &set.files)?;
    if linked.is_err() {
        return Ok(linked);
    }
    run_reference(args, &twice, &[once])
}

fn run_reference(
    args: &Args,
    output: &Path,
    inputs: &[PathBuf],
) -> Result<Result<Vec<u8>, String>> {
    let run = Command::new(&args.bpftool)
        .args(["gen", "object"])
        .arg(output)
        .args(inputs)
        .output()
        .with_context(|| format!("running {}", args.bpftool.display()))?;
    if !run.status.success() {
        let words = String::from_utf8_lossy(&run.stderr);
        return Ok(Err(words.trim().replace('\n', "; ")));
    }
    Ok(Ok(fs::read(output)?))
}
