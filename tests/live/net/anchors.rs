//! Positions in an order: before, after, first, last, instead of; revisions.
//!
//! Links are detached, not dropped: a process that another test is just starting may hold a copy of the descriptor.

use super::tc::programs;
use super::{Wire, in_network, load_only, number};
use crate::matrix::{refused, unless_refused, works};
use crate::support::{Cgroup as OwnCgroup, Need, lift_memlock};
use rawbpf::attach::{Anchor, AttachOptions, AttachPoint, Cgroup, CgroupMode, Direction, Tcx};
use rawbpf::load::Object;
use rawbpf::{AttachType, Errno, ErrorKind};

/// Whether `first` ran before `second` on a packet that is sent now.
fn first_runs_first(object: &Object) -> bool {
    assert!(Wire::new().passes());
    let [first, second] = ["first_at", "second_at"].map(|name| number(object, name));
    assert!(first > 0 && second > 0, "both run");
    first < second
}

#[test]
fn programs_of_an_interface_are_ordered() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = programs(-1);
        let [first, second] = ["first", "second"].map(|name| object.program(name).unwrap());
        let other = first.attach_tcx(&Tcx::ingress("lo")).unwrap();
        let at = Tcx::ingress("lo");
        let words = "needs Linux 6.6";
        let before = second.attach_tcx(&at.clone().before(first));
        let before = unless_refused("tcx before", before, &[Need::Linux(6, 6)], words);
        let Some(before) = before else {
            for (row, at) in [
                ("tcx first", at.clone().first()),
                ("tcx replace", at.clone().replace(first)),
                ("tcx revision", at.expected_revision(1)),
            ] {
                refused(row, second.attach_tcx(&at), words);
            }
            return;
        };
        before.detach().unwrap();
        let id = other.info().unwrap().id;
        let before = second.attach_tcx(&at.clone().before(&other)).unwrap();
        works(
            "tcx before",
            "the program runs before the other",
            !first_runs_first(&object),
        );
        before.detach().unwrap();
        for after in [
            at.clone().after(&other),
            at.clone().after(Anchor::link_id(id)),
            at.clone().last(),
        ] {
            let link = second.attach_tcx(&after).unwrap();
            assert!(first_runs_first(&object), "{after:?}");
            link.detach().unwrap();
        }
        let link = second.attach_tcx(&at.clone().first()).unwrap();
        works(
            "tcx first",
            "the program runs before the other",
            !first_runs_first(&object),
        );
        link.detach().unwrap();
        let link = second.attach_tcx(&at.clone().before(first)).unwrap();
        assert!(
            !first_runs_first(&object),
            "a program is an anchor, though a link holds it"
        );
        link.detach().unwrap();
        let error = second.attach_tcx(&at.clone().before(second)).unwrap_err();
        assert!(
            error.hint().unwrap().contains("not attached here"),
            "{error}"
        );

        let point = AttachPoint::tcx("lo", Direction::Ingress).unwrap();
        let revision = point.query().unwrap().revision;
        let stale = second
            .attach_tcx(&at.clone().expected_revision(revision + 1))
            .unwrap_err();
        assert_eq!(stale.errno(), Some(Errno::ESTALE), "{stale}");
        let link = second.attach_tcx(&at.expected_revision(revision)).unwrap();
        works(
            "tcx revision",
            "only the revision that is there is taken",
            point.query().unwrap().revision > revision,
        );
        link.detach().unwrap();
    });
}

#[test]
fn a_program_without_a_link_is_replaced() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 6));
    in_network(|| {
        let object = programs(-1);
        let [first, second] = ["first", "second"].map(|name| object.program(name).unwrap());
        let point = AttachPoint::tcx("lo", Direction::Ingress).unwrap();
        let ids = || -> Vec<u32> {
            point
                .query()
                .unwrap()
                .programs
                .iter()
                .map(|one| one.id)
                .collect()
        };
        point.attach(first, &AttachOptions::new()).unwrap();
        let link = second
            .attach_tcx(&Tcx::ingress("lo").replace(first))
            .unwrap();
        works(
            "tcx replace",
            "the other program is gone",
            ids() == [second.id().unwrap()],
        );
        assert!(link.fd().is_none());
        // It is an anchor, though it is not a link.
        let third = first.attach_tcx(&Tcx::ingress("lo").before(&link)).unwrap();
        assert_eq!(ids(), [first.id().unwrap(), second.id().unwrap()]);
        third.detach().unwrap();
        let error = point.detach(first).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOENT), "{error}");
        link.detach().unwrap();
        assert_eq!(ids(), []);
        point.attach(first, &AttachOptions::new()).unwrap();
        point
            .attach(second, &AttachOptions::new().before(first))
            .unwrap();
        assert_eq!(ids(), [second.id().unwrap(), first.id().unwrap()]);
        point
            .detach_with(None, &AttachOptions::new().first())
            .unwrap();
        assert_eq!(ids(), [first.id().unwrap()]);
        point.detach(first).unwrap();
    });
}

#[test]
fn programs_of_a_cgroup_are_ordered() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup);
    lift_memlock();
    let own = OwnCgroup::new();
    let folder = std::fs::File::open(own.path()).unwrap();
    let object = load_only("cgroup", &["connect4", "other_connect4"], |_| Ok(())).unwrap();
    let [first, second] = ["connect4", "other_connect4"].map(|name| object.program(name).unwrap());
    let link = first.attach_cgroup(&Cgroup::of(&folder)).unwrap();
    let wanted = Cgroup::of(&folder).before(&link);
    let before = second.attach_cgroup(&wanted);
    let since = [Need::Linux(6, 17)];
    let before = unless_refused("cgroup before", before, &since, "needs Linux 6.17");
    let Some(before) = before else { return };
    let point = AttachPoint::cgroup(&folder, AttachType::CGROUP_INET4_CONNECT);
    let there = point.query().unwrap();
    let ids: Vec<_> = there.programs.iter().map(|one| one.id).collect();
    let right = ids == [second.id().unwrap(), first.id().unwrap()];
    works(
        "cgroup before",
        "the program is ordered before the other",
        right,
    );
    before.detach().unwrap();
    let stale = second.attach_cgroup(&Cgroup::of(&folder).expected_revision(there.revision));
    assert_eq!(stale.unwrap_err().errno(), Some(Errno::ESTALE));
}

#[test]
fn a_program_runs_before_those_of_the_cgroups_below() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup);
    lift_memlock();
    let own = OwnCgroup::new();
    let below = own.path().join("below");
    std::fs::create_dir(&below).unwrap();
    let object = load_only("cgroup", &["connect4", "other_connect4"], |_| Ok(())).unwrap();
    let [above, beneath] = ["connect4", "other_connect4"].map(|name| object.program(name).unwrap());
    for (row, since, at) in [
        ("cgroup preorder", (6, 17), Cgroup::at(own.path())),
        (
            "cgroup preorder without link",
            (6, 15),
            Cgroup::at(own.path()).without_link(CgroupMode::Multi),
        ),
    ] {
        let attached = above.attach_cgroup(&at.clone().preorder());
        let (major, minor) = since;
        let words = format!("needs Linux {major}.{minor}");
        let since = [Need::Linux(major, minor)];
        let Some(first) = unless_refused(row, attached, &since, &words) else {
            continue;
        };
        let folder = std::fs::File::open(&below).unwrap();
        let point = AttachPoint::cgroup(&folder, AttachType::CGROUP_INET4_CONNECT);
        let effective = || -> Vec<u32> {
            let there = point.query_effective().unwrap();
            there.programs.iter().map(|one| one.id).collect()
        };
        let second = beneath.attach_cgroup(&Cgroup::of(&folder)).unwrap();
        let [above_id, beneath_id] = [above, beneath].map(|program| program.id().unwrap());
        let early = effective() == [above_id, beneath_id];
        first.detach().unwrap();
        // Without the flag, those below run first.
        let plain = above.attach_cgroup(&at).unwrap();
        let late = effective() == [beneath_id, above_id];
        plain.detach().unwrap();
        second.detach().unwrap();
        works(
            row,
            "the program runs before one of a cgroup below",
            early && late,
        );
    }
    std::fs::remove_dir(&below).unwrap();
}

#[test]
fn a_socket_filter_is_no_anchor_of_an_interface() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 6));
    in_network(|| {
        let object = programs(-1);
        let [first, second] = ["first", "second"].map(|name| object.program(name).unwrap());
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets = load_only("sockets", &["filter"], |_| Ok(())).unwrap();
        let filter = sockets
            .program("filter")
            .unwrap()
            .attach_socket_filter(&socket)
            .unwrap();
        let _link = first.attach_tcx(&Tcx::ingress("lo")).unwrap();
        let error = second
            .attach_tcx(&Tcx::ingress("lo").before(&filter))
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Kernel | ErrorKind::InvalidArgument),
            "{error}"
        );
    });
}
