//! The tools on the running kernel: each sees what its test does. Needs root.

use common::{Running, own_id, run};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::env;
use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use support::{Need, check};

#[macro_use]
mod common;

#[macro_use]
#[allow(dead_code, reason = "this test program uses some of it")]
#[path = "../../tests/live/support.rs"]
mod support;

/// The sum of a column.
fn total(rows: &[Value], column: &str) -> u64 {
    rows.iter().filter_map(|row| row[column].as_u64()).sum()
}

/// The slots of a histogram, which is all that a tool prints.
fn slots(rows: &[Value]) -> Vec<Value> {
    let [histogram] = rows else {
        panic!("not one histogram: {rows:?}");
    };
    histogram["slots"].as_array().unwrap().clone()
}

#[test]
fn opensnoop_sees_files_being_opened() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Linux(5, 8));
    let mut tool = Running::start(&["opensnoop", "-p", &own_id()]);
    assert!(File::open("/nonexistent/rawbpf-tools").is_err());
    let row = tool.wait_for(|row| row["path"] == "/nonexistent/rawbpf-tools");
    assert_eq!(row["pid"], std::process::id());
    assert_eq!([&row["fd"], &row["err"]], [&json!(-1), &json!(2)]);
    let keys: Vec<_> = row.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["pid", "comm", "fd", "err", "path"]);
    File::open("/dev/null").unwrap();
    let row = tool.wait_for(|row| row["path"] == "/dev/null");
    assert_eq!(row["err"], 0);
    assert!(row["fd"].as_i64() > Some(2), "{row}");
    tool.interrupt();
}

#[test]
fn opensnoop_can_be_told_to_show_failures_alone() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Linux(5, 8));
    let tool = Running::start(&["opensnoop", "-x", "-p", &own_id()]);
    File::open("/dev/null").unwrap();
    assert!(File::open("/nonexistent/rawbpf-x").is_err());
    // What was not shown before the end is shown then.
    let rows = tool.end(Signal::TERM);
    assert!(rows.iter().all(|row| row["fd"] == -1 && row["err"] != 0));
    assert!(
        rows.iter()
            .any(|row| row["path"] == "/nonexistent/rawbpf-x")
    );
}

#[test]
fn execsnoop_sees_programs_being_started() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let mut tool = Running::start(&["execsnoop", "-P", &own_id()]);
    let echo = Command::new("echo")
        .arg("of-tools")
        .stdout(Stdio::null())
        .status();
    assert!(echo.unwrap().success());
    let row = tool.wait_for(|row| row["args"] == "echo of-tools");
    assert_eq!(
        [&row["ppid"], &row["ret"]],
        [&json!(std::process::id()), &json!(0)]
    );
    tool.interrupt();
}

#[test]
fn exitsnoop_sees_how_processes_end() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let mut tool = Running::start(&["exitsnoop"]);
    let results = [
        ("exit 0", "0"),
        ("exit 3", "code 3"),
        ("kill -9 $$", "signal 9 (SIGKILL)"),
    ];
    for (script, result) in results {
        let mut shell = Command::new("sh").args(["-c", script]).spawn().unwrap();
        shell.wait().unwrap();
        let row = tool.wait_for(|row| row["pid"] == shell.id());
        assert_eq!(
            [&row["exit_code"], &row["ppid"]],
            [&json!(result), &json!(std::process::id())]
        );
        assert_eq!(row["tid"], row["pid"]);
        assert!(row["age_s"].as_f64() < Some(60.0), "{row}");
    }
    tool.interrupt();
}

#[test]
fn exitsnoop_sees_threads_if_asked() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let tool = Running::start(&["exitsnoop", "-T", "-p", &own_id()]);
    thread::spawn(|| ()).join().unwrap();
    // The thread may still be on its way out.
    thread::sleep(Duration::from_millis(200));
    let rows = tool.interrupt();
    assert!(rows.iter().any(|row| row["tid"] != row["pid"]), "{rows:?}");
    assert!(
        rows.iter().all(|row| row["pid"] == std::process::id()),
        "{rows:?}"
    );
}

/// Writes a file through to its device; returns whether that is a block device with a request queue.
fn write_to_a_block_device() -> bool {
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut file = tempfile::tempfile_in(&folder).unwrap();
    file.write_all(&[1; 1 << 14]).unwrap();
    file.sync_all().unwrap();
    let device = file.metadata().unwrap().dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    Path::new(&format!("/sys/dev/block/{major}:{minor}")).exists()
}

#[test]
fn biosnoop_sees_writes() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let tool = Running::start(&["biosnoop", "-p", &own_id()]);
    let on_a_device = write_to_a_block_device();
    let rows = tool.interrupt();
    let written = rows
        .iter()
        .filter(|row| row["t"].as_str().unwrap().contains('W'));
    let written: Vec<_> = written.cloned().collect();
    assert!(
        !on_a_device || total(&written, "bytes") >= 1 << 14,
        "{rows:?}"
    );
    for row in &written {
        assert!(
            row["disk"] != "" && row["lat_ms"].as_f64() > Some(0.0),
            "{row}"
        );
        assert_eq!(row["pid"], std::process::id());
    }
}

#[test]
fn biolatency_times_writes() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let tool = Running::start(&["biolatency", "-p", &own_id()]);
    let on_a_device = write_to_a_block_device();
    let slots = slots(&tool.interrupt());
    assert_eq!(total(&slots, "count") > 0, on_a_device, "{slots:?}");
}

#[test]
fn runqlat_times_the_wait_for_a_processor() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let tool = Running::start(&["runqlat", "-p", &own_id()]);
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(1));
    }
    let slots = slots(&tool.interrupt());
    assert!(total(&slots, "count") >= 50, "{slots:?}");
}

#[test]
fn tcpconnect_sees_who_connects_from_where_to_where() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    in_network!({
        let mut tool = Running::start(&["tcpconnect", "-p", &own_id()]);
        for (host, version) in [("127.0.0.1", 4), ("::1", 6)] {
            let listener = TcpListener::bind((host, 0)).unwrap();
            let to = listener.local_addr().unwrap();
            let _client = TcpStream::connect(to).unwrap();
            let row = tool.wait_for(|row| row["dport"] == to.port());
            assert_eq!([&row["saddr"], &row["daddr"]], [host, host]);
            assert_eq!(
                [&row["ip"], &row["pid"]],
                [&json!(version), &json!(std::process::id())]
            );
        }
        tool.interrupt();
    });
}

#[test]
fn tcplife_measures_connections() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    in_network!({
        let mut tool = Running::start(&["tcplife", "-p", &own_id()]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&[1; 3 * 1024]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        server.read_to_end(&mut Vec::new()).unwrap();
        drop((client, server));
        let row = tool.wait_for(|row| row["rport"] == port);
        // The end of the data counts as a byte.
        let sent = row["tx_kb"].as_f64().unwrap();
        assert!((3.0..3.01).contains(&sent), "{row}");
        assert_eq!([&row["laddr"], &row["raddr"]], ["127.0.0.1", "127.0.0.1"]);
        tool.interrupt();
    });
}

#[test]
fn syscount_counts_by_name() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let tool = Running::start(&["syscount", "-T", "500", "-p", &own_id()]);
    for _ in 0..1000 {
        black_box(parent_id());
    }
    let rows = tool.end(Signal::TERM);
    let row = rows.iter().find(|row| row["syscall"] == "getppid");
    assert!(row.unwrap()["count"].as_u64() >= Some(1000), "{rows:?}");
    let counts: Vec<_> = rows.iter().map(|row| row["count"].as_u64()).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
}

#[test]
fn profile_names_the_functions_that_take_time() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let tool = Running::start(&["profile", "-F", "99", "-p", &own_id()]);
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        rawbpf_tools_takes_time();
    }
    let rows = tool.interrupt();
    let mine = |frame: &Value| frame.as_str().unwrap().contains("rawbpf_tools_takes_time");
    let has_mine = |row: &&Value| row["user"].as_array().unwrap().iter().any(mine);
    assert!(rows.iter().any(|row| has_mine(&row)), "{rows:?}");
    assert!(rows.iter().all(|row| row["pid"] == std::process::id()));
}

#[inline(never)]
fn rawbpf_tools_takes_time() {
    let (mut sum, mut number) = (0_u32, 0_u32);
    while number < 1_000_000 {
        sum ^= number << 1;
        number += 1;
    }
    black_box(sum);
}

#[test]
fn stackcount_counts_the_way_to_a_tracepoint() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Linux(5, 8));
    let place = "t:syscalls:sys_enter_getppid";
    for (args, pid) in [(&["-P"][..], json!(std::process::id())), (&[], Value::Null)] {
        let id = own_id();
        let args = [&["stackcount", place, "-p", &id], args].concat();
        let tool = Running::start(&args);
        for _ in 0..100 {
            black_box(parent_id());
        }
        let rows = tool.interrupt();
        assert!(total(&rows, "count") >= 100, "{rows:?}");
        assert!(rows.iter().all(|row| row["pid"] == pid), "{rows:?}");
    }
}

#[test]
fn stackcount_counts_the_way_to_functions() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Kprobes);
    let tool = Running::start(&["stackcount", "vfs_read", "-p", &own_id()]);
    read_null(100);
    let rows = tool.interrupt();
    assert!(total(&rows, "count") >= 100, "{rows:?}");
    let frames = rows
        .iter()
        .flat_map(|row| row["kernel"].as_array().unwrap());
    assert!(
        frames.into_iter().any(|frame| frame == "ksys_read"),
        "{rows:?}"
    );
}

/// Reads 4096 bytes, of which there are none.
fn read_null(times: usize) {
    let mut null = File::open("/dev/null").unwrap();
    for _ in 0..times {
        assert_eq!(null.read(&mut [0; 4096]).unwrap(), 0);
    }
}

#[test]
fn funccount_counts_functions_by_name() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Kprobes);
    let patterns = if check(&[Need::KprobeMulti]).is_ok() {
        &["vfs_rea*"][..]
    } else {
        &["vfs_read", "vfs_write"]
    };
    let id = own_id();
    let tool = Running::start(&[&["funccount", "-p", &id], patterns].concat());
    read_null(100);
    let rows = tool.interrupt();
    let row = rows.iter().find(|row| row["func"] == "vfs_read");
    assert!(row.unwrap()["count"].as_u64() >= Some(100), "{rows:?}");
}

#[test]
fn functions_that_cannot_be_probed_are_an_error() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let output = run(&["funccount", "-d", "1", "no_such_function_of_the_kernel"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!output.stderr.is_empty());
}

#[test]
fn argdist_draws_an_argument() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Kprobes);
    let tool = Running::start(&["argdist", "vfs_read", "count", "-p", &own_id()]);
    read_null(100);
    let slots = slots(&tool.interrupt());
    let slot = slots.iter().find(|slot| slot["from"] == 4096).unwrap();
    assert!(
        slot["to"] == 8191 && slot["count"].as_u64() >= Some(100),
        "{slots:?}"
    );
}

#[test]
fn argdist_draws_results() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Kprobes);
    let tool = Running::start(&["argdist", "vfs_read", "$retval", "-p", &own_id()]);
    read_null(100);
    let mut folder = File::open("/").unwrap();
    for _ in 0..10 {
        folder.read(&mut [0; 16]).unwrap_err();
    }
    let rows = tool.interrupt();
    assert!(rows[0]["negative"].as_u64() >= Some(10), "{rows:?}");
    assert!(slots(&rows)[0]["count"].as_u64() >= Some(100), "{rows:?}");
}

#[test]
fn argdist_knows_the_arguments() {
    require!(Need::Bpf, Need::Btf);
    for (args, words) in [
        (
            ["argdist", "vfs_read", "cnt"],
            "has no parameter `cnt`; it has: file, buf, count, pos",
        ),
        (["argdist", "vfs_reed", "count"], "no function `vfs_reed`"),
    ] {
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn trace_shows_arguments_and_result() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Kprobes);
    let mut tool = Running::start(&["trace", "vfs_read", "-p", &own_id()]);
    let mut zero = File::open("/dev/zero").unwrap();
    zero.read_exact(&mut [1; 321]).unwrap();
    let row = tool.wait_for(|row| row["args"]["count"] == 321);
    assert_eq!(
        [&row["result"], &row["func"]],
        [&json!(321), &json!("vfs_read")]
    );
    assert_eq!(row["pid"], std::process::id());
    for pointer in ["file", "buf"] {
        let shown = row["args"][pointer].as_str().unwrap();
        assert!(shown.starts_with("0x"), "{row}");
    }
    tool.interrupt();
}

#[test]
fn trace_shows_text() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Kprobes);
    // What open(2) calls with the path, in newer and in older kernels.
    let names = ["do_getname", "do_sys_openat2"];
    let id = own_id();
    let start = |name: &&str| Running::try_start(&["trace", name, "-p", &id]).ok();
    let mut tool = names.iter().find_map(start).unwrap();
    let path = "/nonexistent/rawbpf-trace";
    assert!(File::open(path).is_err());
    tool.wait_for(|row| row["args"]["filename"] == path);
    tool.interrupt();
}

#[test]
fn trace_shows_structures_if_asked() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Kprobes);
    let mut tool = Running::start(&["trace", "-s", "vfs_read", "-p", &own_id()]);
    let mut zero = File::open("/dev/zero").unwrap();
    zero.read_exact(&mut [1; 322]).unwrap();
    let row = tool.wait_for(|row| row["args"]["count"] == 322);
    assert!(
        row["args"]["file"]["f_op"]
            .as_str()
            .unwrap()
            .starts_with("0x"),
        "{row}"
    );
    tool.interrupt();
}

#[test]
fn xdp_count_counts_by_protocol() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 9));
    in_network!({
        let mut tool = Running::start(&["xdp_count", "lo"]);
        let [from, to] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        for _ in 0..7 {
            from.send_to(b"x", to.local_addr().unwrap()).unwrap();
            to.recv(&mut [0; 1]).unwrap();
        }
        let row = tool.wait_for(|row| row["protocol"] == "UDP");
        assert!(row["per_second"].as_u64() >= Some(1), "{row}");
        let rows = tool.interrupt();
        let last = rows.iter().rfind(|row| row["protocol"] == "UDP").unwrap();
        assert_eq!(last["packets"], 7);
    });
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs, Need::Linux(5, 8));
    let mut tool = Command::new(common::binary())
        .args(["opensnoop", "-d", "60", "-p", &own_id()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0; 3];
    tool.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(first, *b"PID");
    while tool.try_wait().unwrap().is_none() {
        File::open("/dev/null").unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(tool.wait().unwrap().code(), Some(0));
}
