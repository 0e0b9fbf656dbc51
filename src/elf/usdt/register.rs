//! Where the kernel keeps each register of an interrupted program: `struct pt_regs`, machine by machine.

use object::elf;

/// A machine whose arguments can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Machine {
    /// x86-64
    X86_64,
    /// 64-bit ARM
    Aarch64,
    /// 64-bit RISC-V
    Riscv64,
    /// 64-bit z/Architecture
    S390x,
}

/// The registers of x86-64 in the order of `struct pt_regs`, eight bytes each: their names for 64, 32, 16 and 8 bits. No
/// argument is ever in a slot without a name.
const X86_64: [[&str; 4]; 21] = [
    ["r15", "r15d", "r15w", "r15b"],
    ["r14", "r14d", "r14w", "r14b"],
    ["r13", "r13d", "r13w", "r13b"],
    ["r12", "r12d", "r12w", "r12b"],
    ["rbp", "ebp", "bp", "bpl"],
    ["rbx", "ebx", "bx", "bl"],
    ["r11", "r11d", "r11w", "r11b"],
    ["r10", "r10d", "r10w", "r10b"],
    ["r9", "r9d", "r9w", "r9b"],
    ["r8", "r8d", "r8w", "r8b"],
    ["rax", "eax", "ax", "al"],
    ["rcx", "ecx", "cx", "cl"],
    ["rdx", "edx", "dx", "dl"],
    ["rsi", "esi", "si", "sil"],
    ["rdi", "edi", "di", "dil"],
    ["", "", "", ""],
    ["rip", "eip", "", ""],
    ["", "", "", ""],
    ["", "", "", ""],
    ["rsp", "esp", "sp", "spl"],
    ["", "", "", ""],
];

/// The registers of RISC-V in the order of `struct user_regs_struct`.
const RISCV: [&str; 32] = [
    "pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5",
    "t6",
];

impl Machine {
    /// The machine that an ELF file is for.
    pub(super) fn of(number: elf::Machine) -> Option<Self> {
        match number {
            elf::EM_X86_64 => Some(Self::X86_64),
            elf::EM_AARCH64 => Some(Self::Aarch64),
            elf::EM_RISCV => Some(Self::Riscv64),
            elf::EM_S390 => Some(Self::S390x),
            _ => None,
        }
    }

    /// The register's offset in `struct pt_regs`, in bytes. The name is given without `%`.
    #[doc(alias = "calc_pt_regs_off")]
    pub(super) fn offset_of(self, register: &str) -> Option<u16> {
        let place = match self {
            _ if register.is_empty() => None,
            Self::X86_64 => X86_64.iter().position(|names| names.contains(&register)),
            Self::Riscv64 => RISCV.iter().position(|name| *name == register),
            Self::Aarch64 if register == "sp" => Some(31),
            Self::Aarch64 => numbered(register, 'x', 31),
            // Three words come before the general registers.
            Self::S390x => numbered(register, 'r', 16).map(|number| number + 3),
        };
        u16::try_from(place? * 8).ok()
    }
}

/// The number of a register such as `x7`, if it is below `count`.
fn numbered(register: &str, letter: char, count: usize) -> Option<usize> {
    let digits = register.strip_prefix(letter)?;
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|n| plain && *n < count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_lie_where_the_kernel_puts_them() {
        for (machine, register, offset) in [
            (Machine::X86_64, "r15", Some(0)),
            (Machine::X86_64, "rbp", Some(32)),
            (Machine::X86_64, "al", Some(80)),
            (Machine::X86_64, "edi", Some(112)),
            (Machine::X86_64, "rip", Some(128)),
            (Machine::X86_64, "rsp", Some(152)),
            (Machine::X86_64, "xmm0", None),
            (Machine::X86_64, "", None),
            (Machine::Aarch64, "x0", Some(0)),
            (Machine::Aarch64, "x30", Some(240)),
            (Machine::Aarch64, "x31", None),
            (Machine::Aarch64, "x+1", None),
            (Machine::Aarch64, "sp", Some(248)),
            (Machine::Riscv64, "ra", Some(8)),
            (Machine::Riscv64, "a0", Some(80)),
            (Machine::Riscv64, "t6", Some(248)),
            (Machine::S390x, "r0", Some(24)),
            (Machine::S390x, "r15", Some(144)),
            (Machine::S390x, "r16", None),
        ] {
            assert_eq!(
                machine.offset_of(register),
                offset,
                "{machine:?} {register}"
            );
        }
    }
}
