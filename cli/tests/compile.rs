//! `compile` and `gen headers`: what they write, and what they say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Whether there is a clang; CI has one.
fn has_clang(test: &str) -> bool {
    let found = Command::new("clang").arg("--version").output().is_ok();
    assert!(
        found || std::env::var("CI").is_err(),
        "CI must not skip {test}"
    );
    if !found {
        println!("skipped: {test}: needs clang");
    }
    found
}

fn rawbpf(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    command
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"));
    command.args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const SOURCE: &str = "#define SEC(name) __attribute__((section(name), used))\n\
                      char LICENSE[] SEC(\"license\") = \"GPL\";\n\
                      SEC(\"socket\") int accept(void *ctx) { return VALUE; }\n";

#[test]
fn compile_writes_an_object() {
    if !has_clang("compile_writes_an_object") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/tool.bpf.c"), SOURCE).unwrap();
    let output = rawbpf(
        folder.path(),
        &["compile", "src/tool.bpf.c", "-D", "VALUE=1"],
    );
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).ends_with("bytes in tool.bpf.o\n"),
        "{}",
        said(&output)
    );
    let output = rawbpf(folder.path(), &["inspect", "tool.bpf.o"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("accept"));
    let output = rawbpf(
        folder.path(),
        &[
            "compile",
            "src/tool.bpf.c",
            "-DVALUE=1",
            "-o",
            "src/x.o",
            "--arch",
            "s390",
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        fs::read(folder.path().join("src/x.o")).unwrap()[5],
        2,
        "EI_DATA"
    );
    assert!(
        !folder.path().join("cache").exists(),
        "only `run` keeps what it compiled"
    );
}

#[test]
fn an_error_is_told_and_no_object_written() {
    if !has_clang("an_error_is_told_and_no_object_written") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tool.bpf.c"), SOURCE).unwrap();
    for command in [&["compile", "tool.bpf.c"][..], &["run", "tool.bpf.c"]] {
        let output = rawbpf(folder.path(), command);
        assert_eq!(output.status.code(), Some(1));
        let said = said(&output);
        assert!(
            said.contains("rawbpf: tool.bpf.c does not compile:\ntool.bpf.c:3:"),
            "{said}"
        );
    }
    assert!(!folder.path().join("tool.bpf.o").exists());
    // Other commands want objects.
    for command in ["inspect", "plan"] {
        let output = rawbpf(folder.path(), &[command, "tool.bpf.c"]);
        assert!(
            said(&output).contains("`rawbpf compile`"),
            "{}",
            said(&output)
        );
    }
    let output = rawbpf(
        folder.path(),
        &["compile", "tool.bpf.c", "--clang", "/no/such"],
    );
    assert!(said(&output).contains("`/no/such`"), "{}", said(&output));
}

#[test]
fn gen_headers_writes_what_clang_alone_needs() {
    let folder = tempfile::tempdir().unwrap();
    let headers = |args: &[&str]| {
        rawbpf(
            folder.path(),
            &[&["gen", "headers", "include"], args].concat(),
        )
    };
    let output = headers(&[]);
    assert!(output.status.success(), "{}", said(&output));
    let listed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(listed.lines().count(), rawbpf_build::headers().count());
    for (name, text) in rawbpf_build::headers() {
        let path = folder.path().join("include").join(name);
        assert_eq!(fs::read_to_string(path).unwrap(), text, "{name}");
    }
    // Once more changes nothing; what somebody else wrote stays.
    assert!(headers(&[]).status.success());
    let Some((name, text)) = rawbpf_build::headers().next() else {
        return;
    };
    let path = folder.path().join("include").join(name);
    fs::write(&path, "mine").unwrap();
    let output = headers(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains(name) && said(&output).contains("--overwrite"),
        "{}",
        said(&output)
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert!(headers(&["--overwrite"]).status.success());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn gen_skeleton_takes_a_name() {
    let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/opensnoop.bpf.o");
    let object = object.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (args, structure) in [
        (&[][..], "struct opensnoop_bpf {"),
        (&["name", "tool"], "struct tool {"),
    ] {
        for kind in ["skeleton", "subskeleton"] {
            let output = rawbpf(folder.path(), &[&["gen", kind, object], args].concat());
            let header = String::from_utf8_lossy(&output.stdout);
            assert!(header.contains(structure), "{}", said(&output));
        }
    }
    for args in [&["nmae", "tool"][..], &["name", "a-b"]] {
        let output = rawbpf(
            folder.path(),
            &[&["gen", "skeleton", object], args].concat(),
        );
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(said(&output).contains("hint: "), "{}", said(&output));
    }
}
