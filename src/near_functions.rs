//! Which function may have been meant by a name that the kernel does not have.
//!
//! Compilers create variants of functions (`f.isra.0`), the names of system calls depend on the architecture
//! (`__x64_sys_openat`), and the symbol list contains names that nothing can be attached to. Not here: where the names come
//! from.

use crate::near_names::{comparable, near_names};

/// How many names are suggested.
const SHOWN: usize = 3;

/// The prefixes of system call functions on architectures that have their own; all others use plain `sys_`.
const WRAPPERS: [&str; 5] = [
    "__x64_sys_",
    "__arm64_sys_",
    "__s390x_sys_",
    "__riscv_sys_",
    "sys_",
];

/// The prefixes of another ABI's system call functions, on architectures that have several.
const OTHER_ABIS: [&str; 6] = [
    "__ia32_sys_",
    "__ia32_compat_sys_",
    "__x32_compat_sys_",
    "__arm64_compat_sys_",
    "__s390_sys_",
    "__s390_compat_sys_",
];

/// Parts of a system call's function, its old names, and what people write.
const OTHER_NAMES: [&str; 6] = [
    "__se_sys_",
    "__do_sys_",
    "__se_compat_sys_",
    "__do_compat_sys_",
    "SyS_",
    "ksys_",
];

/// Functions that may have been meant, and what else was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct NearFunctions {
    /// Best first.
    names: Vec<String>,
    /// The system call whose function was asked for.
    system_call: Option<String>,
}

impl NearFunctions {
    /// Searches `names`, which are all functions of one kernel.
    pub(crate) fn among<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<&str> = comparable(names).collect();
        let own = WRAPPERS
            .into_iter()
            .find(|wrapper| names.iter().any(|name| name.starts_with(wrapper)));
        let call = system_call(wanted);
        let functions: Vec<String> = own
            .into_iter()
            .map(|own| format!("{own}{call}"))
            .filter(|function| *function != wanted)
            .collect();
        let fit = names.iter().copied();
        let fit = fit.filter(|name| can_be_attached_to(name, own));
        let is_call = fit.clone().any(|name| functions.iter().any(|f| f == name));
        let mut found: Vec<&str> = fit
            .clone()
            .filter(|name| is_variant(name, wanted))
            .collect();
        found.sort_unstable();
        if is_call {
            found.extend(functions.iter().map(String::as_str));
        }
        found.extend(near_names(wanted, fit.clone()));
        if call != wanted {
            let near = functions.iter().flat_map(|f| near_names(f, fit.clone()));
            found.extend(near.collect::<Vec<_>>());
        }
        let mut shown: Vec<String> = Vec::new();
        for name in found {
            if shown.len() < SHOWN && !shown.iter().any(|known| known == name) {
                shown.push(name.to_owned());
            }
        }
        Self {
            names: shown,
            system_call: is_call.then(|| call.to_owned()),
        }
    }

    /// The end of a sentence: empty, or `"; did you mean `a` or `b`?"`.
    pub(crate) fn did_you_mean(&self) -> String {
        if self.names.is_empty() {
            return String::new();
        }
        let quoted: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        format!("; did you mean {}?", quoted.join(" or "))
    }

    /// How to find the system call's function on every architecture, for programs attached to a single function.
    pub(crate) fn hint(&self) -> Option<String> {
        let call = self.system_call.as_ref()?;
        Some(format!(
            "the function of a system call has another name on each machine, which SEC(\"ksyscall/{call}\") finds"
        ))
    }
}

/// The system call that a name refers to, if any: `openat` for `__x64_sys_openat`, and for itself.
fn system_call(name: &str) -> &str {
    let mut prefixes = WRAPPERS.iter().chain(&OTHER_ABIS).chain(&OTHER_NAMES);
    let rest = prefixes.find_map(|prefix| name.strip_prefix(prefix));
    rest.filter(|rest| !rest.is_empty()).unwrap_or(name)
}

/// A function as changed by the compiler: with fewer arguments, with constants in place of some, or only a part of it.
fn is_variant(name: &str, wanted: &str) -> bool {
    let rest = name.strip_prefix(wanted);
    rest.is_some_and(|rest| {
        ["isra.", "constprop.", "part.", "llvm."]
            .iter()
            .any(|kind| {
                rest.strip_prefix('.')
                    .is_some_and(|rest| rest.starts_with(kind))
            })
    })
}

/// Excludes padding and type checks in front of functions, cold parts that were split off, and functions of other ABIs.
fn can_be_attached_to(name: &str, own: Option<&str>) -> bool {
    let foreign = WRAPPERS
        .iter()
        .filter(|wrapper| **wrapper != "sys_" && Some(**wrapper) != own)
        .chain(&OTHER_ABIS);
    let never = ["__pfx_", "__cfi_", "__probestub_", "__SCT__", "__SCK__"];
    !name.contains(".cold")
        && !never
            .iter()
            .chain(foreign)
            .any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86: [&str; 18] = [
        "vfs_read",
        "__pfx_vfs_read",
        "__cfi_vfs_read",
        "vfs_readv",
        "vfs_read.cold",
        "do_sys_openat2",
        "__x64_sys_openat",
        "__ia32_sys_openat",
        "__ia32_compat_sys_openat",
        "__se_sys_openat",
        "__x64_sys_nanosleep",
        "__ia32_sys_nanosleep",
        "tcp_ack.isra.0",
        "tcp_ack.isra.0.cold",
        "tcp_ack.part.0",
        "__pfx_tcp_ack.isra.0",
        "tcp_ack_update_window",
        "sys_imageblit",
    ];
    const ARM64: [&str; 4] = [
        "__arm64_sys_openat",
        "__arm64_compat_sys_openat",
        "__arm64_sys_nanosleep",
        "do_sys_openat2",
    ];

    fn near(wanted: &str, names: &[&'static str]) -> (Vec<String>, Option<String>) {
        let near = NearFunctions::among(wanted, names.iter().copied());
        (near.names, near.system_call)
    }

    #[test]
    fn what_nothing_can_be_attached_to_is_not_named() {
        assert_eq!(near("vfs_raed", &X86).0, ["vfs_read", "vfs_readv"]);
        assert_eq!(near("pfx_vfs_read", &X86).0, ["vfs_read"]);
        assert!(near("zzzzzz", &X86).0.is_empty());
    }

    #[test]
    fn variants_come_first() {
        let (names, call) = near("tcp_ack", &X86);
        assert_eq!(names[..2], ["tcp_ack.isra.0", "tcp_ack.part.0"]);
        assert_eq!(call, None);
    }

    #[test]
    fn system_calls_have_this_machines_names() {
        for wanted in [
            "sys_openat",
            "openat",
            "__arm64_sys_openat",
            "__ia32_sys_openat",
            "SyS_openat",
        ] {
            let (names, call) = near(wanted, &X86);
            assert_eq!(names[0], "__x64_sys_openat", "{wanted}");
            assert!(names.iter().all(|name| !name.contains("ia32")), "{names:?}");
            assert_eq!(call.as_deref(), Some("openat"), "{wanted}");
        }
        let (names, call) = near("__x64_sys_nanosleep", &ARM64);
        assert_eq!(names, ["__arm64_sys_nanosleep"]);
        assert_eq!(call.as_deref(), Some("nanosleep"));
        let (names, _) = near("sys_openat", &ARM64);
        assert!(
            names.iter().all(|name| !name.contains("compat")),
            "{names:?}"
        );
        let (names, call) = near("sys_opneat", &X86);
        assert_eq!((&*names[0], call), ("__x64_sys_openat", None));
    }

    #[test]
    fn sentences_are_made_of_them() {
        let near = NearFunctions::among("sys_nanosleep", X86);
        assert_eq!(near.did_you_mean(), "; did you mean `__x64_sys_nanosleep`?");
        assert!(near.hint().unwrap().contains("ksyscall/nanosleep"));
        let none = NearFunctions::among("zzzzzz", X86);
        assert_eq!((none.did_you_mean().as_str(), none.hint()), ("", None));
    }
}
