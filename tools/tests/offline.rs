//! What needs no kernel: the command line, and what the project promises of each tool.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

const TOOLS: [&str; 15] = [
    "argdist",
    "biolatency",
    "biosnoop",
    "execsnoop",
    "exitsnoop",
    "funccount",
    "opensnoop",
    "profile",
    "runqlat",
    "stackcount",
    "syscount",
    "tcpconnect",
    "tcplife",
    "trace",
    "xdp_count",
];

fn run(path: impl AsRef<Path>, args: &[&str]) -> Output {
    Command::new(path.as_ref()).args(args).output().unwrap()
}

fn tools(args: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_rawbpf-tools"), args)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn all_are_listed() {
    let listed = tools(&["--help"]);
    assert!(listed.status.success() && listed.stderr.is_empty());
    let listed = text(&listed.stdout);
    for name in TOOLS {
        assert!(listed.contains(&format!("\n  {name} ")), "{listed}");
    }
    for args in [&[][..], &["nosuchtool"]] {
        let unknown = tools(args);
        assert_eq!(unknown.status.code(), Some(2));
        assert_eq!(text(&unknown.stderr), listed);
    }
}

#[test]
fn each_explains_itself_with_examples() {
    for name in TOOLS {
        let help = tools(&[name, "--help"]);
        assert!(help.status.success(), "{name}");
        let help = text(&help.stdout);
        let (_, examples) = help.split_once("\nexamples:\n").unwrap();
        assert!(examples.lines().count() >= 3, "{help}");
        let starts = |line: &str| line.starts_with(&format!("  {name}"));
        assert!(examples.lines().all(starts), "{help}");
        for option in ["-p, --pid PID", "-d, --duration SECONDS", "--json"] {
            assert!(help.contains(option), "{help}");
        }
    }
}

#[test]
fn a_link_with_its_name_is_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    for name in TOOLS {
        let link = folder.path().join(name);
        symlink(env!("CARGO_BIN_EXE_rawbpf-tools"), &link).unwrap();
        let by_link = run(&link, &["-h"]);
        assert_eq!(by_link.stdout, tools(&[name, "-h"]).stdout);
    }
}

#[test]
fn wrong_command_lines_are_refused() {
    for (args, words) in [
        (&["opensnoop", "-p"][..], "-p needs a value"),
        (&["opensnoop", "-p", "me"], "not a value for -p: me"),
        (&["opensnoop", "--pid=-1"], "not a value for --pid"),
        (&["opensnoop", "file"], "unexpected: file"),
        (&["opensnoop", "--colour"], "unexpected: --colour"),
        (&["tcplife", "-P70000"], "not a value for -P"),
        (&["funccount"], "PATTERN is missing"),
        (&["stackcount", "t:sched"], "t:CATEGORY:NAME"),
        (&["argdist", "vfs_read"], "ARGUMENT is missing"),
        (&["profile", "-F", "0"], "0 Hertz"),
        (&["xdp_count", "-p", "1", "lo"], "--pid"),
    ] {
        let output = tools(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
        assert!(said.contains("--help"), "{args:?}: {said}");
    }
}

#[test]
fn each_is_short_and_uses_the_macro() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for name in TOOLS {
        let source = fs::read_to_string(sources.join(name).with_extension("rs")).unwrap();
        let lines = source.lines().count();
        assert!(lines < 120, "{name} has {lines} lines");
        assert!(source.contains("rawbpf::include_bpf!("), "{name}");
    }
}

#[test]
fn each_has_a_live_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live_tools.rs");
    let tests = fs::read_to_string(tests).unwrap();
    for name in TOOLS {
        assert!(tests.contains(&format!("&[\"{name}\"")), "{name}");
    }
}
