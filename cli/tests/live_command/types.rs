//! Types in the kernel: its own, and those of programs and maps, however these are named.

use super::{binary, can_load, fixture, message};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rawbpf::OpenObject;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

fn dump(words: &[&str]) -> Result<String, String> {
    let output = Command::new(binary())
        .args(["btf", "dump"])
        .args(words)
        .output()
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(message(&output))
    }
}

/// A BPF file system of this test's own.
struct Pins(tempfile::TempDir);

impl Pins {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        mount(
            Some("bpf"),
            folder.path(),
            Some("bpf"),
            MsFlags::empty(),
            None::<&str>,
        )
        .unwrap();
        Self(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

#[test]
fn types_of_programs_and_maps_are_found_by_all_their_names() {
    if !can_load("types_of_programs_and_maps_are_found_by_all_their_names") {
        return;
    }
    let object = OpenObject::from_file(fixture("opensnoop.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let program = object.programs().first().unwrap();
    let info = program.info().unwrap();
    let of = |words: &[&str]| dump(words).unwrap();
    let by_id = of(&["prog", "id", &info.id.to_string()]);
    assert!(by_id.contains("STRUCT 'event' size="), "{by_id}");
    assert_eq!(of(&["id", &info.btf_id.to_string()]), by_id);
    let tag = format!("{:016x}", u64::from_be_bytes(info.tag));
    // Another process may have loaded the same program at this moment: then the tag is of both.
    match dump(&["prog", "tag", &tag]) {
        Ok(text) => assert_eq!(text, by_id),
        Err(error) => assert!(error.contains("several programs with the tag"), "{error}"),
    }
    match dump(&["prog", "name", &info.name]) {
        Ok(text) => assert_eq!(text, by_id),
        Err(error) => assert!(error.contains("several programs named"), "{error}"),
    }
    let pins = Pins::new();
    program.pin(pins.at("program")).unwrap();
    let pinned = pins.at("program");
    assert_eq!(of(&["prog", "pinned", pinned.to_str().unwrap()]), by_id);

    let map = object
        .maps()
        .iter()
        .find(|map| !map.info().unwrap().btf_value_type.is_void())
        .unwrap();
    let id = map.info().unwrap().id.to_string();
    assert_eq!(of(&["map", "id", &id, "all"]), by_id);
    let both = of(&["map", "id", &id]);
    assert!(
        !both.is_empty() && by_id.contains(both.lines().next().unwrap()),
        "{both}"
    );
    map.pin(pins.at("map")).unwrap();
    let pinned = pins.at("map");
    assert_eq!(of(&["map", "pinned", pinned.to_str().unwrap()]), both);
    match dump(&["map", "name", &map.info().unwrap().name]) {
        Ok(text) => assert_eq!(text, both),
        Err(error) => assert!(error.contains("several maps named"), "{error}"),
    }
    let wrong = dump(&["prog", "pinned", pinned.to_str().unwrap()]).unwrap_err();
    assert!(wrong.contains("pinned at"), "{wrong}");
}

#[test]
fn the_kernels_own_types_are_found_by_their_number() {
    if !can_load("the_kernels_own_types_are_found_by_their_number") {
        return;
    }
    let kernels: Vec<_> = rawbpf::btf::Btf::ids()
        .filter_map(|id| rawbpf::btf::Btf::info(id.ok()?).ok())
        .filter(|info| info.is_kernel)
        .collect();
    for info in kernels {
        let file = format!("/sys/kernel/btf/{}", info.name);
        let root = ["--root", "task_struct"];
        let by_id = dump(&[&["id", &info.id.to_string()][..], &root].concat()).unwrap();
        assert!(by_id.contains("STRUCT 'task_struct'"), "{by_id}");
        if !info.name.is_empty() {
            assert_eq!(
                dump(&[&[file.as_str()][..], &root].concat()).unwrap(),
                by_id
            );
        }
    }
}

#[test]
fn what_is_missing_or_not_allowed_is_told() {
    if !can_load("what_is_missing_or_not_allowed_is_told") {
        return;
    }
    for (words, expected) in [
        (&["id", "4294967295"][..], "no BTF blob with id 4294967295"),
        (
            &["prog", "id", "4294967295"],
            "no program with id 4294967295",
        ),
        (
            &["prog", "name", "nobody_has_this"],
            "no program named `nobody_has_this`",
        ),
        (
            &["prog", "tag", "0000000000000001"],
            "no program with the tag 0000000000000001",
        ),
        (
            &["map", "name", "nobody_has_this"],
            "no map named `nobody_has_this`",
        ),
        (&["map", "pinned", "/nowhere"], "/nowhere"),
    ] {
        let error = dump(words).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    // Where anybody can run it. By another process: a program that a child of another test has open for writing cannot be run.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let anybodys = folder.path().join("rawbpf");
    let copied = Command::new("cp").arg(binary()).arg(&anybodys).status();
    assert!(copied.unwrap().success());
    for words in [
        &["id", "1"][..],
        &["prog", "id", "1"],
        &["map", "id", "1"],
        &["prog", "name", "x"],
    ] {
        let mut command = Command::new(&anybodys);
        command.args(["btf", "dump"]).args(words);
        let output = command.uid(65534).gid(65534).output().unwrap();
        let error = message(&output);
        assert!(
            !output.status.success() && error.contains("CAP_SYS_ADMIN"),
            "{error}"
        );
    }
}
