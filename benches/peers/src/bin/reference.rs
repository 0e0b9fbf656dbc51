//! libbpf's opinion of an object, as JSON lines: one `reference`, one `object`, then a line for each program and map.
//!
//! `load` asks the kernel for every program alone, so that one refused program does not hide the others;
//! `prepare` stops before programs are loaded and prints what would be handed to the kernel.

use std::io::{self, Write as _};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use peers::libbpf::{self, Autoload, Errno, Messages, Object, hex};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Asks libbpf what it makes of an object; everything is unloaded on exit.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Leave libbpf's own messages on standard error.
    #[arg(long, global = true)]
    log: bool,
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Load the whole object, then every program alone (those with autoload off too).
    Load {
        /// The object file.
        object: PathBuf,
    },
    /// Relocate and create the maps, load no program; print the final instructions.
    Prepare {
        /// The object file.
        object: PathBuf,
        /// Prepare every program alone, so that one that cannot be relocated does not hide the others.
        #[arg(long)]
        each: bool,
    },
}

fn main() -> Result<()> {
    let args = Args::parse();
    libbpf::messages(if args.log {
        Messages::Shown
    } else {
        Messages::Silent
    });
    let (job, object) = match &args.job {
        Job::Load { object } => ("load", object),
        Job::Prepare { object, .. } => ("prepare", object),
    };
    print(
        &json!({ "kind": "reference", "libbpf": libbpf::version(), "job": job, "object": object }),
    )?;
    match &args.job {
        Job::Load { object } => load(object),
        Job::Prepare {
            object,
            each: false,
        } => prepare(object),
        Job::Prepare { object, each: true } => prepare_each(object),
    }
}

fn print(line: &Value) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("write to standard output")
}

/// The step that failed, with what it said.
#[derive(Debug, Clone, Copy)]
struct Failure {
    stage: &'static str,
    errno: Errno,
}

fn at(stage: &'static str) -> impl Fn(Errno) -> Failure {
    move |errno| Failure { stage, errno }
}

/// Adds how it went to a line: `ok_field`, and on failure `stage`, `errno` and `message`.
fn with_outcome(mut line: Value, ok_field: &str, outcome: Result<(), Failure>) -> Value {
    line[ok_field] = json!(outcome.is_ok());
    if let Err(failure) = outcome {
        line["stage"] = json!(failure.stage);
        line["errno"] = json!(failure.errno.0);
        line["message"] = json!(failure.errno.to_string());
    }
    line
}

/// An open object whose maps are pinned, if they ask for that, in a folder that goes away with it.
#[derive(Debug)]
struct Trial(Object);

impl Trial {
    fn open(path: &Path) -> Result<Self, Errno> {
        Object::open_pinning_below(path, &Self::pins()).map(Self)
    }

    /// Where pins go: nobody else's pins are reused, and nobody finds ours.
    fn pins() -> PathBuf {
        Path::new("/sys/fs/bpf").join(format!("reference-{}", std::process::id()))
    }
}

impl Deref for Trial {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.0
    }
}

impl DerefMut for Trial {
    fn deref_mut(&mut self) -> &mut Object {
        &mut self.0
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // Most objects pin nothing, and then there is no such folder.
        let _ = std::fs::remove_dir_all(Self::pins());
    }
}

fn open_or_report(path: &Path) -> Result<Option<Trial>> {
    match Trial::open(path) {
        Ok(object) => Ok(Some(object)),
        Err(errno) => {
            let line = json!({ "kind": "object", "opened": false });
            print(&with_outcome(line, "ok", Err(at("open")(errno))))?;
            Ok(None)
        }
    }
}

fn object_line(object: &Object, outcome: Result<(), Failure>) -> Value {
    let line = json!({
        "kind": "object",
        "opened": true,
        "programs": object.programs().len(),
        "maps": object.maps().len(),
    });
    with_outcome(line, "ok", outcome)
}

fn run(object: &mut Object) -> Result<(), Failure> {
    object.prepare().map_err(at("prepare"))?;
    object.load().map_err(at("load"))
}

fn load(path: &Path) -> Result<()> {
    let Some(mut object) = open_or_report(path)? else {
        return Ok(());
    };
    let autoload: Vec<_> = object
        .programs()
        .iter()
        .map(libbpf::Program::autoload)
        .collect();
    let outcome = run(&mut object);
    print(&object_line(&object, outcome))?;
    print_maps(&object)?;
    for (index, autoload) in autoload.into_iter().enumerate() {
        // Alone, a program that fills a slot of a program array would make libbpf refuse the object for its missing
        // neighbours, so what the whole object's load has shown already is not asked again.
        if outcome.is_ok() && autoload == Autoload::On {
            print_loaded(&object, index, outcome)?;
        } else if let Some((mut object, asked)) = open_alone(path, index) {
            let outcome = asked.and_then(|()| run(&mut object));
            print_loaded(&object, index, outcome)?;
        }
    }
    Ok(())
}

fn print_loaded(object: &Object, index: usize, outcome: Result<(), Failure>) -> Result<()> {
    let Some(program) = object.programs().get(index).copied() else {
        return Ok(());
    };
    let mut line = with_outcome(program_line(program), "loaded", outcome);
    if let Some(info) = program.info() {
        line["tag"] = json!(info.tag);
        line["func_info"] = json!(info.func_infos);
        line["line_info"] = json!(info.line_infos);
    }
    print(&line)
}

/// Opens the object once more with only the program at `index` switched on.
fn open_alone(path: &Path, index: usize) -> Option<(Trial, Result<(), Failure>)> {
    let object = Trial::open(path).ok()?;
    let asked = object
        .programs()
        .iter()
        .enumerate()
        .try_for_each(|(other, program)| {
            let autoload = if other == index {
                Autoload::On
            } else {
                Autoload::Off
            };
            program.set_autoload(autoload)
        });
    Some((object, asked.map_err(at("open"))))
}

fn program_line(program: libbpf::Program<'_>) -> Value {
    json!({
        "kind": "program",
        "name": program.name(),
        "section": program.section(),
        "type": program.kind(),
        "expected_attach_type": program.attach_type(),
    })
}

fn prepare(path: &Path) -> Result<()> {
    let Some(mut object) = open_or_report(path)? else {
        return Ok(());
    };
    let outcome = object.prepare().map_err(at("prepare"));
    print(&object_line(&object, outcome))?;
    for program in object.programs() {
        let mut line = program_line(program);
        line["autoload"] = json!(program.autoload() == Autoload::On);
        if outcome.is_ok() && program.autoload() == Autoload::On {
            add_insns(&mut line, program);
        }
        print(&line)?;
    }
    print_maps(&object)
}

fn prepare_each(path: &Path) -> Result<()> {
    let Some(mut object) = open_or_report(path)? else {
        return Ok(());
    };
    let autoload: Vec<_> = object
        .programs()
        .iter()
        .map(libbpf::Program::autoload)
        .collect();
    print(&object_line(&object, Ok(())))?;
    if autoload.is_empty() {
        // There may be maps all the same; whether they can be made here is no matter.
        let _ = object.prepare();
        return print_maps(&object);
    }
    drop(object);
    for (index, autoload) in autoload.into_iter().enumerate() {
        let Some((mut object, asked)) = open_alone(path, index) else {
            continue;
        };
        let outcome = asked.and_then(|()| object.prepare().map_err(at("prepare")));
        let Some(program) = object.programs().get(index).copied() else {
            continue;
        };
        let mut line = with_outcome(program_line(program), "prepared", outcome);
        // Preparing decides it for what struct_ops maps name, if it gets that far.
        let autoload = if outcome.is_ok() && program.kind() == STRUCT_OPS {
            program.autoload()
        } else {
            autoload
        };
        line["autoload"] = json!(autoload == Autoload::On);
        if outcome.is_ok() {
            add_insns(&mut line, program);
        }
        print(&line)?;
        if index == 0 {
            print_maps(&object)?;
        }
    }
    Ok(())
}

/// `BPF_PROG_TYPE_STRUCT_OPS`.
const STRUCT_OPS: u32 = 27;

fn add_insns(line: &mut Value, program: libbpf::Program<'_>) {
    let insns = program.insns();
    line["flags"] = json!(program.flags());
    line["insns"] = json!(hex(insns.as_flattened()));
    line["func_info"] = json!(program.func_infos());
    line["line_info"] = json!(program.line_infos());
}

fn print_maps(object: &Object) -> Result<()> {
    for map in object.maps() {
        let initial = map.initial_value().map(|value| hex(&Sha256::digest(value)));
        print(&json!({
            "kind": "map",
            "name": map.name(),
            "autocreate": map.autocreate(),
            "numa_node": map.numa_node(),
            "pin_path": map.pin_path(),
            "asked": map.attributes(),
            "initial_sha256": initial,
            "made": map.info(),
        }))?;
    }
    Ok(())
}
