//! Runs one loader over one object, once, and prints what each phase cost as one JSON object.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aya::programs::Program as AyaProgram;
use clap::{Parser, Subcommand, ValueEnum};
use peers::meter::{self, Phase, phase};
use peers::{dedup, libbpf};
use peers::{maps, ring_copy, rings};
use rawbpf::btf::{Btf, Kind, NameMatch};
use rawbpf::open::OpenObject;
use rawbpf::reloc::{LoadPlan, Target};
use serde::Serialize;

/// The structures that are looked for once BTF is parsed, so that a lazy reader cannot hide its work.
const WANTED: [&str; 8] = [
    "task_struct",
    "linux_binprm",
    "file",
    "inode",
    "sock",
    "trace_event_raw_sys_enter",
    "bpf_prog",
    "no_such_struct",
];

/// Times other loaders, and rawbpf, on the same job.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Open, relocate and load an object; unload it on exit.
    Load {
        /// Who does it.
        #[arg(long)]
        loader: Loader,
        /// The object file.
        object: PathBuf,
    },
    /// Open and relocate every object of a folder, one after the other in one process; load none.
    Open {
        /// Who does it.
        #[arg(long)]
        loader: Loader,
        /// The folder.
        folder: PathBuf,
    },
    /// The same, but every object asks anew what kernel it is on.
    OpenAlone {
        /// Who does it.
        #[arg(long)]
        loader: Loader,
        /// The folder.
        folder: PathBuf,
    },
    /// Parse BTF and look up a few structures in it.
    BtfParse {
        /// Who does it.
        #[arg(long)]
        loader: Loader,
        /// A file of raw BTF; the running kernel's when left out.
        file: Option<PathBuf>,
    },
    /// Put the types of files together, so many times each, and keep those that say the same once.
    BtfDedup {
        /// Who does it.
        #[arg(long)]
        loader: Loader,
        /// How often each file is added.
        #[arg(long, default_value_t = 1)]
        copies: usize,
        /// A file, or a folder of them: raw BTF or ELF.
        path: PathBuf,
    },
    /// Read a ring buffer that is being flooded.
    Ring {
        /// Who reads.
        #[arg(long)]
        loader: Loader,
        /// The length of an event: 16, 128 or 1024.
        #[arg(long)]
        bytes: u32,
        /// For how long.
        #[arg(long, default_value_t = 200)]
        milliseconds: u64,
        /// Where the program runs.
        #[arg(long, default_value = "apart")]
        placement: rings::Placement,
        /// The object with the programs that flood: fixtures/ring_flood.bpf.o.
        object: PathBuf,
    },
    /// Look up, update and drain a hash map and read a variable, each loader in turns.
    Maps {
        /// How many turns each gets.
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// How many elements are drained.
        #[arg(long, default_value_t = 1_000_000)]
        drained: u32,
        /// An object with a variable `sent` in `.bss`: fixtures/ring_flood.bpf.o.
        object: PathBuf,
    },
    /// Compare reading events of 128 bytes with copying as many bytes; rawbpf only.
    RingCopy {
        /// The object with the programs that flood: fixtures/ring_flood.bpf.o.
        object: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Loader {
    Libbpf,
    Aya,
    Rawbpf,
}

#[derive(Debug, Serialize)]
struct Report {
    loader: Loader,
    version: String,
    phases: Vec<Phase>,
    peak_rss_kib: u64,
    /// Of a folder: how many objects there were, and how many of them could not be relocated.
    #[serde(flatten)]
    tally: Option<Tally>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Tally {
    objects: usize,
    refused: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut tally = None;
    let (loader, phases) = match &args.job {
        Job::Load { loader, object } => {
            let phases = match loader {
                Loader::Libbpf => load_libbpf(object),
                Loader::Aya => load_aya(object),
                Loader::Rawbpf => load_rawbpf(object),
            };
            (
                *loader,
                phases.with_context(|| format!("{} with {loader:?}", object.display()))?,
            )
        }
        Job::Open { loader, folder } => {
            let (phase, counted) = open_folder(*loader, folder, Some(&Target::running()))?;
            tally = Some(counted);
            (*loader, vec![phase])
        }
        Job::OpenAlone { loader, folder } => {
            let (phase, counted) = open_folder(*loader, folder, None)?;
            tally = Some(counted);
            (*loader, vec![phase])
        }
        Job::BtfParse { loader, file } => {
            let file = file.as_deref();
            let phases = match loader {
                Loader::Libbpf => btf_libbpf(file),
                Loader::Aya => btf_aya(file),
                Loader::Rawbpf => btf_rawbpf(file),
            };
            (*loader, phases?)
        }
        Job::BtfDedup {
            loader,
            copies,
            path,
        } => {
            return print(&match loader {
                Loader::Libbpf => dedup::libbpf(path, *copies)?,
                Loader::Rawbpf => dedup::rawbpf(path, *copies)?,
                Loader::Aya => bail!("aya cannot do that"),
            });
        }
        Job::Ring {
            loader,
            bytes,
            milliseconds,
            placement,
            object,
        } => {
            let reader = match loader {
                Loader::Libbpf => rings::Reader::Libbpf,
                Loader::Aya => rings::Reader::Aya,
                Loader::Rawbpf => rings::Reader::Rawbpf,
            };
            let time = Duration::from_millis(*milliseconds);
            return print(&rings::flood(object, reader, *bytes, time, *placement)?);
        }
        Job::Maps {
            rounds,
            drained,
            object,
        } => return print(&maps::measure(object, *rounds, *drained)?),
        Job::RingCopy { object } => return print(&ring_copy::measure(object)?),
    };
    let version = match loader {
        Loader::Libbpf => libbpf::version(),
        Loader::Aya => "0.14".to_owned(),
        Loader::Rawbpf => "main".to_owned(),
    };
    let report = Report {
        loader,
        version,
        phases,
        peak_rss_kib: meter::peak_rss_kib(),
        tally,
    };
    print(&report)
}

fn print(report: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}

fn load_libbpf(path: &Path) -> Result<Vec<Phase>> {
    libbpf::messages(libbpf::Messages::Silent);
    let (open, object) = phase("open", || libbpf::Object::open(path));
    let mut object = object.context("open")?;
    let (prepare, result) = phase("prepare", || object.prepare());
    result.context("prepare")?;
    let (load, result) = phase("load", || object.load());
    result.context("load")?;
    Ok(vec![open, prepare, load])
}

/// aya opens, relocates and creates the maps in one call; each program is then loaded by its own type's method.
fn load_aya(path: &Path) -> Result<Vec<Phase>> {
    let (prepare, object) = phase("prepare", || aya::Ebpf::load_file(path));
    let mut object = object.context("prepare")?;
    let (load, result) = phase("load", || {
        object
            .programs_mut()
            .try_for_each(|(name, program)| load_aya_program(name, program))
    });
    result?;
    Ok(vec![prepare, load])
}

fn load_aya_program(name: &str, program: &mut AyaProgram) -> Result<()> {
    let result = match program {
        AyaProgram::TracePoint(program) => program.load(),
        AyaProgram::RawTracePoint(program) => program.load(),
        AyaProgram::KProbe(program) => program.load(),
        AyaProgram::UProbe(program) => program.load(),
        AyaProgram::PerfEvent(program) => program.load(),
        AyaProgram::SocketFilter(program) => program.load(),
        AyaProgram::Xdp(program) => program.load(),
        AyaProgram::SchedClassifier(program) => program.load(),
        // The others want to be told their target again, which the object says already.
        other => bail!("{name}: {:?} programs are not measured", other.prog_type()),
    };
    result.with_context(|| name.to_owned())
}

fn load_rawbpf(path: &Path) -> Result<Vec<Phase>> {
    let (open, object) = phase("open", || OpenObject::from_file(path));
    let object = object?;
    let target = Target::running();
    let (relocate, plan) = phase("relocate", || object.relocate(&target));
    let plan = plan?;
    let (load, object) = phase("load", || plan.load(&target));
    // Unloading is nobody's phase.
    let _object = object?;
    Ok(vec![open, relocate, load])
}

/// What it costs to open and relocate all objects of a folder for the running kernel. Closing them is not counted.
/// Without a `target`, rawbpf asks anew for every object what kernel it is on, as libbpf always does.
fn open_folder(loader: Loader, folder: &Path, target: Option<&Target>) -> Result<(Phase, Tally)> {
    libbpf::messages(libbpf::Messages::Silent);
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "o"));
    files.sort();
    let open = |file: &Path| match loader {
        Loader::Libbpf => Ok(open_libbpf(file)),
        Loader::Rawbpf => Ok(open_rawbpf(file, target)),
        Loader::Aya => bail!("aya relocates and creates maps in one step"),
    };
    let (mut sum, ()) = phase("open + relocate", || ());
    let mut refused = 0;
    for file in &files {
        let (phase, good) = open(file)?;
        sum.add(&phase);
        refused += usize::from(!good);
    }
    // Most objects pin nothing, and then there is no such folder.
    let _ = std::fs::remove_dir_all(pins());
    let objects = files.len();
    Ok((sum, Tally { objects, refused }))
}

/// Where libbpf, which makes maps while it prepares, pins those that ask for it: nowhere that outlives the measurement.
fn pins() -> PathBuf {
    Path::new("/sys/fs/bpf").join(format!("peers-{}", std::process::id()))
}

fn open_libbpf(file: &Path) -> (Phase, bool) {
    let (phase, object) = phase("open + relocate", || {
        let mut object = libbpf::Object::open_pinning_below(file, &pins())?;
        object.prepare()?;
        Ok::<_, libbpf::Errno>(object)
    });
    (phase, object.is_ok())
}

/// Where libbpf stops at the first program that cannot be relocated, rawbpf goes on with the others.
fn open_rawbpf(file: &Path, target: Option<&Target>) -> (Phase, bool) {
    let own = OnceCell::new();
    let (phase, plan) = phase("open + relocate", || {
        let target = target.unwrap_or_else(|| own.get_or_init(Target::running));
        OpenObject::from_file(file).and_then(|object| object.relocate(target))
    });
    let good = |plan: LoadPlan| plan.programs.iter().all(|program| program.error.is_none());
    (phase, plan.is_ok_and(good))
}

fn btf_libbpf(file: Option<&Path>) -> Result<Vec<Phase>> {
    libbpf::messages(libbpf::Messages::Silent);
    let (parse, btf) = phase("parse", || match file {
        Some(file) => libbpf::Btf::parse(file),
        None => libbpf::Btf::vmlinux(),
    });
    let btf = btf?;
    let (find, found) = phase("find", || WANTED.map(|name| btf.find_struct(name)));
    check_found(&found)?;
    Ok(vec![parse, find])
}

fn btf_aya(file: Option<&Path>) -> Result<Vec<Phase>> {
    let (parse, btf) = phase("parse", || match file {
        Some(file) => aya::Btf::parse_file(file, aya::Endianness::default()),
        None => aya::Btf::from_sys_fs(),
    });
    let btf = btf?;
    let find = |name| {
        btf.id_by_type_name_kind(name, aya_obj::btf::BtfKind::Struct)
            .ok()
    };
    let (find, found) = phase("find", || WANTED.map(find));
    check_found(&found)?;
    Ok(vec![parse, find])
}

fn btf_rawbpf(file: Option<&Path>) -> Result<Vec<Phase>> {
    let (parse, btf) = phase("parse", || match file {
        Some(file) => anyhow::Ok(Arc::new(Btf::from_vec(std::fs::read(file)?)?)),
        None => Ok(Target::running().vmlinux_btf()?.clone()),
    });
    let btf = btf?;
    let (find, found) = phase("find", || {
        // As relocation does it: all wanted names in one pass.
        let mut ids = [None; WANTED.len()];
        for found in btf.find_all(&WANTED, NameMatch::Exact) {
            if btf.get(found.id).is_ok_and(|ty| ty.kind() == Kind::Struct) {
                ids[found.name].get_or_insert(found.id.0);
            }
        }
        ids
    });
    check_found(&found)?;
    Ok(vec![parse, find])
}

/// All but the last of [`WANTED`] exist in every kernel's BTF.
fn check_found(found: &[Option<u32>; WANTED.len()]) -> Result<()> {
    for (name, found) in WANTED.iter().zip(found) {
        if found.is_some() != (*name != "no_such_struct") {
            bail!("struct {name}: found is {found:?}");
        }
    }
    Ok(())
}
