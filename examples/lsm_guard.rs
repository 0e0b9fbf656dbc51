//! Keeps everybody, even root, from opening one file, and prints who tried.
//!
//! Shows: a BPF program as a security module: its return value is what open(2) returns.
//! Needs: Linux 5.8 with BTF, `bpf` among the security modules (`lsm=...,bpf` on the kernel command line), CAP_BPF,
//! CAP_PERFMON and CAP_MAC_ADMIN (or root).

mod common;

use common::{Args, Outcome, TICK, started};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

const HELP: &str = "\
Lets nobody open a file until Ctrl-C, and prints who tried: process, user, command. Processes that have it open keep it.

usage: lsm_guard FILE [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/lsm_guard.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let path: String = args.operand("FILE");
    let until = args.until()?;

    let file = fs::metadata(&path)
        .map_err(|e| io::Error::new(e.kind(), format!("cannot look at {path}: {e}")))?;
    // The kernel encodes device numbers differently inside than for user space.
    let device = libc::major(file.dev()) << 20 | libc::minor(file.dev());
    let mut open = lsm_guard::open()?;
    open.rodata.targ_ino = file.ino();
    open.rodata.targ_dev = device;
    let guard = open.load()?;
    let mut ring = guard.maps.events.ring()?;
    let _links = guard.attach()?;

    started(&format!("guarding {path}"));
    while !until.is_over() {
        for event in &ring.wait(Some(TICK))? {
            let lsm_guard::event { tgid, uid, comm } = event?;
            println!("{tgid:7} {uid:5} {comm}");
        }
    }
    Ok(())
}
