//! The example of the library in README.md.

rawbpf::include_bpf!("fixtures/opensnoop.bpf.o"); // read now, by the compiler

fn main() -> rawbpf::Result<()> {
    let mut open = opensnoop::open()?; // no system call
    open.rodata.targ_failed = true; // a variable of the program: `bool`, as in C
    let snoop = open.load()?; // relocated for this kernel; all or nothing
    let _links = snoop.attach()?; // by section name; detached when dropped
    let mut ring = snoop.maps.events.ring()?;
    loop {
        for event in &ring.wait(None)? {
            let event = event?;
            println!("{} {} {}", event.pid, event.ret, event.fname);
        }
    }
}
