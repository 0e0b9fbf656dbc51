//! Prints what a Python program does that auditors want to know (opening files, importing, starting programs), using a USDT
//! probe in Debian's Python.
//!
//! Shows: attaching to a USDT probe in one process, by the file it runs. The probe has a semaphore: Python only makes events
//! while somebody listens.
//! Needs: Linux 5.8 with uprobes, CAP_BPF and CAP_PERFMON (or root), and a Python that was built with probes.

mod common;

use common::{Args, Outcome, TICK, started};
use rawbpf::attach::{Processes, Usdt};
use std::io;
use std::path::{Path, PathBuf};

const HELP: &str = "\
Prints the audit events of a python3 process until it ends.

usage: pyaudit PID [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/pyaudit.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: u32 = args.operand("PID");
    let until = args.until()?;

    let process = PathBuf::from(format!("/proc/{pid}"));
    if !process.exists() {
        return Err(io::Error::other(format!("there is no process {pid}")).into());
    }
    let audit = pyaudit::open()?.load()?;
    let mut ring = audit.maps.events.ring()?;
    let probe = Usdt::new(process.join("exe"), "python", "audit");
    let probe = probe.processes(Processes::Pid(pid));
    let _link = audit.programs.audit.attach(&probe)?;

    started(&format!("listening to process {pid}"));
    while !until.is_over() && is_running(&process) {
        for event in &ring.wait(Some(TICK))? {
            let pyaudit::event { pid, name } = event?;
            println!("{pid:7} {name}");
        }
    }
    Ok(())
}

/// Whether it is still running; a zombie is not.
fn is_running(process: &Path) -> bool {
    process.join("exe").read_link().is_ok()
}
