//! Asks the driver on libbpf.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::Depth;
use super::embedded::Object;
use super::masked::without_descriptors;
use super::question::{Answer, Question};
use super::verdict::{Fact, Map, Opinion, Outcome, Program};

/// A line of the driver's output.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line {
    Reference { libbpf: String },
    Object(ObjectLine),
    Program(ProgramLine),
    Map(MapLine),
}

#[derive(Debug, Deserialize)]
struct ObjectLine {
    opened: bool,
    ok: bool,
    errno: Option<i32>,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ProgramLine {
    name: String,
    section: String,
    #[serde(rename = "type")]
    kind: u32,
    expected_attach_type: u32,
    loaded: Option<bool>,
    prepared: Option<bool>,
    errno: Option<i32>,
    message: Option<String>,
    tag: Option<String>,
    autoload: Option<bool>,
    insns: Option<String>,
    func_info: Option<u32>,
    line_info: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct MapLine {
    name: String,
    autocreate: bool,
    initial_sha256: Option<String>,
    asked: Attributes,
    made: Option<Attributes>,
}

#[derive(Debug, Deserialize)]
struct Attributes {
    kernel_name: Option<String>,
    #[serde(rename = "type")]
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    extra: u64,
    btf_key_type_id: Option<u32>,
    btf_value_type_id: Option<u32>,
}

/// Asks about one object.
pub(crate) fn ask(
    object: &Object,
    depth: Depth,
    ask: impl Fn(Question) -> Result<Answer>,
) -> Result<Opinion> {
    let answer = ask(Question::Reference(depth))?;
    ensure!(
        answer.status == Some(0),
        "the reference died on {} ({:?}): {}",
        object.name,
        answer.status,
        answer.message,
    );
    read(&answer.output, depth)
}

fn read(text: &str, depth: Depth) -> Result<Opinion> {
    let mut opinion = Opinion::default();
    for line in text.lines() {
        let line = serde_json::from_str(line).with_context(|| format!("reference line {line}"))?;
        match line {
            Line::Reference { libbpf } => opinion.loader = format!("libbpf {libbpf}"),
            Line::Object(line) => {
                let outcome = Outcome::new(line.ok, line.errno, line.message);
                opinion.opened = if line.opened {
                    Outcome::Good
                } else {
                    outcome.clone()
                };
                // Preparing each program alone says nothing about the whole object.
                if depth == Depth::Load {
                    opinion.whole = outcome;
                }
            }
            Line::Program(line) => opinion.programs.push(program(line, depth)),
            Line::Map(line) => opinion.maps.push(map(line, depth)),
        }
    }
    Ok(opinion)
}

fn program(line: ProgramLine, depth: Depth) -> Program {
    let good = line.loaded.or(line.prepared).unwrap_or(false);
    let late = depth == Depth::Prepare && line.section.trim_start_matches('?').starts_with("usdt");
    let attach_type = (!late).then_some(line.expected_attach_type);
    let facts = [
        Fact::new("type", Some(line.kind)),
        // libbpf gives USDT programs another one while loading.
        Fact::new("expected_attach_type", attach_type),
        Fact::new("tag", line.tag),
        Fact::new("autoload", line.autoload),
        Fact::new("func_info", line.func_info),
        Fact::new("line_info", line.line_info),
        Fact::new("insns", line.insns.as_deref().map(without_descriptors)),
    ];
    Program {
        name: line.name,
        verdict: Outcome::new(good, line.errno, line.message),
        facts: facts.into_iter().flatten().collect(),
    }
}

/// libbpf prefixes the names of global data sections with the object's name (`opensno.rodata`); users know them by section
/// name, and a dot in a name marks such a map.
fn section_name(name: String) -> String {
    match name.find('.') {
        Some(dot) => name[dot..].to_owned(),
        None => name,
    }
}

/// `BPF_MAP_TYPE_STRUCT_OPS`.
const STRUCT_OPS: u32 = 26;

/// After a load, what the kernel reports counts, otherwise what it would have been asked.
fn map(line: MapLine, depth: Depth) -> Map {
    let asked = line.asked;
    let made = match depth {
        Depth::Load => line.made,
        Depth::Prepare => None,
    };
    let attributes = made.unwrap_or(asked);
    // For a struct_ops map, libbpf reports what the file holds, not what the kernel gets.
    let initial = line
        .initial_sha256
        .filter(|_| attributes.kind != STRUCT_OPS);
    let facts = [
        Fact::new("kernel_name", attributes.kernel_name),
        Fact::new("type", Some(attributes.kind)),
        Fact::new("key_size", Some(attributes.key_size)),
        Fact::new("value_size", Some(attributes.value_size)),
        Fact::new("max_entries", Some(attributes.max_entries)),
        Fact::new("flags", Some(attributes.flags)),
        Fact::new("extra", Some(attributes.extra)),
        Fact::new("btf_key_type_id", attributes.btf_key_type_id),
        Fact::new("btf_value_type_id", attributes.btf_value_type_id),
        Fact::new("autocreate", Some(line.autocreate)),
        Fact::new("initial_sha256", initial),
    ];
    Map {
        name: section_name(line.name),
        facts: facts.into_iter().flatten().collect(),
    }
}
