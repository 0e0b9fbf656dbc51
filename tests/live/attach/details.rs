//! What the kernel reports about each kind of tracing link.

use super::{alone, counter, tracer};
use crate::load::load_fixture;
use crate::support::{Cgroup, Need, check};
use rawbpf::AttachType;
use rawbpf::attach::{
    CgroupOrder, IterScope, IterTarget, Kprobe, KprobeMulti, Link, LinkDetails, PerfEventDetails,
    Processes, Sampling, SoftwareEvent, TracingMulti, Uprobe, UprobeMulti,
};
use rawbpf::btf::Kind;
use rawbpf::load::Object;
use rawbpf::program::Program;
use rawbpf::reloc::Target;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// What the kernel reports about a link of this program, which is met once when walking over all links.
pub(crate) fn told(link: &Link, program: &Program) -> LinkDetails {
    let info = link.info().unwrap();
    assert_eq!(info.program_id, program.id().unwrap());
    // Other tests' links come and go.
    let opened = Link::ids().filter_map(|id| Link::from_id(id.unwrap()).ok());
    let met = opened.filter_map(|link| link.info().ok());
    let met: Vec<_> = met.filter(|one| one.id == info.id).collect();
    assert_eq!(met, std::slice::from_ref(&info));
    info.details
}

/// Loads one program of the fixture `attach`, and returns what is reported once it is attached.
fn told_of(program: &str, attach: impl FnOnce(&Program) -> rawbpf::Result<Link>) -> LinkDetails {
    let object = tracer(program).unwrap();
    let program = object.program(program).unwrap();
    told(&attach(program).unwrap(), program)
}

/// The cookie, on kernels that report it.
fn cookie_since(major: u32, minor: u32) -> u64 {
    if check(&[Need::Linux(major, minor)]).is_ok() {
        77
    } else {
        0
    }
}

#[test]
fn tracepoints_are_told_by_name() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 10));
    let object = counter("raw_tp/sys_enter");
    let program = object.program("counter").unwrap();
    let plain = told(&program.attach().unwrap(), program);
    let raw = |cookie| LinkDetails::RawTracepoint {
        name: "sys_enter".into(),
        cookie,
    };
    assert_eq!(plain, raw(0));
    let cookie = told_of("raw_tp_cookie", |program| {
        program.attach_raw_tracepoint_with_cookie("sys_enter", 77)
    });
    assert_eq!(cookie, raw(cookie_since(6, 17)));
    let cookie = told_of("tracepoint_cookie", |program| {
        program.attach_tracepoint_with_cookie("syscalls", "sys_enter_getppid", 77)
    });
    let expected = PerfEventDetails::Tracepoint {
        name: "sys_enter_getppid".into(),
        cookie: 77,
    };
    assert_eq!(cookie, LinkDetails::PerfEvent(expected));
}

#[test]
fn counters_are_told_by_number() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 9));
    // Clocks are reported with the type of their own PMU.
    let at = Sampling::software(SoftwareEvent::PageFaults).period(1_000_000);
    let at = at.processes(Processes::Own).cookie(77);
    let details = told_of("sample_cookie", |program| program.attach_sampling(&at));
    let expected = PerfEventDetails::Event {
        kind: 1,
        config: SoftwareEvent::PageFaults as u64,
        cookie: 77,
    };
    assert_eq!(details, LinkDetails::PerfEvent(expected));
}

fn uprobes(program: &str, attach: impl FnOnce(&Program) -> rawbpf::Result<Link>) -> LinkDetails {
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program(program).unwrap();
    told(&attach(program).unwrap(), program)
}

#[test]
fn places_in_files_are_told_by_offset() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes, Need::Linux(6, 9));
    let _alone = alone();
    let own = fs::read_link("/proc/self/exe").unwrap();
    let target = "rawbpf_uprobe_target";
    let entry = Uprobe::entry(&own, target).cookie(77);
    let exit = Uprobe::ret(&own, target);
    let mut offsets = Vec::new();
    for (program, at, returns, wanted) in [("call", entry, false, 77), ("ret", exit, true, 0)] {
        let details = uprobes(program, |program| program.attach_uprobe(&at));
        let LinkDetails::PerfEvent(PerfEventDetails::Uprobe {
            on_return,
            path,
            offset,
            ref_ctr_offset,
            cookie,
        }) = details
        else {
            panic!("{details:?}");
        };
        assert_eq!((on_return, ref_ctr_offset, cookie), (returns, 0, wanted));
        assert_eq!(path, own.to_str().unwrap());
        offsets.push(u64::from(offset));
    }
    assert!(offsets[0] > 0 && offsets[0] == offsets[1], "{offsets:?}");
    if check(&[Need::UprobeMulti]).is_err() {
        return;
    }
    let object = load_fixture("uprobe_multi", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    let at = UprobeMulti::names(&own, [target]).processes(Processes::Own);
    let link = program.attach_uprobe_multi(&at.cookies([77])).unwrap();
    let expected = LinkDetails::UprobeMulti {
        path: own.to_str().unwrap().into(),
        offsets: vec![offsets[0]],
        ref_ctr_offsets: vec![0],
        cookies: vec![77],
        flags: 0,
        pid: std::process::id(),
    };
    assert_eq!(told(&link, program), expected);
}

#[test]
fn kernel_functions_are_told_by_name_and_address() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes, Need::Linux(6, 9));
    let at = Kprobe::entry("vfs_read").cookie(77);
    let details = told_of("kprobe_cookie", |program| program.attach_kprobe(&at));
    let LinkDetails::PerfEvent(PerfEventDetails::Kprobe {
        on_return,
        function,
        offset,
        address,
        cookie,
        ..
    }) = details
    else {
        panic!("{details:?}");
    };
    assert_eq!((on_return, offset, cookie), (false, 0, 77));
    assert_eq!(function, "vfs_read");
    let [of_read, of_write] = ["vfs_read", "vfs_write"].map(super::kprobe::addresses_of);
    // After the instruction that only marks valid call targets (`endbr`).
    assert!([0, 4].contains(&(address - of_read[0])), "{address:x}");
    if check(&[Need::KprobeMulti]).is_err() {
        return;
    }
    let at = KprobeMulti::names(["vfs_write", "vfs_read"]).cookies([1, 77]);
    let details = told_of("kprobe_multi_cookie", |program| {
        program.attach_kprobe_multi(&at)
    });
    let LinkDetails::KprobeMulti {
        addresses,
        cookies,
        flags,
        ..
    } = details
    else {
        panic!("{details:?}");
    };
    let told: Vec<_> = addresses.into_iter().zip(cookies).collect();
    let mut expected = [(of_write[0], 1), (of_read[0], 77)];
    expected.sort_unstable();
    assert_eq!((told.as_slice(), flags), (expected.as_slice(), 0));
}

#[test]
fn functions_are_told_by_type() {
    require!(Need::Bpf, Need::Btf, Need::Fentry, Need::Linux(6, 0));
    let kernel = Target::running();
    let types = kernel.vmlinux_btf().unwrap();
    let function = types.find("vfs_read", Kind::Func).unwrap();
    let details = told_of("fentry_cookie", |program| {
        program.attach_tracing_with_cookie(77)
    });
    let LinkDetails::Tracing {
        attach_type,
        target_id,
        function: told,
        cookie,
    } = details
    else {
        panic!("{details:?}");
    };
    assert_eq!((attach_type, told), (AttachType::TRACE_FENTRY, function));
    assert_eq!(cookie, cookie_since(6, 17));
    let target = rawbpf::sys::bpf::ObjectKind::Btf;
    let target = rawbpf::sys::bpf::fd_by_id(target, target_id).unwrap();
    let target = rawbpf::sys::bpf::btf_info(target.as_fd()).unwrap();
    assert_eq!(target.name, "vmlinux");
}

#[test]
fn many_functions_are_told_by_type() {
    require!(Need::Bpf, Need::Btf, Need::Fentry, Need::Linux(7, 2));
    let names = ["vfs_read", "vfs_write"];
    let at = TracingMulti::names(names).cookies([1, 77]);
    let details = told_of("fentry_multi", |program| program.attach_tracing_multi(&at));
    let LinkDetails::TracingMulti {
        attach_type,
        target_id,
        functions,
        addresses,
        cookies,
    } = details
    else {
        panic!("{details:?}");
    };
    if functions.is_empty() {
        // The kernel does not report it (before Linux 7.3).
        assert_eq!((attach_type, target_id), (AttachType(0), 0));
        assert!(addresses.is_empty() && cookies.is_empty());
        return;
    }
    assert_eq!(attach_type, AttachType::TRACE_FENTRY_MULTI);
    let target = rawbpf::sys::bpf::ObjectKind::Btf;
    let target = rawbpf::sys::bpf::fd_by_id(target, target_id).unwrap();
    let target = rawbpf::sys::bpf::btf_info(target.as_fd()).unwrap();
    assert_eq!(target.name, "vmlinux");
    let kernel = Target::running();
    let types = kernel.vmlinux_btf().unwrap();
    let mut told: Vec<_> = functions
        .iter()
        .map(|id| types.get(*id).unwrap().name())
        .zip(addresses)
        .zip(cookies)
        .collect();
    told.sort_unstable();
    let [read, write] = names.map(super::kprobe::addresses_of);
    // After the instruction that only marks valid call targets (`endbr`).
    let near = |told: u64, start: u64| [0, 4].contains(&(told - start));
    let [((first, at_read), 1), ((second, at_write), 77)] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!([first, second], names);
    assert!(
        near(at_read, read[0]) && near(at_write, write[0]),
        "{told:x?}"
    );
}

fn scope(object: &Object, program: &str, over: IterTarget<'_>) -> (String, IterScope) {
    let program = object.program(program).unwrap();
    let link = program.attach_iter_over(over).unwrap();
    match told(&link, program) {
        LinkDetails::Iter { name, scope } => (name, scope),
        other => panic!("{other:?}"),
    }
}

#[test]
fn iterators_are_told_with_their_scope() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup, Need::Linux(6, 1));
    let own = Cgroup::new();
    let folder = File::open(own.path()).unwrap();
    let object = tracer("walk_cgroups").unwrap();
    let over = IterTarget::Cgroup {
        order: CgroupOrder::Descendants,
        cgroup: Some(folder.as_fd()),
        id: 0,
    };
    let expected = IterScope::Cgroups {
        cgroup_id: folder.metadata().unwrap().ino(),
        order: CgroupOrder::Descendants as u32,
    };
    let told = scope(&object, "walk_cgroups", over);
    assert_eq!(told, ("cgroup".into(), expected));
    let object = load_fixture("iter_task", |_| Ok(())).unwrap();
    let tid = nix::unistd::gettid().as_raw().cast_unsigned();
    let over = IterTarget::Task {
        tid,
        pid: 0,
        pid_fd: None,
    };
    let told = scope(&object, "dump_tasks", over);
    assert_eq!(told, ("task".into(), IterScope::Tasks { tid, pid: 0 }));
}
