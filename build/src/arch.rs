//! The machine that programs run on: what headers call it, and its byte order.

use rawbpf::{Error, ErrorKind, Result};
use std::env;

/// The order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// A machine, as far as a BPF program depends on it: the registers in `struct pt_regs`, and the byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arch {
    /// The kernel's name for it, as in `__TARGET_ARCH_x86`.
    name: &'static str,
    order: Order,
    /// What Debian's folders of headers for it are called.
    triplet: &'static str,
}

const fn arch(name: &'static str, order: Order, triplet: &'static str) -> Arch {
    Arch {
        name,
        order,
        triplet,
    }
}

use Order::{Big, Little};

/// The names that people give to machines, Rust's and the kernel's among them.
const NAMES: &[(&str, Arch)] = &[
    ("x86", arch("x86", Little, "x86_64-linux-gnu")),
    ("x86_64", arch("x86", Little, "x86_64-linux-gnu")),
    ("amd64", arch("x86", Little, "x86_64-linux-gnu")),
    ("arm64", arch("arm64", Little, "aarch64-linux-gnu")),
    ("aarch64", arch("arm64", Little, "aarch64-linux-gnu")),
    ("arm", arch("arm", Little, "arm-linux-gnueabihf")),
    ("riscv", arch("riscv", Little, "riscv64-linux-gnu")),
    ("riscv64", arch("riscv", Little, "riscv64-linux-gnu")),
    ("s390", arch("s390", Big, "s390x-linux-gnu")),
    ("s390x", arch("s390", Big, "s390x-linux-gnu")),
    ("powerpc", arch("powerpc", Big, "powerpc-linux-gnu")),
    ("powerpc64", arch("powerpc", Big, "powerpc64-linux-gnu")),
    (
        "powerpc64le",
        arch("powerpc", Little, "powerpc64le-linux-gnu"),
    ),
    ("ppc64le", arch("powerpc", Little, "powerpc64le-linux-gnu")),
    (
        "loongarch",
        arch("loongarch", Little, "loongarch64-linux-gnu"),
    ),
    (
        "loongarch64",
        arch("loongarch", Little, "loongarch64-linux-gnu"),
    ),
    ("mips", arch("mips", Big, "mips-linux-gnu")),
    ("mips64", arch("mips", Big, "mips64-linux-gnuabi64")),
    ("mips64el", arch("mips", Little, "mips64el-linux-gnuabi64")),
    ("sparc", arch("sparc", Big, "sparc64-linux-gnu")),
    ("sparc64", arch("sparc", Big, "sparc64-linux-gnu")),
    ("arc", arch("arc", Little, "arc-linux-gnu")),
];

impl Arch {
    /// By one of its names.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, arch)| *arch).ok_or_else(|| {
            let names: Vec<_> = NAMES.iter().map(|(known, _)| *known).collect();
            Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "no architecture is called `{name}`{}",
                    rawbpf::did_you_mean(name, names.iter().copied())
                ),
            )
            .with_hint(format!("the known ones are {}", names.join(", ")))
        })
    }

    /// In a build script, the machine that the package is built for; otherwise this one.
    pub(crate) fn of_target() -> Result<Self> {
        let Ok(name) = env::var("CARGO_CFG_TARGET_ARCH") else {
            return Self::named(env::consts::ARCH);
        };
        let arch = Self::named(&name)?;
        // Rust calls `powerpc64` both of two machines.
        Ok(match env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() {
            Ok("big") => Self { order: Big, ..arch },
            Ok("little") => Self {
                order: Little,
                ..arch
            },
            _ => arch,
        })
    }

    /// What `bpf_tracing.h` looks for.
    pub(crate) fn define(self) -> String {
        format!("__TARGET_ARCH_{}", self.name)
    }

    /// clang's target. Plain `bpf` would be in the byte order of the machine that compiles.
    pub(crate) fn clang_target(self) -> &'static str {
        match self.order {
            Little => "bpfel",
            Big => "bpfeb",
        }
    }

    /// Where Debian keeps `asm/types.h`, which clang does not look for when it compiles for BPF.
    pub(crate) fn system_include(self) -> String {
        format!("/usr/include/{}", self.triplet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rusts_names_and_the_kernels_mean_the_same() {
        for (rust, kernel) in [("x86_64", "x86"), ("aarch64", "arm64"), ("s390x", "s390")] {
            assert_eq!(Arch::named(rust).unwrap(), Arch::named(kernel).unwrap());
        }
        let arm64 = Arch::named("aarch64").unwrap();
        assert_eq!(arm64.define(), "__TARGET_ARCH_arm64");
        assert_eq!(arm64.clang_target(), "bpfel");
        assert_eq!(Arch::named("s390x").unwrap().clang_target(), "bpfeb");
    }

    #[test]
    fn a_wrong_name_is_answered_with_a_close_one() {
        let error = Arch::named("aarch46").unwrap_err();
        assert!(error.message().contains("`aarch64`"), "{error}");
        assert!(error.hint().unwrap().contains("riscv64"), "{error}");
    }
}
