//! Prints a histogram of how long block devices take for requests.
//!
//! Shows: counting in the kernel and fetching only the totals; a global array read as shared memory; one object for kernels
//! that pass different arguments to the same tracepoint.
//! Needs: Linux 5.5 with BTF, CAP_BPF and CAP_PERFMON (or root).

mod common;

use common::{Args, Outcome, started};

const HELP: &str = "\
Prints at Ctrl-C how long block devices took for their requests, in powers of two.
With --pid, only for requests that this process itself submitted to the device (direct and synchronous ones).

usage: biolatency [--pid PID] [--duration SECONDS]
";

rawbpf::include_bpf!("../fixtures/biolatency.bpf.o");

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let pid: Option<u32> = args.option("--pid");
    let until = args.until()?;

    let mut open = biolatency::open()?;
    open.rodata.targ_tgid = pid.unwrap_or_default();
    let timer = open.load()?;
    let links = timer.attach()?;
    started("timing block devices");
    until.sleep();
    drop(links);
    print(&timer.bss.slots.get());
    Ok(())
}

fn print(slots: &[u64]) {
    const WIDTH: u64 = 50;
    let used = slots.iter().rposition(|count| *count > 0);
    let used = slots.get(..=used.unwrap_or(0)).unwrap_or_default();
    let most = used.iter().max().copied().unwrap_or_default().max(1);
    println!("{:>12} {:>9}", "microseconds", "requests");
    for (slot, count) in used.iter().enumerate() {
        // The last slot also counts what is too long for it, the first what is too short.
        let from = if slot == 0 { 0 } else { 1u64 << slot };
        let width = usize::try_from(count * WIDTH / most).unwrap_or_default();
        let stars = "*".repeat(width);
        println!("{from:>12} {count:>9} {stars}");
    }
}
