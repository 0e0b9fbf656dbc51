//! What the kernel reports about each kind of link for networks, cgroups and sockets.

use super::cgroup::loaded as asked;
use super::tc::programs;
use super::{DELETE_LINK, NAME, ask, in_network, link_body, load_only, pair, until, veth};
use crate::attach::details::told;
use crate::support::{Cgroup as OwnCgroup, Need, check};
use rawbpf::AttachType;
use rawbpf::attach::{
    Cgroup, Interface, Link, LinkDetails, Netfilter, NetfilterFamily, NetfilterHook, Netkit, Netns,
    Tcx, Xdp,
};
use rawbpf::load::Object;
use rawbpf::program::Program;
use rawbpf::sys::netlink::Request;
use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// What is reported about the object's only program once it is attached.
fn told_of(
    object: &Object,
    attach: impl FnOnce(&Program) -> rawbpf::Result<Link>,
) -> (Link, LinkDetails) {
    let program = &object.programs()[0];
    let link = attach(program).unwrap();
    let details = told(&link, program);
    (link, details)
}

#[test]
fn interfaces_are_told_by_index() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    in_network(|| {
        veth(1500);
        let interface = Interface::from("vb").index().unwrap();
        let object = load_only("xdp", &["count_packets"], |_| Ok(())).unwrap();
        let (xdp, details) = told_of(&object, |one| one.attach_xdp(&Xdp::on("vb")));
        assert_eq!(details, LinkDetails::Xdp { interface });
        let object = load_only("tc", &["second"], |_| Ok(())).unwrap();
        let tcx = check(&[Need::Linux(6, 6)]).is_ok().then(|| {
            let (tcx, details) = told_of(&object, |one| one.attach_tcx(&Tcx::egress("vb")));
            let attach_type = AttachType::TCX_EGRESS;
            let expected = LinkDetails::Tcx {
                interface,
                attach_type,
            };
            assert_eq!(details, expected);
            tcx
        });
        ask(&Request::new(DELETE_LINK, 0, &link_body(0)).text(NAME, "vb")).unwrap();
        let gone = xdp.info().unwrap().details;
        assert_eq!(gone, LinkDetails::Xdp { interface: 0 });
        if let Some(tcx) = tcx {
            let gone = tcx.info().unwrap().details;
            assert!(
                matches!(gone, LinkDetails::Tcx { interface: 0, .. }),
                "{gone:?}"
            );
        }
    });
}

#[test]
fn netkit_pairs_are_told_by_index() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 7));
    in_network(|| {
        if pair("netkit", "nk", "np", 1500, 1).is_err() {
            // Built without netkit: see the test of netkit itself.
            return;
        }
        let object = load_only("tc", &["for_primary"], |_| Ok(())).unwrap();
        let (_link, details) = told_of(&object, |one| one.attach_netkit(&Netkit::primary("nk")));
        let expected = LinkDetails::Netkit {
            interface: Interface::from("nk").index().unwrap(),
            attach_type: AttachType::NETKIT_PRIMARY,
        };
        assert_eq!(details, expected);
    });
}

#[test]
fn cgroups_and_namespaces_are_told_by_inode() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup, Need::Linux(5, 9));
    in_network(|| {
        let own = OwnCgroup::new();
        let folder = File::open(own.path()).unwrap();
        let object = asked("connect4", 1).unwrap();
        let (link, details) = told_of(&object, |one| one.attach_cgroup(&Cgroup::of(&folder)));
        let cgroup = |cgroup_id| LinkDetails::Cgroup {
            cgroup_id,
            attach_type: AttachType::CGROUP_INET4_CONNECT,
        };
        assert_eq!(details, cgroup(folder.metadata().unwrap().ino()));
        drop((folder, own));
        until("the kernel frees the cgroup", || {
            link.info().unwrap().details == cgroup(0)
        });

        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        let object = load_only("sockets", &["steer"], |_| Ok(())).unwrap();
        let (_link, details) = told_of(&object, |one| one.attach_netns(&Netns::own()));
        let expected = LinkDetails::Netns {
            inode: u32::try_from(namespace.metadata().unwrap().ino()).unwrap(),
            attach_type: AttachType::SK_LOOKUP,
        };
        assert_eq!(details, expected);
    });
}

#[test]
fn hooks_of_netfilter_are_told_by_number() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 4));
    in_network(|| {
        let object = load_only("sockets", &["pass_or_drop"], |_| Ok(())).unwrap();
        let at = Netfilter::new(NetfilterFamily::Ipv4, NetfilterHook::LocalIn).priority(-10);
        let (_link, details) = told_of(&object, |one| one.attach_netfilter(&at));
        // NFPROTO_IPV4, NF_INET_LOCAL_IN
        let expected = LinkDetails::Netfilter {
            family: 2,
            hook: 1,
            priority: -10,
            flags: 0,
        };
        assert_eq!(details, expected);
    });
}

#[test]
fn maps_of_sockets_are_told_by_id() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 10));
    in_network(|| {
        let object = load_only("sockets", &["redirect_sent"], |_| Ok(())).unwrap();
        let map = object.map("sockets").unwrap();
        let (_link, details) = told_of(&object, |one| one.attach_sockmap(map));
        let expected = LinkDetails::Sockmap {
            map_id: map.id().unwrap(),
            attach_type: AttachType::SK_MSG_VERDICT,
        };
        assert_eq!(details, expected);
    });
}

#[test]
fn all_links_are_met_by_who_walks_over_them() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 6));
    in_network(|| {
        let objects: Vec<_> = (0..5).map(|_| programs(-1)).collect();
        let attach = |object: &Object| {
            let program = object.program("first").unwrap();
            program.attach_tcx(&Tcx::ingress("lo")).unwrap()
        };
        let links: Vec<_> = objects.iter().map(attach).collect();
        let ids: Vec<_> = links.iter().map(|link| link.info().unwrap().id).collect();
        let met: Vec<u32> = Link::ids().map(Result::unwrap).collect();
        assert!(met.is_sorted());
        assert!(ids.iter().all(|id| met.contains(id)), "{ids:?} of {met:?}");
    });
}
