//! Every system call of a load fails once: the load then either finds another way, or says in one message what could not
//! be done to what; and nothing is left behind. Needs root and strace, which makes the calls fail.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rawbpf::sys::bpf::{self, MapFd, ObjectKind};

#[macro_use]
#[allow(dead_code, reason = "other test programs use the rest of it")]
#[path = "../../tests/live/support.rs"]
mod support;

use support::{Need, fixture, mount_point};

/// The numbers that kernels answer when memory, rights, support, time or room is missing.
const ERRORS: [&str; 5] = ["ENOMEM", "EPERM", "EINVAL", "EAGAIN", "E2BIG"];

/// One of everything that takes a step to load. All names that the kernel gets from it start so.
const OBJECT: &str = "rich.bpf.o";
const PREFIX: &str = "rich";

/// More calls than the object takes.
const MOST_CALLS: u32 = 400;

/// What a load with one failing call did.
#[derive(Debug)]
struct Run {
    /// The command of the call that failed; `None` if there were fewer calls.
    failed: Option<String>,
    /// The process, whose number stands in the names of the probes that it makes.
    pid: String,
    success: bool,
    message: String,
}

fn command() -> PathBuf {
    std::env::var_os("RAWBPF_COMMAND")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf").into())
        .into()
}

/// Loads the object, and lets the `number`-th call of `bpf()` fail.
fn load_with_fault(error: &str, number: u32, trace: &Path) -> Run {
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=bpf", "-o"])
        .arg(trace)
        .args(["-e", &format!("inject=bpf:error={error}:when={number}")])
        .arg(command())
        .arg("load")
        .arg(fixture(OBJECT))
        .stdout(Stdio::null())
        .output()
        .expect("strace runs");
    let calls = fs::read_to_string(trace).expect("strace wrote what it saw");
    let failed = calls.lines().find(|line| line.contains("(INJECTED)"));
    let pid = calls.split_whitespace().next().unwrap_or_default();
    let name = |line: &str| {
        let (_, rest) = line.split_once("bpf(")?;
        Some(rest.split([',', ')']).next()?.to_owned())
    };
    Run {
        failed: failed.and_then(name),
        pid: pid.to_owned(),
        success: output.status.success(),
        message: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Run {
    /// Another way was found, or there is one message that teaches.
    fn check(&self, what: &str) {
        assert!(!self.message.contains("panicked"), "{what}: {self:?}");
        if self.success {
            assert_eq!(self.message, "", "{what}: {self:?}");
            return;
        }
        let object = fixture(OBJECT);
        let start = format!("rawbpf: object {}: ", object.display());
        let reason = self.message.strip_prefix(&start);
        let reason = reason.unwrap_or_else(|| panic!("{what}: no object named: {self:?}"));
        assert_eq!(
            self.message.matches("rawbpf: object").count(),
            1,
            "{what}: {self:?}"
        );
        // What was being worked on, unless it was the object as a whole.
        let named = ["map `", "program `"]
            .iter()
            .any(|item| reason.starts_with(item));
        assert!(
            named || reason.contains("type information"),
            "{what}: no item named: {self:?}"
        );
        let first = reason.lines().next().unwrap_or_default();
        assert!(first.ends_with(')'), "{what}: no error number: {self:?}");
    }
}

/// What the kernel has that is not the object's: what was there before, and what others made meanwhile.
///
/// Asked by number first. Opening is the last resort: the kernel (6.18) loses a reference to a program array that is opened
/// and closed while it is being freed, and keeps it for ever.
#[derive(Debug)]
struct Others(BTreeSet<(&'static str, u32)>);

impl Others {
    /// Everything there is.
    fn now() -> Self {
        Self(ids().into_iter().collect())
    }

    /// What the object left in the kernel, once nothing more goes away.
    fn left_behind(&mut self) -> Vec<String> {
        let mut left = self.settled();
        left.retain(|id| !self.0.contains(id));
        let mut found = Vec::new();
        for (kind, id) in left {
            match name_of(kind, id) {
                Some(name) => found.push(format!("{kind} {id} {name}")),
                None => {
                    self.0.insert((kind, id));
                }
            }
        }
        found
    }

    /// The kernel frees programs and maps a moment after the last descriptor is closed.
    fn settled(&self) -> Vec<(&'static str, u32)> {
        const QUIET: Duration = Duration::from_secs(2);
        let mut now = ids();
        let mut since = Instant::now();
        while now.iter().any(|id| !self.0.contains(id)) && since.elapsed() < QUIET {
            std::thread::sleep(Duration::from_millis(5));
            let next = ids();
            if next != now {
                (now, since) = (next, Instant::now());
            }
        }
        now
    }
}

const KINDS: [(&str, ObjectKind); 4] = [
    ("program", ObjectKind::Program),
    ("map", ObjectKind::Map),
    ("link", ObjectKind::Link),
    ("BTF", ObjectKind::Btf),
];

fn ids() -> Vec<(&'static str, u32)> {
    let mut found = Vec::new();
    for (name, kind) in KINDS {
        let mut after = 0;
        while let Ok(Some(id)) = bpf::next_id(kind, after) {
            after = id;
            found.push((name, id));
        }
    }
    found
}

fn files_left_behind(pid: &str) -> Vec<String> {
    let mut found = Vec::new();
    let pins = mount_point("bpf").and_then(|folder| fs::read_dir(folder).ok());
    let pins = pins.into_iter().flatten().flatten();
    let names = pins.map(|entry| entry.file_name().to_string_lossy().into_owned());
    found.extend(names.filter(|name| name.starts_with(PREFIX)));
    let probe = format!("rawbpf_{pid}_");
    if let Some(folder) = mount_point("tracefs") {
        for file in ["kprobe_events", "uprobe_events"] {
            let events = fs::read_to_string(folder.join(file)).unwrap_or_default();
            let ours = events.lines().filter(|line| line.contains(&probe));
            found.extend(ours.map(str::to_owned));
        }
    }
    found
}

/// The name of something that is ours. A load makes no links: whatever link there is belongs to somebody else.
fn name_of(kind: &str, id: u32) -> Option<String> {
    let ours = |name: String| name.starts_with(PREFIX).then_some(name);
    let kind = KINDS.iter().find(|(name, _)| *name == kind)?.1;
    // It may be gone by now.
    let fd = bpf::fd_by_id(kind, id).ok()?;
    match kind {
        ObjectKind::Program => ours(bpf::prog_info(fd.as_fd()).ok()?.name),
        ObjectKind::Map => ours(MapFd::from_fd(fd).ok()?.1.name),
        ObjectKind::Btf if !bpf::btf_info(fd.as_fd()).ok()?.is_kernel => {
            let types = bpf::btf_data(fd.as_fd()).ok()?;
            let wanted = b"\0rich_entered\0";
            let found = types.windows(wanted.len()).any(|bytes| bytes == wanted);
            found.then(|| "rich's types".to_owned())
        }
        _ => None,
    }
}

#[test]
fn every_failing_call_of_a_load_is_survived_or_explained() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs, Need::Strace);
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut others = Others::now();
    for error in ERRORS {
        let mut survived = 0;
        let mut explained = 0;
        for number in 1..=MOST_CALLS {
            let run = load_with_fault(error, number, &trace);
            let what = format!(
                "{error} of call {number} ({})",
                run.failed.as_deref().unwrap_or("none")
            );
            run.check(&what);
            let mut left = others.left_behind();
            left.extend(files_left_behind(&run.pid));
            assert!(left.is_empty(), "{what}: left behind: {left:?}");
            if run.failed.is_none() {
                assert!(run.success, "{what}: {run:?}");
                break;
            }
            assert!(number < MOST_CALLS, "the load takes more calls than that");
            if run.success {
                survived += 1;
            } else {
                explained += 1;
            }
        }
        println!("{error}: {survived} calls made up for, {explained} explained");
        // Both must happen, or nothing has been made to fail.
        assert!(survived > 0 && explained > 0, "{error}");
    }
}
