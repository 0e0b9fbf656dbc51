//! Compiling with clang: what becomes of sources, headers, types and mistakes.

use rawbpf::OpenObject;
use rawbpf::btf::Kind;
use rawbpf_build::{Build, ErrorKind, Warnings};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

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

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures")
        .join(name)
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// What every source here begins with: the tests are not about headers.
const START: &str = "#define SEC(name) __attribute__((section(name), used))\n\
                     char LICENSE[] SEC(\"license\") = \"GPL\";\n";

fn source(text: &str) -> TempDir {
    folder(&[("tool.bpf.c", &format!("{START}{text}"))])
}

fn build(folder: &TempDir) -> Build {
    Build::new()
        .source(folder.path().join("tool.bpf.c"))
        .btf(fixture("btf/6.18.btf"))
}

/// A clang that counts how often it runs.
fn counting_clang(folder: &TempDir) -> PathBuf {
    let clang = folder.path().join("clang");
    let log = folder.path().join("runs");
    let script = format!(
        "#!/bin/sh\necho x >> {}\nexec clang \"$@\"\n",
        log.display()
    );
    fs::write(&clang, script).unwrap();
    fs::set_permissions(&clang, fs::Permissions::from_mode(0o755)).unwrap();
    clang
}

fn runs_of(folder: &TempDir) -> usize {
    let log = fs::read_to_string(folder.path().join("runs"));
    log.unwrap_or_default().lines().count()
}

const MINIMAL: &str = "SEC(\"socket\") int accept(void *ctx) { return ctx != 0; }\n";

#[test]
fn an_object_has_types_and_no_debug_information() {
    if !has_clang("an_object_has_types_and_no_debug_information") {
        return;
    }
    let folder = source(MINIMAL);
    let compiled = build(&folder).object().unwrap();
    assert_eq!(compiled.warnings(), "");
    assert_eq!(compiled.dependencies(), [folder.path().join("tool.bpf.c")]);
    let open = OpenObject::from_bytes(compiled.object()).unwrap();
    assert_eq!(open.programs()[0].name(), "accept");
    assert!(open.btf().unwrap().find("accept", Kind::Func).is_some());
    let has = |name: &str| {
        compiled
            .object()
            .windows(name.len())
            .any(|at| at == name.as_bytes())
    };
    assert!(has(".BTF.ext") && !has(".debug_"));
    // The same bytes wherever the sources are.
    let again = build(&source(MINIMAL)).object().unwrap();
    assert_eq!(again.object().len(), compiled.object().len());
}

#[test]
fn types_of_the_kernel_are_there_if_the_source_names_them_or_not() {
    if !has_clang("types_of_the_kernel_are_there_if_the_source_names_them_or_not") {
        return;
    }
    // By name, through a member, as a constant; and by a name that a macro puts together, which takes another run.
    let uses = [
        (1, "struct task_struct *t = (void *)ctx; return t->pid;"),
        (
            1,
            "struct task_struct *t = (void *)ctx; return t->real_parent->tgid;",
        ),
        (1, "return BPF_MAP_TYPE_HASH;"),
        (
            2,
            "#define A(x) struct task_##x\n A(struct) *t = (void *)ctx; return t->pid;",
        ),
    ];
    for (runs, body) in uses {
        let folder = folder(&[(
            "tool.bpf.c",
            &format!(
                "#include \"vmlinux.h\"\n{START}SEC(\"socket\") int f(void *ctx) {{\n{body}\n}}\n"
            ),
        )]);
        let counter = counting_clang(&folder);
        let running = Build::new().source(folder.path().join("tool.bpf.c"));
        let compiled = match running.clang(&counter).object() {
            // The kernel shows no types.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            result => result.unwrap_or_else(|error| panic!("{body}: {error}")),
        };
        OpenObject::from_bytes(compiled.object()).unwrap();
        assert_eq!(runs_of(&folder), runs, "{body}");
    }
}

#[test]
fn errors_are_clangs_at_the_lines_of_the_source() {
    if !has_clang("errors_are_clangs_at_the_lines_of_the_source") {
        return;
    }
    let folder =
        source("SEC(\"socket\") int f(void *ctx)\n{\n\treturn missing(ctx) + undeclared;\n}\n");
    let error = build(&folder).object().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let said = error.to_string();
    assert!(said.contains("tool.bpf.c does not compile:"), "{said}");
    assert!(
        said.contains("tool.bpf.c:5:24: error: use of undeclared identifier 'undeclared'"),
        "{said}"
    );
    // Nothing about vmlinux.h, which nobody asked for, and once only.
    assert_eq!(
        said.matches("undeclared identifier 'undeclared'").count(),
        1,
        "{said}"
    );
    let error = Build::new()
        .source(folder.path().join("no.bpf.c"))
        .object()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no.bpf.c"), "{error}");
    assert_eq!(
        Build::new().object().unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    let error = build(&folder).clang("/no/such/clang").object().unwrap_err();
    assert!(error.to_string().contains("`/no/such/clang`"), "{error}");
    let error = build(&folder).arch("x68").object().unwrap_err();
    assert!(error.to_string().contains("did you mean `x86`"), "{error}");
}

#[test]
fn warnings_are_told_denied_or_hidden() {
    if !has_clang("warnings_are_told_denied_or_hidden") {
        return;
    }
    let folder = source("SEC(\"socket\") int f(void *ctx) { int unused; return 0; }\n");
    let compiled = build(&folder).object().unwrap();
    assert!(
        compiled.warnings().contains("tool.bpf.c:3:"),
        "{}",
        compiled.warnings()
    );
    assert!(
        compiled.warnings().contains("unused variable"),
        "{}",
        compiled.warnings()
    );
    let hidden = build(&folder).warnings(Warnings::Hide).object().unwrap();
    assert_eq!(hidden.warnings(), "");
    let error = build(&folder)
        .warnings(Warnings::Deny)
        .object()
        .unwrap_err();
    assert!(error.to_string().contains("unused variable"), "{error}");
}

#[test]
fn macros_folders_machines_and_arguments_reach_the_source() {
    if !has_clang("macros_folders_machines_and_arguments_reach_the_source") {
        return;
    }
    let text = format!(
        "#include <deep/one.h>\n{START}\
         _Static_assert(ANSWER == 42 && ONE == 1 && __TARGET_ARCH_arm64 && EXTRA, \"all\");\n{MINIMAL}"
    );
    let folder = folder(&[
        ("tool.bpf.c", &text),
        ("include/deep/one.h", "#include \"two.h\"\n"),
        ("include/deep/two.h", "#define ONE 1\n"),
    ]);
    let compiled = build(&folder)
        .define("ANSWER=42")
        .include(folder.path().join("include"))
        .arch("aarch64")
        .cpu("v2")
        .argument("-DEXTRA=1")
        .object()
        .unwrap();
    let names: Vec<_> = compiled
        .dependencies()
        .iter()
        .map(|path| path.strip_prefix(folder.path()).unwrap())
        .collect();
    let expected = ["include/deep/one.h", "include/deep/two.h", "tool.bpf.c"].map(Path::new);
    assert_eq!(names, expected);
    // Of the other byte order.
    let big = build(&source(MINIMAL)).arch("s390x").object().unwrap();
    assert_eq!(big.object()[5], 2, "EI_DATA");
}

#[test]
fn several_sources_are_linked() {
    if !has_clang("several_sources_are_linked") {
        return;
    }
    let folder = folder(&[
        (
            "tool.bpf.c",
            &format!(
                "{START}int helper(int x);\nSEC(\"socket\") int f(void *ctx) {{ return helper(ctx != 0); }}\n"
            ),
        ),
        (
            "part.bpf.c",
            &format!(
                "{START}int counter = 7;\n__attribute__((noinline)) int helper(int x) {{ return x + counter; }}\n"
            ),
        ),
    ]);
    let linked = build(&folder)
        .source(folder.path().join("part.bpf.c"))
        .object()
        .unwrap();
    let open = OpenObject::from_bytes(linked.object()).unwrap();
    assert_eq!(open.programs().len(), 1);
    assert!(open.variable("counter").is_ok());
    assert_eq!(linked.dependencies().len(), 2);
    // What does not fit together is an error.
    fs::write(
        folder.path().join("part.bpf.c"),
        "char LICENSE[] __attribute__((section(\"license\"), used)) = \"MIT\";\n",
    )
    .unwrap();
    let error = build(&folder)
        .source(folder.path().join("part.bpf.c"))
        .object()
        .unwrap_err();
    assert!(error.to_string().contains("license"), "{error}");
}

#[test]
fn an_object_is_written_where_it_is_wanted() {
    if !has_clang("an_object_is_written_where_it_is_wanted") {
        return;
    }
    let folder = source(MINIMAL);
    let output = folder.path().join("out.bpf.o");
    let built = build(&folder).output(&output).compile().unwrap();
    assert_eq!(built.object(), output);
    assert!(OpenObject::from_file(&output).is_ok());
    // It is left alone if it would be the same.
    let written = fs::metadata(&output).unwrap().modified().unwrap();
    build(&folder).output(&output).compile().unwrap();
    assert_eq!(fs::metadata(&output).unwrap().modified().unwrap(), written);
    if std::env::var_os("OUT_DIR").is_none() {
        let error = build(&folder).compile().unwrap_err();
        assert!(error.to_string().contains("OUT_DIR"), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_compiled_is_kept_until_something_changes() {
    if !has_clang("what_was_compiled_is_kept_until_something_changes") {
        return;
    }
    let folder = folder(&[
        (
            "tool.bpf.c",
            &format!("#include \"a.h\"\n{START}int value = VALUE;\n{MINIMAL}"),
        ),
        ("a.h", "#define VALUE 1\n"),
    ]);
    let clang = counting_clang(&folder);
    let cache = folder.path().join("cache");
    let runs = || runs_of(&folder);
    let cached = || build(&folder).clang(&clang).cache(&cache);
    let value = |build: Build| {
        let compiled = build.object().unwrap();
        let open = OpenObject::from_bytes(compiled.object()).unwrap();
        open.value_of(open.variable("value").unwrap())[0]
    };
    assert_eq!((value(cached()), runs()), (1, 1));
    assert_eq!((value(cached()), runs()), (1, 1));
    fs::write(folder.path().join("a.h"), "#define VALUE 2\n").unwrap();
    assert_eq!((value(cached()), runs()), (2, 2));
    assert_eq!((value(cached().define("OTHER")), runs()), (2, 3));
    assert_eq!(
        (value(cached().btf(fixture("opensnoop.bpf.o"))), runs()),
        (2, 4)
    );
    assert_eq!((value(cached()), runs()), (2, 4));
    // One that is open to others is not used.
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!((value(cached()), runs()), (2, 5));
    assert_eq!((value(cached().cache("/proc/no/such")), runs()), (2, 6));
}
