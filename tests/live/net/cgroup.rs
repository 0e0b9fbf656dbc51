//! Cgroups: each attach type with its effect on a process in the cgroup.
//!
//! A cgroup contains whole processes: a child of the test program moves into it and follows orders over a pipe.

use super::{in_network, load_only, number};
use crate::matrix::{unless_refused, works};
use crate::support::{Cgroup as OwnCgroup, Need, check, lift_memlock};
use rawbpf::attach::{AttachOptions, AttachPoint, Cgroup, CgroupMode};
use rawbpf::load::Object;
use rawbpf::{AttachType, Errno, ErrorKind, LinkType};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The cgroup of a child; set only in the child.
const FOLDER: &str = "RAWBPF_TEST_CGROUP";
const REPLY: &str = "reply: ";

/// A process in a cgroup.
struct Inmate {
    child: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Inmate {
    fn new(cgroup: &Path) -> Self {
        let mut child = Command::new("/proc/self/exe")
            .args(["--exact", "net::cgroup::an_inmate", "--nocapture"])
            .env(FOLDER, cgroup)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let replies = BufReader::new(child.stdout.take().unwrap());
        let mut inmate = Self {
            child,
            orders,
            replies,
        };
        assert_eq!(inmate.reply(), "here");
        inmate
    }

    fn reply(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(
                self.replies.read_line(&mut line).unwrap() > 0,
                "the inmate ended"
            );
            // The child's test harness prints things, too, even on the same line.
            if let Some((_, reply)) = line.split_once(REPLY) {
                return reply.trim_end().to_owned();
            }
        }
    }

    /// `None` if it works, or the error.
    fn error_of(&mut self, order: &str) -> Option<Errno> {
        writeln!(self.orders, "{order}").unwrap();
        match self.reply().as_str() {
            "ok" => None,
            number => Some(Errno(number.parse().unwrap())),
        }
    }
}

impl Drop for Inmate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's work; a test that does nothing outside the child.
#[test]
fn an_inmate() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    fs::write(Path::new(&folder).join("cgroup.procs"), "0").unwrap();
    println!("{REPLY}here");
    for order in io::stdin().lines() {
        match obey(&order.unwrap()) {
            Ok(()) => println!("{REPLY}ok"),
            Err(error) => println!("{REPLY}{}", error.raw_os_error().unwrap_or(-1)),
        }
    }
}

fn obey(order: &str) -> io::Result<()> {
    let (what, family) = order.split_at(order.find([' ']).unwrap_or(order.len()));
    let local = if family == " 6" {
        "[::1]:0"
    } else {
        "127.0.0.1:0"
    };
    let unix = std::env::temp_dir().join(format!("rawbpf-test-{}.socket", std::process::id()));
    let _ = fs::remove_file(&unix);
    match (what, family) {
        ("bind", _) => UdpSocket::bind(local).map(drop),
        ("connect", " unix") => {
            let _listener = UnixListener::bind(&unix)?;
            UnixStream::connect(&unix).map(drop)
        }
        ("connect", _) => {
            let listener = TcpListener::bind(local)?;
            TcpStream::connect(listener.local_addr()?).map(drop)
        }
        ("names", " unix") => {
            let listener = UnixListener::bind(&unix)?;
            listener.local_addr()?;
            UnixStream::connect(&unix)?.peer_addr().map(drop)
        }
        ("names", _) => {
            let socket = UdpSocket::bind(local)?;
            socket.connect(socket.local_addr()?)?;
            socket.peer_addr().map(drop)
        }
        ("send", " unix") => {
            let receiver = UnixDatagram::bind(&unix)?;
            UnixDatagram::unbound()?.send_to(b"x", &unix)?;
            receiver.recv_from(&mut [0; 4]).map(drop)
        }
        ("send", _) => {
            let (sender, receiver) = (UdpSocket::bind(local)?, UdpSocket::bind(local)?);
            receiver.set_read_timeout(Some(std::time::Duration::from_millis(300)))?;
            sender.send_to(b"x", receiver.local_addr()?)?;
            receiver.recv_from(&mut [0; 4]).map(drop)
        }
        ("setsockopt", _) => UdpSocket::bind(local)?.set_broadcast(true),
        ("getsockopt", _) => UdpSocket::bind(local)?.broadcast().map(drop),
        ("sysctl", _) => fs::read("/proc/sys/kernel/hostname").map(drop),
        ("device", _) => File::open("/dev/null").map(drop),
        _ => Err(io::Error::from_raw_os_error(libc::ENOTTY)),
    }
}

/// One attach type: the program, what the inmate does, how that fails if the program says no (`None`: it cannot).
struct Row {
    program: &'static str,
    order: &'static str,
    refusal: Option<Errno>,
    since: (u32, u32),
}

const fn row(
    program: &'static str,
    order: &'static str,
    refusal: Option<Errno>,
    since: (u32, u32),
) -> Row {
    Row {
        program,
        order,
        refusal,
        since,
    }
}

const NO: Option<Errno> = Some(Errno::EPERM);
const UNIX: (u32, u32) = (6, 7);

const ROWS: [Row; 31] = [
    row("skb_ingress", "send", Some(Errno::EAGAIN), (4, 10)),
    row("skb_egress", "send", NO, (4, 10)),
    row("sock_create", "bind", NO, (4, 10)),
    row("sock_release", "bind", None, (5, 9)),
    row("sock_any", "bind", NO, (4, 10)),
    row("post_bind4", "bind", NO, (4, 17)),
    row("post_bind6", "bind 6", NO, (4, 17)),
    row("bind4", "bind", NO, (4, 17)),
    row("bind6", "bind 6", NO, (4, 17)),
    row("connect4", "connect", NO, (4, 17)),
    row("connect6", "connect 6", NO, (4, 17)),
    row("connect_unix", "connect unix", NO, UNIX),
    row("sendmsg4", "send", NO, (4, 18)),
    row("sendmsg6", "send 6", NO, (4, 18)),
    row("sendmsg_unix", "send unix", NO, UNIX),
    row("recvmsg4", "send", None, (5, 2)),
    row("recvmsg6", "send 6", None, (5, 2)),
    row("recvmsg_unix", "send unix", None, UNIX),
    row("getpeername4", "names", None, (5, 8)),
    row("getpeername6", "names 6", None, (5, 8)),
    row("getpeername_unix", "names unix", None, UNIX),
    row("getsockname4", "names", None, (5, 8)),
    row("getsockname6", "names 6", None, (5, 8)),
    row("getsockname_unix", "names unix", None, UNIX),
    row("sysctl", "sysctl", NO, (5, 2)),
    row("device", "device", NO, (4, 15)),
    row("getsockopt", "getsockopt", NO, (5, 3)),
    row("setsockopt", "setsockopt", NO, (5, 3)),
    row("sockops", "connect", None, (4, 13)),
    row("skb_any", "send", Some(Errno::EAGAIN), (4, 10)),
    row("lsm_bind", "bind", NO, (6, 0)),
];

pub(crate) fn loaded(program: &str, allow: u32) -> rawbpf::Result<Object> {
    load_only("cgroup", &[program], |object| {
        object.variable_mut("allow")?.set(&allow)
    })
}

fn try_row(row: &Row, folder: &File, inmate: &mut Inmate) {
    let name = format!("cgroup: {}", row.program);
    let object = loaded(row.program, 1);
    let (major, minor) = row.since;
    let since = Need::Linux(major, minor);
    let (needs, words) = match row.program {
        "lsm_bind" if check(&[since]).is_ok() => (vec![since, Need::Lsm], "lockdown".to_owned()),
        _ => (vec![since], format!("{major}.{minor}")),
    };
    let Some(object) = unless_refused(&name, object, &needs, &words) else {
        return;
    };
    assert_eq!(inmate.error_of(row.order), None, "{name}: before");
    let link = object
        .program(row.program)
        .unwrap()
        .attach_cgroup(&Cgroup::of(folder))
        .unwrap();
    assert_eq!(inmate.error_of(row.order), None, "{name}: allowed");
    assert!(number(&object, "runs") > 0, "{name} runs");
    assert_eq!(link.info().unwrap().kind, LinkType::CGROUP);
    link.detach().unwrap();
    let Some(expected) = row.refusal else {
        return works(&name, "the program is asked", true);
    };
    let object = loaded(row.program, 0).unwrap();
    let link = object
        .program(row.program)
        .unwrap()
        .attach_cgroup(&Cgroup::of(folder))
        .unwrap();
    let error = inmate.error_of(row.order);
    works(&name, "the program refuses it", error == Some(expected));
    link.detach().unwrap();
    assert_eq!(inmate.error_of(row.order), None, "{name}: after");
}

#[test]
fn every_attach_type_of_cgroups_has_its_effect() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup);
    in_network(|| {
        let own = OwnCgroup::new();
        let folder = File::open(own.path()).unwrap();
        let mut inmate = Inmate::new(own.path());
        for row in &ROWS {
            try_row(row, &folder, &mut inmate);
        }
    });
}

/// For attaching without a link: an object with programs that allow and refuse to connect, and a cgroup with a process.
struct Unlinked {
    own: OwnCgroup,
    folder: File,
    allows: Object,
    refuses: Object,
}

impl Unlinked {
    fn new() -> Self {
        lift_memlock();
        let own = OwnCgroup::new();
        let folder = File::open(own.path()).unwrap();
        Self {
            own,
            folder,
            allows: loaded("connect4", 1).unwrap(),
            refuses: loaded("connect4", 0).unwrap(),
        }
    }

    fn point(&self) -> AttachPoint<'_> {
        AttachPoint::cgroup(&self.folder, AttachType::CGROUP_INET4_CONNECT)
    }

    fn ids(&self) -> Vec<u32> {
        let there = self.point().query().unwrap();
        there.programs.iter().map(|one| one.id).collect()
    }
}

#[test]
fn modes_without_links_decide_who_gets_along() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup);
    in_network(|| {
        let unlinked = Unlinked::new();
        let [allower, refuser] =
            [&unlinked.allows, &unlinked.refuses].map(|object| object.program("connect4").unwrap());
        let mut inmate = Inmate::new(unlinked.own.path());
        let at = |mode| Cgroup::of(&unlinked.folder).without_link(mode);
        for (name, mode, flags) in [
            ("cgroup exclusive", CgroupMode::Exclusive, 0),
            ("cgroup override", CgroupMode::Override, 1),
            ("cgroup multi", CgroupMode::Multi, 2),
        ] {
            let link = refuser.attach_cgroup(&at(mode)).unwrap();
            assert!(link.fd().is_none());
            assert!(link.info().unwrap_err().hint().unwrap().contains("5.7"));
            works(
                name,
                "the program refuses it",
                inmate.error_of("connect") == NO,
            );
            assert_eq!(unlinked.point().query().unwrap().flags, flags);
            // A link needs the mode that links use.
            let linked = allower.attach_cgroup(&Cgroup::of(&unlinked.folder));
            assert_eq!(linked.is_ok(), mode == CgroupMode::Multi, "{linked:?}");
            if let Err(error) = linked {
                assert!(error.hint().unwrap().contains("another mode"), "{error}");
            }
            link.detach().unwrap();
            assert_eq!(inmate.error_of("connect"), None);
        }
    });
}

#[test]
fn replaced_programs_stay_replaced() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup, Need::Linux(5, 6));
    in_network(|| {
        let unlinked = Unlinked::new();
        let [allower, refuser] =
            [&unlinked.allows, &unlinked.refuses].map(|object| object.program("connect4").unwrap());
        let multi = Cgroup::of(&unlinked.folder).without_link(CgroupMode::Multi);
        let link = refuser.attach_cgroup(&multi).unwrap();
        let second = allower
            .attach_cgroup(&Cgroup::of(&unlinked.folder).replace(refuser))
            .unwrap();
        works(
            "cgroup replace",
            "the other program is gone",
            unlinked.ids() == [allower.id().unwrap()],
        );
        assert_eq!(link.detach().unwrap_err().errno(), Some(Errno::ENOENT));
        drop(second);
        assert_eq!(unlinked.ids(), []);

        // Where there is only one, the kernel detaches whatever is there: it must not be another's.
        let only = Cgroup::of(&unlinked.folder).without_link(CgroupMode::Override);
        let first = refuser.attach_cgroup(&only).unwrap();
        let second = allower.attach_cgroup(&only).unwrap();
        let error = first.detach().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("another program has taken its place"),
            "{error}"
        );
        assert_eq!(unlinked.ids(), [allower.id().unwrap()]);
        second.detach().unwrap();
        assert_eq!(unlinked.ids(), []);
    });
}

#[test]
fn what_is_attached_above_is_effective_below() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup);
    in_network(|| {
        let unlinked = Unlinked::new();
        let program = unlinked.allows.program("connect4").unwrap();
        let multi = AttachOptions::new().flags(2);
        unlinked.point().attach(program, &multi).unwrap();
        let below = unlinked.own.path().join("below");
        fs::create_dir(&below).unwrap();
        let folder = File::open(&below).unwrap();
        let point = AttachPoint::cgroup(&folder, AttachType::CGROUP_INET4_CONNECT);
        let own = point.query().unwrap().programs.len();
        let effective = point.query_effective().unwrap().programs.len();
        drop(folder);
        fs::remove_dir(&below).unwrap();
        works(
            "cgroup query",
            "programs of the cgroups above are listed",
            (own, effective) == (0, 1),
        );
        unlinked.point().detach(program).unwrap();
        let error = unlinked.point().detach(program).unwrap_err();
        assert!(
            error.hint().unwrap().contains("is it attached at all"),
            "{error}"
        );
    });
}

#[test]
fn other_files_are_refused_with_an_explanation() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup);
    lift_memlock();
    let object = loaded("connect4", 1).unwrap();
    let program = object.program("connect4").unwrap();
    for at in [
        Cgroup::at("/proc"),
        Cgroup::of(&File::open("/dev/null").unwrap()),
    ] {
        let error = program.attach_cgroup(&at).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(
            error.hint().unwrap().contains("cgroup2 is mounted at /sys"),
            "{error}"
        );
    }
    let missing = program
        .attach_cgroup(&Cgroup::at("/no/such/cgroup"))
        .unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let own = OwnCgroup::new();
    let file = program
        .attach_cgroup(&Cgroup::at(own.path().join("cgroup.procs")))
        .unwrap_err();
    assert!(
        file.hint()
            .unwrap()
            .contains("the folder of a cgroup is meant"),
        "{file}"
    );
    let other = load_only("sockets", &["filter"], |_| Ok(())).unwrap();
    let other = other
        .program("filter")
        .unwrap()
        .attach_cgroup(&Cgroup::at(own.path()))
        .unwrap_err();
    assert!(other.hint().unwrap().contains("socket_filter"), "{other}");
    let at = Cgroup::at(own.path()).attach_type(AttachType::CGROUP_INET6_BIND);
    let wrong = program.attach_cgroup(&at).unwrap_err();
    assert!(
        wrong
            .hint()
            .unwrap()
            .contains("loaded for cgroup_inet4_connect"),
        "{wrong}"
    );
}
