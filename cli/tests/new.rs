//! `new`: the project that it writes is complete, builds, and works.

#[expect(dead_code, reason = "it has fixtures, too")]
mod common;

use common::can_load;
use rawbpf::OpenObject;
use rawbpf::btf::Kind;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn new(folder: &Path, name: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    command
        .current_dir(folder)
        .args(["new", name])
        .output()
        .unwrap()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

#[test]
fn a_project_is_complete_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = new(folder.path(), "my-tool");
    assert!(output.status.success(), "{output:?}");
    let project = folder.path().join("my-tool");
    let text = |path: &str| fs::read_to_string(project.join(path)).unwrap();
    assert!(
        text("Cargo.toml").contains("name = \"my-tool\"")
            && text("Cargo.toml").contains("rawbpf = \"0.1")
    );
    assert!(
        text("src/main.rs").contains("include_bpf!(\"bpf/my-tool.bpf.o\")")
            && text("src/main.rs").contains("my_tool::open()")
    );
    assert!(text("README.md").starts_with("# my-tool\n") && text(".gitignore") == "/target\n");
    for path in [
        "Cargo.toml",
        "src/main.rs",
        "README.md",
        "src/bpf/my-tool.bpf.c",
    ] {
        assert!(!text(path).contains("{{"), "{path}");
    }
    let open = OpenObject::from_file(project.join("src/bpf/my-tool.bpf.o")).unwrap();
    assert_eq!(open.programs()[0].name(), "on_exec");
    assert!(open.btf().unwrap().find("event", Kind::Struct).is_some());

    let output = new(folder.path(), "my-tool");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("my-tool exists, and is not empty"), "{said}");
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert!(new(folder.path(), "empty").status.success());
    assert!(!new(folder.path(), "match").status.success());
    assert!(!folder.path().join("match").exists());
}

#[test]
fn the_program_of_a_project_sends_events() {
    if !can_load("the_program_of_a_project_sends_events") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(new(folder.path(), "tool").status.success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    let object = folder.path().join("tool/src/bpf/tool.bpf.o");
    command.args(["run", "--json"]).arg(object);
    expect_event(&mut command);
}

/// Starts a program until an event tells it.
fn expect_event(command: &mut Command) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let starts = std::thread::spawn(|| {
        for _ in 0..100 {
            let _ = Command::new("/bin/true").status();
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found = lines
        .map_while(Result::ok)
        .any(|line| line.contains("/bin/true"));
    let _ = child.kill();
    let _ = child.wait();
    assert!(found, "no event tells of /bin/true");
    starts.join().unwrap();
}

/// Offline, with this workspace in place of the published crate.
#[test]
fn a_project_builds_and_runs() {
    let workspace = workspace();
    if !workspace.join("macros").exists() {
        println!("skipped: a_project_builds_and_runs: there is no `include_bpf!` yet");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(new(folder.path(), "tool").status.success());
    let project = folder.path().join("tool");
    // The same versions, which are there.
    fs::copy(workspace.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let target = workspace.join("target/new-project");
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .current_dir(&project)
        .args(["build", "--offline", "--quiet", "--config"])
        .arg(format!("patch.crates-io.rawbpf.path={workspace:?}"))
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    if can_load("a_project_builds_and_runs") {
        expect_event(&mut Command::new(target.join("debug/tool")));
    }
}
