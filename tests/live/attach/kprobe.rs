//! Kprobes: on one function, on many at once, on system calls.

use super::{
    Trial, alone, call_getppid, counter, histogram_total, number, own_process, reads_of_this_file,
    runs, tracer,
};
use crate::load::load_fixture;
use crate::matrix::{refused, unless_refused, works};
use crate::net::{in_network, send_through_veth, veth};
use crate::support::{Need, check};
use rawbpf::attach::{Kprobe, KprobeMulti, ProbeMode};
use rawbpf::load::Object;
use rawbpf::program::Program;
use rawbpf::{ErrorKind, LinkType};
use std::fs;

const MODES: [ProbeMode; 4] = [
    ProbeMode::Default,
    ProbeMode::PerfEvent,
    ProbeMode::Tracefs,
    ProbeMode::Link,
];

/// The mode in the name of a row.
fn word(mode: ProbeMode) -> &'static str {
    match mode {
        ProbeMode::PerfEvent => "perf event",
        ProbeMode::Tracefs => "tracefs",
        ProbeMode::Link => "link",
        ProbeMode::Default => "default",
        other => panic!("no row for {other:?}"),
    }
}

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
    for mode in MODES {
        let attach = |name, at: Kprobe| object.program(name).unwrap().attach_kprobe(&at.mode(mode));
        let entry = attach("read_enter", Kprobe::entry("vfs_read"));
        let row = format!("kprobe ({})", word(mode));
        let needs = match mode {
            ProbeMode::Link => &[Need::Linux(5, 15)][..],
            _ => &[],
        };
        let Some(entry) = unless_refused(&row, entry, needs, "5.15") else {
            continue;
        };
        let exit = attach("read_exit", Kprobe::ret("vfs_read")).unwrap();
        let (may_link, must_link) = match mode {
            ProbeMode::Default => (true, has_links),
            ProbeMode::Link => (true, true),
            _ => (false, false),
        };
        let is_link = entry.fd().is_some();
        assert!(is_link || !must_link, "{mode:?}");
        assert!(!is_link || may_link, "{mode:?}");
        let before = histogram_total(&object);
        reads_of_this_file();
        let seen = histogram_total(&object) - before >= 5;
        drop((entry, exit));
        let after = histogram_total(&object);
        reads_of_this_file();
        let detached = histogram_total(&object) == after;
        works(
            &row,
            "calls and returns of a function are seen",
            seen && detached,
        );
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
    if let Err(error) = attached {
        assert!(check(&[Need::Linux(5, 15)]).is_err(), "{error}");
        assert!(error.hint().unwrap().contains("5.15"), "{error}");
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
    let entry = object.program("read_enter").unwrap();
    for mode in MODES {
        let at = Kprobe::entry("vfs_read").mode(mode);
        let row = format!("kprobe ({})", word(mode));
        refused(&row, entry.attach_kprobe(&at), "CONFIG_KPROBE");
    }
    let at = Kprobe::address(0xffff_ffff_8100_0000);
    refused(
        "kprobe by address",
        entry.attach_kprobe(&at),
        "CONFIG_KPROBE",
    );
    let at = Kprobe::ret("vfs_read").module("vmlinux");
    refused("kprobe by module", exit.attach_kprobe(&at), "CONFIG_KPROBE");
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

const KPROBES: &[Need] = &[Need::Kprobes];
const MULTI: &[Need] = &[Need::KprobeMulti];
const MULTI_REFUSALS: &[&str] = &["locked-down", "CONFIG_FPROBE", "Linux 5.18"];

/// Of each of the five reads, at least one.
fn saw_five_reads(object: &Object) -> bool {
    number(object, "hits") >= 5
}

#[test]
fn a_place_inside_a_function_is_probed() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let trial = Trial {
        row: "kprobe+offset",
        effect: "reads of a thread are counted",
        program: "kprobe",
        needs: KPROBES,
        words: &["CONFIG_KPROBE_EVENTS"],
    };
    // Where an instruction starts differs between kernels; elsewhere there is no probe.
    let attach = |program: &Program| {
        let at = |offset| program.attach_kprobe(&Kprobe::entry("vfs_read").offset(offset));
        (1..=16).map(at).reduce(Result::or).unwrap()
    };
    trial.run(attach, reads_of_this_file, saw_five_reads);
}

#[test]
fn a_probe_has_a_cookie() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let trial = Trial {
        row: "kprobe with cookie",
        effect: "the program reads its cookie",
        program: "kprobe_cookie",
        needs: &[Need::Kprobes, Need::Linux(5, 15)],
        words: &["CONFIG_KPROBE_EVENTS", "needs Linux 5.15"],
    };
    let at = Kprobe::entry("vfs_read").cookie(77);
    trial.run(
        |program| program.attach_kprobe(&at),
        reads_of_this_file,
        |object| number(object, "last_cookie") == 77,
    );
}

/// Both ends of it: a return has a cookie, too.
#[test]
fn a_probe_of_a_system_call_has_a_cookie() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes, Need::Linux(5, 15));
    let entry = Kprobe::syscall("getppid").cookie(77);
    let exit = entry.clone().on_return().cookie(78);
    for (at, cookie) in [(entry, 77), (exit, 78)] {
        let object = tracer("kprobe_cookie").unwrap();
        let program = object.program("kprobe_cookie").unwrap();
        let link = program.attach_kprobe(&at).unwrap();
        call_getppid(1);
        assert_eq!(number(&object, "last_cookie"), cookie);
        drop(link);
    }
}

#[test]
fn system_calls_are_probed_as_their_sections_say() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    for (row, effect) in [
        ("ksyscall", "calls of a system call are counted"),
        ("kretsyscall", "returns of a system call are counted"),
    ] {
        let trial = Trial {
            row,
            effect,
            program: row,
            needs: KPROBES,
            words: &["CONFIG_KPROBE_EVENTS"],
        };
        trial.run(
            Program::attach,
            || call_getppid(7),
            |object| number(object, "hits") == 7,
        );
    }
}

#[test]
fn many_functions_are_probed_as_their_sections_say() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    for (row, program, effect) in [
        (
            "kprobe.multi",
            "kprobe_multi",
            "calls of functions that match are counted",
        ),
        (
            "kretprobe.multi",
            "kretprobe_multi",
            "returns of functions that match are counted",
        ),
    ] {
        let trial = Trial {
            row,
            effect,
            program,
            needs: MULTI,
            words: MULTI_REFUSALS,
        };
        trial.run(Program::attach, reads_of_this_file, saw_five_reads);
    }
    let session = Trial {
        row: "kprobe.session",
        effect: "calls and returns are counted by one program",
        program: "kprobe_session",
        needs: &[Need::KprobeMulti, Need::Linux(6, 10)],
        words: &["locked-down", "Linux 6.10"],
    };
    session.run(Program::attach, reads_of_this_file, |object| {
        let hits = number(object, "hits");
        hits >= 10 && hits.is_multiple_of(2)
    });
    let cookies = Trial {
        row: "kprobe.multi with cookies",
        effect: "the program reads its cookie",
        program: "kprobe_multi_cookie",
        needs: MULTI,
        words: MULTI_REFUSALS,
    };
    let at = KprobeMulti::names(["vfs_write", "vfs_read"]).cookies([1, 77]);
    cookies.run(
        |program| program.attach_kprobe_multi(&at),
        reads_of_this_file,
        |object| number(object, "last_cookie") == 77,
    );
}

#[test]
fn a_pattern_may_have_to_match_one_function() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::KprobeMulti);
    let object = tracer("kprobe_multi").unwrap();
    let program = object.program("kprobe_multi").unwrap();
    let one = KprobeMulti::pattern("vfs_rea?").unique_match();
    drop(program.attach_kprobe_multi(&one).unwrap());
    let many = KprobeMulti::pattern("vfs_*").unique_match();
    let error = program.attach_kprobe_multi(&many).unwrap_err();
    assert_eq!(error.kind(), rawbpf::ErrorKind::InvalidArgument, "{error}");
    assert!(error.message().contains("is to match one"), "{error}");
}

/// The addresses of the kernel functions of this name, as `/proc/kallsyms` has them.
pub(crate) fn addresses_of(function: &str) -> Vec<u64> {
    let list = fs::read_to_string("/proc/kallsyms").unwrap();
    let lines = list
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = lines.filter(|words| words.len() == 3 && words[2] == function);
    found
        .map(|words| u64::from_str_radix(words[0], 16).unwrap())
        .collect()
}

#[test]
fn one_of_several_functions_of_a_name_is_probed() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes);
    // Several files of /proc are written by a static function of this name.
    let name = "m_start";
    let read_maps = || drop(fs::read("/proc/self/maps").unwrap());
    let addresses = addresses_of(name);
    assert!(addresses.len() > 1, "{addresses:x?}");
    let object = tracer("kprobe").unwrap();
    let program = object.program("kprobe").unwrap();
    let by_name = program.attach_kprobe(&Kprobe::entry(name));
    if check(&[Need::Linux(6, 6)]).is_ok() {
        let error = by_name.unwrap_err();
        let listed = addresses
            .iter()
            .all(|a| error.message().contains(&format!("{a:#x} (vmlinux)")));
        assert!(
            listed && error.hint().unwrap().contains("Kprobe::address"),
            "{error}"
        );
    }
    let counted = addresses.iter().map(|address| {
        let link = program.attach_kprobe(&Kprobe::address(*address)).unwrap();
        let before = number(&object, "hits");
        read_maps();
        link.detach().unwrap();
        number(&object, "hits") - before
    });
    let ran: Vec<bool> = counted.map(|hits| hits > 0).collect();
    let one = ran.iter().filter(|ran| **ran).count() == 1;
    works(
        "kprobe by address",
        "of functions of one name, the right one is seen",
        one,
    );

    let error = program
        .attach_kprobe(&Kprobe::entry(name).module("vmlinux"))
        .unwrap_err();
    assert!(error.message().contains("several functions"), "{error}");
    let error = program
        .attach_kprobe(&Kprobe::entry(name).module("vmlinus"))
        .unwrap_err();
    assert!(
        error.message().contains("did you mean `vmlinux`"),
        "{error}"
    );
    let link = program
        .attach_kprobe(&Kprobe::ret("vfs_read").module("vmlinux"))
        .unwrap();
    let before = number(&object, "hits");
    reads_of_this_file();
    let seen = number(&object, "hits") - before >= 5;
    works(
        "kprobe by module",
        "returns of a function are counted",
        seen,
    );
    drop(link);
}

#[test]
fn a_function_of_a_module_is_probed() {
    require!(Need::Bpf, Need::Kprobes, Need::Tracefs, Need::ModuleBtf);
    let _alone = alone();
    in_network(|| {
        veth(1500);
        let mut sections = vec!["kprobe/veth:veth_xmit", "kretprobe/veth:veth_xmit"];
        if check(&[Need::KprobeMulti]).is_ok() {
            sections.extend(["kprobe.multi/veth:veth_xm?t", "kprobe.multi/veth:veth_xmit"]);
        }
        for section in sections {
            let object = counter(section);
            let links = object.attach().unwrap();
            send_through_veth();
            assert!(runs(&object) > 0, "{section}");
            drop(links);
        }
        for section in ["kprobe/dummy:veth_xmit", "kprobe/vmlinux:veth_xmit"] {
            let error = counter(section).attach().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(error.to_string().contains("it is in `veth`"), "{error}");
        }
        let tracefs = Kprobe::entry("veth:veth_xmit").mode(ProbeMode::Tracefs);
        let object = counter("kprobe");
        let program = object.program("counter").unwrap();
        let link = program.attach_kprobe(&tracefs).unwrap();
        send_through_veth();
        assert!(runs(&object) > 0);
        drop(link);
    });
}

#[test]
fn many_kernel_functions_are_probed_at_once() {
    require!(Need::Bpf, Need::KprobeMulti, Need::Tracefs);
    let _alone = alone();
    let object = counter("kprobe.multi/vfs_rea?");
    let links = object.attach().unwrap();
    assert_eq!(
        links["counter"].info().unwrap().kind,
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
