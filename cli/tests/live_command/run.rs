//! `run`: what it shows of running programs, and how it ends.

use super::{can_load, fixture, interrupt, message, open_a_file, rawbpf, start};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::Duration;

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

/// More than a batch is in the ring when it ends: the command is stopped while they are written, and ends when it continues.
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

/// Opens a file often enough to be seen among this process's other system calls.
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
    // Two intervals, then the end.
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
    // What every system call passes through, with a line if the kernel's debug information is installed, and an address in this
    // program.
    assert!(printed.contains("\n    do_syscall_64"), "{printed}{said}");
    assert!(printed.contains("\n    0x"), "{printed}");

    let pid = std::process::id().to_string();
    let args = [
        "run",
        "--set",
        &only_me,
        "--map",
        "stacks",
        "--stacks-of",
        &pid,
    ];
    let (child, errors) = start(&args, "stacks.bpf.o");
    open_files();
    let (printed, said) = interrupt(child, errors, "-INT");
    assert!(printed.contains("open"), "{printed}{said}");
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

/// Only where streams exist: elsewhere the program's calls are removed, and nothing arrives.
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
    // The kernel's answer: the newest kernels tested have streams, but 6.18 may have no memory for them.
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
