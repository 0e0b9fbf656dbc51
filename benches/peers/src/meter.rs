//! What a phase of a loader's work costs: wall time, CPU time, and the `bpf()` calls inside it.
//!
//! All three loaders reach the kernel by the C library's `syscall` function. The binaries are linked with
//! `--wrap=syscall` (see `build.rs`), so [`__wrap_syscall`] sees each call, counts those of `bpf` and adds up the
//! CPU time spent inside them. CPU time minus that is the loader's own work, which the verifier's work, the same
//! for everybody, would otherwise drown.

use std::cell::Cell;
use std::ffi::c_long;
use std::time::{Duration, Instant};

use serde::Serialize;

/// What one phase cost.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// What was done: `open`, `relocate`, `prepare`, `load`, `parse` or `find`.
    pub name: &'static str,
    /// Elapsed time.
    pub wall_ns: u64,
    /// CPU time, user and system together.
    pub cpu_ns: u64,
    /// CPU time, less what was spent inside `bpf()`: the loader's own work, with its reads and page faults.
    pub own_cpu_ns: u64,
    /// User part of the CPU time, as `getrusage` says (coarse: the kernel scales it from timer ticks).
    pub user_us: u64,
    /// System part of the CPU time, as `getrusage` says.
    pub system_us: u64,
    /// Number of `bpf()` calls.
    pub bpf_calls: u64,
    /// Elapsed time inside `bpf()`.
    pub bpf_wall_ns: u64,
}

impl Phase {
    /// Adds what another run of the same phase cost.
    pub fn add(&mut self, other: &Phase) {
        self.wall_ns += other.wall_ns;
        self.cpu_ns += other.cpu_ns;
        self.own_cpu_ns += other.own_cpu_ns;
        self.user_us += other.user_us;
        self.system_us += other.system_us;
        self.bpf_calls += other.bpf_calls;
        self.bpf_wall_ns += other.bpf_wall_ns;
    }
}

/// Runs `work` and says what it cost.
pub fn phase<T>(name: &'static str, work: impl FnOnce() -> T) -> (Phase, T) {
    let usage = usage();
    let bpf = BPF.get();
    let cpu = cpu_time();
    let wall = Instant::now();
    let value = work();
    let wall_ns = nanos(wall.elapsed());
    let cpu_ns = nanos(cpu_time().saturating_sub(cpu));
    let bpf_after = BPF.get();
    let usage_after = self::usage();
    let phase = Phase {
        name,
        wall_ns,
        cpu_ns,
        own_cpu_ns: cpu_ns.saturating_sub(nanos(bpf_after.cpu.saturating_sub(bpf.cpu))),
        user_us: usage_after.0 - usage.0,
        system_us: usage_after.1 - usage.1,
        bpf_calls: bpf_after.calls - bpf.calls,
        bpf_wall_ns: nanos(bpf_after.wall.saturating_sub(bpf.wall)),
    };
    (phase, value)
}

/// Sums over the `bpf()` calls made so far.
#[derive(Debug, Clone, Copy)]
struct BpfCalls {
    calls: u64,
    wall: Duration,
    cpu: Duration,
}

thread_local! {
    static BPF: Cell<BpfCalls> =
        const { Cell::new(BpfCalls { calls: 0, wall: Duration::ZERO, cpu: Duration::ZERO }) };
}

thread_local! {
    static UNMETERED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` without looking at the clock at every call, which costs more than what some work does besides the call.
pub fn unmetered<T>(work: impl FnOnce() -> T) -> T {
    UNMETERED.set(true);
    let value = work();
    UNMETERED.set(false);
    value
}

unsafe extern "C" {
    fn __real_syscall(number: c_long, ...) -> c_long;
}

/// Stands in for the C library's `syscall`: passes the call on, and meters it when it is `bpf`.
///
/// # Safety
///
/// As for `syscall(2)`: the arguments must be what the call asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_syscall(
    number: c_long,
    arg0: c_long,
    arg1: c_long,
    arg2: c_long,
    arg3: c_long,
    arg4: c_long,
    arg5: c_long,
) -> c_long {
    // SAFETY: the caller's arguments are passed on untouched. Arguments it did not give are whatever the registers
    // hold, which the C library's own `syscall` passes to the kernel just so.
    let call = || unsafe { __real_syscall(number, arg0, arg1, arg2, arg3, arg4, arg5) };
    if number != libc::SYS_bpf || UNMETERED.get() {
        return call();
    }
    let cpu = cpu_time();
    let wall = Instant::now();
    let result = call();
    // Reading the clocks must not change the errno that the caller is about to read: neither call can fail.
    let wall = wall.elapsed();
    let cpu = cpu_time().saturating_sub(cpu);
    let sum = BPF.get();
    BPF.set(BpfCalls {
        calls: sum.calls + 1,
        wall: sum.wall + wall,
        cpu: sum.cpu + cpu,
    });
    result
}

/// CPU time of this thread, exact.
pub(crate) fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for one timespec.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the thread CPU clock is always there");
    Duration::new(
        time.tv_sec.cast_unsigned(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// User and system time of this process in microseconds.
fn usage() -> (u64, u64) {
    let usage = rusage();
    let micros = |time: libc::timeval| {
        time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_usec.cast_unsigned()
    };
    (micros(usage.ru_utime), micros(usage.ru_stime))
}

/// The largest resident size this process has had, in KiB.
pub fn peak_rss_kib() -> u64 {
    rusage().ru_maxrss.cast_unsigned()
}

/// How often this thread has gone to sleep.
pub(crate) fn sleeps() -> u64 {
    rusage_of(libc::RUSAGE_THREAD).ru_nvcsw.cast_unsigned()
}

fn rusage() -> libc::rusage {
    rusage_of(libc::RUSAGE_SELF)
}

fn rusage_of(whose: libc::c_int) -> libc::rusage {
    // SAFETY: all-zero is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid place for one rusage.
    let result = unsafe { libc::getrusage(whose, &raw mut usage) };
    assert_eq!(result, 0, "getrusage of oneself cannot fail");
    usage
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
