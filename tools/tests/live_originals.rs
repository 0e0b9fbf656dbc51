//! The tools beside Debian's `libbpf-tools`, on the same load at the same time: the same events. Needs root, and
//! `apt-get install libbpf-tools`; an original that does not run on this kernel is skipped with what it says.

use common::{Running, own_id};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::parent_id;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;
use support::Need;

#[macro_use]
mod common;

#[macro_use]
#[allow(dead_code, reason = "this test program uses some of it")]
#[path = "../../tests/live/support.rs"]
mod support;

/// Events, as the texts of their columns.
type Rows = Vec<Vec<String>>;

/// A running original.
struct Original {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Original {
    /// Starts it and waits for a line that begins with this, which it prints once it is attached.
    ///
    /// Prints why and returns `None` if it does not run here.
    fn start(args: &[&str], first: &str) -> Option<Self> {
        // Line by line, so that it can be seen when it is attached.
        let mut child = Command::new("stdbuf")
            .args(["-oL"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            if line.starts_with(first) {
                return Some(Self { child, lines });
            }
            line.clear();
        }
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        child.wait().unwrap();
        let why = said.lines().last().unwrap_or_default();
        let name = args[0];
        let line = format!("skipped: the original {name} does not run on this kernel: {why}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        None
    }

    /// Ends it; returns its rows, of which the last column may have spaces.
    fn interrupt(mut self, columns: usize) -> Rows {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let mut text = String::new();
        self.lines.read_to_string(&mut text).unwrap();
        self.child.wait().unwrap();
        text.lines().map(|line| words(line, columns)).collect()
    }
}

/// The first words, and the rest of the line as the last one.
fn words(line: &str, columns: usize) -> Vec<String> {
    let mut rest = line.trim();
    let mut words = Vec::new();
    while words.len() + 1 < columns {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words.push(rest.to_owned());
    words
}

/// Our rows as the same texts.
fn texts(rows: &[Value]) -> Rows {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let of_row = |row: &Value| row.as_object().unwrap().values().map(text).collect();
    rows.iter().map(of_row).collect()
}

/// Time for the last events to arrive at both.
fn settle() {
    thread::sleep(Duration::from_millis(300));
}

#[test]
fn opensnoop_sees_the_same_files() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Tracefs,
        Need::Linux(5, 8),
        Need::LibbpfTools
    );
    let id = own_id();
    let Some(original) = Original::start(&["opensnoop", "-p", &id], "PID") else {
        return;
    };
    let ours = Running::start(&["opensnoop", "-p", &id]);
    for number in 0..50 {
        let name = if number % 3 == 0 {
            "/dev/null"
        } else {
            "/nonexistent/x"
        };
        drop(File::open(name));
    }
    settle();
    let is_load = |row: &Vec<String>| row[4] == "/dev/null" || row[4] == "/nonexistent/x";
    let select = |rows: Rows| rows.into_iter().filter(is_load).collect::<Rows>();
    let (theirs, ours) = (
        select(original.interrupt(5)),
        select(texts(&ours.interrupt())),
    );
    assert_eq!(ours.len(), 50);
    assert_eq!(ours, theirs);
}

#[test]
fn execsnoop_sees_the_same_programs() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8), Need::LibbpfTools);
    let id = own_id();
    let Some(original) = Original::start(&["execsnoop"], "PCOMM") else {
        return;
    };
    let ours = Running::start(&["execsnoop", "-P", &id]);
    for number in 0..20 {
        let status = Command::new("true")
            .args(["of", &number.to_string()])
            .status();
        assert!(status.unwrap().success());
    }
    settle();
    let (mut theirs, mut ours) = (original.interrupt(5), texts(&ours.interrupt()));
    // It shows the path instead of the name that the program was started by.
    let name_of = |row: &mut Vec<String>| {
        let (program, args) = row[4].split_once(' ').unwrap_or((&row[4], ""));
        row[4] = format!("{} {args}", program.rsplit('/').next().unwrap_or_default());
    };
    theirs.retain(|row| row[2] == id && row[0] == "true");
    ours.retain(|row| row[0] == "true");
    theirs.iter_mut().chain(&mut ours).for_each(name_of);
    assert_eq!(ours.len(), 20);
    assert_eq!(ours, theirs);
}

#[test]
fn exitsnoop_sees_the_same_ends() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8), Need::LibbpfTools);
    let Some(original) = Original::start(&["exitsnoop"], "PCOMM") else {
        return;
    };
    let ours = Running::start(&["exitsnoop"]);
    for script in ["exit 0", "exit 1", "exit 42", "kill -9 $$", "kill -15 $$"] {
        let _ = Command::new("sh").args(["-c", script]).status().unwrap();
    }
    settle();
    // The texts of results differ: `signal 9 (Killed)` there, `signal 9 (SIGKILL)` here.
    let select = |rows: Rows| {
        let mine = rows
            .into_iter()
            .filter(|row| row[2] == own_id() && row[0] == "sh");
        mine.map(|mut row| {
            row.remove(4);
            row[4] = row[4].split(" (").next().unwrap_or_default().to_owned();
            row
        })
        .collect::<Rows>()
    };
    let (theirs, ours) = (
        select(original.interrupt(6)),
        select(texts(&ours.interrupt())),
    );
    assert_eq!(ours.len(), 5);
    assert_eq!(ours, theirs);
}

/// A client that sends this many bytes, and a server that answers with half of them; both end.
fn exchange(host: &str, bytes: usize) {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&vec![1; bytes]).unwrap();
    server.read_exact(&mut vec![0; bytes]).unwrap();
    server.write_all(&vec![2; bytes / 2]).unwrap();
    client.read_exact(&mut vec![0; bytes / 2]).unwrap();
    drop(client);
    // The server has the last word, so that both ends are closed by this process.
    server.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn tcplife_sees_the_same_connections() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8), Need::LibbpfTools);
    in_network!({
        let Some(original) = Original::start(&["tcplife"], "PID") else {
            return;
        };
        let ours = Running::start(&["tcplife"]);
        for (host, bytes) in [("127.0.0.1", 2048), ("::1", 10_000)] {
            exchange(host, bytes);
        }
        settle();
        // Fractions with two digits there; the duration differs.
        let select = |rows: Rows| {
            let mine = rows.into_iter().filter(|row| row[0] == own_id());
            mine.map(|mut row| {
                row.truncate(8);
                for kilobytes in &mut row[6..] {
                    *kilobytes = format!("{:.2}", kilobytes.parse::<f64>().unwrap());
                }
                row
            })
            .collect::<Rows>()
        };
        let (theirs, ours) = (
            select(original.interrupt(9)),
            select(texts(&ours.interrupt())),
        );
        assert_eq!(ours.len(), 4);
        assert_eq!(ours, theirs);
    });
}

#[test]
fn tcpconnect_sees_the_same_connections() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8), Need::LibbpfTools);
    in_network!({
        let id = own_id();
        let Some(original) = Original::start(&["tcpconnect", "-p", &id], "PID") else {
            return;
        };
        let ours = Running::start(&["tcpconnect", "-p", &id]);
        for host in ["127.0.0.1", "::1"] {
            exchange(host, 10);
        }
        settle();
        let (theirs, ours) = (original.interrupt(6), texts(&ours.interrupt()));
        assert_eq!(ours.len(), 2);
        assert_eq!(ours, theirs);
    });
}

#[test]
fn syscount_counts_the_same_calls() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8), Need::LibbpfTools);
    let id = own_id();
    let Some(original) = Original::start(&["syscount", "-p", &id], "Tracing") else {
        return;
    };
    let ours = Running::start(&["syscount", "-p", &id]);
    for _ in 0..1234 {
        black_box(parent_id());
    }
    settle();
    let count = |rows: Rows| {
        let row = rows.into_iter().find(|row| row[0] == "getppid");
        row.unwrap()[1].clone()
    };
    let (ours, theirs) = (texts(&ours.interrupt()), original.interrupt(2));
    assert_eq!([count(ours), count(theirs)], ["1234", "1234"]);
}

/// Wakes a process 300 times, which is idle before and after.
fn wake(cat: &mut Child) {
    let (input, output) = (cat.stdin.as_mut().unwrap(), cat.stdout.as_mut().unwrap());
    for _ in 0..300 {
        input.write_all(b"x").unwrap();
        output.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn runqlat_counts_the_same_waits() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8), Need::LibbpfTools);
    let mut cat = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = cat.id().to_string();
    let original = Original::start(&["runqlat", "-p", &id], "Tracing");
    if let Some(original) = original {
        let ours = Running::start(&["runqlat", "-p", &id]);
        wake(&mut cat);
        settle();
        let ours = ours.interrupt();
        let of_slot = |slot: &Value| slot["count"].as_u64().unwrap();
        let ours: u64 = ours[0]["slots"]
            .as_array()
            .unwrap()
            .iter()
            .map(of_slot)
            .sum();
        // FROM -> TO : COUNT |***|
        let rows = original.interrupt(6);
        let counts = rows.iter().filter(|row| row.len() == 6 && row[1] == "->");
        let theirs: u64 = counts.map(|row| row[4].parse::<u64>().unwrap()).sum();
        assert!(ours >= 300, "{ours}");
        assert_eq!(ours, theirs);
    }
    drop(cat.stdin.take());
    cat.wait().unwrap();
}
