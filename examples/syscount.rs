//! Counts the system calls of one process for a while, in a map with a value for each processor.
//!
//! ```sh
//! cargo run --example syscount -- PID SECONDS     # as root
//! ```

use rawbpf::open::OpenObject;
use std::thread;
use std::time::Duration;

const OBJECT: &[u8] = include_bytes!("../fixtures/count_raw_tp.bpf.o");

fn main() -> rawbpf::Result<()> {
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|n| n.parse().ok())
        .collect();
    let [pid, seconds] = numbers[..] else {
        eprintln!("usage: syscount PID SECONDS");
        std::process::exit(2);
    };
    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.variable_mut("targ_tgid")?.set(&pid)?;
    let object = open.load()?;
    let links = object.attach()?;
    thread::sleep(Duration::from_secs(seconds.into()));
    drop(links);
    let values = object.map("counts")?.get_per_cpu(&0_u32.to_ne_bytes())?;
    let counts = values.iter().flat_map(|v| {
        v.iter()
            .filter_map(|b| Some(u64::from_ne_bytes(*b.first_chunk()?)))
            .collect::<Vec<_>>()
    });
    println!("{} system calls in {seconds} s", counts.sum::<u64>());
    Ok(())
}
