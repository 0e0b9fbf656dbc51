//! Programs that decide about packets, sockets and cgroups: a file for each kind of target. Each test has a network
//! namespace of its own, whose interfaces it creates itself.

mod anchors;
mod cgroup;
mod details;
mod killed;
mod netfilter;
mod netns;
mod sockets;
mod tc;
mod xdp;

use crate::load::load_fixture;
use crate::support::{in_own_network, lift_memlock};
use rawbpf::attach::Interface;
use rawbpf::load::Object;
use rawbpf::open::OpenObject;
use rawbpf::sys::netlink::{Family, Netlink, Refusal, Request};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

pub(crate) use crate::attach::number;

/// `RTM_NEWLINK`, `RTM_DELLINK`, `RTM_NEWADDR`
const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
/// `IFLA_IFNAME`, `IFLA_MTU`, `IFLA_LINKINFO`, `IFLA_INFO_KIND`, `IFLA_INFO_DATA`, `IFLA_NUM_TX_QUEUES`
const NAME: u16 = 3;
const MTU: u16 = 4;
const INFO: u16 = 18;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const TX_QUEUES: u16 = 31;
/// `IFF_UP`
const UP: u32 = 1;

/// Runs `job` in a network namespace with a working loopback interface.
pub(crate) fn in_network<T: Send>(job: impl FnOnce() -> T + Send) -> T {
    in_own_network(|| {
        lift_memlock();
        up("lo");
        job()
    })
}

fn ask(request: &Request) -> Result<(), Refusal> {
    let mut netlink = Netlink::open(Family::Route).unwrap();
    netlink.ask(request).map(drop)
}

/// `struct ifinfomsg`
fn link_body(flags: u32) -> Vec<u8> {
    [0, 0, flags, flags]
        .iter()
        .flat_map(|word: &u32| word.to_ne_bytes())
        .collect()
}

/// Sets an interface up.
pub(crate) fn up(name: &str) {
    ask(&Request::new(NEW_LINK, 0, &link_body(UP)).text(NAME, name)).unwrap();
}

/// Creates a pair of connected interfaces, both up. With several queues, the kernel chooses one for each packet.
pub(crate) fn pair(
    kind: &str,
    name: &str,
    peer: &str,
    mtu: u32,
    queues: u32,
) -> Result<(), Refusal> {
    /// `VETH_INFO_PEER`, `IFLA_NETKIT_PEER_INFO`
    const PEER: u16 = 1;
    let mut about_peer = link_body(0);
    about_peer.extend(u16::try_from(4 + peer.len() + 1).unwrap().to_ne_bytes());
    about_peer.extend(NAME.to_ne_bytes());
    about_peer.extend(peer.bytes());
    about_peer.push(0);
    let request = Request::new(
        NEW_LINK,
        Request::CREATE | Request::EXCLUSIVE,
        &link_body(0),
    )
    .text(NAME, name)
    .number(MTU, mtu)
    .number(TX_QUEUES, queues)
    .nested(INFO, |info| {
        let info = info.text(INFO_KIND, kind);
        info.nested(INFO_DATA, |data| data.attribute(PEER, &about_peer))
    });
    ask(&request)?;
    let mtu_of_peer = Request::new(NEW_LINK, 0, &link_body(0))
        .text(NAME, peer)
        .number(MTU, mtu);
    ask(&mtu_of_peer)?;
    up(name);
    up(peer);
    Ok(())
}

/// A veth pair `va` and `vb`; `va` has the address 10.9.0.1/24.
pub(crate) fn veth(mtu: u32) {
    pair("veth", "va", "vb", mtu, 1).expect("a veth pair");
    address("va", Ipv4Addr::new(10, 9, 0, 1));
}

/// Gives an interface an IPv4 address in a network of 256.
pub(crate) fn address(name: &str, address: Ipv4Addr) {
    /// `IFA_LOCAL`, `IFA_BROADCAST`
    const LOCAL: u16 = 2;
    const BROADCAST: u16 = 4;
    let mut body = vec![2, 24, 0, 0];
    body.extend(Interface::from(name).index().unwrap().to_ne_bytes());
    let [a, b, c, _] = address.octets();
    let request = Request::new(NEW_ADDRESS, Request::CREATE | Request::EXCLUSIVE, &body)
        .attribute(LOCAL, &address.octets())
        .attribute(BROADCAST, &[a, b, c, 255]);
    ask(&request).unwrap();
}

/// Sends something from `va`, which arrives at `vb`.
pub(crate) fn send_through_veth() {
    let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();
    // Nobody answers; a program may drop it on the way.
    let _ = socket.send_to(b"x", "10.9.0.255:9");
}

/// A fixture with only these programs loaded.
pub(crate) fn load_only(
    name: &str,
    programs: &[&str],
    edit: impl FnOnce(&mut OpenObject) -> rawbpf::Result<()>,
) -> rawbpf::Result<Object> {
    load_fixture(name, |object| {
        for program in object.programs_mut() {
            let wanted = programs.contains(&program.name());
            program.set_autoload(wanted);
        }
        edit(object)
    })
}

/// Waits until something has been seen: packets travel on after `send` returns.
pub(crate) fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !seen() {
        assert!(Instant::now() < deadline, "not seen: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Two sockets on the loopback interface; what one sends, the other receives.
pub(crate) struct Wire {
    sender: UdpSocket,
    receiver: UdpSocket,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self { sender, receiver }
    }

    pub(crate) fn receiver(&self) -> &UdpSocket {
        &self.receiver
    }

    pub(crate) fn send(&self) -> io::Result<()> {
        self.sender
            .send_to(b"packet", self.receiver.local_addr()?)
            .map(drop)
    }

    /// Whether a packet arrives.
    pub(crate) fn passes(&self) -> bool {
        self.send().unwrap();
        let mut buffer = [0; 16];
        matches!(self.receiver.recv(&mut buffer), Ok(length) if length == b"packet".len())
    }

    /// Whether a packet that a program has seen does not arrive. `count` returns how many it has seen.
    pub(crate) fn drops(&self, count: impl Fn() -> u64) -> bool {
        let before = count();
        let _ = self.send();
        until("the program runs", || count() > before);
        // It would be behind the dropped one, if that had not been dropped.
        self.receiver.set_nonblocking(true).unwrap();
        let received = self.receiver.recv(&mut [0; 16]);
        self.receiver.set_nonblocking(false).unwrap();
        matches!(received, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }
}
