//! `inspect` and `plan`, which need no kernel: what they print for the fixtures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures")
        .join(name)
}

/// What the command prints about a fixture.
fn printed(args: &[&str], object: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    command.arg(args[0]).arg(fixture(object)).args(&args[1..]);
    let output = command.output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same, as a plan for Linux 6.18.
fn planned(args: &[&str], object: &str) -> String {
    let btf = fixture("btf/6.18.btf");
    let kernel = [
        "plan",
        "--btf",
        btf.to_str().unwrap(),
        "--kernel-version",
        "6.18",
    ];
    printed(&[&kernel, args].concat(), object)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn program<'r>(report: &'r serde_json::Value, name: &str) -> &'r serde_json::Value {
    let programs = report["programs"].as_array().unwrap();
    programs
        .iter()
        .find(|program| program["name"] == name)
        .unwrap()
}

#[test]
fn maps_that_break_a_rule_are_told_before_the_kernel_refuses_them() {
    let plan = json(&planned(&["--json"], "maps_refused.bpf.o"));
    let warnings: Vec<_> = plan["warnings"].as_array().unwrap().iter().collect();
    let words = [
        "map `ring_with_value`: the kernel is going to refuse it: a map of type ringbuf has no value",
        "map `trie_preallocated`: the kernel is going to refuse it: a map of type lpm_trie needs the flag BPF_F_NO_PREALLOC",
        "map `queue_with_key`: the kernel is going to refuse it: a map of type queue has no key",
        "map `array_by_u64`",
        "inner map",
    ];
    for words in words {
        let said = warnings
            .iter()
            .any(|warning| warning.as_str().unwrap().contains(words));
        assert!(said, "`{words}` is missing in: {warnings:?}");
    }
    assert!(
        !warnings
            .iter()
            .any(|warning| warning.as_str().unwrap().contains("`fine`"))
    );

    let btf = fixture("btf/6.18.btf");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    let output = command
        .args(["plan", "--btf"])
        .args([&btf, &fixture("maps_refused.bpf.o")])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(
        message
            .contains("rawbpf: warning: map `ring_with_value`: the kernel is going to refuse it"),
        "{message}"
    );

    let plan = json(&planned(&["--json"], "opensnoop.bpf.o"));
    assert_eq!(plan["warnings"], serde_json::json!([]));
}

#[test]
fn helper_functions_have_names_and_numbers() {
    let text = planned(&[], "reject.bpf.o");
    assert!(text.contains(": call bpf_map_lookup_elem#1\n"), "{text}");
    let plan = json(&planned(&["--json"], "reject.bpf.o"));
    let helpers = &program(&plan, "has_the_null_check")["helpers"];
    let expected = serde_json::json!([{"number": 1, "name": "bpf_map_lookup_elem", "insns": [6]}]);
    assert_eq!(helpers, &expected);

    let text = printed(&["inspect"], "reject.bpf.o");
    let row = text
        .lines()
        .find(|line| line.contains("bpf_map_lookup_elem"));
    let words: Vec<_> = row.unwrap().split_whitespace().collect();
    let callers = ["forgets_the_null_check,", "has_the_null_check"];
    assert_eq!(
        words,
        [&["bpf_map_lookup_elem", "1"][..], &callers].concat()
    );
    let report = json(&printed(&["inspect", "--json"], "reject.bpf.o"));
    let helpers = &program(&report, "has_the_null_check")["helpers"];
    let expected = serde_json::json!([{"number": 1, "name": "bpf_map_lookup_elem"}]);
    assert_eq!(helpers, &expected);
}

#[test]
fn programs_with_autoload_off_are_planned_on_request_only() {
    let text = planned(&[], "no_license.bpf.o");
    let (_, off) = text.split_once("program needs_gpl").unwrap();
    assert!(
        off.contains("autoload is off") && !off.contains("exit"),
        "{text}"
    );
    let text = planned(&["--all"], "no_license.bpf.o");
    let (_, on) = text.split_once("program needs_gpl").unwrap();
    assert!(
        !on.contains("autoload is off") && on.contains("exit"),
        "{text}"
    );

    let insns = |args: &[&str]| {
        let plan = json(&planned(args, "no_license.bpf.o"));
        let program = program(&plan, "needs_gpl");
        (program["autoload"].clone(), program["insns"].is_string())
    };
    assert_eq!(insns(&["--json"]), (false.into(), false));
    assert_eq!(insns(&["--json", "--all"]), (true.into(), true));
}

/// Aborting would leave behind what the command made.
#[test]
fn no_profile_aborts_at_a_panic() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(manifest.contains("[profile.release]"));
    let mut lines = manifest.lines();
    assert!(!lines.any(|line| line.trim_start().starts_with("panic")));
}

/// The fentry program calls a helper function that is newer than fentry.
#[test]
fn a_plan_tells_which_alternative_it_takes_and_why() {
    let alternatives = ["--prefer", "vfs_read_fentry,vfs_read_kprobe"];
    let of = |version: &str, more: &[&str]| {
        let btf = fixture(&format!("btf/{version}.btf"));
        let kernel = [
            "plan",
            "--btf",
            btf.to_str().unwrap(),
            "--kernel-version",
            version,
        ];
        printed(&[&kernel[..], &alternatives, more].concat(), "prefer.bpf.o")
    };
    let old = json(&of("5.10", &["--json"]));
    let choice = &old["choices"][0];
    assert_eq!(choice["programs"].as_array().unwrap().len(), 2);
    assert_eq!(choice["chosen"], "vfs_read_kprobe");
    let passed_over = &choice["passed_over"][0];
    assert_eq!(passed_over["name"], "vfs_read_fentry");
    assert_eq!(passed_over["kind"], "unsupported");
    let reason = passed_over["reason"].as_str().unwrap();
    assert!(reason.contains("bpf_get_func_ip"), "{reason}");
    assert_eq!(program(&old, "vfs_read_fentry")["autoload"], false);
    assert_eq!(program(&old, "vfs_read_kprobe")["autoload"], true);
    let text = of("5.10", &[]);
    for words in [
        "of vfs_read_fentry, vfs_read_kprobe: vfs_read_kprobe is loaded\n",
        "  vfs_read_fentry is passed over: ",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains("program vfs_read_fentry ("), "{text}");

    let new = json(&of("6.12", &["--json"]));
    let expected = serde_json::json!([{
        "programs": ["vfs_read_fentry", "vfs_read_kprobe"],
        "chosen": "vfs_read_fentry",
        "passed_over": [],
    }]);
    assert_eq!(new["choices"], expected);
}

#[test]
fn bad_alternatives_are_refused() {
    for (names, words) in [
        (
            "vfs_read_fentri,vfs_read_kprobe",
            "did you mean `vfs_read_fentry`",
        ),
        ("vfs_read_fentry,vfs_read_fentry", "named twice"),
        ("vfs_read_fentry", "at least two names"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_rawbpf"))
            .args(["plan", "--prefer", names, "--btf"])
            .args([fixture("btf/6.12.btf"), fixture("prefer.bpf.o")])
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && message.contains(words),
            "{message}"
        );
    }
}

/// What the command prints, without a fixture in front.
fn ran(args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    let output = command.args(args).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn types_are_shown_as_they_are_and_as_c() {
    let object = fixture("opensnoop.bpf.o");
    let object = object.to_str().unwrap();
    let raw = ran(&["btf", "dump", object]).unwrap();
    assert!(raw.starts_with("[1] PTR '(anon)' type_id="), "{raw}");
    let types = json(&ran(&["btf", "dump", "file", object, "--format", "json"]).unwrap());
    let types = types["types"].as_array().unwrap();
    assert_eq!(
        raw.lines().filter(|line| line.starts_with('[')).count(),
        types.len()
    );
    let event = ["btf", "dump", object, "--root", "event"];
    let line = ran(&event).unwrap();
    assert!(
        line.contains("STRUCT 'event' size=") && line.matches('[').count() == 1,
        "{line}"
    );
    let c = ran(&[&event[..], &["--format", "c"]].concat()).unwrap();
    assert!(
        c.contains("\nstruct event {\n") && !c.contains("struct trace_event"),
        "{c}"
    );
    let rust = ran(&[&event[..], &["--format", "rust"]].concat()).unwrap();
    assert!(
        rust.contains("\npub struct event {\n    pub ts: u64,\n") && !rust.contains("trace_event"),
        "{rust}"
    );
    let error = ran(&["btf", "dump", object, "--root", "evnt"]).unwrap_err();
    assert!(
        error.contains("no type `evnt`") && error.contains("event"),
        "{error}"
    );
    let error = ran(&["btf", "dump", "prog", "7"]).unwrap_err();
    assert!(error.contains("`prog 7` is no source of types"), "{error}");
}

#[test]
fn a_kernels_types_become_a_header() {
    let btf = fixture("btf/6.18.btf");
    let btf = btf.to_str().unwrap();
    let header = ran(&["gen", "vmlinux", "--btf", btf]).unwrap();
    assert!(
        header.starts_with("#ifndef __VMLINUX_H__\n")
            && header.contains("\nstruct task_struct {\n")
    );
    assert_eq!(header, ran(&["btf", "dump", "--format", "c", btf]).unwrap());
    let order = |text: &str| {
        [
            text.find("\nstruct sock {"),
            text.find("\nstruct task_struct {"),
        ]
    };
    let unsorted = ran(&["btf", "dump", "--unsorted", "--format", "c", btf]).unwrap();
    assert!(
        header != unsorted && order(&header)[0] < order(&header)[1],
        "sorted by name"
    );
}

#[test]
fn kernels_types_are_minimized_for_objects() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("min");
    let object = fixture("tcplife.bpf.o");
    let kernel = |release: &str| fixture(&format!("btf/{release}.btf"));
    let run = |kernels: &[PathBuf]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
        command.args(["btf", "minimize", "--kernel"]).args(kernels);
        command.arg("-o").arg(&output).arg(&object);
        command.output().unwrap()
    };
    let done = run(&[kernel("5.10"), kernel("7.2")]);
    assert!(done.status.success(), "{done:?}");
    for release in ["5.10", "7.2"] {
        let small = output.join(format!("{release}.btf"));
        let len = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(len(&small) < len(&kernel(release)), "{release}");
        let plan = |btf: &Path| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
            let command = command.arg("plan").arg(&object).arg("--btf").arg(btf);
            assert!(command.output().unwrap().status.success(), "{release}");
        };
        plan(&small);
    }
    let twice = run(&[kernel("7.2"), kernel("7.2")]);
    assert!(!twice.status.success());
    let message = String::from_utf8(twice.stderr).unwrap();
    assert!(
        message.contains("two kernels would be written to `7.2.btf`"),
        "{message}"
    );
}

#[test]
fn objects_are_linked_into_a_file_that_is_whole_or_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("linked.o");
    let link = |parts: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
        command.args(["gen", "object"]).arg(&output);
        command.args(parts.iter().map(|part| fixture(part)));
        command.output().unwrap()
    };
    let linked = link(&["parts/linked.0.o", "parts/linked.1.o"]);
    let message = String::from_utf8_lossy(&linked.stderr).into_owned();
    assert!(linked.status.success(), "{message}");
    assert!(message.contains("2 objects linked"), "{message}");
    let whole = fs::read(fixture("linked.bpf.o")).unwrap();
    assert!(fs::read(&output).unwrap() == whole);

    let refused = link(&["parts/linked.1.o", "parts/linked.1.o"]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        message.contains("symbol `limit`: it is defined here"),
        "{message}"
    );
    assert!(fs::read(&output).unwrap() == whole, "what was there stays");
    let names = fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 1, "nothing is left beside it");
}

#[test]
fn what_changed_between_kernels_is_told() {
    let kernel = |version: &str| fixture(&format!("btf/{version}.btf"));
    let kernels = [kernel("5.10"), kernel("6.12")].map(|path| path.to_str().unwrap().to_owned());
    let diff = |old: &str, new: &str, more: &[&str]| {
        ran(&[&["btf", "diff", old, new], more].concat()).unwrap()
    };
    let [old, new] = kernels.each_ref();
    let text = diff(old, new, &[]);
    for line in [
        "added:\n  struct bpf_struct_ops_common_value\n",
        "\n  function bpf_rcu_read_lock\n",
        "\nchanged:\n",
        "\n  struct task_struct:\n    size: 9344 -> 9792\n    - state: offset 16, 8 bytes, volatile long int\n",
        "\n    pid: offset 2232 -> 2432\n",
        "\n    sched_reset_on_fork: offset 2164 bit 0 -> 2356 bit 0\n",
        "\n    + __state: offset 24, 4 bytes, unsigned int\n",
        "\n  enum bpf_cmd:\n    + BPF_PROG_RUN = 10\n",
    ] {
        assert!(text.contains(line), "`{line}` is missing in: {text}");
    }
    assert_eq!(diff(old, old, &[]), "");

    // Of what an object looks at; the size of a structure is nothing that it does.
    let object = fixture("execsnoop.bpf.o");
    let of = ["--of", object.to_str().unwrap()];
    let expected = "changed:
  struct mm_struct:
    arg_start: offset 312 -> 368
    arg_end: offset 320 -> 376
  struct task_struct:
    mm: offset 2056 -> 2304
    tgid: offset 2236 -> 2436
    real_parent: offset 2248 -> 2448
";
    assert_eq!(diff(old, new, &of), expected);
    let same = json(&diff(old, old, &["--json"]));
    let expected = serde_json::json!({"added": [], "removed": [], "changed": []});
    assert_eq!(same, expected);
    let changed = json(&diff(old, new, &[&of[..], &["--json"]].concat()));
    let expected = serde_json::json!({
        "what": "member",
        "name": "mm",
        "old": {"type": "struct mm_struct *", "bit_offset": 2056 * 8, "bits": 64, "bitfield": false},
        "new": {"type": "struct mm_struct *", "bit_offset": 2304 * 8, "bits": 64, "bitfield": false},
    });
    let task = &changed["changed"][1];
    assert_eq!(
        (&task["kind"], &task["name"]),
        (&"STRUCT".into(), &"task_struct".into())
    );
    assert_eq!(task["changes"][0], expected);
}

#[test]
fn types_are_put_together_and_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let path = |name: &str| fixture(name).to_str().unwrap().to_owned();
    let (kernel, object) = (path("btf/6.12.btf"), path("opensnoop.bpf.o"));
    let count = |file: &str| ran(&["btf", "dump", file]).unwrap().matches("\n[").count() + 1;
    let merged = at("merged");
    let said = ran(&["btf", "merge", &kernel, &object, "-o", &merged]).unwrap();
    let types = count(&merged);
    let all = count(&kernel) + count(&object);
    assert!(
        said.starts_with(&format!("{merged}: {types} types, ")),
        "{said}"
    );
    assert!(said.contains(&format!("(of {all} types, ")), "{said}");
    assert!(types < all, "{said}");
    // All types of both are there: what is only in the result are those of the other.
    for one in [&kernel, &object] {
        let diff = json(&ran(&["btf", "diff", one, &merged, "--json"]).unwrap());
        assert_eq!(diff["removed"], serde_json::json!([]), "{diff}");
    }
    let kept = at("kept");
    ran(&[
        "btf", "merge", "--keep", &kernel, &object, "--output", &kept,
    ])
    .unwrap();
    assert_eq!(count(&kept), all);
    let once = at("once");
    ran(&["btf", "dedup", &kept, "-o", &once]).unwrap();
    assert_eq!(fs::read(&once).unwrap(), fs::read(&merged).unwrap());
    // The same types again: nothing is added but variables, which are never those of another file.
    let again = at("again");
    ran(&["btf", "merge", &merged, &kernel, "-o", &again]).unwrap();
    let diff = json(&ran(&["btf", "diff", &merged, &again, "--json"]).unwrap());
    let added = diff["added"].as_array().unwrap();
    assert!(added.iter().all(|added| added["kind"] == "VAR"), "{diff}");
    assert_eq!(diff["changed"], serde_json::json!([]));
    assert_eq!(count(&again), types + added.len());

    for (input, words) in [
        (path("README.md"), "README.md"),
        (path("no_btf.bpf.o"), "without a section `.BTF`"),
        ("/dev/zero".to_owned(), "a character device"),
    ] {
        for command in ["merge", "dedup"] {
            let error = ran(&["btf", command, &input, "-o", &at("none")]).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert!(!Path::new(&at("none")).exists());
        }
    }
}

/// Types that continue others are put in with those, or continue them still.
#[test]
fn types_of_modules_are_put_together_with_the_kernels() {
    use rawbpf::btf::{Btf, BtfBuilder, Kind};
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut kernel = BtfBuilder::new();
    let int = kernel.add_int("int", 4, 1);
    let kernel = std::sync::Arc::new(kernel.build().unwrap());
    fs::write(path("vmlinux"), kernel.bytes()).unwrap();
    for (name, member) in [("one", "a"), ("two", "b")] {
        let mut module = BtfBuilder::split(kernel.clone());
        let own = module.add_struct("own", 4, [(member, int, 0)]);
        module.add_typedef("shared", int);
        module.add_ptr(own);
        fs::write(path(name), module.finish().unwrap()).unwrap();
    }
    let (base, one, two, out) = (path("vmlinux"), path("one"), path("two"), path("out"));
    ran(&["btf", "merge", &one, &two, "--base", &base, "-o", &out]).unwrap();
    let merged = Btf::from_file_split(&out, &kernel).unwrap();
    let shared = merged
        .types()
        .filter(|ty| ty.kind() == Kind::Typedef)
        .count();
    assert_eq!((merged.types().count(), shared), (5, 1));
    let error = ran(&["btf", "merge", &one, "-o", &out]).unwrap_err();
    assert!(error.contains("one"), "{error}");
    let diff = ran(&["btf", "diff", &one, &two, "--base", &base]).unwrap();
    let expected = "changed:\n  struct own:\n    - a: offset 0, 4 bytes, int\n    + b: offset 0, 4 bytes, int\n";
    assert_eq!(diff, expected);
}

#[test]
fn bindings_are_printed_as_the_macro_makes_them() {
    let object = fixture("maps.bpf.o");
    let object = object.to_str().unwrap();
    let text = ran(&["gen", "rust", object]).unwrap();
    for part in [
        "\npub mod maps {\n",
        "pub hash: ::rawbpf::map::Map<key, value>,",
        "pub ring: ::rawbpf::ring::RingMap<[u8]>,",
        "::core::include_bytes!(\"/",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    let options = [
        "gen",
        "rust",
        object,
        "--mod",
        "traffic",
        "--event",
        "ring=value",
        "--derive",
        "PartialEq,Eq",
        "--optional",
        "hash",
        "--types",
        "prefix",
    ];
    let text = ran(&options).unwrap();
    for part in [
        "\npub mod traffic {\n",
        "pub ring: ::rawbpf::ring::RingMap<value>,",
        "pub hash: ::core::option::Option<::rawbpf::map::Map<key, value>>,",
        "KnownLayout, PartialEq, Eq)]",
        "pub struct prefix {",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    let error = ran(&["gen", "rust", object, "--event", "rang=value"]).unwrap_err();
    assert!(error.contains("did you mean `ring`?"), "{error}");
}
