//! `run` with a source: it is compiled, loaded and shown, once with clang and then without, and leaves no files behind. Not for guests,
//! which have no compiler.

#[expect(dead_code, reason = "it has fixtures, too")]
mod common;

use common::can_load;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Whether there is a clang; CI has one.
fn has_clang() -> bool {
    let found = Command::new("clang").arg("--version").output().is_ok();
    assert!(found || std::env::var("CI").is_err(), "CI has clang");
    found
}

/// Tells of every program that is started, without any header but that of the kernel's types.
const SOURCE: &str = r#"
#include "vmlinux.h"
#define SEC(name) __attribute__((section(name), used))
struct event { u32 pid; u32 parent; char command[16]; };
const struct event *unused __attribute__((unused));
static void *(*reserve)(void *map, u64 size, u64 flags) = (void *)131;
static void (*submit)(void *data, u64 flags) = (void *)132;
static long (*get_command)(void *buffer, u32 size) = (void *)16;
struct { int (*type)[BPF_MAP_TYPE_RINGBUF]; int (*max_entries)[4096]; } events SEC(".maps");
SEC("tp_btf/sched_process_exec") int on_exec(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct event *event = reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event->pid = task->tgid;
	event->parent = task->real_parent->tgid;
	get_command(event->command, sizeof(event->command));
	submit(event, 0);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
"#;

/// A folder with the source, a clang that counts how often it runs, and nothing else.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(clang: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        fs::write(place.path("exec.bpf.c"), SOURCE).unwrap();
        fs::write(
            place.path("clang"),
            format!(
                "#!/bin/sh\necho x >> {}\n{clang}\n",
                place.path("runs").display()
            ),
        )
        .unwrap();
        fs::set_permissions(place.path("clang"), fs::Permissions::from_mode(0o755)).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
        command
            .args(["run", "--json", "exec.bpf.c", "--clang"])
            .arg(self.path("clang"));
        command
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"));
        command.env("TMPDIR", self.folder.path());
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn runs(&self) -> usize {
        fs::read_to_string(self.path("runs"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let Ok(found) = fs::read_dir(self.path(folder)) else {
            return Vec::new();
        };
        let mut names: Vec<_> = found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// The time until the first event of a program that is started.
fn first_event(child: &mut Child) -> Duration {
    let started = Instant::now();
    let is_done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let done = std::sync::Arc::clone(&is_done);
    let starts = thread::spawn(move || {
        while !done.load(std::sync::atomic::Ordering::Relaxed)
            && started.elapsed() < Duration::from_secs(60)
        {
            let _ = Command::new("/bin/true").status();
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let found =
        lines.any(|line| line.contains("\"command\":\"true\"") && line.contains("\"parent\":"));
    let elapsed = started.elapsed();
    is_done.store(true, std::sync::atomic::Ordering::Relaxed);
    starts.join().unwrap();
    let _ = child.kill();
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    child.wait().unwrap();
    assert!(found, "{said}");
    elapsed
}

#[test]
fn a_source_runs_and_is_compiled_once() {
    if !has_clang() || !can_load("a_source_runs_and_is_compiled_once") {
        return;
    }
    let place = Place::new("exec clang \"$@\"");
    let cold = first_event(&mut place.run());
    assert_eq!(place.runs(), 1);
    let warm = first_event(&mut place.run());
    assert_eq!(place.runs(), 1, "what was compiled is kept");
    println!("first event after {cold:?}, then after {warm:?}");
    assert_eq!(place.files("cache/rawbpf/objects").len(), 1);
    assert_eq!(place.files("."), ["cache", "clang", "exec.bpf.c", "runs"]);
    // Another source is another program.
    fs::write(place.path("exec.bpf.c"), format!("{SOURCE}\nint more;\n")).unwrap();
    first_event(&mut place.run());
    assert_eq!(place.runs(), 2);
    // Without a place for it, it runs nevertheless.
    fs::set_permissions(
        place.path("cache/rawbpf/objects"),
        fs::Permissions::from_mode(0o777),
    )
    .unwrap();
    first_event(&mut place.run());
    assert_eq!(place.runs(), 3);
}

#[test]
fn a_command_that_is_killed_while_it_compiles_leaves_nothing_behind() {
    let place = Place::new("exec sleep 1");
    for signal in ["-KILL", "-TERM", "-INT"] {
        let mut child = place.run();
        let before = place.runs();
        while place.runs() == before {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            thread::sleep(Duration::from_millis(10));
        }
        let killed = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        assert!(!child.wait().unwrap().success(), "{signal}");
        assert_eq!(
            place.files("."),
            ["cache", "clang", "exec.bpf.c", "runs"],
            "{signal}"
        );
        assert_eq!(place.files("cache/rawbpf/objects"), Vec::<String>::new());
    }
}
