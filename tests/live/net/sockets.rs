//! Single sockets and maps of sockets.

use super::netns::socket;
use super::{Wire, in_network, load_only, number};
use crate::matrix::{unless_refused, works};
use crate::support::{Need, check};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket as open, sockopt,
};
use rawbpf::attach::AttachPoint;
use rawbpf::load::Object;
use rawbpf::map::{Map, UpdateMode};
use rawbpf::{AttachType, Errno};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

fn loaded(program: &str, variable: Option<(&str, u32)>) -> Object {
    let object = load_only("sockets", &[program], |object| match variable {
        Some((name, value)) => object.variable_mut(name)?.set(&value),
        None => Ok(()),
    });
    object.unwrap()
}

#[test]
fn a_socket_receives_what_its_filter_keeps() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = loaded("filter", Some(("keep", 0)));
        let wire = Wire::new();
        let program = object.program("filter").unwrap();
        let link = program.attach_socket_filter(wire.receiver()).unwrap();
        works(
            "socket filter",
            "a packet is not received",
            wire.drops(|| number(&object, "runs")),
        );
        assert!(link.fd().is_none());
        link.detach().unwrap();
        assert!(wire.passes());

        // A UDP header has eight bytes; three of the text are kept.
        let cut = loaded("filter", Some(("keep", 11)));
        let _link = cut
            .program("filter")
            .unwrap()
            .attach_socket_filter(wire.receiver())
            .unwrap();
        wire.send().unwrap();
        assert_eq!(wire.receiver().recv(&mut [0; 16]).unwrap(), 3);

        let null = std::fs::File::open("/dev/null").unwrap();
        let error = program.attach_socket_filter(&null).unwrap_err();
        assert!(error.hint().unwrap().contains("no socket"), "{error}");
    });
}

/// Sockets that share a port.
fn sharers(count: usize) -> Vec<UdpSocket> {
    let mut sockets: Vec<UdpSocket> = Vec::new();
    for _ in 0..count {
        let fd = open(
            AddressFamily::Inet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .unwrap();
        setsockopt(&fd, sockopt::ReusePort, &true).unwrap();
        let port = sockets
            .first()
            .map_or(0, |first| first.local_addr().unwrap().port());
        bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)).unwrap();
        let socket = UdpSocket::from(fd);
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        sockets.push(socket);
    }
    sockets
}

/// Whether each of several packets, from different senders, is received by this socket.
fn all_reach(receiver: &UdpSocket) -> bool {
    let to: SocketAddr = receiver.local_addr().unwrap();
    (0..6).all(|_| {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"x", to).unwrap();
        matches!(receiver.recv(&mut [0; 4]), Ok(1))
    })
}

#[test]
fn a_program_chooses_among_sockets_that_share_a_port() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        for chosen in [0, 1] {
            let sockets = sharers(2);
            let receiver = &sockets[chosen as usize];
            let object = loaded("number", Some(("chosen", chosen)));
            let link = object
                .program("number")
                .unwrap()
                .attach_reuseport(&sockets[0])
                .unwrap();
            works(
                "reuseport by number",
                "packets reach the chosen socket",
                all_reach(receiver),
            );
            assert!(number(&object, "runs") >= 6);
            link.detach().unwrap();

            let object = loaded("choose", Some(("chosen", chosen)));
            let map = object.map("sharers").unwrap();
            for (index, sharer) in (0u32..).zip(&sockets) {
                map.insert(
                    &index.to_ne_bytes(),
                    &socket(sharer.as_raw_fd()),
                    UpdateMode::Any,
                )
                .unwrap();
            }
            let _link = object
                .program("choose")
                .unwrap()
                .attach_reuseport(&sockets[0])
                .unwrap();
            works(
                "sk_reuseport",
                "packets reach the chosen socket",
                all_reach(receiver),
            );
            assert!(number(&object, "runs") >= 6);
        }
        let plain = UdpSocket::bind("127.0.0.1:0").unwrap();
        let object = loaded("number", None);
        let error = object
            .program("number")
            .unwrap()
            .attach_reuseport(&plain)
            .unwrap_err();
        assert!(error.hint().unwrap().contains("SO_REUSEPORT"), "{error}");
    });
}

/// Both ends of a connection.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    for end in [&one, &other] {
        end.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    (one, other)
}

fn put(map: &Map, index: u32, stream: &TcpStream) {
    map.insert(
        &index.to_ne_bytes(),
        &socket(stream.as_raw_fd()),
        UpdateMode::Any,
    )
    .unwrap();
}

fn reads(stream: &mut TcpStream, text: &[u8]) -> bool {
    let mut buffer = vec![0; text.len()];
    stream.read_exact(&mut buffer).is_ok() && buffer == text
}

#[test]
fn what_a_socket_sends_is_received_by_another() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = loaded("redirect_sent", None);
        let program = object.program("redirect_sent").unwrap();
        let map = object.map("sockets").unwrap();
        let link = program.attach_sockmap(map).unwrap();
        let must_link = check(&[Need::Linux(6, 10)]).is_ok();
        assert!(link.fd().is_some() || !must_link);
        let (mut one, _one) = connection();
        let (mut two, _two) = connection();
        put(map, 0, &one);
        put(map, 1, &two);
        one.write_all(b"hello").unwrap();
        works(
            "sk_msg",
            "what one socket sends, another receives",
            reads(&mut two, b"hello"),
        );
        assert_eq!(number(&object, "runs"), 1);
        let point = AttachPoint::sockmap(map, AttachType::SK_MSG_VERDICT);
        if check(&[Need::Linux(5, 19)]).is_ok() {
            assert_eq!(point.query().unwrap().programs[0].id, program.id().unwrap());
        }
        link.detach().unwrap();
        if check(&[Need::Linux(5, 19)]).is_ok() {
            assert_eq!(point.query().unwrap().programs, []);
        }
        let (mut three, mut far) = connection();
        put(map, 0, &three);
        three.write_all(b"plain").unwrap();
        assert!(reads(&mut far, b"plain"));
    });
}

#[test]
fn what_a_socket_receives_goes_out_of_another() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = loaded("redirect_received", None);
        let map = object.map("sockets").unwrap();
        let _link = object
            .program("redirect_received")
            .unwrap()
            .attach_sockmap(map)
            .unwrap();
        let (mut sender, receiver) = connection();
        let (relay, mut far) = connection();
        put(map, 0, &receiver);
        put(map, 1, &relay);
        sender.write_all(b"hello").unwrap();
        works(
            "sk_skb/stream_verdict",
            "what one socket receives, another sends on",
            reads(&mut far, b"hello"),
        );
    });
}

#[test]
fn datagrams_are_judged_too() {
    require!(Need::Bpf, Need::Btf);
    in_network(|| {
        let object = load_only("sockets", &["drop_received"], |_| Ok(()));
        let since = [Need::Linux(5, 13)];
        let Some(object) = unless_refused("sk_skb/verdict", object, &since, "5.13") else {
            return;
        };
        let program = object.program("drop_received").unwrap();
        let map = object.map("sockets").unwrap();
        let link = program.attach_sockmap(map);
        let Some(link) = unless_refused("sk_skb/verdict", link, &since, "needs Linux 5.13") else {
            return;
        };
        let wire = Wire::new();
        map.insert(
            &0u32.to_ne_bytes(),
            &socket(wire.receiver().as_raw_fd()),
            UpdateMode::Any,
        )
        .unwrap();
        works(
            "sk_skb/verdict",
            "a datagram is dropped",
            wire.drops(|| number(&object, "runs")),
        );
        if link.fd().is_some() {
            let error = program.attach_sockmap(map).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::EBUSY), "{error}");
        }
        let array = object
            .maps()
            .iter()
            .find(|map| map.name() == ".bss")
            .unwrap();
        let error = program.attach_sockmap(array).unwrap_err();
        assert!(
            error.hint().unwrap().contains("sockmap or sockhash"),
            "{error}"
        );
    });
}
