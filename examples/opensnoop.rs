//! Prints the files that one process opens, from a prebuilt object that is part of this program.
//!
//! ```sh
//! cargo run --example opensnoop -- PID     # as root
//! ```
//!
//! Shows: an embedded object, a global variable set before loading, attaching by section name, typed events.

use rawbpf::open::OpenObject;
use rawbpf::ring::RingBuffer;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// `struct event` of `fixtures/src/opensnoop.bpf.c`, field by field.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    time: u64,
    pid: u32,
    tgid: u32,
    uid: u32,
    result: i32,
    flags: u32,
    mode: u32,
    command: [u8; 16],
    name: [u8; 256],
}

const OBJECT: &[u8] = include_bytes!("../fixtures/opensnoop.bpf.o");

fn main() -> rawbpf::Result<()> {
    let Some(pid) = std::env::args()
        .nth(1)
        .and_then(|pid| pid.parse::<u32>().ok())
    else {
        eprintln!("usage: opensnoop PID");
        std::process::exit(2);
    };
    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&pid)?;
    let object = open.load()?;
    let _links = object.attach()?;
    let mut ring = RingBuffer::new(object.map("events")?)?;
    loop {
        for record in &ring.wait(None)? {
            if let Ok((event, _)) = Event::ref_from_prefix(record?.bytes()) {
                println!(
                    "{:16} {:6} {}",
                    text(&event.command),
                    event.result,
                    text(&event.name)
                );
            }
        }
    }
}

/// A C string in a field of fixed size.
fn text(field: &[u8]) -> String {
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
