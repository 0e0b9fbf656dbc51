//! Lists all tasks with a BPF iterator: the program runs once for each task, and writes the line that is read here.
//!
//! ```sh
//! cargo run --example ps     # as root; since Linux 5.8
//! ```

use rawbpf::open::OpenObject;
use std::io::{self, Read};

const OBJECT: &[u8] = include_bytes!("../fixtures/iter_task.bpf.o");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let object = OpenObject::from_bytes(OBJECT)?.load()?;
    let link = object.program("list_tasks")?.attach_iter()?;
    let mut text = String::new();
    link.iterate()?.read_to_string(&mut text)?;
    io::Write::write_all(&mut io::stdout(), text.as_bytes())?;
    Ok(())
}
