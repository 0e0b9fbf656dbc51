//! Network namespaces: which socket a connection goes to, how packets are dissected.

use super::{address, in_network, load_only, number, pair, send_through_veth, until};
use crate::matrix::works;
use crate::support::Need;
use rawbpf::attach::{AttachPoint, Netns};
use rawbpf::load::Object;
use rawbpf::map::UpdateMode;
use rawbpf::{AttachType, Errno, ErrorKind, LinkType};
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

const OWN: &str = "/proc/thread-self/ns/net";

/// A value of a map of sockets.
pub(crate) fn socket(fd: RawFd) -> [u8; 8] {
    u64::try_from(fd).unwrap().to_ne_bytes()
}

/// A port that nobody listens on, whose connections the program steers.
const STEERED: u16 = 7_007;

fn steering() -> Object {
    load_only("sockets", &["steer"], |object| {
        object
            .variable_mut("steered_port")?
            .set(&u32::from(STEERED))
    })
    .unwrap()
}

#[test]
fn connections_go_to_the_socket_that_the_program_chooses() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    in_network(|| {
        let object = steering();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sockets = object.map("sockets").unwrap();
        sockets
            .insert(
                &0u32.to_ne_bytes(),
                &socket(listener.as_raw_fd()),
                UpdateMode::Any,
            )
            .unwrap();
        assert!(TcpStream::connect(("127.0.0.1", STEERED)).is_err());
        let program = object.program("steer").unwrap();
        let link = program.attach_netns(&Netns::own()).unwrap();
        let steered = TcpStream::connect(("127.0.0.1", STEERED)).unwrap();
        let (mut accepted, from) = listener.accept().unwrap();
        works(
            "sk_lookup",
            "a connection is taken by another port's socket",
            from == steered.local_addr().unwrap(),
        );
        drop(steered);
        assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
        assert_eq!(link.info().unwrap().kind, LinkType::NETNS);

        let own = File::open(OWN).unwrap();
        let point = AttachPoint::netns(&own, AttachType::SK_LOOKUP);
        assert_eq!(point.query().unwrap().programs[0].id, program.id().unwrap());
        let second = program.attach_netns(&Netns::of(&own)).unwrap();
        assert_eq!(point.query().unwrap().programs.len(), 2);
        second.detach().unwrap();
        link.detach().unwrap();
        assert!(TcpStream::connect(("127.0.0.1", STEERED)).is_err());
    });
}

#[test]
fn a_flow_dissector_takes_packets_apart() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    in_network(|| {
        // With several queues, the kernel looks into packets to choose one.
        pair("veth", "va", "vb", 1500, 2).unwrap();
        address("va", Ipv4Addr::new(10, 9, 0, 1));
        let object = load_only("sockets", &["dissect"], |_| Ok(())).unwrap();
        let program = object.program("dissect").unwrap();
        let own = File::open(OWN).unwrap();
        let point = AttachPoint::netns(&own, AttachType::FLOW_DISSECTOR);
        for (name, at) in [
            ("flow_dissector link", Netns::at(OWN)),
            ("flow_dissector without link", Netns::own().without_link()),
        ] {
            let link = program.attach_netns(&at).unwrap();
            let before = number(&object, "runs");
            until("a packet", || {
                send_through_veth();
                number(&object, "runs") > before
            });
            works(
                name,
                "packets are taken apart by the program",
                number(&object, "runs") > before,
            );
            assert_eq!(point.query().unwrap().programs.len(), 1);
            assert_eq!(
                link.fd().is_some(),
                name.ends_with(" link") && !name.contains("without")
            );
            let second = program.attach_netns(&Netns::own()).unwrap_err();
            assert!(
                matches!(second.errno(), Some(Errno::E2BIG | Errno::EEXIST)),
                "{second}"
            );
            link.detach().unwrap();
            assert_eq!(point.query().unwrap().programs, []);
        }
    });
}

#[test]
fn what_is_no_namespace_is_refused() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    in_network(|| {
        let object = steering();
        let program = object.program("steer").unwrap();
        let file = program.attach_netns(&Netns::at("/dev/null")).unwrap_err();
        assert!(file.hint().unwrap().contains("/run/netns/NAME"), "{file}");
        let missing = program
            .attach_netns(&Netns::at("/run/netns/no-such"))
            .unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let unlinked = program
            .attach_netns(&Netns::own().without_link())
            .unwrap_err();
        assert_eq!(unlinked.kind(), ErrorKind::Unsupported);
        let other = load_only("sockets", &["filter"], |_| Ok(())).unwrap();
        let other = other
            .program("filter")
            .unwrap()
            .attach_netns(&Netns::own())
            .unwrap_err();
        assert!(other.message().contains("socket_filter"), "{other}");
    });
}
