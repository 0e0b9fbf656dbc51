//! What is said about objects that this kernel does not accept.

use super::{can_load, fixture, message, rawbpf};

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

#[test]
fn an_object_without_anything_to_attach_says_what_is_missing() {
    if !can_load("an_object_without_anything_to_attach_says_what_is_missing") {
        return;
    }
    let output = rawbpf(&["run"], &fixture("xdp.bpf.o")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = message(&output);
    for words in [
        "no program has a section name that says what to attach it to",
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
