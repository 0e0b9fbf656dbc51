//! Tracepoints: with their arguments, with types, and as trace events.

use super::{Counter, Trial, alone, arrives, call_getppid, number, own_process, soon};
use crate::load::load_fixture;
use crate::matrix::works;
use crate::support::{Need, check};
use rawbpf::attach::Link;
use rawbpf::load::Object;
use rawbpf::program::Program;
use rawbpf::ring::RingBuffer;
use rawbpf::{ErrorKind, LinkType};
use std::fs::File;
use std::time::Duration;

#[test]
fn a_raw_tracepoint_is_seen_until_the_link_is_dropped() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let counter = Counter::raw_tracepoint();
    assert_eq!(counter.seen_of_seven(), 0, "nothing is attached yet");
    let link = counter.attach().unwrap();
    assert_eq!(link.name(), "count_sys_enter");
    works(
        "raw_tp",
        "system calls are counted",
        counter.seen_of_seven() == 7,
    );
    let info = link.info().unwrap();
    assert_eq!(info.kind, LinkType::RAW_TRACEPOINT);
    match (counter.attach(), check(&[Need::Linux(6, 10)])) {
        (Ok(second), _) => {
            assert_eq!(counter.seen_of_seven(), 14, "two links, two runs");
            second.detach().unwrap();
        }
        (Err(error), Err(_)) => assert!(error.hint().unwrap().contains("once"), "{error}"),
        (Err(error), Ok(())) => panic!("{error}"),
    }
    assert_eq!(counter.seen_of_seven(), 7);
    drop(link);
    // A process that another test is just starting may hold a copy of the descriptor.
    soon("detaching", || counter.seen_of_seven() == 0);
}

#[test]
fn a_typed_tracepoint_is_seen() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let object = load_fixture("count_tp_btf", |object| {
        own_process(object)?;
        object.variable_mut("targ_nr")?.set(&libc::SYS_getppid)
    });
    let object = object.unwrap();
    let links = object.attach().unwrap();
    let names: Vec<_> = links.iter().map(Link::name).collect();
    assert_eq!(names, ["count_sys_enter", "count_switch"]);
    let kind = links["count_sys_enter"].info().unwrap().kind;
    assert_eq!(kind, LinkType::RAW_TRACEPOINT, "so the kernel calls it");
    let before = number(&object, "sys_enters");
    call_getppid(7);
    let seen = number(&object, "sys_enters") - before;
    works("tp_btf", "system calls are counted", seen == 7);
    let switches = number(&object, "switches_to");
    std::thread::sleep(Duration::from_millis(50));
    assert!(
        number(&object, "switches_to") > switches,
        "sleeping switches tasks"
    );
    drop(links);
    let after = number(&object, "sys_enters");
    call_getppid(7);
    assert_eq!(number(&object, "sys_enters"), after);
}

#[test]
fn opened_files_are_seen_on_tracepoints() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("opensnoop", own_process).unwrap();
    let links = object.attach().unwrap();
    assert_eq!(links.len(), 6);
    let mut events = RingBuffer::new(object.map("events").unwrap()).unwrap();
    let missing = format!("/no/such/file/{}", std::process::id());
    assert!(File::open(&missing).is_err());
    let arrived = arrives(&mut events, missing.as_bytes());
    works("tp", "the name of an opened file arrives", arrived);
}

#[test]
fn programs_being_started_are_seen() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("execsnoop", |_| Ok(())).unwrap();
    let _links = object.attach().unwrap();
    let mut events = RingBuffer::new(object.map("events").unwrap()).unwrap();
    let own_exe = std::env::current_exe().unwrap();
    let word = format!("--rawbpf-{}", std::process::id());
    let mut command = std::process::Command::new(own_exe);
    command
        .args([&word, "--list"])
        .stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    command.status().unwrap();
    assert!(arrives(&mut events, word.as_bytes()));
}

#[test]
fn places_that_are_not_there_are_named() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("opensnoop", own_process).unwrap();
    let program = &object.programs()[0];
    let error = program
        .attach_tracepoint("sched", "sched_swich")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no tracepoint `sched/sched_swich`") && error.contains("`sched_switch`"),
        "{error}"
    );
    let error = program
        .attach_tracepoint("schd", "sched_switch")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no category `schd`") && error.contains("`sched`"),
        "{error}"
    );
    let error = program.attach_tracepoint("../..", "x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);

    let object = load_fixture("count_raw_tp", own_process).unwrap();
    let error = object.programs()[0]
        .attach_raw_tracepoint("sys_entre")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("no raw tracepoint `sys_entre`"),
        "{error}"
    );
}

#[test]
fn tracepoints_have_cookies() {
    require!(Need::Bpf, Need::Btf);
    let cookie = |row, program, needs, words| Trial {
        row,
        effect: "the program reads its cookie",
        program,
        needs,
        words,
    };
    let calls = || call_getppid(7);
    let has_it = |object: &Object| number(object, "last_cookie") == 77;
    let trial = cookie(
        "tp with cookie",
        "tracepoint_cookie",
        &[Need::Linux(5, 15)],
        &["in programs of type tracepoint needs Linux 5.15"],
    );
    let enter = ("syscalls", "sys_enter_getppid");
    trial.run(
        |program| program.attach_tracepoint_with_cookie(enter.0, enter.1, 77),
        calls,
        has_it,
    );
    let since_6_10 = &[Need::Linux(6, 10)];
    let trial = cookie(
        "raw_tp with cookie",
        "raw_tp_cookie",
        since_6_10,
        &["needs Linux 6.10"],
    );
    trial.run(
        |program| program.attach_raw_tracepoint_with_cookie("sys_enter", 77),
        calls,
        has_it,
    );
    let trial = cookie(
        "tp_btf with cookie",
        "tp_btf_cookie",
        since_6_10,
        &["needs Linux 6.10"],
    );
    trial.run(
        |program| program.attach_tracing_with_cookie(77),
        calls,
        has_it,
    );
}

#[test]
fn a_writable_raw_tracepoint_is_seen() {
    require!(Need::Bpf, Need::Btf);
    let trial = Trial {
        row: "raw_tp.w",
        effect: "system calls are counted",
        program: "raw_tp_writable",
        needs: &[Need::Linux(5, 2)],
        words: &["Linux 5.2"],
    };
    // The one that reads the count back is made after it.
    trial.run(
        Program::attach,
        || call_getppid(7),
        |object| number(object, "hits") >= 7,
    );
}
