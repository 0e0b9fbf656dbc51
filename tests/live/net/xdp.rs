//! XDP: by link, by rtnetlink.

use super::{Wire, in_network, load_only, number, send_through_veth, until, veth};
use crate::matrix::{refused, unless_refused, works};
use crate::support::{Need, check};
use rawbpf::attach::{Interface, Xdp, XdpMode};
use rawbpf::load::Object;
use rawbpf::{Errno, ErrorKind, LinkType, ProgramFlags};

const UDP: i32 = 17;

fn dropping(protocol: i32) -> Object {
    load_only("xdp", &["count_packets"], |object| {
        object.variable_mut("drop_protocol")?.set(&protocol)
    })
    .unwrap()
}

fn seen(object: &Object) -> impl Fn() -> u64 {
    || number(object, "seen")
}

#[test]
fn a_link_drops_packets_until_it_is_dropped() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    in_network(|| {
        let object = dropping(UDP);
        let program = object.program("count_packets").unwrap();
        let wire = Wire::new();
        assert!(wire.passes());
        let link = program.attach_xdp(&Xdp::on("lo")).unwrap();
        works("xdp link", "packets are dropped", wire.drops(seen(&object)));
        assert_eq!(link.info().unwrap().kind, LinkType::XDP);
        let status = Xdp::on("lo").status().unwrap();
        assert_eq!(status.programs, [(XdpMode::Generic, program.id().unwrap())]);

        let error = program
            .attach_xdp(&Xdp::on("lo").mode(XdpMode::Generic))
            .unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EBUSY), "{error}");
        assert!(error.hint().unwrap().contains("(Generic)"), "{error}");
        link.detach().unwrap();
        assert!(wire.passes());
        assert_eq!(Xdp::on("lo").status().unwrap().programs, []);
    });
}

#[test]
fn rtnetlink_attaches_replaces_and_detaches() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let (drops, passes) = (dropping(UDP), dropping(-1));
        let [dropper, passer] =
            [&drops, &passes].map(|object| object.program("count_packets").unwrap());
        let wire = Wire::new();
        let at = Xdp::on("lo").without_link();
        let link = dropper.attach_xdp(&at).unwrap();
        works(
            "xdp by rtnetlink",
            "packets are dropped",
            wire.drops(seen(&drops)),
        );
        assert!(link.fd().is_none());
        assert!(link.info().unwrap_err().hint().unwrap().contains("5.9"));

        let error = passer.attach_xdp(&at).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EBUSY), "{error}");
        assert!(error.message().contains("the kernel says"), "{error}");
        assert!(error.hint().unwrap().contains("Xdp::replace"), "{error}");

        // The expected program is compared, and this one is not attached.
        let error = passer
            .attach_xdp(&Xdp::on("lo").replace(passer))
            .unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EEXIST), "{error}");
        let second = passer.attach_xdp(&Xdp::on("lo").replace(dropper)).unwrap();
        assert!(wire.passes());
        let error = link.detach().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("another program has taken its place"),
            "{error}"
        );
        let status = Xdp::on("lo").status().unwrap();
        assert_eq!(
            status.programs,
            [(XdpMode::Generic, passer.id().unwrap())],
            "that one stays"
        );
        drop(second);
        assert_eq!(Xdp::on("lo").status().unwrap().programs, []);
    });
}

#[test]
fn what_a_killed_process_would_leave_can_be_cleared() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = dropping(UDP);
        let at = Xdp::on("lo").without_link();
        object
            .program("count_packets")
            .unwrap()
            .attach_xdp(&at)
            .unwrap()
            .forget();
        let wire = Wire::new();
        assert!(wire.drops(seen(&object)), "it is still attached");
        at.clear().unwrap();
        assert!(wire.passes());
    });
}

#[test]
fn the_driver_of_a_veth_runs_programs() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    in_network(|| {
        veth(1500);
        let object = dropping(-1);
        let program = object.program("count_packets").unwrap();
        let at = Xdp::on("vb").mode(XdpMode::Native);
        let _link = program.attach_xdp(&at).unwrap();
        let udp = || {
            let counts = object.read_variable("by_protocol").unwrap();
            u64::from_ne_bytes(counts[17 * 8..18 * 8].try_into().unwrap())
        };
        until("a packet", || {
            send_through_veth();
            udp() > 0
        });
        works("xdp native", "packets are counted by protocol", udp() > 0);
        let status = at.status().unwrap();
        assert_eq!(status.programs, [(XdpMode::Native, program.id().unwrap())]);
        // NETDEV_XDP_ACT_BASIC
        let must_tell = check(&[Need::Linux(6, 3)]).is_ok();
        assert!(
            status
                .features
                .map_or(!must_tell, |features| features & 1 == 1),
            "{status:?}"
        );
    });
}

/// `XDP_DEV_BOUND_ONLY`: what such a program may call is fixed when it is loaded, so it is bound to that interface.
#[test]
fn a_program_for_one_interface_is_attached_there_only() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    in_network(|| {
        veth(1500);
        let bound_to = |ifindex| {
            load_only("xdp", &["count_packets"], |object| {
                object.variable_mut("drop_protocol")?.set(&-1)?;
                let program = object.program_mut("count_packets")?;
                program.set_flags(ProgramFlags::XDP_DEV_BOUND_ONLY);
                program.set_ifindex(ifindex);
                Ok(())
            })
        };
        let index = Interface::from("vb").index().unwrap();
        let object = match bound_to(index) {
            Ok(object) => object,
            Err(error) => {
                assert!(check(&[Need::Linux(6, 3)]).is_err(), "{error}");
                assert!(error.to_string().contains("Linux 6.3"), "{error}");
                return;
            }
        };
        let error = bound_to(4711).unwrap_err();
        assert!(error.hint().unwrap().contains("4711"), "{error}");
        let program = object.program("count_packets").unwrap();
        for other in [Xdp::on("va"), Xdp::on("vb").mode(XdpMode::Generic)] {
            let error = program.attach_xdp(&other).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::EINVAL), "{error}");
            assert!(error.hint().unwrap().contains("set_ifindex"), "{error}");
        }
        let _link = program.attach_xdp(&Xdp::on("vb")).unwrap();
        until("a packet", || {
            send_through_veth();
            number(&object, "seen") > 0
        });
    });
}

/// Without the flag the network card would have to run it, and a veth cannot.
#[test]
fn what_no_network_card_runs_is_refused_in_words() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        veth(1500);
        let index = Interface::from("vb").index().unwrap();
        let object = load_only("xdp", &["count_packets"], |object| {
            object.program_mut("count_packets")?.set_ifindex(index);
            Ok(())
        });
        let error = object.unwrap_err();
        assert!(error.hint().unwrap().contains("network card"), "{error}");
    });
}

#[test]
fn refusals_by_drivers_are_explained() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    in_network(|| {
        veth(9000);
        let object = dropping(-1);
        let program = object.program("count_packets").unwrap();
        let native = program.attach_xdp(&Xdp::on("lo").mode(XdpMode::Native));
        refused("xdp native on lo", native, "XdpMode::Generic");
        let card = program.attach_xdp(&Xdp::on("lo").mode(XdpMode::Offload));
        assert!(card.is_err(), "lo is no network card");

        let at = Xdp::on("vb").mode(XdpMode::Native);
        let by_link = program.attach_xdp(&at).unwrap_err();
        assert!(
            by_link.hint().unwrap().contains("the MTU of vb is 9000"),
            "{by_link}"
        );
        let by_netlink = program.attach_xdp(&at.without_link()).unwrap_err();
        assert!(
            by_netlink.message().contains("MTU"),
            "the kernel's words: {by_netlink}"
        );
    });
}

#[test]
fn packets_in_fragments_pass_the_mtu() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        veth(9000);
        let object = load_only("xdp", &["count_large_packets"], |_| Ok(()));
        let Some(object) = unless_refused("xdp.frags", object, &[Need::Linux(5, 18)], "5.18")
        else {
            return;
        };
        let at = Xdp::on("vb").mode(XdpMode::Native);
        let program = object.program("count_large_packets").unwrap();
        match program.attach_xdp(&at) {
            Ok(_link) => {
                until("a packet", || {
                    send_through_veth();
                    number(&object, "seen") > 0
                });
                works(
                    "xdp.frags",
                    "an interface with a large MTU is counted",
                    number(&object, "seen") > 0,
                );
            }
            // veth learned it in 6.0.
            error => refused("xdp.frags", error, "does not attach"),
        }
    });
}

#[test]
fn interfaces_that_do_not_exist_are_named_with_those_that_do() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        veth(1500);
        let object = dropping(-1);
        let program = object.program("count_packets").unwrap();
        let error = program.attach_xdp(&Xdp::on("vc")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error
                .message()
                .starts_with("there is no interface vc; did you mean `va` or `vb`?"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("lo (1)"), "{error}");
        for at in [
            Xdp::on(4711),
            Xdp::on(4711).without_link(),
            Xdp::on(0),
            Xdp::on("a name that is too long for one"),
        ] {
            let error = program.attach_xdp(&at).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        assert_eq!(
            Xdp::on(4711).status().unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            Xdp::on(4711).clear().unwrap_err().kind(),
            ErrorKind::NotFound
        );
    });
}
