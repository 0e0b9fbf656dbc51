//! What all attachments can do: be pinned, opened, identified, released.

use super::{Counter, alone, counter, counters, own_process, soon};
use crate::load::load_fixture;
use crate::support::{Need, PinFolder, check, mount_point};
use rawbpf::attach::{IterScope, Link, LinkDetails, ProbeMode, Uprobe};
use rawbpf::sys::bpf::{self, ObjectKind, ProgramPart};
use rawbpf::{Errno, ErrorKind, LinkType};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The ids of the links that run this program.
fn links_of(program_id: u32) -> Vec<u32> {
    let runs_it = |id: &u32| {
        let info = Link::from_id(*id).and_then(|link| link.info());
        info.is_ok_and(|info| info.program_id == program_id)
    };
    Link::ids().map(Result::unwrap).filter(runs_it).collect()
}

#[test]
fn a_pinned_link_outlives_its_handle() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let _alone = alone();
    let pins = PinFolder::new();
    let path = pins.path().join("link");
    let counter = Counter::raw_tracepoint();
    let mut link = counter.attach().unwrap();
    link.pin(&path).unwrap();
    assert!(link.pin(&path).is_err(), "one pin a link");
    drop(link);
    assert_eq!(counter.seen_of_seven(), 7);
    let mut link = Link::from_pin(&path).unwrap();
    assert_eq!(
        (link.name(), link.pin_path()),
        ("link", Some(path.as_path()))
    );
    link.unpin().unwrap();
    assert!(!path.exists());
    assert_eq!(counter.seen_of_seven(), 7);
    drop(link);
    // The removed pin's file holds the link until the kernel has cleaned it up.
    soon("detaching", || counter.seen_of_seven() == 0);
    let error = Link::from_pin(&path).unwrap_err();
    assert!(error.to_string().contains("link"), "{error}");
}

#[test]
fn links_are_found_by_name_and_by_id() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let object = load_fixture("count_tp_btf", own_process).unwrap();
    let mut links = object.attach().unwrap();
    assert_eq!(links.len(), 2);
    assert!(links.get("count_swich").is_none());
    let link = &links["count_switch"];
    let info = link.info().unwrap();
    let program = object.program("count_switch").unwrap();
    assert_eq!(info.program_id, program.id().unwrap());
    assert_eq!(link.kind().unwrap(), LinkType::RAW_TRACEPOINT);
    assert_eq!(link.id().unwrap(), info.id);
    assert!(
        matches!(&info.details, LinkDetails::RawTracepoint { name, .. } if name == "sched_switch"),
        "{info:?}"
    );
    assert_eq!(links_of(info.program_id), [info.id]);
    let same = Link::from_id(info.id).unwrap();
    let copy = same.fd().unwrap().try_clone_to_owned().unwrap();
    let again = Link::from_fd(copy).unwrap();
    assert_eq!((again.id().unwrap(), again.name()), (info.id, same.name()));
    let other = std::fs::File::open("/dev/null").unwrap();
    let error = Link::from_fd(other.into()).unwrap_err();
    assert_eq!(error.kind(), rawbpf::ErrorKind::InvalidArgument, "{error}");
    drop(again);
    assert_eq!(
        same.name(),
        "count_switch",
        "as the kernel calls the program"
    );
    assert_eq!(same.info().unwrap(), info);
    let taken = links.take("count_switch").unwrap();
    assert_eq!((links.len(), taken.name()), (1, "count_switch"));
    // It is attached as long as somebody holds it.
    drop((links, taken));
    assert_eq!(links_of(info.program_id), [info.id]);
    drop(same);
    soon("detaching", || links_of(info.program_id).is_empty());
    let error = Link::from_id(info.id).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Each kind has the addresses of its lists elsewhere: what BTF has for a name of 64 bytes, a link to many functions takes
/// for room for 64 addresses.
#[test]
fn descriptors_are_not_taken_for_other_sorts_of_objects() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let object = load_fixture("count_raw_tp", own_process).unwrap();
    let program = object.program("count_sys_enter").unwrap();
    let link = program.attach().unwrap();
    let map = object.map("counts").unwrap();
    let types = bpf::fd_by_id(ObjectKind::Btf, program.info().unwrap().btf_id).unwrap();
    let (program, map, types) = (program.as_fd(), map.as_fd(), types.as_fd());
    let link = link.fd().unwrap();
    let refused = |answer: Result<(), Errno>| assert_eq!(answer, Err(Errno::EINVAL));
    for other in [program, map, types] {
        refused(bpf::link_info(other).map(drop));
    }
    for other in [program, link] {
        refused(bpf::btf_info(other).map(drop));
        refused(bpf::btf_data(other).map(drop));
        refused(bpf::map_hash(other).map(drop));
    }
    let part = |of, part| bpf::prog_part(of, part).map(|records| records.bytes);
    assert!(!part(program, ProgramPart::MapIds).unwrap().is_empty());
    assert!(!part(program, ProgramPart::Translated).unwrap().is_empty());
    assert!(!bpf::btf_data(types).unwrap().is_empty());
    let others = if check(&[Need::Linux(5, 10)]).is_ok() {
        vec![link, map, types]
    } else {
        vec![link]
    };
    for other in others {
        refused(bpf::prog_info(other).map(drop));
        refused(part(other, ProgramPart::MapIds).map(drop));
        refused(part(other, ProgramPart::Translated).map(drop));
    }
}

#[test]
fn an_iterators_link_says_what_it_walks_over() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    let object = load_fixture("iter_task", |_| Ok(())).unwrap();
    let link = object.program("list_tasks").unwrap().attach().unwrap();
    let expected = LinkDetails::Iter {
        name: "task".into(),
        scope: IterScope::All,
    };
    assert_eq!(link.info().unwrap().details, expected);
}

#[test]
fn attaching_all_or_nothing() {
    require!(Need::Bpf);
    let object = counters(&["raw_tp/sys_enter", "raw_tp/sys_exit", "raw_tp/sys_no"]);
    let error = object.attach().unwrap_err().to_string();
    assert!(error.contains("no raw tracepoint `sys_no`"), "{error}");
    for program in object.programs() {
        let id = program.id().unwrap();
        soon("detaching what was attached before", || {
            links_of(id).is_empty()
        });
    }
}

#[test]
fn what_cannot_be_done_to_a_link_is_said() {
    require!(Need::Bpf, Need::Bpffs);
    let pins = PinFolder::new();
    let object = counter("raw_tp/sys_enter");
    let mut link = object.programs()[0].attach().unwrap();
    let error = link.update(&object.programs()[0]).unwrap_err();
    assert!(
        error.hint().unwrap().contains("cannot be updated"),
        "{error}"
    );
    let error = link.unpin().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let taken = pins.path().join("taken");
    let first = object.map(".bss").unwrap().clone();
    first.pin(&taken).unwrap();
    let error = link.pin(&taken).unwrap_err();
    assert!(
        error.hint().unwrap().contains("the name is taken"),
        "{error}"
    );
    let error = Link::from_pin(&taken).unwrap_err().to_string();
    assert!(error.contains("is not a BPF link"), "{error}");
    let error = link.pin("/tmp/rawbpf-no-pin").unwrap_err();
    assert!(error.hint().unwrap().contains("/sys/fs/bpf"), "{error}");
}

/// The child that [`a_killed_process_leaves_only_its_pins`] kills: reports what it has attached, and waits.
#[test]
fn child_to_be_killed() {
    let Ok(pin) = std::env::var("RAWBPF_CHILD_PIN") else {
        return;
    };
    let object = counters(&["raw_tp/sys_enter", "raw_tp/sys_exit"]);
    let [mut kept, lost] = [0, 1].map(|at| object.programs()[at].attach().unwrap());
    kept.pin(pin).unwrap();
    let uprobes = load_fixture("uprobe", |_| Ok(())).unwrap();
    let at = Uprobe::entry("/proc/self/exe", "rawbpf_uprobe_target").mode(ProbeMode::Tracefs);
    let probe = uprobes.program("call").unwrap().attach_uprobe(&at).unwrap();
    let ids = [&kept, &lost].map(|link| link.info().unwrap().id);
    println!("\nids {} {}", ids[0], ids[1]);
    std::io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_secs(60));
    drop((kept, lost, probe));
}

fn start_child(pin: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "attach::link::child_to_be_killed"]);
    command.env("RAWBPF_CHILD_PIN", pin).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_killed_process_leaves_only_its_pins() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Bpffs,
        Need::Uprobes,
        Need::Tracefs
    );
    let _alone = alone();
    let pins = PinFolder::new();
    let pin = pins.path().join("kept");
    let mut child = start_child(&pin);
    let output = BufReader::new(child.stdout.take().unwrap());
    let said = output.lines().map(Result::unwrap);
    let ids = said.filter_map(|line| Some(line.strip_prefix("ids ")?.to_owned()));
    let ids = ids.take(1).next().expect("the child's links");
    let ids: Vec<u32> = ids.split(' ').map(|id| id.parse().unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    soon("closing a killed process's link", || {
        Link::from_id(ids[1]).is_err()
    });
    assert!(Link::from_id(ids[0]).is_ok(), "the pinned one stays");

    // What it created through tracefs stays, too, until the next one is created.
    let list = mount_point("tracefs").unwrap().join("uprobe_events");
    let name = format!("rawbpf_{}_", child.id());
    let listed = || fs::read_to_string(&list).unwrap();
    assert!(listed().contains(&name), "{}", listed());
    let uprobes = load_fixture("uprobe", |_| Ok(())).unwrap();
    let at = Uprobe::entry("/proc/self/exe", "rawbpf_uprobe_target").mode(ProbeMode::Tracefs);
    let link = uprobes.program("call").unwrap().attach_uprobe(&at).unwrap();
    assert!(!listed().contains(&name), "{}", listed());
    link.detach().unwrap();
}
