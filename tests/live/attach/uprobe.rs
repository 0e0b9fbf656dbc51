//! Uprobes: on one function, or on many at once.

use super::{Trial, alone, counter, number, read_the_number, runs};
use crate::load::load_fixture;
use crate::matrix::works;
use crate::support::Need;
use rawbpf::attach::{Link, ProbeMode, Processes, Uprobe, UprobeMulti};
use rawbpf::{ErrorKind, LinkType};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// What the user-space probes are put on.
#[expect(unsafe_code, reason = "the probe finds the function by this name")]
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn rawbpf_uprobe_target(number: u64) -> u64 {
    std::hint::black_box(number) * 2
}

#[test]
fn a_function_of_this_program_is_probed() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let own = "/proc/self/exe";
    let program = |name| object.program(name).unwrap();
    let error = program("call").attach().unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Unsupported,
        "the section names no target: {error}"
    );
    let own_calls = Processes::Own;
    let target = "rawbpf_uprobe_target";
    let entry = Uprobe::entry(own, target).processes(own_calls);
    let entry = program("call").attach_uprobe(&entry).unwrap();
    let exit = Uprobe::ret(own, target).processes(own_calls);
    let exit = program("ret").attach_uprobe(&exit).unwrap();
    // Only `call_by_path` is attached by its section.
    let links = object.attach().unwrap();
    assert_eq!(
        links.iter().map(Link::name).collect::<Vec<_>>(),
        ["call_by_path"]
    );
    assert_eq!(rawbpf_uprobe_target(21), 42);
    let counts = ["calls", "returns", "path_calls", "last_arg", "last_ret"];
    let seen = counts.map(|name| number(&object, name));
    assert_eq!(seen, [1, 1, 1, 21, 42]);
    drop((entry, exit, links));
    rawbpf_uprobe_target(1);
    assert_eq!(counts.map(|name| number(&object, name)), seen);
}

#[test]
fn functions_are_probed_as_their_sections_say() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    for (row, effect) in [
        ("uprobe", "calls of a function are seen"),
        ("uretprobe", "returns of a function are seen"),
    ] {
        let object = counter(&format!("{row}//proc/self/exe:rawbpf_uprobe_target"));
        let links = object.attach().unwrap();
        rawbpf_uprobe_target(1);
        rawbpf_uprobe_target(1);
        let seen = runs(&object) == 2;
        for link in links {
            link.detach().unwrap();
        }
        rawbpf_uprobe_target(1);
        works(row, effect, seen && runs(&object) == 2);
    }
}

#[test]
fn a_program_that_may_sleep_reads_memory_of_the_process() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let trial = Trial {
        row: "uprobe.s",
        effect: "a sleepable program reads a number of the process",
        program: "uprobe_sleepable",
        needs: &[Need::Linux(6, 0)],
        words: &["sleepable"],
    };
    let at = Uprobe::entry("/proc/self/exe", "rawbpf_uprobe_target").processes(Processes::Own);
    trial.run(
        |program| program.attach_uprobe(&at),
        || assert_eq!(rawbpf_uprobe_target(1), 2),
        read_the_number,
    );
}

#[test]
fn a_probe_made_through_tracefs_works_alike_and_is_removed() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes, Need::Tracefs);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let own = std::env::current_exe().unwrap();
    let at = Uprobe::entry(own, "rawbpf_uprobe_target").mode(ProbeMode::Tracefs);
    let link = object.program("call").unwrap().attach_uprobe(&at).unwrap();
    let list = || {
        let list = crate::support::mount_point("tracefs")
            .unwrap()
            .join("uprobe_events");
        fs::read_to_string(list).unwrap()
    };
    let mine = format!("rawbpf_{}_", std::process::id());
    assert!(list().contains(&mine), "{}", list());
    rawbpf_uprobe_target(4);
    let seen = number(&object, "calls") >= 1;
    drop(link);
    let removed = !list().contains(&mine);
    works(
        "uprobe (tracefs)",
        "calls of a function are seen",
        seen && removed,
    );
}

#[test]
fn a_probe_of_a_process_that_was_killed_is_removed_by_the_next() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes, Need::Tracefs);
    let _alone = alone();
    let list = crate::support::mount_point("tracefs")
        .unwrap()
        .join("uprobe_events");
    let own = std::env::current_exe().unwrap();
    let write = |line: &str| {
        let mut list = fs::OpenOptions::new().append(true).open(&list).unwrap();
        std::io::Write::write_all(&mut list, line.as_bytes()).unwrap();
    };
    // No process has this number: it is above the limit of 4194304. In another namespace, that proves nothing.
    let here = fs::metadata("/proc/self/ns/pid").unwrap().ino();
    let name = |namespace: u64| format!("uprobes/rawbpf_99999999_{namespace:x}_0_left");
    let (left, foreign) = (name(here), name(here + 1));
    for name in [&left, &foreign] {
        write(&format!("p:{name} {}:0x1000\n", own.display()));
    }
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let at = Uprobe::entry(own, "rawbpf_uprobe_target").mode(ProbeMode::Tracefs);
    let link = object.program("ret").unwrap().attach_uprobe(&at).unwrap();
    let listed = fs::read_to_string(&list).unwrap();
    write(&format!("-:{foreign}\n"));
    assert!(!listed.contains(&left), "{listed}");
    assert!(listed.contains(&foreign), "{listed}");
    drop(link);
}

#[test]
fn a_function_that_the_file_does_not_have_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    let at = Uprobe::entry("/proc/self/exe", "rawbpf_uprobe_targe");
    let error = program.attach_uprobe(&at).unwrap_err().to_string();
    assert!(
        error.starts_with("attaching `call` to uprobe /proc/self/exe:rawbpf_uprobe_targe: ")
            && error.contains("`rawbpf_uprobe_target`"),
        "{error}"
    );
    let at = Uprobe::entry("/no/such/file", "main");
    let error = program.attach_uprobe(&at).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let at = Uprobe::entry("no-such-program", "main");
    let error = program.attach_uprobe(&at).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn many_functions_of_this_program_are_probed_at_once() {
    require!(Need::Bpf, Need::UprobeMulti);
    let _alone = alone();
    let section = "uprobe.multi//proc/self/exe:rawbpf_uprobe_tar*";
    let object = counter(section);
    let links = object.attach().unwrap();
    assert_eq!(
        links["counter"].info().unwrap().kind,
        LinkType::UPROBE_MULTI
    );
    rawbpf_uprobe_target(1);
    assert_eq!(runs(&object), 1);
    let program = object.program("counter").unwrap();
    let at = UprobeMulti::names("/proc/self/exe", ["rawbpf_uprobe_target"]);
    let exit = at.on_return().processes(Processes::Own).cookies([7]);
    let exit = program.attach_uprobe_multi(&exit).unwrap();
    rawbpf_uprobe_target(1);
    assert_eq!(runs(&object), 3);
    drop((links, exit));
    rawbpf_uprobe_target(1);
    assert_eq!(runs(&object), 3);
    let none = UprobeMulti::pattern("/proc/self/exe", "rawbpf_no_such_*");
    let error = program.attach_uprobe_multi(&none).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let odd = UprobeMulti::names("/proc/self/exe", ["rawbpf_uprobe_target"]).cookies([1, 2]);
    let error = program.attach_uprobe_multi(&odd).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}
