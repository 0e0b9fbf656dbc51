//! When a live test is skipped, and things that a test has to itself.
//!
//! A test starts by declaring its needs:
//!
//! ```ignore
//! #[test]
//! fn counts_calls() {
//!     require!(Need::Bpf, Need::Kprobes);
//!     ...
//! }
//! ```
//!
//! If one of them is not met, the test prints `skipped: <test>: <why>` and passes. With `CI=true` it fails instead, unless
//! this machine's kernel cannot do it at all: what a machine could do must not be skipped for lack of root or of a mount.

use rawbpf::btf::{Btf, Kind};
use rawbpf::insn::{Insn, class};
use rawbpf::sys::bpf::{self, ProgLoad};
use rawbpf::{AttachType, ProgramType};
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// A version of Linux: major and minor number.
pub(crate) type Linux = (u32, u32);

/// Something that a live test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    dead_code,
    reason = "this module is shared by test programs that use parts of it"
)]
pub(crate) enum Need {
    /// Root's rights, and a kernel with bpf(2).
    Bpf,
    /// This version of Linux, or a later one.
    Linux(u32, u32),
    /// The kernel's own BTF.
    Btf,
    /// A mounted BPF file system, to pin things in.
    Bpffs,
    /// Mounted tracefs.
    Tracefs,
    /// Mounted cgroup2.
    Cgroup,
    /// Kprobes.
    Kprobes,
    /// Links that attach to many kernel functions at once.
    KprobeMulti,
    /// Uprobes.
    Uprobes,
    /// Links that attach to many offsets in a program at once.
    UprobeMulti,
    /// BPF programs at kernel functions' entry and exit.
    Fentry,
    /// BPF programs at LSM hooks.
    Lsm,
    /// Iterators over objects of this kind.
    Iterator(&'static str),
    /// A loaded kernel module with BTF.
    ModuleBtf,
    /// This kernel module, loaded, with BTF.
    Module(&'static str),
    /// User namespaces.
    UserNamespaces,
    /// Perf events that see all processes, without CAP_SYS_ADMIN. Debian's kernels require it if
    /// `kernel.perf_event_paranoid` is 3.
    PerfWithoutSysAdmin,
    /// A Python that was built with USDT probes.
    Python,
    /// Debian's `libbpf-tools`, to compare with. Guests do not have them.
    LibbpfTools,
    /// strace, which can make system calls fail. Guests do not have it.
    Strace,
    /// A guest of `cargo xtask vm`, whose abilities are known.
    Guest,
}

fn perf_without_sys_admin() -> Result<(), Unmet> {
    let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    impossible_unless(
        level.trim().parse().is_ok_and(|level: i32| level < 3),
        "kernel.perf_event_paranoid is 3: perf events that see all processes take CAP_SYS_ADMIN",
    )
}

/// Why a need is not met.
#[derive(Debug)]
pub(crate) struct Unmet {
    why: String,
    remedy: Remedy,
}

/// Whether something can be done about an unmet need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// This machine could run the test, if somebody did what the message says.
    Possible,
    /// This kernel cannot.
    None,
}

/// Returns from a test, with a printed reason, if one of its needs is not met.
macro_rules! require {
    ($($need:expr),+ $(,)?) => {
        fn here() {}
        if let Err(unmet) = $crate::support::check(&[$($need),+]) {
            $crate::support::skip(here, &unmet);
            return;
        }
    };
}

/// Reports that a test is skipped, or fails it where that is not allowed.
pub(crate) fn skip<F>(_here: F, unmet: &Unmet) {
    let test = std::any::type_name::<F>().trim_end_matches("::here");
    let ci = env::var("CI").is_ok_and(|value| value == "true" || value == "1");
    assert!(
        !ci || unmet.remedy == Remedy::None,
        "CI must not skip what this machine can run: {}",
        unmet.why
    );
    // Past the test harness, which captures the output of passing tests; in one write, as the harness writes there, too.
    let line = format!("skipped: {test}: {}\n", unmet.why);
    let _ = io::stderr().write_all(line.as_bytes());
}

/// The first of these needs that is not met.
pub(crate) fn check(needs: &[Need]) -> Result<(), Unmet> {
    needs.iter().try_for_each(|need| need.check())
}

fn unless(met: bool, remedy: Remedy, why: impl Into<String>) -> Result<(), Unmet> {
    if met {
        Ok(())
    } else {
        Err(Unmet {
            why: why.into(),
            remedy,
        })
    }
}

fn impossible_unless(met: bool, why: impl Into<String>) -> Result<(), Unmet> {
    unless(met, Remedy::None, why)
}

impl Need {
    /// The Linux version that introduced it in mainline.
    pub(crate) fn since(self) -> Linux {
        match self {
            Need::Linux(major, minor) => (major, minor),
            Need::Fentry => (5, 5),
            Need::Lsm => (5, 7),
            Need::PerfWithoutSysAdmin => (5, 8),
            Need::Iterator(_) => (5, 9),
            Need::ModuleBtf | Need::Module(_) => (5, 11),
            Need::KprobeMulti => (5, 18),
            Need::UprobeMulti => (6, 6),
            _ => (4, 18),
        }
    }

    fn check(self) -> Result<(), Unmet> {
        match self {
            Need::Linux(major, minor) => linux((major, minor)),
            Need::Bpf => bpf(),
            Need::Btf => impossible_unless(
                Path::new("/sys/kernel/btf/vmlinux").exists(),
                "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF): no /sys/kernel/btf/vmlinux",
            ),
            Need::Bpffs => mounted("bpf", "mount -t bpf bpf /sys/fs/bpf"),
            Need::Tracefs => mounted("tracefs", "mount -t tracefs tracefs /sys/kernel/tracing"),
            Need::Cgroup => mounted("cgroup2", "mount -t cgroup2 cgroup2 /sys/fs/cgroup"),
            Need::Kprobes => perf_source("kprobe"),
            Need::Uprobes => perf_source("uprobe"),
            Need::KprobeMulti => {
                perf_source("kprobe").and_then(|()| has_symbol("register_fprobe_ips"))
            }
            Need::UprobeMulti => {
                perf_source("uprobe").and_then(|()| has_symbol("bpf_uprobe_multi_link_attach"))
            }
            Need::Fentry => fentry(),
            Need::Lsm => fentry().and_then(|()| lsm()),
            Need::Iterator(kind) => iterator(kind),
            Need::PerfWithoutSysAdmin => perf_without_sys_admin(),
            Need::ModuleBtf => linux(self.since()).and_then(|()| module_btf()),
            Need::Module(name) => linux(self.since())
                .and_then(|()| module_btf())
                .and_then(|()| {
                    unless(
                        Path::new("/sys/kernel/btf").join(name).exists(),
                        Remedy::Possible,
                        format!("the module {name} is not loaded, or has no BTF: modprobe {name}"),
                    )
                }),
            Need::UserNamespaces => impossible_unless(
                Path::new("/proc/self/ns/user").exists()
                    && fs::read_to_string("/proc/sys/user/max_user_namespaces")
                        .is_ok_and(|most| most.trim() != "0"),
                "the kernel has no user namespaces (CONFIG_USER_NS), or none are allowed",
            ),
            Need::Strace => strace(),
            Need::LibbpfTools => libbpf_tools(),
            Need::Python => impossible_unless(
                fs::read("/usr/bin/python3")
                    .is_ok_and(|bytes| bytes.windows(13).any(|part| part == b"python\0audit\0")),
                "/usr/bin/python3 is missing, or has no USDT probes",
            ),
            Need::Guest => impossible_unless(is_guest(), "this is not a guest of `cargo xtask vm`"),
        }
    }
}

fn is_guest() -> bool {
    env::var_os("RAWBPF_GUEST").is_some()
}

fn strace() -> Result<(), Unmet> {
    impossible_unless(!is_guest(), "guests have no strace")?;
    let found = std::process::Command::new("strace").arg("-V").output();
    unless(
        found.is_ok_and(|output| output.status.success()),
        Remedy::Possible,
        "there is no strace: apt-get install strace",
    )
}

fn libbpf_tools() -> Result<(), Unmet> {
    impossible_unless(!is_guest(), "guests have no libbpf-tools")?;
    unless(
        Path::new("/usr/share/doc/libbpf-tools").exists(),
        Remedy::Possible,
        "there are no libbpf-tools: apt-get install libbpf-tools",
    )
}

fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn linux((major, minor): Linux) -> Result<(), Unmet> {
    let release = release();
    impossible_unless(
        version(&release) >= (major, minor),
        format!("needs Linux {major}.{minor}, this is {release}"),
    )
}

fn version(release: &str) -> Linux {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn bpf() -> Result<(), Unmet> {
    /// `CAP_SYS_ADMIN`, which stands for all others that matter.
    const SYS_ADMIN: u64 = 1 << 21;
    impossible_unless(
        Path::new("/proc/sys/kernel/unprivileged_bpf_disabled").exists(),
        "the kernel has no bpf(2) (CONFIG_BPF_SYSCALL)",
    )?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok())
        .unwrap_or(0);
    unless(
        capabilities & SYS_ADMIN != 0,
        Remedy::Possible,
        "needs root: run the tests with sudo",
    )
}

/// Where a file system of this type is mounted.
pub(crate) fn mount_point(kind: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, found) = (words.next()?, words.next()?);
        (found == kind).then(|| PathBuf::from(place))
    })
}

fn mounted(kind: &str, how: &str) -> Result<(), Unmet> {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    impossible_unless(
        known
            .lines()
            .any(|line| line.split_whitespace().last() == Some(kind)),
        format!("the kernel has no file system {kind}"),
    )?;
    unless(
        mount_point(kind).is_some(),
        Remedy::Possible,
        format!("{kind} is not mounted: {how}"),
    )
}

/// Kprobes and uprobes are perf events of a source of their own.
fn perf_source(name: &str) -> Result<(), Unmet> {
    let sources = Path::new("/sys/bus/event_source/devices");
    unless(
        sources.exists(),
        Remedy::Possible,
        "sysfs is not mounted: mount -t sysfs sysfs /sys",
    )?;
    impossible_unless(
        sources.join(name).exists(),
        format!("the kernel has no {name}s"),
    )
}

fn has_symbol(name: &str) -> Result<(), Unmet> {
    // Slow to read on emulated CPUs.
    static SYMBOLS: LazyLock<String> =
        LazyLock::new(|| fs::read_to_string("/proc/kallsyms").unwrap_or_default());
    let found = SYMBOLS
        .lines()
        .any(|line| line.split_whitespace().nth(2) == Some(name));
    impossible_unless(found, format!("the kernel has no function {name}"))
}

/// Trampolines patch functions through ftrace, which a locked-down kernel denies even to root. It denies the list of
/// functions as well, which can be asked for without loading anything.
fn fentry() -> Result<(), Unmet> {
    has_symbol("arch_prepare_bpf_trampoline")?;
    mounted("tracefs", "mount -t tracefs tracefs /sys/kernel/tracing")?;
    let list = mount_point("tracefs")
        .unwrap_or_default()
        .join("available_filter_functions");
    match File::open(&list) {
        Ok(_) => Ok(()),
        Err(error) => impossible_unless(
            false,
            format!(
                "the kernel does not let root trace functions: {}: {error}",
                list.display()
            ),
        ),
    }
}

fn lsm() -> Result<(), Unmet> {
    mounted(
        "securityfs",
        "mount -t securityfs securityfs /sys/kernel/security",
    )?;
    let place = mount_point("securityfs").unwrap_or_default();
    let modules = fs::read_to_string(place.join("lsm")).unwrap_or_default();
    impossible_unless(
        modules.trim().split(',').any(|module| module == "bpf"),
        format!("bpf is not among the kernel's security modules: {modules}"),
    )
}

/// Whether the kernel accepts the smallest iterator of this kind. Locked-down kernels refuse some kinds and not others.
fn iterator(kind: &str) -> Result<(), Unmet> {
    /// `BPF_MOV`
    const MOV: u8 = 0xb0;
    let types = fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
    let function = format!("bpf_iter_{kind}");
    let found = Btf::parse(&types).map(|types| types.find(&function, Kind::Func));
    let Ok(Some(attach_btf_id)) = found else {
        return impossible_unless(false, format!("the kernel has no iterators over {kind}"));
    };
    let nothing = [
        Insn::new(class::ALU64 | MOV, 0, 0, 0, 0),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    let loaded = bpf::prog_load(
        &ProgLoad {
            kind: ProgramType::TRACING,
            expected_attach_type: AttachType::TRACE_ITER,
            attach_btf_id,
            insns: &nothing,
            license: c"GPL",
            ..ProgLoad::default()
        },
        None,
    );
    let refusal = loaded.err();
    impossible_unless(
        refusal.is_none(),
        format!("the kernel refuses the smallest iterator over {kind}: {refusal:?}"),
    )
}

fn module_btf() -> Result<(), Unmet> {
    let loaded = fs::read_dir("/sys/kernel/btf")
        .into_iter()
        .flatten()
        .flatten();
    let found = loaded
        .into_iter()
        .any(|entry| entry.file_name() != "vmlinux");
    let modules = Path::new("/proc/modules").exists();
    impossible_unless(modules, "the kernel takes no modules (CONFIG_MODULES)")?;
    unless(
        found,
        Remedy::Possible,
        "no loaded module has BTF: modprobe veth",
    )
}

/// A fixture: `fixtures/NAME`, also in a guest.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The test may belong to another package of the workspace.
    let root = package.ancestors().find(|p| p.join("fixtures").is_dir());
    let here = || root.unwrap_or(package).join("fixtures");
    env::var_os("RAWBPF_FIXTURES")
        .map_or_else(here, PathBuf::from)
        .join(name)
}

/// A name that no other test has, in this process or another.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "rawbpf-test-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A folder on the BPF file system that only one test uses. Needs [`Need::Bpffs`].
#[derive(Debug)]
pub(crate) struct PinFolder(PathBuf);

impl PinFolder {
    pub(crate) fn new() -> Self {
        let folder = mount_point("bpf")
            .expect("a BPF file system")
            .join(unique());
        fs::create_dir(&folder).expect("a folder on the BPF file system");
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PinFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A cgroup that only one test uses, without processes. Needs [`Need::Cgroup`].
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    pub(crate) fn new() -> Self {
        let folder = mount_point("cgroup2").expect("cgroup2").join(unique());
        fs::create_dir(&folder).expect("a new cgroup");
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Runs `job` on a thread with its own network namespace, which ends with it.
pub(crate) fn in_own_network<T: Send>(job: impl FnOnce() -> T + Send) -> T {
    let own = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
        job()
    };
    thread::scope(|scope| scope.spawn(own).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Lifts the limit on locked memory, against which kernels before 5.11 count maps; later ones ignore it.
pub(crate) fn lift_memlock() {
    // Refused without CAP_SYS_RESOURCE: then the limit has to suffice.
    let _ = rawbpf::sys::rlimit::set_memlock(None);
}
