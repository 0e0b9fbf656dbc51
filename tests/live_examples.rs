//! The examples, started as users start them: each sees an event that its test makes, and ends cleanly at Ctrl-C.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::{Need, check, fixture, in_own_network};

#[macro_use]
#[allow(dead_code, reason = "this test program uses some of it")]
#[path = "live/support.rs"]
mod support;

/// All of them; `examples.rs` checks that.
const EXAMPLES: [&str; 15] = [
    "biolatency",
    "execsnoop",
    "fleet",
    "funccount",
    "lsm_guard",
    "opensnoop",
    "profile",
    "ps",
    "pyaudit",
    "syscount",
    "tc_filter",
    "tcp_cc",
    "tcpconnect",
    "tcplife",
    "xdp_count",
];

/// An example's executable, also in a guest.
fn path_of(name: &str) -> PathBuf {
    let folder = env::var_os("RAWBPF_EXAMPLES").map_or_else(built, PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing: cargo build --examples",
        path.display()
    );
    path
}

/// Where cargo puts examples: beside the folder of test programs.
fn built() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples")
}

fn command(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(path_of(name));
    command.args(args);
    command
}

fn run(name: &str, args: &[&str]) -> Output {
    command(name, args).output().unwrap()
}

/// What an example prints that must end by itself, successfully.
fn printed(name: &str, args: &[&str]) -> String {
    let output = run(name, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A running example that has attached.
struct Running {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: BufReader<ChildStderr>,
}

impl Running {
    /// Starts the example and waits until it says that it is attached.
    fn start(name: &str, args: &[&str]) -> Self {
        // Whatever goes wrong, it ends, and so does the test.
        let mut child = command(name, args)
            .args(["--duration", "60"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        errors.read_line(&mut first).unwrap();
        let mut running = Self {
            name: name.to_owned(),
            child,
            lines,
            errors,
        };
        let attached = first.contains("Ctrl-C to stop");
        if !attached {
            let _ = running.child.kill();
        }
        assert!(attached, "{name}: {first}{}", running.rest_of_errors());
        running
    }

    fn rest_of_errors(&mut self) -> String {
        let mut said = String::new();
        self.errors.read_to_string(&mut said).unwrap();
        said
    }

    /// Waits for a line that contains all these words.
    fn wait_for(&mut self, words: &[&str]) -> String {
        let mut before = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            before.push(line);
        }
        let said = self.rest_of_errors();
        panic!(
            "{}: no line with {words:?} in {before:#?}\n{said}",
            self.name
        );
    }

    /// Ends it as Ctrl-C does; returns what it printed last.
    fn interrupt(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let rest: Vec<String> = self.lines.by_ref().map(Result::unwrap).collect();
        let said = self.rest_of_errors();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {status}: {said}", self.name);
        rest.join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This process, as an argument.
fn own_id() -> String {
    std::process::id().to_string()
}

/// Runs `job` in a network namespace of its own, whose only interface is up.
fn in_network<T: Send>(job: impl FnOnce() -> T + Send) -> T {
    in_own_network(|| {
        let ip = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(ip.unwrap().success());
        job()
    })
}

#[test]
fn every_example_explains_itself() {
    for name in EXAMPLES {
        let help = printed(name, &["--help"]);
        assert!(help.contains(&format!("usage: {name} ")), "{help}");
        let wrong = run(name, &["--pid"]);
        assert_eq!(wrong.status.code(), Some(2), "{name}: {wrong:?}");
    }
}

#[test]
fn fleet_plans_for_another_kernel() {
    let object = fixture("execsnoop.bpf.o");
    let btf = fixture("btf/6.1.btf");
    let text = printed("fleet", &[object.to_str().unwrap(), btf.to_str().unwrap()]);
    assert!(text.contains("exec: "), "{text}");
    assert!(!text.contains(" 0 of them relocated"), "{text}");
}

#[test]
fn opensnoop_sees_a_file_being_opened() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let mut example = Running::start("opensnoop", &["--pid", &own_id()]);
    assert!(File::open("/nonexistent/rawbpf-example").is_err());
    example.wait_for(&[&own_id(), " -2 ", "/nonexistent/rawbpf-example"]);
    example.interrupt();
}

/// The programs in README.md, which run until they are ended.
#[test]
fn the_programs_of_the_readme_print_events() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    for (name, words) in [
        ("readme_library", " -2 /nonexistent/rawbpf-readme"),
        ("readme_exec", " sleep"),
    ] {
        let mut child = command(name, &[]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_done = AtomicBool::new(false);
        let seen = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    assert!(File::open("/nonexistent/rawbpf-readme").is_err());
                    let _ = Command::new("sleep").arg("0.1").status();
                }
            });
            let seen = lines.map(Result::unwrap).any(|line| line.contains(words));
            is_done.store(true, Ordering::Relaxed);
            seen
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen, "{name}: no line with `{words}`");
    }
}

#[test]
fn execsnoop_sees_a_program_being_started() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let mut example = Running::start("execsnoop", &["--parent", &own_id()]);
    let status = Command::new("echo")
        .arg("rawbpf-example")
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    example.wait_for(&[&own_id(), "echo rawbpf-example"]);
    example.interrupt();
}

#[test]
fn ps_lists_threads_by_their_names() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    // The test's own thread has its name, cut to 15 characters.
    let text = printed("ps", &["--pid", &own_id()]);
    assert!(text.contains("ps_lists_thread"), "{text}");
    assert!(printed("ps", &[]).lines().count() > text.lines().count());
}

#[test]
fn syscount_counts_by_name() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let example = Running::start("syscount", &["--pid", &own_id()]);
    for _ in 0..1000 {
        std::hint::black_box(std::os::unix::process::parent_id());
    }
    let text = example.interrupt();
    let line = text.lines().find(|line| line.ends_with(" getppid"));
    let count = line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
    assert!(count >= Some(1000), "{text}");
}

#[test]
fn tcpconnect_sees_who_connects_where() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    in_network(|| {
        let mut example = Running::start("tcpconnect", &["--pid", &own_id()]);
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let to = listener.local_addr().unwrap();
            drop(TcpStream::connect(to).unwrap());
            example.wait_for(&[&own_id(), &format!(" {to}")]);
        }
        example.interrupt();
    });
}

#[test]
fn tcplife_sums_up_a_connection() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    in_network(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let port = to.port().to_string();
        let mut example = Running::start("tcplife", &["--port", &port]);
        let mut client = TcpStream::connect(to).unwrap();
        let from = client.local_addr().unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&[1; 1234]).unwrap();
        // Not only dropped: a process that another test starts at this moment may hold a copy until its `exec`, and be the
        // one to close it.
        client.shutdown(Shutdown::Write).unwrap();
        drop(client);
        assert_eq!(server.read_to_end(&mut Vec::new()).unwrap(), 1234);
        drop(server);
        // A FIN counts as a byte. The server's end, then the client's, or the other way round.
        let ends = [
            example.wait_for(&["received"]),
            example.wait_for(&["received"]),
        ];
        let of = |start: String| ends.iter().find(|line| line.contains(&start)).unwrap();
        let server = of(format!(" {to} -> {from} "));
        assert!(server.contains("received 1235 "), "{server}");
        let client = of(format!(" {from} -> {to} "));
        assert!(client.contains("received 1 "), "{client}");
        assert!(client.trim_start().starts_with(&own_id()), "{client}");
        example.interrupt();
    });
}

#[test]
fn xdp_count_counts_by_protocol() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    in_network(|| {
        let example = Running::start("xdp_count", &["lo"]);
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..5 {
            receiver
                .send_to(b"x", receiver.local_addr().unwrap())
                .unwrap();
            receiver.recv(&mut [0; 1]).unwrap();
        }
        let text = example.interrupt();
        assert!(text.lines().any(|line| line == "UDP      5"), "{text}");
    });
}

#[test]
fn tc_filter_drops_packets_to_its_port_only() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    in_network(|| {
        let [closed, open] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        let port = closed.local_addr().unwrap().port().to_string();
        let example = Running::start("tc_filter", &["lo", &port]);
        for receiver in [&closed, &open] {
            open.send_to(b"x", receiver.local_addr().unwrap()).unwrap();
        }
        // Packets on `lo` are delivered in order: what has not arrived by now was dropped.
        open.recv(&mut [0; 1]).unwrap();
        closed.set_nonblocking(true).unwrap();
        assert!(closed.recv(&mut [0; 1]).is_err());
        let text = example.interrupt();
        assert_eq!(text, "1 passed, 1 dropped");
        open.send_to(b"x", closed.local_addr().unwrap()).unwrap();
        closed.set_nonblocking(false).unwrap();
        assert_eq!(closed.recv(&mut [0; 1]).unwrap(), 1);
    });
}

#[test]
fn tcp_cc_controls_a_connection() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let name = format!("ex{}", std::process::id());
    in_network(|| {
        let example = Running::start("tcp_cc", &["--name", &name]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        nix::sys::socket::setsockopt(
            &client,
            nix::sys::socket::sockopt::TcpCongestion,
            &name.clone().into(),
        )
        .unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let reader = thread::spawn(move || server.read_to_end(&mut Vec::new()).unwrap());
        client.write_all(&vec![1; 100_000]).unwrap();
        drop(client);
        assert_eq!(reader.join().unwrap(), 100_000);
        let text = example.interrupt();
        let acks = text.strip_suffix(" acknowledgements seen");
        assert!(acks.is_some_and(|acks| acks != "0"), "{text}");
    });
    let list = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    assert!(!fs::read_to_string(list).unwrap().contains(&name));
}

#[test]
fn biolatency_times_the_writes_of_a_process() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let example = Running::start("biolatency", &["--pid", &own_id()]);
    let on_a_device = write_to_a_block_device();
    let text = example.interrupt();
    let count = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    let requests: u64 = text.lines().skip(1).filter_map(count).sum();
    assert!(text.starts_with("microseconds"), "{text}");
    assert_eq!(requests > 0, on_a_device, "{text}");
}

/// Writes a file through to its device; returns whether that is a block device with a request queue. Several times: on a busy
/// machine, somebody else may write a page back first.
fn write_to_a_block_device() -> bool {
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut file = tempfile::tempfile_in(&folder).unwrap();
    for _ in 0..20 {
        file.write_all(&[1; 1 << 12]).unwrap();
        file.sync_all().unwrap();
    }
    let device = file.metadata().unwrap().dev();
    let queue = format!(
        "/sys/dev/block/{}:{}",
        libc::major(device),
        libc::minor(device)
    );
    Path::new(&queue).exists()
}

#[test]
fn profile_names_the_functions_that_take_time() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let example = Running::start("profile", &["--pid", &own_id()]);
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        rawbpf_example_that_takes_time();
    }
    let text = example.interrupt();
    let mine = |line: &&str| line.contains("rawbpf_example_that_takes_time");
    let samples = text.lines().filter(mine).count();
    assert!(samples > 0, "{text}");
    assert!(text.lines().any(|line| line.contains("getppid")), "{text}");
}

#[inline(never)]
fn rawbpf_example_that_takes_time() {
    // Mostly by itself: callers of functions without a frame are not seen, and unoptimized code calls one for each step of a
    // `for`.
    let mut sum = 0_u32;
    let mut round = 0_u32;
    while round < 200 {
        let mut number = 0_u32;
        while number < 1000 {
            sum ^= number << 1;
            number += 1;
        }
        std::hint::black_box(sum);
        round += 1;
    }
    for _ in 0..1000 {
        std::hint::black_box(std::os::unix::process::parent_id());
    }
}

#[test]
fn funccount_counts_functions_by_name() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::KprobeMulti);
    let example = Running::start("funccount", &["vfs_read*", "--pid", &own_id()]);
    for _ in 0..100 {
        File::open("/dev/null")
            .unwrap()
            .read_to_end(&mut Vec::new())
            .unwrap();
    }
    let text = example.interrupt();
    let line = text.lines().find(|line| line.ends_with(" vfs_read"));
    let count = line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
    assert!(count >= Some(100), "{text}");
}

#[test]
fn funccount_reports_what_the_kernel_lacks() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    if check(&[Need::KprobeMulti]).is_ok() {
        return;
    }
    let output = run("funccount", &["vfs_read"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("5.18") || said.contains("CONFIG_FPROBE"),
        "{said}"
    );
}

#[test]
fn lsm_guard_keeps_everybody_from_a_file() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8), Need::Lsm);
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let mut example = Running::start("lsm_guard", &[path]);
    let error = File::open(path).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
    assert!(
        tempfile::NamedTempFile::new().is_ok(),
        "other files can be opened"
    );
    example.wait_for(&[&own_id(), "lsm_guard_keeps"]);
    example.interrupt();
    File::open(path).unwrap();
}

#[test]
fn pyaudit_sees_files_being_opened() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Linux(5, 8),
        Need::Uprobes,
        Need::Python
    );
    let script = "import sys\nwait = sys.stdin.readline\nwait()\nopen('/dev/null').close()\nwait()";
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let id = python.id().to_string();
    // Not before it runs Python: until then it is a copy of this process.
    while fs::read_link(format!("/proc/{id}/exe")).unwrap() == env::current_exe().unwrap() {
        thread::yield_now();
    }
    let mut example = Running::start("pyaudit", &[&id]);
    let mut input = python.stdin.take().unwrap();
    input.write_all(b"\n").unwrap();
    example.wait_for(&[&id, " open"]);
    example.interrupt();
    drop(input);
    assert!(python.wait().unwrap().success());
}
