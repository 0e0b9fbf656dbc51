//! Checks that `docs/TOUR.md` is still true: the functions it names, and the bytes it shows.

use rawbpf::OpenObject;
use rawbpf::insn::{INSN_SIZE, Insn, disassemble};
use rawbpf::reloc::{LoadPlan, OfflineKernel, Target};
use std::fs;
use std::path::{Path, PathBuf};

const PROGRAM: &str = "enter_openat";
/// Where the first instruction is in the file, and its CO-RE relocation.
const INSTRUCTION: usize = 0x158;
const RELOCATION: usize = 0x223c;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn tour() -> String {
    fs::read_to_string(root().join("docs/TOUR.md")).unwrap()
}

fn object() -> OpenObject {
    OpenObject::from_file(root().join("fixtures/opensnoop.bpf.o")).unwrap()
}

fn plan() -> LoadPlan {
    let kernel = OfflineKernel::from_btf_file(root().join("fixtures/btf/6.12.btf")).unwrap();
    object().relocate(&Target::offline(kernel)).unwrap()
}

fn says(words: &str) {
    assert!(tour().contains(words), "the tour does not say `{words}`");
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}

/// An instruction as the tour shows it: bytes and disassembly.
fn shown(insn: Insn) -> String {
    let words = disassemble(&[insn]).remove(0).1;
    format!("{}     {words}", hex(&insn.to_bytes()))
}

/// The texts between these marks, wherever they occur.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Vec<&'t str> {
    let parts = text.split(start).skip(1);
    parts.filter_map(|part| part.split(end).next()).collect()
}

#[test]
fn every_file_it_links_to_is_there() {
    let tour = tour();
    let links = between(&tour, "](../", ")");
    assert!(links.len() > 20, "{links:?}");
    for link in links {
        assert!(root().join(link).is_file(), "{link} is gone");
    }
}

/// Each is named as `` `function` in [path](../path) ``.
#[test]
fn every_function_it_names_is_in_its_file() {
    let tour = tour();
    let mut count = 0;
    for (before, after) in tour
        .match_indices("` in [")
        .map(|(at, _)| tour.split_at(at))
    {
        let function = before.rsplit('`').next().unwrap();
        let path = between(after, "](../", ")")[0];
        assert_eq!(
            between(after, "[", "]")[0],
            path,
            "text and address of a link"
        );
        let source = fs::read_to_string(root().join(path)).unwrap();
        let code = source.split("\nmod tests {").next().unwrap();
        let is_there = ["(", "<"].iter().any(|end| {
            let definition = format!("fn {function}{end}");
            code.contains(&definition)
        });
        assert!(is_there, "{path} has no function `{function}`");
        count += 1;
    }
    assert!(count >= 20, "{count} functions are named");
    let all = between(&tour, "](../src/", ")").len();
    assert_eq!(
        count,
        all - PLACES.len(),
        "each file is told with a function, but for {PLACES:?}"
    );
}

/// Files that are named for what they describe, not for a function.
const PLACES: [&str; 1] = ["src/reloc/plan.rs"];

#[test]
fn the_bytes_of_the_file_are_those_it_shows() {
    let object = object();
    let bytes = fs::read(Path::new(object.path().unwrap())).unwrap();
    let program = object.program(PROGRAM).unwrap();
    let insns = object.instructions(program);
    let first = insns[0];
    assert_eq!(bytes[INSTRUCTION..][..INSN_SIZE], first.to_bytes());
    says(&format!("at byte {INSTRUCTION:#x}"));
    says(&format!("```text\n{}\n```", shown(first).trim()));
    says(&format!("into {} instructions", insns.len()));
    says(&format!("of type {}, tracepoint", program.kind().0));

    let mut relocations = object.core_relocations();
    let question = relocations
        .find(|one| one.function == Some(PROGRAM) && one.insn == 0)
        .unwrap();
    let record = &bytes[RELOCATION..][..16];
    let words: Vec<_> = record
        .chunks(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    assert_eq!(words[0], 0);
    assert_eq!(words[1], question.type_id.0);
    assert_eq!(words[3], question.kind);
    let groups: Vec<_> = record.chunks(4).map(hex).collect();
    says(&format!(
        "at byte {RELOCATION:#x}:\n\n```text\n{}\n```",
        groups.join("  ")
    ));
    let (id, text) = (question.type_id.0, words[2]);
    says(&format!("type {id:#x} = {id}"));
    says(&format!(
        "the string at {text:#x} of the file's strings,\nwhich is `{}`",
        question.access
    ));
    says(&format!("question {}", question.kind));
    says(&format!("`{}`", question.type_name));
}

#[test]
fn the_plan_is_what_it_shows() {
    let plan = plan();
    let program = plan.programs.iter().find(|p| p.name == PROGRAM).unwrap();
    let step = &program.core[0];
    assert_eq!((step.insn, step.kind), (0, "field_byte_offset"));
    let (before, after) = (step.value_before.unwrap(), step.value_after.unwrap());
    says(&format!("`{}`, {before} before, {after} after", step.kind));
    says(&format!("{}\n", step.spec));
    says(&format!("{}\n", step.candidates[0]));
    says(&format!("holds {before}, as"));
    says(&format!(
        "writes {after}:\n\n  ```text\n  {}\n",
        shown(program.insns[0]).trim()
    ));
    says(&format!(
        "{} instructions of `{PROGRAM}`",
        program.insns.len()
    ));
    says(&format!("offset {after} of it is allowed"));
    let first = &program.refs[0];
    assert_eq!((first.insn, &*first.name), (8, ".rodata"));
    let lines = disassemble(&program.insns);
    let line = lines
        .iter()
        .find(|(index, _)| *index == first.insn)
        .unwrap();
    says(&format!("Instruction {} does: `{}`", first.insn, line.1));
}
