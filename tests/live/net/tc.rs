//! Packets on an interface: tcx, the classic filters before it, netkit.

use super::{Wire, address, in_network, load_only, number, pair, until};
use crate::matrix::{refused, unless_refused, works};
use crate::support::{Need, check};
use rawbpf::attach::{AttachPoint, Direction, Netkit, Tc, TcHook, Tcx};
use rawbpf::load::Object;
use rawbpf::{Errno, ErrorKind, LinkType};
use std::net::{Ipv4Addr, UdpSocket};

const DROP: i32 = 2;
const NEXT: i32 = -1;

pub(crate) fn programs(verdict: i32) -> Object {
    load_only("tc", &["first", "second"], |object| {
        object.variable_mut("verdict")?.set(&verdict)
    })
    .unwrap()
}

fn count<'a>(object: &'a Object, name: &'a str) -> impl Fn() -> u64 + 'a {
    move || number(object, name)
}

#[test]
fn both_directions_are_filtered() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        for (name, at) in [
            ("tcx ingress", Tcx::ingress("lo")),
            ("tcx egress", Tcx::egress("lo")),
        ] {
            let object = programs(DROP);
            let wire = Wire::new();
            let link = object.program("first").unwrap().attach_tcx(&at).unwrap();
            works(
                name,
                "packets are dropped",
                wire.drops(count(&object, "first_count")),
            );
            let must_link = check(&[Need::Linux(6, 6)]).is_ok();
            assert!(link.fd().is_some() || !must_link, "a filter of tc");
            if link.fd().is_some() {
                assert_eq!(link.info().unwrap().kind, LinkType::TCX);
            }
            link.detach().unwrap();
            assert!(wire.passes(), "{name}");
        }
    });
}

#[test]
fn a_program_with_its_own_section_is_attached() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = load_only("tc", &["for_tcx"], |_| Ok(())).unwrap();
        let wire = Wire::new();
        let _link = object
            .program("for_tcx")
            .unwrap()
            .attach_tcx(&Tcx::ingress("lo"))
            .unwrap();
        assert!(wire.passes());
        assert!(number(&object, "first_count") > 0);
    });
}

#[test]
fn classic_filters_are_attached_queried_and_detached() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let (drops, passes) = (programs(DROP), programs(NEXT));
        let (dropper, passer) = (
            drops.program("first").unwrap(),
            passes.program("first").unwrap(),
        );
        let hook = TcHook::ingress("lo");
        assert!(hook.create().unwrap(), "it is new");
        assert!(!hook.create().unwrap(), "it is there");
        let wire = Wire::new();
        let at = Tc::ingress("lo").handle(7).priority(3);
        let link = dropper.attach_tc(&at).unwrap();
        works(
            "tc (clsact)",
            "packets are dropped",
            wire.drops(count(&drops, "first_count")),
        );
        let filter = hook.query(7, 3).unwrap();
        assert_eq!((filter.handle, filter.priority), (7, 3));
        assert_eq!(filter.program_id, dropper.id().unwrap());
        assert_eq!(hook.filters().unwrap(), [filter]);
        assert_eq!(hook.query(8, 3).unwrap_err().errno(), Some(Errno::ENOENT));
        assert_eq!(TcHook::egress("lo").filters().unwrap(), []);

        let error = passer.attach_tc(&at).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EEXIST), "{error}");
        let second = passer.attach_tc(&at.replace()).unwrap();
        assert!(wire.passes());
        let error = link.detach().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("another program has taken its place"),
            "{error}"
        );
        assert_eq!(hook.filters().unwrap().len(), 1, "that one stays");
        second.detach().unwrap();
        assert_eq!(hook.filters().unwrap(), []);
    });
}

#[test]
fn classic_filters_run_by_priority_and_the_kernel_chooses_a_lower_one() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = programs(NEXT);
        let [first, second] = ["first", "second"].map(|name| object.program(name).unwrap());
        let _late = first.attach_tc(&Tc::ingress("lo")).unwrap();
        let _early = second.attach_tc(&Tc::ingress("lo")).unwrap();
        assert!(Wire::new().passes());
        assert!(number(&object, "second_at") < number(&object, "first_at"));
        let filters = TcHook::ingress("lo").filters().unwrap();
        assert_eq!(filters[0].program_id, second.id().unwrap());
        assert!(filters[0].priority < filters[1].priority);
    });
}

#[test]
fn destroying_a_hook_removes_all_filters() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = programs(DROP);
        let first = object.program("first").unwrap();
        first.attach_tc(&Tc::ingress("lo")).unwrap().forget();
        first.attach_tc(&Tc::egress("lo")).unwrap().forget();
        TcHook::ingress("lo").destroy().unwrap();
        assert_eq!(TcHook::ingress("lo").filters().unwrap(), []);
        assert_eq!(TcHook::egress("lo").filters().unwrap().len(), 1);
        TcHook::both("lo").destroy().unwrap();
        assert!(Wire::new().passes());
        let error = TcHook::both("lo").destroy().unwrap_err();
        assert!(
            matches!(error.errno(), Some(Errno::EINVAL | Errno::ENOENT)),
            "{error}"
        );
        assert!(TcHook::both("lo").create().unwrap(), "it was gone");

        let error = first.attach_tc(&Tc::at(TcHook::both("lo"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let error = TcHook::under("lo", 0x10002).create().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let error = TcHook::ingress("no-such").create().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn filters_hang_on_qdiscs_of_the_callers_choice() {
    /// `TC_H_ROOT`, `TC_H_INGRESS`
    const ROOT: u32 = 0xffff_ffff;
    const INGRESS: u32 = 0xffff_fff1;
    require!(Need::Bpf, Need::Btf);
    for (kind, parent, handle) in [("sfq", ROOT, 0x1_0000), ("ingress", INGRESS, 0xffff_0000)] {
        let row = format!("tc (below qdisc {kind})");
        in_network(|| {
            let object = programs(DROP);
            let program = object.program("first").unwrap();
            let qdisc = TcHook::qdisc("lo", kind, parent, handle);
            match qdisc.create() {
                Ok(new) => assert!(new),
                error => return refused(&row, error, "kind is unknown"),
            }
            let below = TcHook::under("lo", handle);
            let link = program.attach_tc(&Tc::at(below.clone())).unwrap();
            let wire = Wire::new();
            let dropped = wire.drops(count(&object, "first_count"));
            works(&row, "packets are dropped", dropped);
            let filters = below.filters().unwrap();
            assert_eq!(filters.len(), 1);
            assert_eq!(filters[0].program_id, program.id().unwrap());
            link.detach().unwrap();
            assert_eq!(below.filters().unwrap(), []);
            assert!(wire.passes());
            qdisc.destroy().unwrap();
            let gone = program.attach_tc(&Tc::at(below)).unwrap_err();
            assert!(gone.errno().is_some(), "{gone}");
        });
    }
}

/// The filter is in the network namespace that it was made in, wherever the link is dropped.
#[test]
fn a_filter_is_found_from_another_namespace() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = programs(DROP);
        let link = object
            .program("first")
            .unwrap()
            .attach_tc(&Tc::ingress("lo"))
            .unwrap();
        in_network(|| link.detach()).unwrap();
        assert_eq!(TcHook::ingress("lo").filters().unwrap(), []);
    });
}

#[test]
fn netkit_pairs_have_programs_on_both_sides() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = load_only("tc", &["for_primary", "for_peer"], |_| Ok(()));
        let object = object.expect("old kernels do not look at the attach type of these programs");
        let [primary, peer] = ["for_primary", "for_peer"].map(|name| object.program(name).unwrap());
        if pair("netkit", "nk", "np", 1500, 1).is_err() {
            let words = match check(&[Need::Linux(6, 7)]) {
                Ok(()) => "CONFIG_NETKIT",
                Err(_) => "needs Linux 6.7",
            };
            return refused(
                "netkit",
                primary.attach_netkit(&Netkit::primary("lo")),
                words,
            );
        }
        let on_lo = primary.attach_netkit(&Netkit::primary("lo")).unwrap_err();
        assert!(
            on_lo.hint().unwrap().contains("no netkit device"),
            "{on_lo}"
        );
        let on_peer = primary.attach_netkit(&Netkit::primary("np")).unwrap_err();
        assert!(
            on_peer.hint().unwrap().contains("name the primary device"),
            "{on_peer}"
        );

        address("nk", Ipv4Addr::new(10, 9, 1, 1));
        let link = primary.attach_netkit(&Netkit::primary("nk")).unwrap();
        let _second = peer.attach_netkit(&Netkit::peer("nk").first()).unwrap();
        let point = AttachPoint::netkit("nk", rawbpf::attach::NetkitSide::Primary).unwrap();
        assert_eq!(point.query().unwrap().programs[0].id, primary.id().unwrap());
        let socket = UdpSocket::bind("10.9.1.1:0").unwrap();
        until("a packet", || {
            let _ = socket.send_to(b"x", "10.9.1.2:9");
            number(&object, "first_count") > 0
        });
        works(
            "netkit",
            "packets are counted",
            number(&object, "first_count") > 0,
        );
        assert_eq!(link.info().unwrap().kind, LinkType::NETKIT);
        link.detach().unwrap();
        assert_eq!(point.query().unwrap().programs, []);
    });
}

#[test]
fn a_direction_can_be_queried() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = programs(NEXT);
        let point = AttachPoint::tcx("lo", Direction::Ingress).unwrap();
        let there = point.query();
        let Some(there) =
            unless_refused("tcx query", there, &[Need::Linux(6, 6)], "needs Linux 6.6")
        else {
            return;
        };
        assert_eq!(there.programs, []);
        let first = object.program("first").unwrap();
        let link = first.attach_tcx(&Tcx::ingress("lo")).unwrap();
        let there = point.query().unwrap();
        assert_eq!(there.programs.len(), 1);
        let same = there.programs[0].id == first.id().unwrap();
        assert_eq!(there.programs[0].link_id, Some(link.info().unwrap().id));
        works(
            "tcx query",
            "programs, links and revision are reported",
            same && there.revision > 0,
        );
    });
}
