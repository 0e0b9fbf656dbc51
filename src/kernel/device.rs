//! Programs and maps that belong to a network interface: why the kernel refuses them.

use super::advice;
use crate::kinds::{MapType, ProgramFlags, ProgramType};
use crate::reloc::{MapPlan, ProgramPlan};
use crate::{Errno, KernelVersion};

/// The version since which XDP programs can be bound to an interface without running on its device.
const DEV_BOUND_ONLY: KernelVersion = KernelVersion::new(6, 3, 0);

/// Why a program for a network interface was refused; `None` if it is for none, or the reason is another.
pub(crate) fn for_program(errno: Errno, plan: &ProgramPlan) -> Option<String> {
    let flags = ProgramFlags::from_bits_retain(plan.flags);
    if !matches!(errno, Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTSUPP) {
        return None;
    }
    if flags.contains(ProgramFlags::XDP_DEV_BOUND_ONLY) {
        let what = "XDP programs that are bound to an interface";
        return advice::too_old(what, Some(DEV_BOUND_ONLY)).or_else(|| bound(plan));
    }
    (plan.ifindex != 0).then(|| offloaded(plan.kind, flags, plan.ifindex))
}

fn bound(plan: &ProgramPlan) -> Option<String> {
    let ProgramPlan { kind, ifindex, .. } = plan;
    if *kind != ProgramType::XDP {
        return Some(format!(
            "XDP_DEV_BOUND_ONLY is for XDP programs, and this one is of type {kind}"
        ));
    }
    (*ifindex != 0).then(|| {
        format!(
            "it is bound to interface {ifindex}: check that this network namespace has an interface with this index, and that its \
             driver runs XDP programs"
        )
    })
}

fn offloaded(kind: ProgramType, flags: ProgramFlags, ifindex: u32) -> String {
    if !matches!(kind, ProgramType::XDP | ProgramType::SCHED_CLS) {
        return format!(
            "only XDP and tc programs can be offloaded to an interface, and this one is of type {kind}"
        );
    }
    let other = flags.difference(ProgramFlags::XDP_DEV_BOUND_ONLY);
    if !other.is_empty() {
        return format!(
            "network cards only run programs without flags, and this one has {other:?}"
        );
    }
    format!(
        "it is offloaded to the network card of interface {ifindex}, which few cards support: also set \
         ProgramFlags::XDP_DEV_BOUND_ONLY if the CPU is to run it"
    )
}

/// Why a map for a network interface was refused; `None` if it is for none.
pub(crate) fn for_map(plan: &MapPlan) -> Option<String> {
    let MapPlan { kind, ifindex, .. } = plan;
    if *ifindex == 0 {
        return None;
    }
    Some(match *kind {
        MapType::HASH | MapType::ARRAY => format!(
            "it is offloaded to the network card of interface {ifindex}, which few cards support; a program with \
             XDP_DEV_BOUND_ONLY uses maps without an interface"
        ),
        kind => format!("network cards only hold hashes and arrays, not maps of type {kind}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(kind: ProgramType, flags: ProgramFlags, ifindex: u32) -> ProgramPlan {
        ProgramPlan {
            kind,
            flags: flags.bits(),
            ifindex,
            ..ProgramPlan::default()
        }
    }

    #[test]
    fn the_broken_rule_is_named() {
        let bound = ProgramFlags::XDP_DEV_BOUND_ONLY;
        let none = ProgramFlags::empty();
        for (kind, flags, ifindex, words) in [
            (ProgramType::XDP, bound, 7, Some("interface")),
            (ProgramType::XDP, none, 0, None),
            (
                ProgramType::SCHED_CLS,
                bound,
                7,
                Some("is for XDP programs"),
            ),
            (ProgramType::KPROBE, none, 7, Some("only XDP and tc")),
            (
                ProgramType::XDP,
                none,
                7,
                Some("network card of interface 7"),
            ),
            (
                ProgramType::XDP,
                ProgramFlags::XDP_HAS_FRAGS,
                7,
                Some("without flags"),
            ),
        ] {
            let hint = for_program(Errno::EINVAL, &program(kind, flags, ifindex));
            match (&hint, words) {
                (Some(hint), Some(words)) => assert!(hint.contains(words), "{hint}"),
                _ => assert_eq!(hint, words.map(str::to_owned)),
            }
        }
        let plan = program(ProgramType::XDP, bound, 7);
        assert_eq!(for_program(Errno::ENOMEM, &plan), None);
    }

    #[test]
    fn maps_of_cards_are_hashes_and_arrays() {
        let map = |kind, ifindex| MapPlan {
            kind,
            ifindex,
            ..MapPlan::default()
        };
        assert_eq!(for_map(&map(MapType::HASH, 0)), None);
        let hint = for_map(&map(MapType::HASH, 7)).expect("a hint");
        assert!(hint.contains("interface 7"), "{hint}");
        let hint = for_map(&map(MapType::RINGBUF, 7)).expect("a hint");
        assert!(hint.contains("ringbuf"), "{hint}");
    }
}
