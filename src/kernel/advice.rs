//! Why the kernel may have refused something, and what to do about it.
//!
//! Called only after a failure, so these functions may read files.

use super::{device, files};
use crate::insn::Helper;
use crate::kernel::rights::{Capability, missing_capability, permission};
use crate::kinds::{AttachType, MapFlags, MapType, ProgramFlags, ProgramType};
use crate::reloc::{MapPlan, Ref, RefKind};
use crate::since::{self, series};
use crate::{Errno, KernelVersion};

/// The version since which programs can pass callbacks to helpers.
const CALLBACKS: KernelVersion = KernelVersion::new(5, 13, 0);
/// The version since which XDP programs can handle fragmented packets.
const XDP_FRAGS: KernelVersion = KernelVersion::new(5, 18, 0);
/// The version since which a link can register a struct_ops map.
const LINKED_MAPS: KernelVersion = KernelVersion::new(6, 4, 0);
/// The most instructions that a program may have and the verifier will process (`BPF_COMPLEXITY_LIMIT_INSNS`).
const MOST_INSNS: usize = 1_000_000;
/// The most that it may have if its loader lacks the capability (`BPF_MAXINSNS`).
const MOST_INSNS_OF_ANYBODY: usize = 4096;

/// What to do about `errno` from loading a program with this many instructions.
pub(crate) fn for_program(
    errno: Errno,
    kind: ProgramType,
    attach_type: AttachType,
    flags: ProgramFlags,
    insns: usize,
) -> Option<String> {
    match errno {
        Errno::E2BIG => too_many_insns(insns),
        Errno::EPERM => Some(permission(program_capabilities(kind))),
        Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            newer_program(kind, attach_type)
                .or_else(|| newer_sleepable(kind, attach_type, flags))
                .or_else(|| {
                    let frags = flags.contains(ProgramFlags::XDP_HAS_FRAGS);
                    let what = "XDP programs that handle fragmented packets";
                    too_old(what, frags.then_some(XDP_FRAGS))
                })
                .or_else(|| {
                    Some(format!(
                        "the kernel may have been built without programs of type {kind}, or accepts none with attach type {attach_type}"
                    ))
                })
        }
        _ => None,
    }
}

fn too_many_insns(insns: usize) -> Option<String> {
    if insns > MOST_INSNS {
        return Some(format!(
            "it has {insns} instructions, and a program may have at most {MOST_INSNS}: split it into several that call \
             each other with bpf_tail_call()"
        ));
    }
    let missing = missing_capability(&[Capability::Bpf]);
    let missing = missing.filter(|_| insns > MOST_INSNS_OF_ANYBODY)?;
    Some(format!(
        "it has {insns} instructions, and more than {MOST_INSNS_OF_ANYBODY} require a capability: {missing}"
    ))
}

/// The Linux version that such programs need, if the running kernel is older. Its verifier would report something
/// misleading.
pub(crate) fn newer_program(kind: ProgramType, attach_type: AttachType) -> Option<String> {
    let program = || {
        too_old(
            &format!("programs of type {kind}"),
            since::program_type(kind),
        )
    };
    let attach = || {
        too_old(
            &format!("programs of attach type {attach_type}"),
            since::attach_type(attach_type),
        )
    };
    program().or_else(attach)
}

/// The Linux version in which such programs may sleep, if this one is to sleep and the running kernel is older.
pub(crate) fn newer_sleepable(
    kind: ProgramType,
    attach_type: AttachType,
    flags: ProgramFlags,
) -> Option<String> {
    let since = since::sleepable(kind, attach_type);
    let wanted = since.filter(|_| flags.contains(ProgramFlags::SLEEPABLE));
    too_old(&format!("sleepable programs of type {kind}"), wanted)
}

/// The Linux version that supports callbacks, if the program has any and the running kernel is older.
pub(crate) fn newer_callbacks(refs: &[Ref]) -> Option<String> {
    let handed_over = refs.iter().any(|r| r.kind == RefKind::Func);
    let what = "programs that pass a callback to a helper (such as bpf_for_each_map_elem)";
    too_old(what, handed_over.then_some(CALLBACKS))
}

/// What some of the verifier's messages mean.
pub(crate) fn for_words(gist: &str) -> Option<String> {
    const MEANINGS: [(&str, &str); 7] = [
        (
            "_or_null'",
            "the pointer may be NULL: compare it with NULL before using what it points to",
        ),
        (
            "program is too large",
            "the verifier processes at most 1000000 instructions, counted over all paths and loop iterations: give loops a \
             small constant bound, or use bpf_loop() (Linux 5.17) or bpf_for() (Linux 6.4), whose bodies it follows only \
             once; move parts into global functions, which it verifies separately, or into programs that are called \
             with bpf_tail_call()",
        ),
        (
            "jumps is too complex",
            "the verifier keeps track of at most 8192 branches: use fewer conditions on one path, bpf_loop() (Linux 5.17) for \
             loops, and global functions, which it verifies separately",
        ),
        (
            "combined stack size of",
            "a function and those it calls share 512 bytes of stack: move large variables to a per-CPU array with one entry \
             (BPF_MAP_TYPE_PERCPU_ARRAY)",
        ),
        (
            "failed to find the address for kernel symbol",
            "a kernel built without CONFIG_KALLSYMS_ALL has no variables in its symbol table",
        ),
        (
            " is not sleepable",
            "sleepable programs need a function that allows error injection (there are none in a kernel built without \
             CONFIG_FUNCTION_ERROR_INJECTION) or an LSM hook that may sleep",
        ),
        (
            "() is not modifiable",
            "programs can only change the return value of functions that allow error injection \
             (CONFIG_FUNCTION_ERROR_INJECTION) and of security_* functions",
        ),
    ];
    let found = MEANINGS.iter().find(|(words, _)| gist.contains(words));
    found.map(|(_, meaning)| (*meaning).to_owned())
}

/// The Linux version that introduced the helper that the verifier does not know, if the running kernel is older.
pub(crate) fn newer_helper(
    gist: &str,
    kind: ProgramType,
    attach_type: AttachType,
) -> Option<String> {
    let helper = refused_helper(gist)?;
    let since = since::helper_for(helper, kind, attach_type)?;
    let running = files::version().ok()?;
    let needed = || {
        let since = series(since);
        format!("{helper} in programs of type {kind} needs Linux {since}; this kernel is {running}")
    };
    (running < since).then(needed)
}

/// The helper that the verifier's first line is about: `invalid func unknown#174`, `unknown func bpf_loop#181`, `program of
/// this type cannot use helper bpf_loop#181`.
fn refused_helper(gist: &str) -> Option<Helper> {
    const WORDS: [&str; 3] = ["invalid func ", "unknown func ", "cannot use helper "];
    let line = gist.lines().next()?;
    let called = WORDS.iter().find_map(|words| line.split_once(words))?.1;
    let (_, rest) = called.split_once('#')?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().map(Helper)
}

/// What to do about `errno` from creating a map.
pub(crate) fn for_map(errno: Errno, plan: &MapPlan) -> Option<String> {
    let kind = plan.kind;
    match errno {
        Errno::EPERM => Some(permission(map_capabilities(kind))),
        Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            newer_map(kind)
                // Some maps need BTF, and loading that needs the capability.
                .or_else(|| missing_capability(map_capabilities(kind)))
                .or_else(|| device::for_map(plan))
                .or_else(|| left_to_the_user(plan))
                .or_else(|| {
                    let linked = plan.flags & MapFlags::LINK.bits() != 0;
                    too_old("links of struct_ops maps", linked.then_some(LINKED_MAPS))
                })
                .or_else(|| {
                    Some(format!(
                        "the kernel does not accept this combination of sizes and flags for a map of type {kind}, or was \
                         built without that type"
                    ))
                })
        }
        Errno::ENOMEM => {
            Some("the map is too large for the available memory; lower max_entries".into())
        }
        Errno::E2BIG => {
            Some("key_size, value_size or max_entries exceeds the kernel's limits".into())
        }
        _ => None,
    }
}

/// The Linux version that maps of this type need, if the running kernel is older.
pub(crate) fn newer_map(kind: MapType) -> Option<String> {
    too_old(&format!("maps of type {kind}"), since::map_type(kind))
}

/// What the object's author left for its user to set.
pub(crate) fn left_to_the_user(plan: &MapPlan) -> Option<String> {
    let storage = matches!(
        plan.kind,
        MapType::SK_STORAGE
            | MapType::INODE_STORAGE
            | MapType::TASK_STORAGE
            | MapType::CGRP_STORAGE
            | MapType::CGROUP_STORAGE
            | MapType::PERCPU_CGROUP_STORAGE
    );
    if plan.max_entries == 0 && !storage {
        return Some(
            "its max_entries is 0: the object expects you to set it before loading".into(),
        );
    }
    let sized = !matches!(
        plan.kind,
        MapType::RINGBUF | MapType::USER_RINGBUF | MapType::ARENA
    );
    (plan.value_size == 0 && sized)
        .then(|| "its value_size is 0: the object expects you to set it before loading".into())
}

fn program_capabilities(kind: ProgramType) -> &'static [Capability] {
    match kind {
        ProgramType::KPROBE
        | ProgramType::TRACEPOINT
        | ProgramType::PERF_EVENT
        | ProgramType::RAW_TRACEPOINT
        | ProgramType::RAW_TRACEPOINT_WRITABLE
        | ProgramType::TRACING
        | ProgramType::LSM
        | ProgramType::STRUCT_OPS => &[Capability::Bpf, Capability::Perfmon],
        ProgramType::EXT => &[Capability::Bpf, Capability::Perfmon, Capability::NetAdmin],
        ProgramType::SOCKET_FILTER
        | ProgramType::SK_REUSEPORT
        | ProgramType::CGROUP_SKB
        | ProgramType::SYSCALL => &[Capability::Bpf],
        _ => &[Capability::Bpf, Capability::NetAdmin],
    }
}

fn map_capabilities(kind: MapType) -> &'static [Capability] {
    match kind {
        MapType::SOCKMAP
        | MapType::SOCKHASH
        | MapType::DEVMAP
        | MapType::DEVMAP_HASH
        | MapType::XSKMAP => &[Capability::Bpf, Capability::NetAdmin],
        _ => &[Capability::Bpf],
    }
}

/// Which kernel has what the running one lacks.
pub(crate) fn came_with(since: KernelVersion) -> String {
    let wanted = series(since);
    match files::version() {
        Ok(running) if running < since => format!("needs Linux {wanted}; this kernel is {running}"),
        Ok(running) => {
            format!("came with Linux {wanted}; this kernel ({running}) was built without it")
        }
        Err(_) => format!("needs Linux {wanted}"),
    }
}

pub(crate) fn too_old(what: &str, since: Option<KernelVersion>) -> Option<String> {
    let (since, running) = (since?, files::version().ok()?);
    let needed = || {
        format!(
            "{what} need Linux {}; this kernel is {running}",
            series(since)
        )
    };
    (running < since).then(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: KernelVersion = KernelVersion::new(6, 1, 0);

    #[test]
    fn sizes_left_to_the_user_are_named() {
        let plan = |max_entries, value_size| MapPlan {
            kind: MapType::HASH,
            key_size: 4,
            value_size,
            max_entries,
            ..MapPlan::default()
        };
        let advice = |plan| for_map(Errno::EINVAL, &plan).expect("advice");
        assert!(advice(plan(0, 8)).contains("max_entries is 0"));
        assert!(advice(plan(8, 0)).contains("value_size is 0"));
        assert!(advice(plan(8, 8)).contains("combination"));
    }

    #[test]
    fn the_verifiers_messages_are_explained() {
        let hint = |gist| for_words(gist).unwrap_or_default();
        assert!(
            hint("ldimm64 failed to find the address for kernel symbol 'runqueues'.")
                .contains("CONFIG_KALLSYMS_ALL")
        );
        assert!(hint("R0 invalid mem access 'map_value_or_null'").contains("NULL"));
        assert!(hint("vfs_read is not sleepable").contains("CONFIG_FUNCTION_ERROR_INJECTION"));
        assert!(hint("vfs_read() is not modifiable").contains("security_*"));
        assert!(hint("BPF program is too large. Processed 1000001 insn").contains("bpf_loop()"));
        assert!(hint("The sequence of 8193 jumps is too complex.").contains("8192 branches"));
        assert!(hint("combined stack size of 3 calls is 608. Too large").contains("512 bytes"));
        assert_eq!(for_words("R0 invalid mem access 'scalar'"), None);
    }

    #[test]
    fn the_limit_on_instructions_is_explained() {
        let hint = too_many_insns(1_000_001).expect("a hint");
        assert!(hint.contains("1000001 instructions"), "{hint}");
        assert_eq!(too_many_insns(4096), None);
    }

    #[test]
    fn a_refused_helper_is_known_by_its_number() {
        let told = |gist| refused_helper(gist).expect("a helper");
        assert_eq!(
            told("invalid func unknown#174\nat instruction 7"),
            Helper::GET_ATTACH_COOKIE
        );
        for gist in [
            "unknown func bpf_loop#181",
            "program of this type cannot use helper bpf_loop#181",
        ] {
            assert_eq!(told(gist), Helper::LOOP);
        }
        assert_eq!(refused_helper("invalid mem access 'scalar'#1"), None);
        assert_eq!(refused_helper("unknown func bpf_loop"), None);
    }

    #[test]
    fn versions_are_told_as_series() {
        assert_eq!(series(NEW), "6.1");
        assert_eq!(series(KernelVersion::new(5, 10, 223)), "5.10.223");
    }
}
