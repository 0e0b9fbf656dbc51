//! Loads a program for each name in libbpf's `SEC()` table.

use crate::support::{Linux, Need, check, fixture};
use rawbpf::load::{LoadOptions, Object};
use rawbpf::reloc::Target;
use rawbpf::{OpenObject, Result};

/// What came after Linux 5.10, by the part of the section name before the target.
const NEWER: &[(Linux, &[&str])] = &[
    ((5, 14), &["syscall"]),
    (
        (5, 18),
        &["xdp.frags/devmap", "xdp.frags/cpumap", "xdp.frags"],
    ),
    ((6, 0), &["uprobe.s", "uretprobe.s", "usdt.s"]),
    (
        (6, 0),
        &["uprobe.multi.s", "uretprobe.multi.s", "uprobe.session.s"],
    ),
    ((6, 0), &["lsm_cgroup"]),
    ((6, 4), &["netfilter"]),
    (
        (6, 7),
        &[
            "cgroup/connect_unix",
            "cgroup/sendmsg_unix",
            "cgroup/recvmsg_unix",
        ],
    ),
    (
        (6, 7),
        &["cgroup/getpeername_unix", "cgroup/getsockname_unix"],
    ),
    ((7, 0), &["fsession", "fsession.s"]),
    (
        (7, 2),
        &["tracepoint.s", "tp.s", "raw_tracepoint.s", "raw_tp.s"],
    ),
    ((7, 2), &["fentry.multi", "fexit.multi", "fsession.multi"]),
    (
        (7, 2),
        &["fentry.multi.s", "fexit.multi.s", "fsession.multi.s"],
    ),
];

/// What the guests' kernels are built without: infrared receivers, and functions that allow error injection, the only ones
/// that these sleepable programs can be attached to.
const NOT_IN_GUESTS: [&str; 4] = ["lirc_mode2", "fentry.s", "fmod_ret.s", "fexit.s"];

/// Whether a program belongs to this section: `fentry.s` is not `fentry`.
fn is_of(section: &str, name: &str) -> bool {
    let rest = section.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || !name.contains('/') && rest.starts_with('/'))
}

/// Whether kernels of this machine's version accept such programs.
fn is_known(section: &str) -> bool {
    let since = |(major, minor)| check(&[Need::Linux(major, minor)]).is_ok();
    // Kernels before 6.3 did not check; later ones refused it until it worked.
    if is_of(section, "tp_btf.s") {
        return since((7, 2)) || !since((6, 3));
    }
    let newer = NEWER
        .iter()
        .find(|(_, names)| names.iter().any(|name| is_of(section, name)));
    newer.is_none_or(|(version, _)| since(*version))
}

/// Loads one program of `sections.bpf.o`, all of which are off.
fn load_one(name: &str, target: &Target) -> Result<Object> {
    let mut object = OpenObject::from_file(fixture("sections.bpf.o"))?;
    object.program_mut(name)?.set_autoload(true);
    object.load_into(target, &LoadOptions::default())
}

#[test]
fn a_program_of_every_section_is_loaded_where_the_kernel_can() {
    require!(Need::Bpf, Need::Btf);
    let guest = check(&[Need::Guest]).is_ok();
    let object = OpenObject::from_file(fixture("sections.bpf.o")).unwrap();
    let target = Target::running();
    let mut wrong = Vec::new();
    for program in object.programs() {
        let section = program.section();
        let known = is_known(section);
        match load_one(program.name(), &target) {
            // Stable kernels may have it backported.
            Ok(_) => {}
            Err(error) if !known => {
                let told = error.hint().is_some_and(|hint| hint.contains("need Linux"));
                if !told {
                    wrong.push(format!("{section}: the version is not told: {error}"));
                }
            }
            // Other kernels may be built without it, or forbid it.
            Err(error) if !guest || NOT_IN_GUESTS.iter().any(|name| is_of(section, name)) => {
                assert!(error.hint().is_some(), "{section}: {error}");
            }
            Err(error) => wrong.push(format!("{section}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
