//! What processes are told that have some of root's rights, but not the one they need.

use super::tracer;
use crate::load::load_fixture;
use crate::net::in_network;
use crate::support::{Need, fixture};
use rawbpf::attach::{Sampling, SoftwareEvent, Tc, Uprobe, Xdp};
use rawbpf::load::Object;
use rawbpf::open::OpenObject;
use rawbpf::{ErrorKind, Result};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use std::fmt::Debug;

const BPF: CapabilitySet = CapabilitySet::BPF;

/// Runs `job` in a thread with only these capabilities.
pub(super) fn with_only<T: Send>(kept: CapabilitySet, job: impl FnOnce() -> T + Send) -> T {
    let thread = || {
        let sets = CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        };
        set_capabilities(None, sets).unwrap();
        job()
    };
    std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
}

#[track_caller]
fn lacks<T: Debug>(result: Result<T>, capability: &str) {
    let error = result.unwrap_err();
    let hint = error.hint().unwrap_or_default();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(
        hint.ends_with(&format!("this process lacks {capability}")),
        "{error}"
    );
}

/// Loads one program with these capabilities only.
fn load_with(kept: CapabilitySet, name: &str, program: &str) -> Result<Object> {
    let mut open = OpenObject::from_file(fixture(&format!("{name}.bpf.o"))).unwrap();
    for one in open.programs_mut() {
        let wanted = one.name() == program;
        one.set_autoload(wanted);
    }
    with_only(kept, move || open.load())
}

#[test]
fn the_capability_that_loading_lacks_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    crate::support::lift_memlock();
    let network = CapabilitySet::NET_ADMIN;
    let tracing = CapabilitySet::PERFMON;
    lacks(load_with(BPF, "xdp", "count_packets"), "CAP_NET_ADMIN");
    lacks(load_with(BPF, "tc", "first"), "CAP_NET_ADMIN");
    lacks(load_with(BPF, "uprobe", "call"), "CAP_PERFMON");
    lacks(load_with(network, "xdp", "count_packets"), "CAP_BPF");
    lacks(load_with(tracing, "uprobe", "call"), "CAP_BPF");
    let loaded = load_with(BPF | network, "tc", "first");
    assert!(loaded.is_ok(), "{loaded:?}");
    let loaded = load_with(BPF | tracing, "uprobe", "call");
    assert!(loaded.is_ok(), "{loaded:?}");
}

#[test]
fn the_capability_that_attaching_to_an_interface_lacks_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    in_network(|| {
        let packets = load_fixture("xdp", |_| Ok(())).unwrap();
        let packets = packets.program("count_packets").unwrap();
        let filters = load_fixture("tc", |_| Ok(())).unwrap();
        let filter = filters.program("first").unwrap();
        with_only(BPF, || {
            let by_rtnetlink = Xdp::on("lo").without_link();
            lacks(packets.attach_xdp(&by_rtnetlink), "CAP_NET_ADMIN");
            lacks(filter.attach_tc(&Tc::ingress("lo")), "CAP_NET_ADMIN");
        });
        let status = Xdp::on("lo").status().unwrap();
        assert_eq!(status.programs, [], "nothing was attached");
    });
}

#[test]
fn the_capability_that_attaching_a_probe_lacks_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes, Need::Linux(5, 8));
    let calls = load_fixture("uprobe", |_| Ok(())).unwrap();
    let sampled = tracer("sample").unwrap();
    let at = Uprobe::entry("/proc/self/exe", "rawbpf_uprobe_target");
    with_only(BPF, || {
        let probe = calls.program("call").unwrap().attach_uprobe(&at);
        lacks(probe, "CAP_PERFMON");
        let clock = Sampling::software(SoftwareEvent::CpuClock);
        let sampling = sampled.program("sample").unwrap();
        lacks(sampling.attach_sampling(&clock), "CAP_PERFMON");
    });
}
