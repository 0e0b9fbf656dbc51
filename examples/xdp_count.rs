//! Counts the packets that an interface receives, by protocol, before the kernel does any work on them.
//!
//! Shows: an XDP program, and an array of global variables read as shared memory, without system calls.
//! Needs: Linux 5.8, CAP_BPF and CAP_NET_ADMIN (or root).

mod common;

use common::{Args, Outcome, started};
use rawbpf::attach::Xdp;

const HELP: &str = "\
Counts the packets that an interface receives until Ctrl-C, by IPv4 protocol.

usage: xdp_count INTERFACE [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/xdp.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let interface: String = args.operand("INTERFACE");
    let until = args.until()?;

    let counter = xdp::open()?.load()?;
    let program = &counter.programs.count_packets;
    let link = program.attach(&Xdp::on(interface.as_str()))?;
    started(&format!("counting on {interface}"));
    until.sleep();
    link.detach()?;

    let counts = counter.bss.by_protocol.get();
    for (protocol, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        println!("{:8} {count}", name(protocol));
    }
    let other = counter.bss.seen.get() - counts.iter().sum::<u64>();
    println!("{:8} {other}", "not IPv4");
    Ok(())
}

fn name(protocol: usize) -> String {
    match protocol {
        1 => "ICMP".into(),
        6 => "TCP".into(),
        17 => "UDP".into(),
        other => other.to_string(),
    }
}
