//! What a killed process leaves behind: what it attached without links, and nothing else.

use super::cgroup::loaded as asked;
use super::tc::programs;
use super::{in_network, load_only, until, veth};
use crate::attach::own_process;
use crate::load::load_fixture;
use crate::support::{Cgroup as OwnCgroup, Need, check, mount_point};
use rawbpf::AttachType;
use rawbpf::attach::{
    AttachPoint, Cgroup, CgroupMode, Direction, Kprobe, Link, Netfilter, NetfilterFamily,
    NetfilterHook, Netns, ProbeMode, Tc, TcHook, Tcx, Xdp,
};
use rawbpf::load::Object;
use rawbpf::sys::bpf::{ObjectKind, fd_by_id};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The cgroup of the child to be killed; set only in the child.
const FOLDER: &str = "RAWBPF_TEST_KILLED";
const LINKS: &str = "links: ";

/// Objects with what they are attached to.
#[derive(Default)]
struct Held {
    objects: Vec<Object>,
    links: Vec<Link>,
}

impl Held {
    fn hold(&mut self, object: Object, attach: impl FnOnce(&Object) -> rawbpf::Result<Link>) {
        self.links.push(attach(&object).unwrap());
        self.objects.push(object);
    }

    /// One of each kind that the kernel has, in the network namespace of [`veth`].
    fn everything(folder: &File) -> Self {
        let mut held = Self::default();
        let xdp = || load_only("xdp", &["count_packets"], |_| Ok(())).unwrap();
        for at in [Xdp::on("vb"), Xdp::on("lo").without_link()] {
            held.hold(xdp(), |o| o.program("count_packets")?.attach_xdp(&at));
        }
        held.hold(programs(-1), |o| {
            o.program("first")?.attach_tc(&Tc::egress("lo"))
        });
        for at in [
            Cgroup::of(folder),
            Cgroup::of(folder).without_link(CgroupMode::Multi),
        ] {
            let object = asked("connect4", 1).unwrap();
            held.hold(object, |o| o.program("connect4")?.attach_cgroup(&at));
        }
        let steering = load_only("sockets", &["steer"], |_| Ok(())).unwrap();
        held.hold(steering, |o| {
            o.program("steer")?.attach_netns(&Netns::own())
        });
        if check(&[Need::Linux(6, 4)]).is_ok() {
            let at = Netfilter::new(NetfilterFamily::Ipv4, NetfilterHook::LocalIn);
            let object = load_only("sockets", &["pass_or_drop"], |_| Ok(())).unwrap();
            held.hold(object, |o| o.program("pass_or_drop")?.attach_netfilter(&at));
        }
        if check(&[Need::Linux(6, 6)]).is_ok() {
            held.hold(programs(-1), |o| {
                o.program("first")?.attach_tcx(&Tcx::ingress("lo"))
            });
        }
        if check(&[Need::Kprobes, Need::Tracefs]).is_ok() {
            let (object, attach) = legacy_probe();
            held.hold(object, attach);
        }
        held
    }
}

/// A kprobe through tracefs.
fn legacy_probe() -> (Object, impl FnOnce(&Object) -> rawbpf::Result<Link>) {
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    let at = Kprobe::entry("vfs_read").mode(ProbeMode::Tracefs);
    (object, move |o: &Object| {
        o.program("read_enter")?.attach_kprobe(&at)
    })
}

/// The child to be killed; a test that does nothing outside the child.
#[test]
fn a_process_to_be_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let held = Held::everything(&File::open(folder).unwrap());
    let links = held.links.iter().filter(|link| link.fd().is_some());
    let ids = links.map(|link| link.info().unwrap().id.to_string());
    println!("\n{LINKS}{}", ids.collect::<Vec<_>>().join(" "));
    std::io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_secs(120));
    drop(held);
}

/// Starts the child, and waits until it has attached everything: the ids of its links.
fn start(cgroup: &Path) -> (Child, Vec<u32>) {
    let mut child = Command::new("/proc/self/exe")
        .args([
            "--exact",
            "--nocapture",
            "net::killed::a_process_to_be_killed",
        ])
        .env(FOLDER, cgroup)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = said.map(Result::unwrap);
    let ids = said.find_map(|line| Some(line.strip_prefix(LINKS)?.to_owned()));
    let ids = ids.expect("the child attaches");
    (
        child,
        ids.split(' ').map(|id| id.parse().unwrap()).collect(),
    )
}

#[test]
fn a_killed_process_leaves_what_it_attached_without_links() {
    require!(Need::Bpf, Need::Btf, Need::Cgroup, Need::Linux(5, 9));
    in_network(|| {
        veth(1500);
        let own = OwnCgroup::new();
        let folder = File::open(own.path()).unwrap();
        let (mut child, links) = start(own.path());
        let at_cgroup = AttachPoint::cgroup(&folder, AttachType::CGROUP_INET4_CONNECT);
        assert_eq!(at_cgroup.query().unwrap().programs.len(), 2);
        child.kill().unwrap();
        child.wait().unwrap();
        until("the kernel closes the links", || {
            links.iter().all(|id| Link::from_id(*id).is_err())
        });

        assert_eq!(Xdp::on("vb").status().unwrap().programs, []);
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        let steered = AttachPoint::netns(&namespace, AttachType::SK_LOOKUP);
        assert_eq!(steered.query().unwrap().programs, []);
        if check(&[Need::Linux(6, 6)]).is_ok() {
            let tcx = AttachPoint::tcx("lo", Direction::Ingress).unwrap();
            assert_eq!(tcx.query().unwrap().programs, []);
        }

        // The next start finds the rest, and removes it.
        assert_eq!(Xdp::on("lo").status().unwrap().programs.len(), 1);
        Xdp::on("lo").without_link().clear().unwrap();
        assert_eq!(Xdp::on("lo").status().unwrap().programs, []);
        let hook = TcHook::egress("lo");
        let [filter] = hook.filters().unwrap()[..] else {
            panic!("{:?}", hook.filters());
        };
        hook.detach(filter.handle, filter.priority).unwrap();
        assert_eq!(hook.filters().unwrap(), []);
        let [kept] = &at_cgroup.query().unwrap().programs[..] else {
            panic!("{:?}", at_cgroup.query());
        };
        at_cgroup
            .detach(fd_by_id(ObjectKind::Program, kept.id).unwrap())
            .unwrap();
        assert_eq!(at_cgroup.query().unwrap().programs, []);
        if check(&[Need::Kprobes, Need::Tracefs]).is_ok() {
            the_next_probe_removes_those_of(child.id());
        }
    });
}

fn the_next_probe_removes_those_of(process: u32) {
    let list = mount_point("tracefs").unwrap().join("kprobe_events");
    let listed = || fs::read_to_string(&list).unwrap();
    let name = format!("rawbpf_{process}_");
    assert!(listed().contains(&name), "{}", listed());
    let (object, attach) = legacy_probe();
    let link = attach(&object).unwrap();
    assert!(!listed().contains(&name), "{}", listed());
    link.detach().unwrap();
}
