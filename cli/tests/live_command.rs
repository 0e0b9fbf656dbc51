//! The command on the running kernel. Needs root; skipped with a printed reason elsewhere, and failing then with `CI=true`.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A fixture, also in a guest of `cargo xtask vm`.
fn fixture(name: &str) -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    std::env::var_os("RAWBPF_FIXTURES")
        .map_or_else(here, PathBuf::from)
        .join(name)
}

/// The command, also in a guest.
fn binary() -> PathBuf {
    std::env::var_os("RAWBPF_COMMAND")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf").into())
        .into()
}

/// Whether the command may load programs here. Says why if not.
fn can_load(test: &str) -> bool {
    let root = fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .any(|line| line.starts_with("Uid:\t0\t"));
    let btf = Path::new("/sys/kernel/btf/vmlinux").exists();
    let why = match (root, btf) {
        (true, true) => return true,
        (false, _) => "needs root",
        (_, false) => "the kernel has no BTF",
    };
    assert!(
        std::env::var("CI").is_err() || root && !btf,
        "CI must not skip {test}: {why}"
    );
    println!("skipped: {test}: {why}");
    false
}

fn rawbpf(args: &[&str], object: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg(args[0]).arg(object).args(&args[1..]);
    command
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(fixture_name: &str, words: &[&str]) {
    for job in ["load", "run"] {
        let output = rawbpf(&[job], &fixture(fixture_name)).output().unwrap();
        let message = message(&output);
        assert_eq!(output.status.code(), Some(1), "{message}");
        for word in words {
            assert!(message.contains(word), "`{word}` is missing in: {message}");
        }
    }
}

/// Starts the command and waits until it has attached.
fn start(args: &[&str], object: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = rawbpf(args, &fixture(object))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert!(line.contains("attached"), "{line}");
    (child, errors)
}

/// Ends the command as Ctrl-C does; gives what it printed.
fn interrupt(mut child: Child, mut errors: impl Read, signal: &str) -> (String, String) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
    let mut printed = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    (printed, said)
}

/// Opens a file that is not there, so that the event has a name that no other has.
fn open_a_file(name: &str) {
    assert!(fs::File::open(name).is_err());
}

#[test]
fn run_shows_the_files_that_are_opened() {
    if !can_load("run_shows_the_files_that_are_opened") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let (child, errors) = start(&["run", "--set", &only_me], "opensnoop.bpf.o");
    open_a_file("/nonexistent/rawbpf-table");
    std::thread::sleep(Duration::from_millis(500));
    let (printed, said) = interrupt(child, errors, "-INT");
    let mut lines = printed.lines();
    assert!(
        lines.next().unwrap_or_default().contains("PID"),
        "{printed}{said}"
    );
    assert!(
        lines.any(|line| line.contains("/nonexistent/rawbpf-table")),
        "{printed}{said}"
    );
    assert!(said.contains("shown"), "{said}");
}

/// More than a batch of them are in the ring when it ends: the command is stopped while they happen, and ends when it goes on.
#[test]
fn run_shows_what_is_left_in_the_ring_at_its_end() {
    const COUNT: usize = 600;
    if !can_load("run_shows_what_is_left_in_the_ring_at_its_end") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let (child, errors) = start(&["run", "--json", "--set", &only_me], "opensnoop.bpf.o");
    let pid = child.id().to_string();
    let signal = |signal: &str| {
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    let is_stopped = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T')
    };
    while !is_stopped() {
        std::thread::sleep(Duration::from_millis(1));
    }
    for number in 0..COUNT {
        open_a_file(&format!("/nonexistent/rawbpf-rest-{number}."));
    }
    signal("-INT");
    signal("-CONT");
    let (printed, said) = interrupt(child, errors, "-INT");
    for number in 0..COUNT {
        assert!(
            printed.contains(&format!("/nonexistent/rawbpf-rest-{number}.")),
            "{number} is missing: {said}"
        );
    }
}

#[test]
fn run_json_prints_one_object_a_line_and_sigterm_ends_it() {
    if !can_load("run_json_prints_one_object_a_line_and_sigterm_ends_it") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let (child, errors) = start(&["run", "--json", "--set", &only_me], "opensnoop.bpf.o");
    open_a_file("/nonexistent/rawbpf-json");
    std::thread::sleep(Duration::from_millis(500));
    let (printed, _) = interrupt(child, errors, "-TERM");
    let events: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let event = events
        .iter()
        .find(|event| event["fname"] == "/nonexistent/rawbpf-json")
        .unwrap();
    assert_eq!(event["tgid"], std::process::id());
}

#[test]
fn run_shows_the_events_of_perf_buffers_and_counts_the_lost() {
    if !can_load("run_shows_the_events_of_perf_buffers_and_counts_the_lost") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let (child, errors) = start(&["run", "--json", "--set", &only_me], "perf_output.bpf.o");
    open_a_file("/nonexistent/rawbpf-perf");
    std::thread::sleep(Duration::from_millis(500));
    let (printed, said) = interrupt(child, errors, "-INT");
    let event = printed.lines().next().unwrap_or_default();
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["tgid"], std::process::id(), "{printed}{said}");
    assert!(said.contains("0 lost"), "{said}");
}

/// Opens a file so often that it is seen among the other system calls of this process.
fn open_files() {
    for _ in 0..64 {
        open_a_file("/nonexistent/rawbpf-maps");
    }
}

#[test]
fn run_shows_maps_as_tables_and_bars() {
    if !can_load("run_shows_maps_as_tables_and_bars") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let mut args = vec!["run", "--set", &only_me];
    let maps = ["calls", "per_cpu", "by_process", "number_hist", ".bss"];
    args.extend(maps.iter().flat_map(|map| ["--map", map]));
    let (child, errors) = start(&args, "tables.bpf.o");
    open_files();
    let (printed, said) = interrupt(child, errors, "-INT");
    for map in maps {
        assert!(
            printed.contains(&format!("{map}:\n")),
            "{map}: {printed}{said}"
        );
    }
    let of_opening = |line: &str| {
        let count = line
            .split_whitespace()
            .last()
            .and_then(|word| word.parse::<u64>().ok());
        count.is_some_and(|count| count >= 64)
    };
    let (calls, others) = printed.split_once("per_cpu:").unwrap();
    assert!(
        calls.contains("NUMBER COMM") && calls.lines().any(of_opening),
        "{printed}"
    );
    let (per_cpu, others) = others.split_once("by_process:").unwrap();
    assert!(per_cpu.lines().any(of_opening), "{printed}");
    // In a value, keyed by slot, and in a variable.
    let longest = "#".repeat(40);
    assert_eq!(others.matches(&longest).count(), 3, "{printed}");
    assert!(others.contains("total"), "{printed}");
}

#[test]
fn run_shows_maps_at_intervals_as_json() {
    if !can_load("run_shows_maps_at_intervals_as_json") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let args = [
        "run",
        "--json",
        "--per-cpu",
        "--set",
        &only_me,
        "--map",
        ".bss:0.1",
        "--map",
        "per_cpu",
    ];
    let (mut child, errors) = start(&args, "tables.bpf.o");
    open_files();
    // Two intervals, and then the end.
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        seen.push(line);
    }
    child.stdout = Some(lines.into_inner());
    let (printed, said) = interrupt(child, errors, "-TERM");
    seen.extend(printed.lines().map(str::to_string));
    let elements: Vec<serde_json::Value> = seen
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}{said}")))
        .collect();
    let last = elements.iter().rfind(|e| e["map"] == ".bss").unwrap();
    assert!(last["value"]["total"].as_u64().unwrap() >= 64, "{last}");
    let of_cpus = elements
        .iter()
        .filter(|e| e["map"] == "per_cpu" && e["cpu"].is_u64());
    let counts = of_cpus.map(|e| e["value"].as_u64().unwrap());
    assert!(counts.sum::<u64>() >= 64);
}

#[test]
fn run_shows_stacks_with_their_functions() {
    if !can_load("run_shows_stacks_with_their_functions") {
        return;
    }
    if !rawbpf::probe::map_kind(rawbpf::MapType::STACK_TRACE).is_yes() {
        println!(
            "skipped: run_shows_stacks_with_their_functions: the kernel keeps no stack traces"
        );
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let (child, errors) = start(
        &["run", "--set", &only_me, "--map", "stacks"],
        "stacks.bpf.o",
    );
    open_files();
    let (printed, said) = interrupt(child, errors, "-INT");
    // What every system call goes through, and an address of this program.
    assert!(printed.contains("do_syscall_64+0x"), "{printed}{said}");
    assert!(printed.contains("\n    0x"), "{printed}");
}

#[test]
fn run_says_which_maps_it_could_show() {
    if !can_load("run_says_which_maps_it_could_show") {
        return;
    }
    let output = rawbpf(&["run", "--duration", "0.1"], &fixture("tables.bpf.o"))
        .output()
        .unwrap();
    let said = message(&output);
    assert!(
        said.contains("--map") && said.contains("by_process"),
        "{said}"
    );
    assert!(!said.contains("queue"), "{said}");
}

/// Where there are streams at all: elsewhere the program's calls are taken out, and nothing is heard.
#[test]
fn run_passes_on_what_programs_say() {
    if !can_load("run_passes_on_what_programs_say") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let args = ["run", "--json", "--set", &only_me, "--map", ".bss"];
    let (child, errors) = start(&args, "streams.bpf.o");
    open_files();
    let (printed, said) = interrupt(child, errors, "-INT");
    let lines = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut lines: Vec<serde_json::Value> = lines.collect();
    // What the kernel answered: the newest that are tested have streams, but 6.18 may have no memory for them.
    let results = lines.pop().unwrap()["value"]["results"].take();
    if results == serde_json::json!([0, 0]) {
        assert_eq!(lines.len(), 2, "{printed}{said}");
        assert_eq!(lines[0]["program"], "speak_on_call");
        assert_eq!(lines[0]["stdout"], "hello 1 from streams\n");
        assert_eq!(lines[1]["stderr"], "call 1 is enough\n");
    } else {
        assert!(lines.is_empty(), "{results}: {printed}{said}");
        println!("skipped: run_passes_on_what_programs_say: the kernel took nothing: {results}");
    }
}

#[test]
fn run_ends_after_the_duration() {
    if !can_load("run_ends_after_the_duration") {
        return;
    }
    let nobody = ["run", "--duration", "0.3", "--set", "targ_tgid=4294967295"];
    let output = rawbpf(&nobody, &fixture("opensnoop.bpf.o"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", message(&output));
    assert!(
        message(&output).contains("0 events shown"),
        "{}",
        message(&output)
    );
}

#[test]
fn load_reports_ids_and_tags() {
    if !can_load("load_reports_ids_and_tags") {
        return;
    }
    for args in [&["load", "--json"][..], &["load", "--each", "--json"]] {
        let output = rawbpf(args, &fixture("opensnoop.bpf.o")).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let programs = report["programs"].as_array().unwrap();
        assert!(!programs.is_empty());
        for program in programs {
            assert_eq!(program["loaded"], true, "{program}");
            assert_eq!(program["tag"].as_str().unwrap().len(), 16);
            assert!(program["id"].as_u64().unwrap() > 0);
        }
        assert!(!report["maps"].as_array().unwrap().is_empty());
    }
}

#[test]
fn the_verifiers_reason_is_shown_with_the_source_line() {
    if !can_load("the_verifiers_reason_is_shown_with_the_source_line") {
        return;
    }
    refused(
        "reject.bpf.o",
        &[
            "reject.bpf.o",
            "program",
            "verifier",
            "compare it with NULL",
        ],
    );
    let output = rawbpf(&["load", "--each", "--json"], &fixture("reject.bpf.o"))
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let refused = |program: &&serde_json::Value| program["loaded"] == false;
    let program = report["programs"]
        .as_array()
        .unwrap()
        .iter()
        .find(refused)
        .unwrap();
    assert!(
        program["verifier_log"]
            .as_str()
            .unwrap()
            .contains("processed"),
        "{program}"
    );
    assert!(program["errno"].as_i64().unwrap() > 0);
}

/// The report of `load --each --json` on an object of which something is not loaded, and what is said about that.
fn each_in_part(object: &str) -> (serde_json::Value, String) {
    let output = rawbpf(&["load", "--each", "--json"], &fixture(object))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", message(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["loaded"], false);
    (report, message(&output))
}

/// The names of those that are as they should be, and of those that are not with what is said of them.
fn sorted(list: &serde_json::Value) -> (Vec<&str>, Vec<(&str, &str)>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for item in list.as_array().unwrap() {
        let name = item["name"].as_str().unwrap();
        let message = item["message"].as_str();
        match message.or(item["error"]["message"].as_str()) {
            Some(message) => bad.push((name, message)),
            None => good.push(name),
        }
    }
    (good, bad)
}

#[test]
fn an_entry_of_a_program_array_that_stays_empty_is_the_arrays_problem() {
    if !can_load("an_entry_of_a_program_array_that_stays_empty_is_the_arrays_problem") {
        return;
    }
    let (report, message) = each_in_part("slots.bpf.o");
    let (loaded, refused) = sorted(&report["programs"]);
    assert_eq!(loaded, ["fine", "entry"], "{report}");
    assert!(
        refused[0]
            .1
            .contains("program `careless`: the verifier refused it")
    );
    let (created, faulty) = sorted(&report["maps"]);
    assert_eq!(created, ["counts"], "{report}");
    assert!(
        faulty[0]
            .1
            .ends_with("map `calls`: the program `careless` that goes to index 1 is not loaded"),
        "{report}"
    );
    assert!(report["maps"][0]["id"].as_u64().unwrap() > 0);
    let words = "slots.bpf.o: 1 of 3 programs not loaded, 1 of 2 maps not created or not filled\n";
    assert!(
        message.ends_with(words) && message.lines().count() == 1,
        "{message}"
    );
    let text = rawbpf(&["load", "--each"], &fixture("slots.bpf.o"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let row = text
        .lines()
        .find(|line| line.trim_start().starts_with("calls"));
    assert!(
        row.unwrap()
            .ends_with("the program `careless` that goes to index 1 is not loaded"),
        "{text}"
    );
    assert!(text.starts_with("object slots: loaded in part\n"), "{text}");
}

#[test]
fn a_refused_function_of_a_struct_ops_map_is_no_other_programs_problem() {
    if !can_load("a_refused_function_of_a_struct_ops_map_is_no_other_programs_problem") {
        return;
    }
    let (report, message) = each_in_part("siblings.bpf.o");
    let (loaded, refused) = sorted(&report["programs"]);
    assert_eq!(loaded, ["ssthresh", "cong_avoid", "undo_cwnd"], "{report}");
    assert!(
        refused[0]
            .1
            .contains("program `careless`: the verifier refused it")
    );
    let (created, faulty) = sorted(&report["maps"]);
    assert_eq!(created, ["counts", "sound"], "{report}");
    assert!(
        faulty[0].1.ends_with(
            "map `lame`: its function `careless` is not loaded, so it cannot be attached"
        ),
        "{report}"
    );
    assert!(message.contains("1 of 4 programs not loaded"), "{message}");
}

#[test]
fn an_object_that_cannot_be_relocated_is_not_loaded_at_all() {
    if !can_load("an_object_that_cannot_be_relocated_is_not_loaded_at_all") {
        return;
    }
    let (report, message) = each_in_part("ksyms_missing.bpf.o");
    let (loaded, refused) = sorted(&report["programs"]);
    assert!(loaded.is_empty() && !refused.is_empty(), "{report}");
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("ksym")
    );
    assert!(message.contains("ksym"), "{message}");
}

#[test]
fn programs_with_autoload_off_are_tried_too() {
    if !can_load("programs_with_autoload_off_are_tried_too") {
        return;
    }
    let (report, _) = each_in_part("no_license.bpf.o");
    let (loaded, refused) = sorted(&report["programs"]);
    assert_eq!(loaded, ["plain"], "{report}");
    assert_eq!(refused[0].0, "needs_gpl");
    let off = report["programs"].as_array().unwrap().iter();
    let off: Vec<_> = off.filter(|program| program["autoload"] == false).collect();
    assert_eq!(off.len(), 1, "{report}");
}

#[test]
fn the_verifiers_log_of_a_loaded_program_is_shown_on_request() {
    if !can_load("the_verifiers_log_of_a_loaded_program_is_shown_on_request") {
        return;
    }
    for args in [
        &["load", "--log-level", "2"][..],
        &["load", "--each", "--log-level", "2"],
    ] {
        let output = rawbpf(args, &fixture("count_raw_tp.bpf.o"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", message(&output));
        assert!(
            text.contains("verifier log of program") && text.contains("processed "),
            "{text}"
        );
    }
    let args = ["load", "--json", "--log-level", "4"];
    let output = rawbpf(&args, &fixture("count_raw_tp.bpf.o"))
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let log = report["programs"][0]["verifier_log"].as_str().unwrap();
    assert!(log.contains("verification time"), "{log}");
}

#[test]
fn an_object_that_nothing_is_attached_of_says_what_is_missing() {
    if !can_load("an_object_that_nothing_is_attached_of_says_what_is_missing") {
        return;
    }
    let output = rawbpf(&["run"], &fixture("xdp.bpf.o")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = message(&output);
    for words in [
        "no program says by its section's name what to attach it to",
        "section `xdp` of program `count_packets` does not say where to attach it",
        "Program::attach_xdp(",
    ] {
        assert!(
            message.contains(words),
            "`{words}` is missing in: {message}"
        );
    }
}

#[test]
fn an_unknown_section_is_named() {
    if !can_load("an_unknown_section_is_named") {
        return;
    }
    refused(
        "unknown_section.bpf.o",
        &["unknown_section.bpf.o", "frobnicate"],
    );
}

#[test]
fn an_unset_configuration_option_is_named() {
    if !can_load("an_unset_configuration_option_is_named") {
        return;
    }
    refused(
        "kconfig_missing.bpf.o",
        &["kconfig_missing.bpf.o", "CONFIG_"],
    );
}

#[test]
fn a_missing_kernel_function_is_named() {
    if !can_load("a_missing_kernel_function_is_named") {
        return;
    }
    refused("kfunc_missing.bpf.o", &["kfunc_missing.bpf.o", "bpf_"]);
}

#[test]
fn a_missing_kernel_symbol_is_named() {
    if !can_load("a_missing_kernel_symbol_is_named") {
        return;
    }
    refused("ksyms_missing.bpf.o", &["ksyms_missing.bpf.o", "ksym"]);
}

#[test]
fn a_missing_field_is_named_with_its_structure() {
    if !can_load("a_missing_field_is_named_with_its_structure") {
        return;
    }
    refused("core_fail.bpf.o", &["core_fail.bpf.o", "struct", "no_such"]);
}

/// Loads a fixture in a mount namespace of its own, after a script has changed what it finds there.
fn load_after(script: &str, object: &str) -> Output {
    Command::new("unshare")
        .args(["-m", "sh", "-ec"])
        .arg(format!("{script}\nexec \"$0\" load \"$1\""))
        .arg(binary())
        .arg(fixture(object))
        .output()
        .unwrap()
}

#[track_caller]
fn fails_with(output: &Output, words: &[&str]) {
    let message = message(output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
}

#[test]
fn a_kernel_without_types_is_told_apart() {
    if !can_load("a_kernel_without_types_is_told_apart") {
        return;
    }
    // A folder with the kernel's name is as useless there as nothing.
    let script = "mount -t tmpfs none /sys/kernel/btf; mkdir -p /boot; mount -t tmpfs none /boot
        mkdir /boot/vmlinux-$(uname -r)";
    fails_with(
        &load_after(script, "core_kinds.bpf.o"),
        &[
            "core_kinds.bpf.o",
            "has no type information that can be used; tried",
            "\n  /sys/kernel/btf/vmlinux: No such file",
            "\n  /boot/vmlinux-",
            ": it is a directory",
            "\n  /usr/lib/debug/boot/vmlinux-",
            "CONFIG_DEBUG_INFO_BTF",
        ],
    );
}

#[test]
fn that_nothing_is_mounted_is_said_as_such() {
    if !can_load("that_nothing_is_mounted_is_said_as_such") {
        return;
    }
    fails_with(
        &load_after("mount -t tmpfs none /sys", "core_kinds.bpf.o"),
        &[
            "/sys/kernel/btf/vmlinux: sysfs is not mounted at /sys",
            "hint: mount -t sysfs sysfs /sys",
        ],
    );
    let script = "mkdir -p /boot; mount -t tmpfs none /boot; mount -t tmpfs none /proc";
    fails_with(
        &load_after(script, "kconfig.bpf.o"),
        &[
            "/proc/config.gz: procfs is not mounted at /proc",
            "hint: mount -t proc proc /proc",
        ],
    );
    fails_with(
        &load_after("mount -t tmpfs none /proc", "ksyms.bpf.o"),
        &["/proc/kallsyms", "procfs is not mounted at /proc"],
    );
}

#[test]
fn what_is_unusable_is_passed_over() {
    if !can_load("what_is_unusable_is_passed_over") {
        return;
    }
    let script = "mkdir -p /boot; mount -t tmpfs none /boot
        cp /sys/kernel/btf/vmlinux /boot/vmlinux-$(uname -r)
        mount -t tmpfs none /sys/kernel/btf
        echo nonsense > /sys/kernel/btf/vmlinux";
    let output = load_after(script, "core_kinds.bpf.o");
    assert!(output.status.success(), "{}", message(&output));
    if !Path::new("/proc/config.gz").exists() {
        return;
    }
    for nonsense in [
        "echo nonsense > $config",
        "printf '\\037\\213nonsense' > $config",
        "mkfifo $config",
    ] {
        let script = "mkdir -p /boot; mount -t tmpfs none /boot; config=/boot/config-$(uname -r)";
        let output = load_after(&format!("{script}; {nonsense}"), "kconfig.bpf.o");
        assert!(output.status.success(), "{nonsense}: {}", message(&output));
    }
}

#[test]
fn hidden_addresses_are_unknown() {
    if !can_load("hidden_addresses_are_unknown") {
        return;
    }
    let unseeing = |program: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-syslog", "--inh-caps", "-syslog", "--"]);
        command.arg(program);
        command
    };
    // Whether this takes the addresses away depends on `kernel.kptr_restrict` and `kernel.perf_event_paranoid`.
    let list = unseeing(Path::new("cat")).arg("/proc/kallsyms").output();
    let hidden = list.is_ok_and(|list| {
        list.status.success() && !list.stdout.is_empty() && {
            let text = String::from_utf8_lossy(&list.stdout).into_owned();
            text.lines()
                .all(|line| line.starts_with("0000000000000000 "))
        }
    });
    if !hidden {
        println!("skipped: hidden_addresses_are_unknown: nothing hides them here");
        return;
    }
    let output = unseeing(&binary())
        .arg("load")
        .arg(fixture("ksyms.bpf.o"))
        .output();
    fails_with(
        &output.unwrap(),
        &[
            "extern `vfs_read` (used by `report`): the kernel hides the addresses",
            "hint: ",
            "kptr_restrict",
            "CAP_SYSLOG",
        ],
    );
}

#[test]
fn no_pin_stays_after_load() {
    if !can_load("no_pin_stays_after_load") || !Path::new("/sys/fs/bpf").exists() {
        return;
    }
    let pin = Path::new("/sys/fs/bpf/rawbpf_pinned");
    for args in [&["load"][..], &["load", "--each"]] {
        let output = rawbpf(args, &fixture("maps_pinned.bpf.o"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", message(&output));
        assert!(!pin.exists(), "after {args:?}");
    }
}

/// Runs something on a thread with mounts of its own, without those of tracefs, debugfs and the BPF file system.
fn on_a_bare_machine<T: Send>(job: impl FnOnce() -> T + Send) -> T {
    let own = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        for place in ["/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/bpf"] {
            while umount2(place, MntFlags::MNT_DETACH).is_ok() {}
        }
        job()
    };
    std::thread::scope(|scope| scope.spawn(own).join().unwrap())
}

/// The first command of the README, where nobody has mounted anything.
#[test]
fn run_needs_no_mounted_tracefs() {
    if !can_load("run_needs_no_mounted_tracefs") {
        return;
    }
    let only_me = format!("targ_tgid={}", std::process::id());
    let (printed, said) = on_a_bare_machine(|| {
        let (child, errors) = start(&["run", "--json", "--set", &only_me], "opensnoop.bpf.o");
        open_a_file("/nonexistent/rawbpf-bare");
        interrupt(child, errors, "-INT")
    });
    assert!(printed.contains("/nonexistent/rawbpf-bare"), "{said}");
}

#[test]
fn maps_are_pinned_where_no_bpf_file_system_is_mounted() {
    if !can_load("maps_are_pinned_where_no_bpf_file_system_is_mounted") {
        return;
    }
    for args in [&["load"][..], &["load", "--each"]] {
        let mut command = rawbpf(args, &fixture("maps_pinned.bpf.o"));
        let output = on_a_bare_machine(|| command.output().unwrap());
        let said = message(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("seen by this run alone"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
