//! The first program in README.md; there, its object is beside `Cargo.toml`.

rawbpf::include_bpf!("fixtures/exec.bpf.o");

fn main() -> rawbpf::Result<()> {
    let mut open = exec::open()?;
    if let Some(uid) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) {
        open.rodata.only_uid = uid;
    }
    let execs = open.load()?;
    let _links = execs.attach()?;
    let mut ring = execs.maps.events.ring()?;
    println!("{:>7} {:>6} COMMAND", "PID", "UID");
    loop {
        for event in &ring.wait(None)? {
            let exec::event { pid, uid, command } = event?;
            println!("{pid:>7} {uid:>6} {command}");
        }
    }
}
