//! A TCP congestion control that is in the kernel as long as this program runs.
//!
//! Shows: struct_ops, a kernel interface whose functions are BPF programs; a member of the struct set before loading.
//! Needs: Linux 5.6 with BTF, CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (or root).

mod common;

use common::{Args, Outcome, started};
use rawbpf::open::OpenObject;

const HELP: &str = "\
Registers a congestion control until Ctrl-C. Connections use it if they ask for it (setsockopt TCP_CONGESTION), or if
its name is written to /proc/sys/net/ipv4/tcp_congestion_control.

usage: tcp_cc [--name NAME] [--duration SECONDS]
";

const OBJECT: &[u8] = include_bytes!("../fixtures/struct_ops.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let name: Option<String> = args.option("--name");
    let until = args.until()?;

    let name = name.as_deref().unwrap_or("rawbpf_cc");
    let mut open = OpenObject::from_bytes(OBJECT)?;
    open.map_mut("rawbpf_cc")?
        .set_field_from_text("name", name)?;
    let object = open.load()?;
    let link = object.attach_struct_ops("rawbpf_cc")?;
    started(&format!("congestion control {name} is registered"));
    until.sleep();
    // Connections that use it keep it until they end; new ones cannot get it.
    link.detach()?;
    println!(
        "{} acknowledgements seen",
        object.live::<u64>("acks")?.get()
    );
    Ok(())
}
