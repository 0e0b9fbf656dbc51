//! Checks that the machine is what the other tests assume.

use std::fs;

use crate::support::{Cgroup, Need, PinFolder, check, fixture, in_own_network};

#[test]
fn the_kernels_btf_can_be_read() {
    require!(Need::Bpf, Need::Btf);
    let btf = fs::read("/sys/kernel/btf/vmlinux").unwrap();
    assert_eq!(&btf[..2], &0xeb9f_u16.to_ne_bytes());
    assert!(
        btf.len() > 1 << 20,
        "{} bytes are too few for a kernel's types",
        btf.len()
    );
}

/// A check that wrongly says "no" would hide every test behind it.
#[test]
fn a_guest_can_do_what_its_kernel_can() {
    require!(Need::Guest);
    let all = [
        Need::Bpf,
        Need::Btf,
        Need::Bpffs,
        Need::Tracefs,
        Need::Cgroup,
        Need::Kprobes,
        Need::KprobeMulti,
        Need::Uprobes,
        Need::UprobeMulti,
        Need::Fentry,
        Need::Lsm,
        Need::Iterator("bpf_map_elem"),
        Need::ModuleBtf,
    ];
    for need in all {
        let (major, minor) = need.since();
        // Older kernels may have it backported.
        let must = check(&[Need::Linux(major, minor)]).is_ok();
        // Debian's 6.1 is built without fprobes.
        let left_out = need == Need::KprobeMulti && check(&[Need::Linux(6, 2)]).is_err();
        let answer = check(&[need]);
        assert!(answer.is_ok() || !must || left_out, "{need:?}: {answer:?}");
    }
}

#[test]
fn fixtures_are_there() {
    let object = fs::read(fixture("opensnoop.bpf.o")).unwrap();
    assert_eq!(&object[..4], b"\x7fELF");
}

#[test]
fn what_a_test_has_for_itself_is_gone_afterwards() {
    require!(Need::Bpf, Need::Bpffs, Need::Cgroup);
    let (pins, cgroup) = (PinFolder::new(), Cgroup::new());
    let paths = [pins.path().to_owned(), cgroup.path().to_owned()];
    assert!(paths.iter().all(|path| path.is_dir()));
    assert!(
        cgroup.path().join("cgroup.procs").exists(),
        "a cgroup has control files"
    );
    drop((pins, cgroup));
    assert!(paths.iter().all(|path| !path.exists()));
}

#[test]
fn an_own_network_has_one_interface() {
    require!(Need::Bpf);
    let table = in_own_network(|| fs::read_to_string("/proc/thread-self/net/dev").unwrap());
    let names: Vec<_> = table
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    assert!(
        matches!(names[..], [(name, _)] if name.trim() == "lo"),
        "{table}"
    );
}
