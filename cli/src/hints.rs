//! Tests that every option named in a message exists, for every command that can show the message.

use crate::commands::Cli;
use clap::CommandFactory;
use std::fs;
use std::path::{Path, PathBuf};

/// Options of other programs.
const FOREIGN: &[&str] = &[
    "--decompress-debug-sections",
    "--enable-dtrace",
    "--with-dtrace",
];

/// The commands that can show the messages of a file; for files that are not listed, those that load.
const SHOWN_BY: &[(&str, &[&str])] = &[
    ("cli/src/commands/plan.rs", &["plan"]),
    ("cli/src/commands/target.rs", &["plan"]),
    ("cli/src/commands/inspect.rs", &["inspect"]),
    ("cli/src/commands/load.rs", &["load"]),
    ("cli/src/commands/run.rs", &["run"]),
    ("cli/src/commands/btf.rs", &["btf"]),
    ("cli/src/commands/btf/diff.rs", &["btf"]),
    ("cli/src/commands/btf/merge.rs", &["btf"]),
    ("cli/src/commands/generate.rs", &["gen"]),
    ("cli/src/commands/generate/headers.rs", &["gen"]),
    ("cli/src/commands/compile.rs", &["compile"]),
    ("cli/src/show/sources.rs", &["run"]),
    ("cli/src/show/events.rs", &["run"]),
    ("cli/src/show/elements.rs", &["run"]),
    ("cli/src/show/maps.rs", &["run"]),
];
const LOADING: &[&str] = &["run", "load", "plan"];

#[test]
fn every_option_that_a_message_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut named = 0;
    for folder in ["src", "cli/src"] {
        for path in sources(&root.join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            let place = path.strip_prefix(&root).unwrap().to_str().unwrap();
            for literal in literals(&text) {
                named += check(place, &literal);
            }
        }
    }
    assert!(
        named >= 10,
        "only {named} were found: are literals read at all?"
    );
}

/// Checks all options in a text, and returns how many there were.
fn check(place: &str, literal: &str) -> usize {
    let cli = Cli::command();
    let shown = SHOWN_BY.iter().find(|(file, _)| *file == place);
    let shown = shown.map_or(LOADING, |(_, jobs)| jobs);
    let mut found = 0;
    // Text between backticks is code, possibly a whole command.
    for part in literal.split('`') {
        let words = words(part);
        // The options after `rawbpf JOB` are that job's.
        let mut own = None;
        for (at, word) in words.iter().enumerate() {
            let job = words.get(at + 1).filter(|_| *word == "rawbpf");
            if let Some(job) = job.filter(|job| cli.find_subcommand(job).is_some()) {
                own = Some([*job]);
            }
            if !word.starts_with("--") || FOREIGN.contains(word) {
                continue;
            }
            for job in own.as_ref().map_or(shown, |own| own.as_slice()) {
                assert!(
                    has_option(&cli, job, word),
                    "{place}: `rawbpf {job}` has no {word}, which this names: {literal}"
                );
            }
            found += 1;
        }
    }
    found
}

fn has_option(cli: &clap::Command, job: &str, option: &str) -> bool {
    let command = cli
        .find_subcommand(job)
        .unwrap_or_else(|| panic!("there is no job {job}"));
    let name = option.trim_start_matches("--");
    // `btf` and `gen` have subcommands.
    let all = std::iter::once(command).chain(command.get_subcommands());
    let mut arguments = all.flat_map(clap::Command::get_arguments);
    arguments.any(|arg| arg.get_long() == Some(name))
}

/// Words and options, without surrounding punctuation.
fn words(text: &str) -> Vec<&str> {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let words = text.split(|c| !of_word(c)).filter(|word| !word.is_empty());
    words
        .filter(|word| !word.starts_with("--") || word.len() > 2)
        .filter(|word| !word.starts_with("---"))
        .collect()
}

/// All Rust files except those that contain only tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap_or_default();
        if name == "tests" || name == "testing" || name == "hints" {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The string literals before a file's tests, with escaped line ends removed.
fn literals(text: &str) -> Vec<String> {
    let code = text.split("\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                chars.by_ref().find(|c| *c == '\n');
            }
            // A character, not a lifetime: `'"'`, `'\''`.
            '\'' => {
                let mut ahead = chars.clone();
                let first = ahead.next();
                if first == Some('\\') || ahead.next() == Some('\'') {
                    if chars.next() == Some('\\') {
                        chars.next();
                    }
                    chars.by_ref().find(|c| *c == '\'');
                }
            }
            '"' => found.push(literal(&mut chars)),
            _ => {}
        }
    }
    found
}

fn literal(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => {
                if chars.next() == Some('\n') {
                    while chars.next_if(|c| c.is_whitespace()).is_some() {}
                } else {
                    text.push(' ');
                }
            }
            c => text.push(c),
        }
    }
    text
}

#[test]
fn literals_and_options_are_found() {
    let text = "let a = \"x --each \\\n   --json\"; // \"--no\"\nlet q = '\"'; let b = '\\''; f(\"`rawbpf load --btf FILE`\")";
    assert_eq!(
        literals(text),
        ["x --each --json", "`rawbpf load --btf FILE`"]
    );
    assert_eq!(check("src/x.rs", "`rawbpf load --each --json`, a -- b"), 2);
    assert_eq!(
        words("(--btf FILE), --event x=TYPE"),
        ["--btf", "FILE", "--event", "x", "TYPE"]
    );
}
