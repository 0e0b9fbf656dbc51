//! Drops packets to one port that arrive on an interface, like a small firewall.
//!
//! Shows: a traffic-control program, attached by tcx where the kernel has it (Linux 6.6), as a classic filter elsewhere.
//! Needs: Linux 5.8, CAP_BPF and CAP_NET_ADMIN (or root).

mod common;

use common::{Args, Outcome, started};
use rawbpf::attach::Tcx;

const HELP: &str = "\
Drops incoming IPv4 packets to a port, TCP and UDP, until Ctrl-C.

usage: tc_filter INTERFACE PORT [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/tc_filter.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let interface: String = args.operand("INTERFACE");
    let port: u16 = args.operand("PORT");
    let until = args.until()?;

    let mut open = tc_filter::open()?;
    open.rodata.port = port;
    let filter = open.load()?;
    let program = &filter.programs.drop_port;
    let link = program.attach(&Tcx::ingress(interface.as_str()))?;
    started(&format!("dropping packets to port {port} on {interface}"));
    until.sleep();
    // Dropping the link would detach as well; this way an error is seen.
    link.detach()?;

    let (passed, dropped) = (filter.bss.passed.get(), filter.bss.dropped.get());
    println!("{passed} passed, {dropped} dropped");
    Ok(())
}
