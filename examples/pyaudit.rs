//! Prints what a Python program does that auditors want to know (opening files, importing, starting programs), by a USDT probe
//! that Debian's Python has.
//!
//! ```sh
//! cargo run --example pyaudit -- PID     # as root
//! ```
//!
//! Shows: attaching to a USDT probe of one process, by the file that it runs. The probe has a semaphore: Python makes events only
//! while somebody listens. Ends with the process, or with Ctrl-C.

use rawbpf::attach::{Processes, Usdt};
use rawbpf::open::OpenObject;
use rawbpf::ring::RingBuffer;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// `struct event` of `fixtures/src/pyaudit.bpf.c`, field by field.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    pid: u32,
    name: [u8; 60],
}

const OBJECT: &[u8] = include_bytes!("../fixtures/pyaudit.bpf.o");

fn main() -> rawbpf::Result<()> {
    let pid = std::env::args().nth(1).and_then(|pid| pid.parse().ok());
    let Some(pid) = pid else {
        eprintln!(
            "usage: pyaudit PID

Prints the audit events of a process of python3."
        );
        std::process::exit(2);
    };
    let process = PathBuf::from(format!("/proc/{pid}"));
    let object = OpenObject::from_bytes(OBJECT)?.load()?;
    let probe = Usdt::new(process.join("exe"), "python", "audit");
    let probe = probe.processes(Processes::Pid(pid));
    let _link = object.program("audit")?.attach_usdt(&probe)?;
    eprintln!("listening to process {pid}");
    let mut ring = RingBuffer::new(object.map("events")?)?;
    while is_running(&process) {
        for record in &ring.wait(Some(Duration::from_millis(200)))? {
            if let Ok((event, _)) = Event::ref_from_prefix(record?.bytes()) {
                println!("{:6} {}", event.pid, text(&event.name));
            }
        }
    }
    Ok(())
}

/// Whether it has not ended; one that nobody has waited for yet has.
fn is_running(process: &Path) -> bool {
    process.join("exe").read_link().is_ok()
}

/// A C string in a field of fixed size.
fn text(field: &[u8]) -> String {
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
