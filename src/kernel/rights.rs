//! What this process may do, and what keeps it from doing more: for hints about `EPERM`, which has many causes.

use crate::KernelVersion;
use crate::kernel::files;
use std::fs;

/// A capability that the kernel asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capability {
    DacReadSearch,
    NetAdmin,
    SysAdmin,
    Perfmon,
    Bpf,
}

impl Capability {
    /// Its number and its name in the manual pages.
    const fn number_and_name(self) -> (u32, &'static str) {
        match self {
            Self::DacReadSearch => (2, "CAP_DAC_READ_SEARCH"),
            Self::NetAdmin => (12, "CAP_NET_ADMIN"),
            Self::SysAdmin => (21, "CAP_SYS_ADMIN"),
            Self::Perfmon => (38, "CAP_PERFMON"),
            Self::Bpf => (39, "CAP_BPF"),
        }
    }

    /// Whether BPF accepts `CAP_SYS_ADMIN` in its place.
    fn is_part_of_sys_admin(self) -> bool {
        self != Self::DacReadSearch
    }
}

/// The version that split `CAP_BPF` and `CAP_PERFMON` off `CAP_SYS_ADMIN`.
const FINE_CAPABILITIES: KernelVersion = KernelVersion::new(5, 8, 0);
/// The version since which BPF memory does not count against `RLIMIT_MEMLOCK`.
const MEMCG: KernelVersion = KernelVersion::new(5, 11, 0);

/// What to do about `EPERM` from a command that every BPF user needs.
pub(crate) fn for_permission() -> String {
    permission(&[Capability::Bpf])
}

/// What to do about `EPERM` from perf events and from attaching tracing programs.
pub(crate) fn for_perf_event() -> String {
    permission(&[Capability::Bpf, Capability::Perfmon])
}

/// What to do about `EPERM` from opening the kernel's objects by id, and from other commands for administrators only.
pub(crate) fn for_ids() -> String {
    permission(&[Capability::SysAdmin])
}

/// What to do about `EPERM` from attaching to networks and sockets.
pub(crate) fn for_network() -> String {
    permission(&[Capability::Bpf, Capability::NetAdmin])
}

/// What to do about `EACCES` from a file that belongs to root.
pub(crate) fn for_files() -> String {
    let rights = Rights::of_this_process();
    rights
        .missing(&[Capability::DacReadSearch])
        .unwrap_or_else(|| rights.obstacles())
}

/// What to do about `EPERM` and `EACCES` from pins: the command needs a capability, and the file may not be open to
/// everybody.
pub(crate) fn for_pins() -> String {
    let rights = Rights::of_this_process();
    rights.missing(&[Capability::Bpf]).unwrap_or_else(|| {
        "check that this user may read and write the pin, and may enter its folders".into()
    })
}

/// What to do about `EPERM` from a perf buffer.
pub(crate) fn for_perf_buffer() -> String {
    missing_capability(&[Capability::Perfmon]).unwrap_or_else(|| {
        "the buffers have more pages than /proc/sys/kernel/perf_event_mlock_kb allows without CAP_IPC_LOCK".into()
    })
}

/// What to do about `EPERM` from mounting one of the kernel's file systems.
pub(crate) fn for_mount() -> String {
    let rights = Rights::of_this_process();
    if rights.in_user_namespace {
        return "run in the initial user namespace: capabilities in any other do not count for this".into();
    }
    rights
        .missing(&[Capability::SysAdmin])
        .unwrap_or_else(|| rights.obstacles())
}

/// Which capability is missing, or what else may forbid it.
pub(super) fn permission(needed: &[Capability]) -> String {
    Rights::of_this_process().permission(needed)
}

/// Which capabilities are missing, if any.
pub(super) fn missing_capability(needed: &[Capability]) -> Option<String> {
    Rights::of_this_process().missing(needed)
}

/// What is known about a process's rights.
#[derive(Debug, Clone, Default)]
struct Rights {
    /// The effective capabilities.
    effective: u64,
    is_root: bool,
    in_user_namespace: bool,
    /// Whether a seccomp filter checks its system calls.
    has_seccomp_filter: bool,
    /// The kernel's lockdown mode, if it is locked down.
    lockdown: Option<String>,
    /// Active security modules with policies about processes.
    modules: Vec<String>,
    /// `kernel.unprivileged_bpf_disabled`: unless it is 0, BPF always needs a capability.
    unprivileged_off: u8,
    running: KernelVersion,
}

impl Rights {
    fn of_this_process() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let status = read("/proc/thread-self/status");
        let unprivileged = read("/proc/sys/kernel/unprivileged_bpf_disabled");
        Self {
            effective: effective(&status),
            is_root: is_root(&status),
            in_user_namespace: is_user_namespace(&read("/proc/thread-self/uid_map")),
            has_seccomp_filter: has_seccomp_filter(&status),
            lockdown: lockdown(&read("/sys/kernel/security/lockdown")),
            modules: security_modules(&read("/sys/kernel/security/lsm")),
            unprivileged_off: unprivileged.trim().parse().unwrap_or(0),
            running: files::version().unwrap_or_default(),
        }
    }

    fn has(&self, capability: Capability) -> bool {
        let has =
            |capability: Capability| self.effective >> capability.number_and_name().0 & 1 == 1;
        has(capability) || capability.is_part_of_sys_admin() && has(Capability::SysAdmin)
    }

    /// Which capabilities are missing, if any.
    fn missing(&self, needed: &[Capability]) -> Option<String> {
        let names = |list: &[Capability]| {
            let names: Vec<_> = list.iter().map(|c| c.number_and_name().1).collect();
            names.join(" and ")
        };
        let is_fine = self.running >= FINE_CAPABILITIES;
        let needed = match needed {
            // A capability that older kernels have as well.
            [Capability::DacReadSearch] => needed,
            _ if !is_fine => &[Capability::SysAdmin],
            _ => needed,
        };
        let missing: Vec<_> = needed.iter().copied().filter(|c| !self.has(*c)).collect();
        if missing.is_empty() {
            return None;
        }
        let (needed, lacks) = (names(needed), names(&missing));
        let advice = if self.is_root {
            format!(
                "being root is not enough where a container or service manager has dropped capabilities: this needs {needed}"
            )
        } else if self.unprivileged_off != 0 && missing == [Capability::Bpf] {
            format!(
                "run as root, or with {needed}, which kernel.unprivileged_bpf_disabled makes mandatory"
            )
        } else {
            format!("run as root, or with {needed}")
        };
        Some(format!("{advice}; this process lacks {lacks}"))
    }

    /// Which capability is missing, or what else may forbid it.
    fn permission(&self, needed: &[Capability]) -> String {
        if self.in_user_namespace {
            return "this process is in a user namespace, where its capabilities do not count for BPF: it needs a BPF \
                    token that delegates this (Linux 6.9), see TokenSource"
                .into();
        }
        if let Some(missing) = self.missing(needed) {
            return missing;
        }
        if self.running < MEMCG {
            return "the locked-memory limit may be too low and could not be raised: run `ulimit -l unlimited`, or run \
                    with CAP_SYS_RESOURCE"
                .into();
        }
        self.obstacles()
    }

    /// What may stop a process that has the capabilities.
    fn obstacles(&self) -> String {
        let mut found = Vec::new();
        if let Some(lockdown) = &self.lockdown {
            found.push(format!(
                "kernel lockdown ({lockdown}, see /sys/kernel/security/lockdown)"
            ));
        }
        if self.has_seccomp_filter {
            found.push("this process's seccomp filter (common in containers)".into());
        }
        if !self.modules.is_empty() {
            found.push(format!("a security module ({})", self.modules.join(", ")));
        }
        if found.is_empty() {
            return "the process has the capabilities; kernel lockdown, a security module or a container's seccomp filter \
                    may forbid it, or this kernel was built without it"
                .into();
        }
        format!(
            "the process has the capabilities; it may be forbidden by {}",
            found.join(", or ")
        )
    }
}

/// A line of `/proc/self/status`.
fn line<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    let mut lines = status.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// The effective capabilities in `/proc/self/status`.
fn effective(status: &str) -> u64 {
    let digits = line(status, "CapEff").unwrap_or_default().trim();
    u64::from_str_radix(digits, 16).unwrap_or(0)
}

/// Whether the effective user in `/proc/self/status` is root.
fn is_root(status: &str) -> bool {
    let users = line(status, "Uid").unwrap_or_default();
    users.split_whitespace().nth(1) == Some("0")
}

/// Whether `/proc/self/status` shows a seccomp filter (mode 2). In strict mode (1), nothing could have been asked.
fn has_seccomp_filter(status: &str) -> bool {
    line(status, "Seccomp").is_some_and(|mode| mode.trim() == "2")
}

/// The mode in brackets: `none [integrity] confidentiality`.
fn lockdown(modes: &str) -> Option<String> {
    let (_, rest) = modes.split_once('[')?;
    let (mode, _) = rest.split_once(']')?;
    (mode != "none").then(|| mode.to_owned())
}

/// The listed security modules that have policies about what a process may do.
fn security_modules(list: &str) -> Vec<String> {
    const WITH_POLICY: [&str; 6] = ["selinux", "apparmor", "smack", "tomoyo", "bpf", "ipe"];
    let names = list.trim().split(',');
    let names = names.filter(|name| WITH_POLICY.contains(name));
    names.map(ToOwned::to_owned).collect()
}

/// Whether `/proc/self/uid_map` is not that of the initial user namespace, which maps every user to itself.
fn is_user_namespace(users: &str) -> bool {
    let words: Vec<_> = users.split_whitespace().collect();
    !words.is_empty() && words != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACING: &[Capability] = &[Capability::Bpf, Capability::Perfmon];
    const NETWORK: &[Capability] = &[Capability::Bpf, Capability::NetAdmin];
    const BPF_ONLY: u64 = 1 << 39;
    const ALL: u64 = 0x1ff_ffff_ffff;

    fn with(effective: u64) -> Rights {
        Rights {
            effective,
            running: KernelVersion::new(6, 1, 0),
            ..Rights::default()
        }
    }

    #[test]
    fn the_missing_capability_is_named() {
        assert_eq!(
            with(BPF_ONLY).permission(TRACING),
            "run as root, or with CAP_BPF and CAP_PERFMON; this process lacks CAP_PERFMON"
        );
        let old = Rights {
            running: KernelVersion::new(5, 4, 0),
            ..with(BPF_ONLY)
        };
        assert!(old.permission(TRACING).ends_with("lacks CAP_SYS_ADMIN"));
        let off = Rights {
            unprivileged_off: 2,
            ..with(0)
        };
        let hint = off.permission(&[Capability::Bpf]);
        assert!(hint.contains("kernel.unprivileged_bpf_disabled"), "{hint}");
        assert!(!off.permission(NETWORK).contains("unprivileged"));
    }

    #[test]
    fn cap_sys_admin_is_enough_for_bpf_but_not_for_files() {
        let admin = with(1 << 21);
        assert_eq!(admin.missing(TRACING), None);
        assert_eq!(admin.missing(NETWORK), None);
        let hint = admin.missing(&[Capability::DacReadSearch]);
        assert!(hint.is_some_and(|hint| hint.ends_with("lacks CAP_DAC_READ_SEARCH")));
    }

    #[test]
    fn root_is_not_told_to_run_as_root() {
        let root = Rights {
            is_root: true,
            ..with(BPF_ONLY)
        };
        let hint = root.permission(NETWORK);
        assert!(hint.starts_with("being root is not enough"), "{hint}");
        assert!(hint.ends_with("this process lacks CAP_NET_ADMIN"), "{hint}");
        assert!(!hint.contains("run as root"), "{hint}");
    }

    #[test]
    fn root_is_told_about_other_obstacles() {
        let root = Rights {
            is_root: true,
            ..with(ALL)
        };
        assert!(root.permission(NETWORK).contains("lockdown"));
        let old = Rights {
            running: KernelVersion::new(5, 10, 0),
            ..root.clone()
        };
        assert!(old.permission(NETWORK).contains("ulimit -l"));
        let in_container = Rights {
            has_seccomp_filter: true,
            modules: vec!["apparmor".into()],
            ..root.clone()
        };
        assert_eq!(
            in_container.permission(NETWORK),
            "the process has the capabilities; it may be forbidden by this process's seccomp filter (common in containers), \
             or a security module (apparmor)"
        );
        let locked = Rights {
            lockdown: Some("integrity".into()),
            ..root.clone()
        };
        assert!(locked.permission(NETWORK).contains("lockdown (integrity"));
        let elsewhere = Rights {
            in_user_namespace: true,
            ..root
        };
        assert!(elsewhere.permission(NETWORK).contains("user namespace"));
    }

    #[test]
    fn the_kernels_files_are_read() {
        let status = "Name:\tx\nUid:\t1000\t0\t0\t0\nSeccomp:\t2\nSeccomp_filters:\t1\nCapEff:\t000001ffffffffff\n";
        assert_eq!(effective(status), ALL);
        assert!(is_root(status), "the effective user counts");
        assert!(has_seccomp_filter(status));
        let status = "Uid:\t0\t1000\t0\t0\nSeccomp:\t0\n";
        assert!(!is_root(status) && !has_seccomp_filter(status));
        assert_eq!(effective(status), 0);
        assert_eq!(lockdown("[none] integrity confidentiality\n"), None);
        assert_eq!(
            lockdown("none [integrity] confidentiality\n").as_deref(),
            Some("integrity")
        );
        assert_eq!(lockdown(""), None);
        assert_eq!(
            security_modules("lockdown,capability,yama,apparmor,bpf\n"),
            ["apparmor", "bpf"]
        );
        assert!(security_modules("").is_empty());
    }

    #[test]
    fn other_user_namespaces_are_told_apart() {
        assert!(!is_user_namespace("         0          0 4294967295\n"));
        assert!(!is_user_namespace(""));
        assert!(is_user_namespace("         0       1000          1\n"));
    }
}
