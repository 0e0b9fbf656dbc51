//! `load`: what it reports about each program and map, and what it leaves behind.

use super::{can_load, fixture, message, rawbpf};
use std::path::Path;

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

/// The report of `load --each --json` on an object that is only loaded in part, and its error message.
fn each_in_part(object: &str) -> (serde_json::Value, String) {
    let output = rawbpf(&["load", "--each", "--json"], &fixture(object))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", message(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["loaded"], false);
    (report, message(&output))
}

/// The names of those that succeeded, and of those that failed with their errors.
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
