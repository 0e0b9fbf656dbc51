//! Kernel functions: one, or many at once; system calls.

use super::{alone, call_getppid, counter, histogram_total, own_process, reads_of_this_file, runs};
use crate::load::load_fixture;
use crate::matrix::{refused, works};
use crate::support::{Need, check};
use rawbpf::attach::{Kprobe, KprobeMulti, ProbeMode};
use rawbpf::{ErrorKind, LinkType};
use std::fs;

#[test]
fn kernel_functions_are_probed_in_every_way() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes, Need::Tracefs);
    let _alone = alone();
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    let by_section = object.attach().unwrap();
    assert_eq!(by_section.len(), 2);
    reads_of_this_file();
    // It counts a return whose call was seen.
    let seen = histogram_total(&object) >= 5;
    works("kprobe", "calls of a function are seen", seen);
    works("kretprobe", "returns of a function are seen", seen);
    drop(by_section);

    let has_links = check(&[Need::Linux(5, 15)]).is_ok();
    for mode in [
        ProbeMode::Default,
        ProbeMode::PerfEvent,
        ProbeMode::Tracefs,
        ProbeMode::Link,
    ] {
        let attach = |name, at: Kprobe| object.program(name).unwrap().attach_kprobe(&at.mode(mode));
        let entry = attach("read_enter", Kprobe::entry("vfs_read"));
        if mode == ProbeMode::Link && !has_links {
            let error = entry.unwrap_err();
            assert!(error.errno().is_some(), "{error}");
            continue;
        }
        let entry = entry.unwrap();
        let exit = attach("read_exit", Kprobe::ret("vfs_read")).unwrap();
        let is_link = has_links && matches!(mode, ProbeMode::Default | ProbeMode::Link);
        assert_eq!(entry.fd().is_some(), is_link, "{mode:?}");
        let before = histogram_total(&object);
        reads_of_this_file();
        assert!(histogram_total(&object) - before >= 5, "{mode:?}");
        drop((entry, exit));
        let after = histogram_total(&object);
        reads_of_this_file();
        assert_eq!(histogram_total(&object), after, "{mode:?}: still attached");
    }
    let list = crate::support::mount_point("tracefs")
        .unwrap()
        .join("kprobe_events");
    let listed = fs::read_to_string(list).unwrap();
    let mine = format!("rawbpf_{}_", std::process::id());
    assert!(!listed.contains(&mine), "{listed}");
}

#[test]
fn a_kernel_function_that_is_not_there_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes);
    let _alone = alone();
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    let program = object.program("read_enter").unwrap();
    for mode in [ProbeMode::Default, ProbeMode::Tracefs] {
        let at = Kprobe::entry("vfs_raed").mode(mode);
        let error = program.attach_kprobe(&at).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("no function `vfs_raed`") && text.contains("`vfs_read`"),
            "{mode:?}: {text}"
        );
    }
    let cookie = Kprobe::entry("vfs_read").cookie(7);
    let attached = program.attach_kprobe(&cookie);
    match check(&[Need::Linux(5, 15)]) {
        Ok(()) => drop(attached.unwrap()),
        Err(_) => assert!(attached.unwrap_err().hint().unwrap().contains("5.15")),
    }
}

#[test]
fn a_kernel_without_kprobes_says_so() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    if check(&[Need::Kprobes]).is_ok() {
        return;
    }
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    refused("kprobe", object.attach(), "CONFIG_KPROBE_EVENTS");
    let exit = object.program("read_exit").unwrap();
    refused("kretprobe", exit.attach(), "CONFIG_KPROBE_EVENTS");
}

#[test]
fn a_system_call_is_probed_by_its_name() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes);
    let _alone = alone();
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    let entry = object
        .program("read_enter")
        .unwrap()
        .attach_ksyscall("getppid")
        .unwrap();
    let exit = object
        .program("read_exit")
        .unwrap()
        .attach_kretsyscall("getppid")
        .unwrap();
    call_getppid(7);
    assert!(histogram_total(&object) >= 7);
    drop((entry, exit));
}

#[test]
fn many_kernel_functions_are_probed_at_once() {
    require!(Need::Bpf, Need::KprobeMulti, Need::Tracefs);
    let _alone = alone();
    let object = counter("kprobe.multi/vfs_rea?");
    let links = object.attach().unwrap();
    assert_eq!(
        links["counter"].info().unwrap().link_type,
        LinkType::KPROBE_MULTI
    );
    reads_of_this_file();
    let seen = runs(&object);
    assert!(seen >= 5, "{seen}");
    drop(links);
    let after = runs(&object);
    reads_of_this_file();
    assert_eq!(runs(&object), after);
    let program = object.program("counter").unwrap();
    let names = KprobeMulti::names(["vfs_read", "vfs_write"])
        .on_return()
        .cookies([1, 2]);
    let link = program.attach_kprobe_multi(&names).unwrap();
    reads_of_this_file();
    assert!(runs(&object) - after >= 5);
    drop(link);
    let none = KprobeMulti::pattern("rawbpf_no_such_*");
    let error = program.attach_kprobe_multi(&none).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let none = KprobeMulti::pattern("vfs_raed");
    let error = program.attach_kprobe_multi(&none).unwrap_err().to_string();
    assert!(error.contains("`vfs_read`"), "{error}");
}
