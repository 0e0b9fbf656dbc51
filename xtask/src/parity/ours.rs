//! Asks the `rawbpf` command.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::Depth;
use super::embedded::Object;
use super::verdict::{Fact, Map, Opinion, Outcome, Program};

/// What `rawbpf load --json` and `rawbpf plan --json` print, as far as it is compared.
#[derive(Debug, Deserialize)]
struct Report {
    #[serde(default)]
    programs: Vec<ProgramReport>,
    #[serde(default)]
    maps: Vec<MapReport>,
}

#[derive(Debug, Deserialize)]
struct ProgramReport {
    name: String,
    #[serde(rename = "type")]
    kind: Option<u32>,
    expected_attach_type: Option<u32>,
    loaded: Option<bool>,
    errno: Option<i32>,
    message: Option<String>,
    /// In a plan: why the program has no instructions.
    error: Option<String>,
    tag: Option<String>,
    autoload: Option<bool>,
    flags: Option<u32>,
    insns: Option<String>,
    func_info: Option<Value>,
    line_info: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct MapReport {
    name: String,
    kernel_name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<u32>,
    key_size: Option<u32>,
    value_size: Option<u32>,
    max_entries: Option<u32>,
    flags: Option<u32>,
    extra: Option<u64>,
    btf_key_type_id: Option<u32>,
    btf_value_type_id: Option<u32>,
    autocreate: Option<bool>,
    initial_sha256: Option<String>,
}

/// Runs the command over one object.
pub(crate) fn ask(rawbpf: &Path, object: &Object, depth: Depth) -> Result<Opinion> {
    let inspected = run(rawbpf, &["inspect", "--json"], object)?;
    let mut opinion = Opinion {
        loader: "rawbpf".to_owned(),
        opened: outcome(&inspected),
        ..Opinion::default()
    };
    if !opinion.opened.is_good() {
        return Ok(opinion);
    }
    let output = match depth {
        Depth::Load => {
            opinion.whole = outcome(&run(rawbpf, &["load", "--json"], object)?);
            run(rawbpf, &["load", "--each", "--json"], object)?
        }
        Depth::Prepare => run(rawbpf, &["plan", "--json"], object)?,
    };
    let report: Report = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "read what rawbpf printed for {}: {}",
            object.name,
            message(&output)
        )
    })?;
    opinion.programs = report
        .programs
        .into_iter()
        .map(|program| read_program(program, depth))
        .collect();
    opinion.maps = report.maps.into_iter().map(read_map).collect();
    Ok(opinion)
}

fn run(rawbpf: &Path, job: &[&str], object: &Object) -> Result<Output> {
    let output = Command::new(rawbpf)
        .args(job)
        .arg(&object.path)
        .output()
        .with_context(|| format!("start {}", rawbpf.display()))?;
    // 1 says that the job failed; anything else (a signal, wrong usage) is a bug here or there.
    let status = output.status;
    ensure!(
        matches!(status.code(), Some(0 | 1)),
        "rawbpf {} died on {} ({status}): {}",
        job.join(" "),
        object.name,
        message(&output),
    );
    Ok(output)
}

fn outcome(output: &Output) -> Outcome {
    Outcome::new(output.status.success(), None, Some(message(output)))
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn read_program(program: ProgramReport, depth: Depth) -> Program {
    let good = match depth {
        Depth::Load => program.loaded.unwrap_or(false),
        Depth::Prepare => program.insns.is_some(),
    };
    let facts = [
        Fact::new("type", program.kind),
        Fact::new("expected_attach_type", program.expected_attach_type),
        Fact::new("tag", program.tag),
        Fact::new("autoload", program.autoload),
        Fact::new("flags", program.flags),
        Fact::new("func_info", program.func_info.and_then(count)),
        Fact::new("line_info", program.line_info.and_then(count)),
        Fact::new("insns", program.insns),
    ];
    Program {
        name: program.name,
        verdict: Outcome::new(good, program.errno, program.message.or(program.error)),
        facts: facts.into_iter().flatten().collect(),
    }
}

/// A number of records, given as such or as the records.
fn count(value: Value) -> Option<u64> {
    match value {
        Value::Array(records) => u64::try_from(records.len()).ok(),
        other => other.as_u64(),
    }
}

fn read_map(map: MapReport) -> Map {
    let facts = [
        Fact::new("kernel_name", map.kernel_name),
        Fact::new("type", map.kind),
        Fact::new("key_size", map.key_size),
        Fact::new("value_size", map.value_size),
        Fact::new("max_entries", map.max_entries),
        Fact::new("flags", map.flags),
        Fact::new("extra", map.extra),
        Fact::new("btf_key_type_id", map.btf_key_type_id),
        Fact::new("btf_value_type_id", map.btf_value_type_id),
        Fact::new("autocreate", map.autocreate),
        Fact::new("initial_sha256", map.initial_sha256),
    ];
    Map {
        name: map.name,
        facts: facts.into_iter().flatten().collect(),
    }
}
