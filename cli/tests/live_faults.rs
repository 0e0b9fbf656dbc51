//! Makes every system call of a load fail once: the load then either finds another way, or says in one message what could
//! not be done to what; and nothing is left behind. Needs root and strace, which makes the calls fail.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rawbpf::sys::bpf::{self, MapFd, ObjectKind};

#[macro_use]
#[allow(dead_code, reason = "other test programs use the rest of it")]
#[path = "../../tests/live/support.rs"]
mod support;

use support::{Need, fixture, mount_point};

/// What kernels answer when memory, rights, support, time or room is missing.
const ERRORS: [&str; 5] = ["ENOMEM", "EPERM", "EINVAL", "EAGAIN", "E2BIG"];

/// One of everything that takes a step to load. All names that it gives to the kernel start with this word.
const OBJECT: &str = "rich.bpf.o";
const WORD: &[u8; 4] = b"rich";

/// More calls than loading the object makes.
const MOST_CALLS: u32 = 400;

/// What a load with one failing call did.
#[derive(Debug)]
struct Run {
    /// The command of the call that failed; `None` if there were fewer calls.
    failed: Option<String>,
    /// The process id, which is part of the names of the probes it creates.
    pid: String,
    success: bool,
    message: String,
}

fn command() -> PathBuf {
    std::env::var_os("RAWBPF_COMMAND")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_rawbpf").into())
        .into()
}

/// The object with names unique to this process, so that nothing else in the kernel can be taken for it: others may load the
/// same object at the same time.
#[derive(Debug)]
struct Own {
    /// What replaces [`WORD`].
    prefix: String,
    object: PathBuf,
    trace: PathBuf,
    _folder: tempfile::TempDir,
}

impl Own {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prefix = word_of(std::process::id());
        let mut bytes = fs::read(fixture(OBJECT)).unwrap();
        for at in 0..bytes.len() - WORD.len() {
            let place = &mut bytes[at..at + WORD.len()];
            if place == WORD {
                place.copy_from_slice(prefix.as_bytes());
            }
        }
        let object = folder.path().join(format!("{prefix}.bpf.o"));
        fs::write(&object, bytes).unwrap();
        Self {
            prefix,
            object,
            trace: folder.path().join("trace"),
            _folder: folder,
        }
    }
}

/// A word as long as [`WORD`], unique for each process id (there are at most 2^22).
fn word_of(mut number: u32) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let letter = |_| {
        let letter = LETTERS[number as usize % LETTERS.len()];
        number /= 52;
        char::from(letter)
    };
    (0..WORD.len()).map(letter).collect()
}

/// Loads the object, and makes the `number`-th call of `bpf()` fail.
fn load_with_fault(error: &str, number: u32, own: &Own) -> Run {
    let trace = &own.trace;
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=bpf", "-o"])
        .arg(trace)
        .args(["-e", &format!("inject=bpf:error={error}:when={number}")])
        .arg(command())
        .arg("load")
        .arg(&own.object)
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
    /// Another way was found, or there is one helpful message.
    fn check(&self, what: &str, own: &Own) {
        assert!(!self.message.contains("panicked"), "{what}: {self:?}");
        if self.success {
            assert_eq!(self.message, "", "{what}: {self:?}");
            return;
        }
        let start = format!("rawbpf: object {}: ", own.object.display());
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
            named || reason.contains("type information") || reason.contains("BTF blob with id"),
            "{what}: no item named: {self:?}"
        );
        let first = reason.lines().next().unwrap_or_default();
        assert!(first.ends_with(')'), "{what}: no error number: {self:?}");
    }
}

/// Kernel objects that are not ours: what existed before, and what others made meanwhile.
///
/// Compared by id first. Opening is the last resort: the kernel (6.18) loses a reference to a program array that is opened
/// and closed while it is being freed, and keeps it forever.
#[derive(Debug)]
struct Others(BTreeSet<(&'static str, u32)>);

impl Others {
    /// Everything that exists now.
    fn now() -> Self {
        Self(ids().into_iter().collect())
    }

    /// What the object left in the kernel, once nothing more disappears.
    fn left_behind(&mut self, own: &Own) -> Vec<String> {
        let mut found = Vec::new();
        for (kind, id) in self.settled() {
            match name_of(kind, id, own) {
                Some(name) => found.push(((kind, id), name)),
                None => {
                    self.0.insert((kind, id));
                }
            }
        }
        // Ours has to go, but when its turn comes: on a busy machine, the kernel's workers have been late by seconds.
        let patience = Instant::now() + Duration::from_secs(30);
        while !found.is_empty() && Instant::now() < patience {
            let now: BTreeSet<_> = ids().into_iter().collect();
            found.retain(|(object, _)| now.contains(object));
            std::thread::sleep(Duration::from_millis(20));
        }
        let lines = found.into_iter();
        lines
            .map(|((kind, id), name)| format!("{kind} {id} {name}"))
            .collect()
    }

    /// What is new and stays. The kernel frees programs and maps shortly after the last descriptor is closed; what others
    /// make in the meantime does not count.
    fn settled(&self) -> Vec<(&'static str, u32)> {
        const QUIET: Duration = Duration::from_secs(2);
        let mut left = ids();
        left.retain(|id| !self.0.contains(id));
        let mut since = Instant::now();
        while !left.is_empty() && since.elapsed() < QUIET {
            std::thread::sleep(Duration::from_millis(5));
            let now: BTreeSet<_> = ids().into_iter().collect();
            let before = left.len();
            left.retain(|id| now.contains(id));
            if left.len() < before {
                since = Instant::now();
            }
        }
        left
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

fn files_left_behind(pid: &str, own: &Own) -> Vec<String> {
    let mut found = Vec::new();
    let pins = mount_point("bpf").and_then(|folder| fs::read_dir(folder).ok());
    let pins = pins.into_iter().flatten().flatten();
    let names = pins.map(|entry| entry.file_name().to_string_lossy().into_owned());
    found.extend(names.filter(|name| name.starts_with(&own.prefix)));
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

/// The name of an object that is ours. A load makes no links: any link belongs to somebody else.
fn name_of(kind: &str, id: u32, own: &Own) -> Option<String> {
    let ours = |name: String| name.starts_with(&own.prefix).then_some(name);
    let kind = KINDS.iter().find(|(name, _)| *name == kind)?.1;
    // It may be gone by now.
    let fd = bpf::fd_by_id(kind, id).ok()?;
    match kind {
        ObjectKind::Program => ours(bpf::prog_info(fd.as_fd()).ok()?.name),
        ObjectKind::Map => ours(MapFd::from_fd(fd).ok()?.1.name),
        ObjectKind::Btf if !bpf::btf_info(fd.as_fd()).ok()?.is_kernel => {
            let types = bpf::btf_data(fd.as_fd()).ok()?;
            let wanted = format!("\0{}_entered\0", own.prefix);
            let found = types
                .windows(wanted.len())
                .any(|bytes| bytes == wanted.as_bytes());
            found.then(|| format!("the types of {}", own.object.display()))
        }
        _ => None,
    }
}

#[test]
fn every_failing_call_of_a_load_is_survived_or_explained() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs, Need::Strace);
    let own = Own::new();
    let mut others = Others::now();
    for error in ERRORS {
        let mut survived = 0;
        let mut explained = 0;
        for number in 1..=MOST_CALLS {
            let run = load_with_fault(error, number, &own);
            let what = format!(
                "{error} of call {number} ({})",
                run.failed.as_deref().unwrap_or("none")
            );
            run.check(&what, &own);
            let mut left = others.left_behind(&own);
            left.extend(files_left_behind(&run.pid, &own));
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
        // Both must happen; otherwise nothing was made to fail.
        assert!(survived > 0 && explained > 0, "{error}");
    }
}
