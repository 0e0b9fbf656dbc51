//! Asks the `rawbpf` command.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::Depth;
use super::embedded::Object;
use super::masked::without_descriptors;
use super::question::{Answer, Question};
use super::verdict::{Fact, Map, Opinion, Outcome, Program};

/// What `rawbpf load --json` and `rawbpf plan --json` print, as far as it is compared.
#[derive(Debug, Default, Deserialize)]
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
    /// The instructions in hex; for an inspected file, their number.
    insns: Option<Value>,
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

/// Asks about one object.
pub(crate) fn ask(
    object: &Object,
    depth: Depth,
    ask: impl Fn(Question) -> Result<Answer>,
) -> Result<Opinion> {
    let answer = |question| ask(question).and_then(|answer| sane(answer, question, object));
    let mut opinion = Opinion {
        loader: "rawbpf".to_owned(),
        ..Opinion::default()
    };
    let report = match depth {
        Depth::Prepare => plan(&mut opinion, object, answer)?,
        Depth::Load => load(&mut opinion, object, answer)?,
    };
    let programs = report.programs.into_iter();
    opinion.programs = programs
        .map(|program| read_program(program, depth))
        .collect();
    opinion.maps = report.maps.into_iter().map(read_map).collect();
    Ok(opinion)
}

/// What rawbpf would pass to the kernel.
fn plan(
    opinion: &mut Opinion,
    object: &Object,
    answer: impl Fn(Question) -> Result<Answer>,
) -> Result<Report> {
    let inspected = answer(Question::Inspect)?;
    opinion.opened = outcome(&inspected);
    if !opinion.opened.is_good() {
        return Ok(Report::default());
    }
    let plan = answer(Question::Plan)?;
    if outcome(&plan).is_good() {
        read(&plan, object)
    } else {
        Ok(read(&inspected, object)?.refused(&plan))
    }
}

/// What rawbpf and the kernel say about the object, and about each program that is not loaded with it.
fn load(
    opinion: &mut Opinion,
    object: &Object,
    answer: impl Fn(Question) -> Result<Answer>,
) -> Result<Report> {
    let whole = answer(Question::Load)?;
    // An object that cannot be opened has no report.
    opinion.opened = if whole.output.is_empty() {
        outcome(&whole)
    } else {
        Outcome::Good
    };
    if !opinion.opened.is_good() {
        return Ok(Report::default());
    }
    opinion.whole = outcome(&whole);
    let whole = read(&whole, object)?;
    if opinion.whole.is_good() && whole.programs.iter().all(|p| p.loaded == Some(true)) {
        return Ok(whole);
    }
    read(&answer(Question::LoadEach)?, object)
}

fn read(answer: &Answer, object: &Object) -> Result<Report> {
    serde_json::from_str(&answer.output).with_context(|| {
        let message = answer.message.trim();
        format!("read what rawbpf printed for {}: {message}", object.name)
    })
}

impl Report {
    /// Every program of an object that could not be planned, with the reason.
    fn refused(mut self, plan: &Answer) -> Report {
        for program in &mut self.programs {
            program.error = Some(plan.message.trim().to_owned());
        }
        self.maps.clear();
        self
    }
}

/// 1 means that the command failed; anything else (a signal, wrong usage) is a bug here or there.
fn sane(answer: Answer, question: Question, object: &Object) -> Result<Answer> {
    ensure!(
        matches!(answer.status, Some(0 | 1)),
        "rawbpf {} died on {} ({:?}): {}",
        question.words().join(" "),
        object.name,
        answer.status,
        answer.message.trim(),
    );
    Ok(answer)
}

fn outcome(answer: &Answer) -> Outcome {
    Outcome::new(
        answer.status == Some(0),
        None,
        Some(answer.message.trim().to_owned()),
    )
}

fn read_program(program: ProgramReport, depth: Depth) -> Program {
    // A plan lists a program that is not loaded as it is in the file.
    let insns = program.insns.as_ref().and_then(Value::as_str);
    let untried = depth == Depth::Prepare && program.autoload == Some(false);
    let good = match depth {
        Depth::Load => program.loaded.unwrap_or(false),
        Depth::Prepare => insns.is_some(),
    };
    let verdict = if untried {
        Outcome::Untried
    } else {
        Outcome::new(good, program.errno, program.message.or(program.error))
    };
    let facts = [
        Fact::new("type", program.kind),
        Fact::new("expected_attach_type", program.expected_attach_type),
        Fact::new("autoload", program.autoload),
        Fact::new("tag", program.tag),
        Fact::new(
            "func_info",
            program.func_info.and_then(count).filter(|_| !untried),
        ),
        Fact::new(
            "line_info",
            program.line_info.and_then(count).filter(|_| !untried),
        ),
        Fact::new("insns", insns.filter(|_| !untried).map(without_descriptors)),
    ];
    Program {
        name: program.name,
        verdict,
        facts: facts.into_iter().flatten().collect(),
    }
}

/// A number of records, given as a number or as the records.
fn count(value: Value) -> Option<u64> {
    match value {
        Value::Object(records) => records.get("count").and_then(Value::as_u64),
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
