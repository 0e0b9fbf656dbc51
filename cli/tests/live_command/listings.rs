//! `rawbpf prog show`, `map show`, `link show`: what this test loaded itself is listed as it is.

use crate::{binary, can_load, interrupt, start};
use serde_json::Value;
use std::process::Command;

/// What a list prints as JSON.
fn listed(args: &[&str]) -> Value {
    let output = Command::new(binary()).args(args).arg("--json").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Those of the objects in a list that a process holds.
fn held_by(list: &Value, pid: u32) -> Vec<&Value> {
    let objects = list.as_array().unwrap().iter();
    let is_held = |object: &&Value| {
        let holders = object["pids"].as_array().into_iter().flatten();
        holders.into_iter().any(|holder| holder["pid"] == pid)
    };
    objects.filter(is_held).collect()
}

#[test]
fn what_a_process_holds_is_listed() {
    if !can_load("what_a_process_holds_is_listed") {
        return;
    }
    let (child, errors) = start(&["run", "--duration", "60"], "count_raw_tp.bpf.o");
    let pid = child.id();

    let programs = listed(&["prog", "show"]);
    let programs = held_by(&programs, pid);
    assert!(!programs.is_empty());
    let program = programs[0];
    assert_eq!(program["type"], "raw_tracepoint");
    assert_eq!(program["gpl_compatible"], true);
    assert_eq!(program["pids"][0]["comm"], "rawbpf");
    assert_eq!(program["tag"].as_str().unwrap().len(), 16);
    assert!(program["loaded_at"].as_u64().unwrap() > 1_500_000_000);
    assert!(program["bytes_xlated"].as_u64().unwrap() > 0);

    // The same by id, name and tag.
    let id = program["id"].to_string();
    assert_eq!(listed(&["prog", "show", "id", &id])["tag"], program["tag"]);
    for by in ["name", "tag"] {
        let found = listed(&["prog", "show", by, program[by].as_str().unwrap()]);
        let found = found.as_array().unwrap().iter();
        assert!(found.map(|one| &one["id"]).any(|one| *one == program["id"]));
    }

    let maps = listed(&["map", "show"]);
    let maps = held_by(&maps, pid);
    let used = program["map_ids"].as_array().unwrap();
    let map = maps.iter().find(|map| used.contains(&map["id"])).unwrap();
    assert!(map["bytes_memlock"].as_u64().unwrap() > 0);
    let id = map["id"].to_string();
    assert_eq!(listed(&["map", "show", "id", &id])["type"], map["type"]);

    let links = listed(&["link", "show"]);
    let links = held_by(&links, pid);
    let link = links
        .iter()
        .find(|link| link["prog_id"] == program["id"])
        .unwrap();
    assert_eq!(link["type"], "raw_tracepoint");
    let attached = &program["attached"][0];
    assert_eq!(
        (&attached["link_id"], &attached["target"]),
        (&link["id"], &link["tp_name"])
    );
    interrupt(child, errors, "-INT");
}

#[test]
fn what_is_not_there_is_said() {
    if !can_load("what_is_not_there_is_said") {
        return;
    }
    for (noun, which, words) in [
        (
            "prog",
            ["id", "4294967295"],
            "no program with id 4294967295",
        ),
        ("map", ["name", "no_such_map"], "no map named `no_such_map`"),
        ("link", ["name", "x"], "expected `id N` or `pinned PATH`"),
        ("prog", ["pinned", "/nonexistent"], "/nonexistent"),
    ] {
        let output = Command::new(binary())
            .args([noun, "show"])
            .args(which)
            .output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
