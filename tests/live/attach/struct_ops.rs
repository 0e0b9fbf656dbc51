//! Attaching `struct_ops` maps.

use super::number;
use crate::load::load_fixture;
use crate::matrix::{unless_refused, works};
use crate::support::{Need, in_own_network};
use nix::sys::socket::{setsockopt, sockopt::TcpCongestion};
use rawbpf::attach::{Link, LinkDetails};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

/// Sends a megabyte over a connection with this congestion control, and returns how much arrived.
fn send_a_megabyte(congestion_control: &str) -> usize {
    const SIZE: usize = 1 << 20;
    in_own_network(|| {
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        setsockopt(&sender, TcpCongestion, &congestion_control.into()).unwrap();
        let (mut receiver, _) = listener.accept().unwrap();
        std::thread::scope(|scope| {
            let sent = scope.spawn(move || sender.write_all(&vec![7; SIZE]));
            let mut received = Vec::new();
            receiver.read_to_end(&mut received).unwrap();
            sent.join().unwrap().unwrap();
            received.len()
        })
    })
}

#[test]
fn a_congestion_control_carries_a_connection() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 6));
    let object = load_fixture("struct_ops", |_| Ok(())).unwrap();
    let mut links = object.attach().unwrap();
    let available = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let registered = || fs::read_to_string(available).unwrap().contains("rawbpf_cc");
    assert!(registered());
    let mut link = links.take("rawbpf_cc").unwrap();
    let error = link.pin("/sys/fs/bpf/rawbpf-cc").unwrap_err();
    assert!(
        error.hint().unwrap().contains(".struct_ops.link"),
        "{error}"
    );
    let received = send_a_megabyte("rawbpf_cc");
    let carried = received == 1 << 20 && number(&object, "acks") > 0;
    works(
        "struct_ops",
        "a congestion control carries a connection",
        carried,
    );
    link.detach().unwrap();
    let error = object
        .attach_struct_ops("rawbpf_c")
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean `rawbpf_cc`"), "{error}");
}

#[test]
fn a_congestion_control_takes_the_place_of_another() {
    const ROW: &str = "struct_ops.link";
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 6));
    let attached = load_fixture("struct_ops_link", |_| Ok(())).and_then(|object| {
        let link = object.attach_struct_ops("first")?;
        Ok((object, link))
    });
    let attached = unless_refused(ROW, attached, &[Need::Linux(6, 4)], "Linux 6.4");
    let Some((object, link)) = attached else {
        return;
    };
    let acks = || ["first_acks", "second_acks"].map(|name| number(&object, name) > 0);
    assert_eq!(send_a_megabyte("rawbpf_linked"), 1 << 20);
    assert_eq!(acks(), [true, false]);
    link.update_map(&object, "second").unwrap();
    assert_eq!(send_a_megabyte("rawbpf_linked"), 1 << 20);
    works(
        ROW,
        "updated, another congestion control carries the next connection",
        acks() == [true, true],
    );
    let LinkDetails::StructOps { map_id } = link.info().unwrap().details else {
        panic!("{:?}", link.info());
    };
    let second = object.map("second").unwrap().info().unwrap().id;
    assert_eq!(map_id, second);
    let names = Link::from_id(link.info().unwrap().id).unwrap();
    assert_eq!(names.name(), "second", "as the kernel calls the map");
}
