//! Converts between bytes and instructions.
//!
//! [`Insn`] is the kernel's `struct bpf_insn`, eight bytes. Not here: what an instruction refers to (see `open` and `reloc`).

mod display;
mod helper;
mod opcode;

pub use display::disassemble;
pub use helper::Helper;
pub use opcode::{class, jump, mode, pseudo, size, source};

use std::fmt;

/// One instruction slot: `struct bpf_insn`. A 64-bit immediate load (`ldimm64`) takes two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
#[doc(alias = "bpf_insn")]
pub struct Insn {
    /// Class (low three bits), and size and mode or source and operation.
    pub code: u8,
    /// Destination register in the low four bits, source register in the high four (little endian).
    pub regs: u8,
    /// Signed offset: of a memory access, of a jump, or an index for kernel function calls.
    pub off: i16,
    /// Signed immediate.
    pub imm: i32,
}

/// Size of one slot, in bytes.
pub const INSN_SIZE: usize = 8;

const _: () = assert!(size_of::<Insn>() == INSN_SIZE);

impl Insn {
    /// `ldimm64`: the first of two slots.
    pub const LD_IMM64: u8 = class::LD | size::DW | mode::IMM;
    /// `call`.
    pub const CALL: u8 = class::JMP | jump::CALL;
    /// `exit`.
    pub const EXIT: u8 = class::JMP | jump::EXIT;

    /// An instruction from its parts.
    pub const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        Self {
            code,
            regs: (dst & 0xf) | (src << 4),
            off,
            imm,
        }
    }

    /// Reads one slot in this machine's byte order.
    pub const fn from_bytes(b: [u8; INSN_SIZE]) -> Self {
        Self {
            code: b[0],
            regs: b[1],
            off: i16::from_ne_bytes([b[2], b[3]]),
            imm: i32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        }
    }

    /// Reads one slot of an object of the other byte order (the register nibbles are swapped, too).
    pub const fn from_foreign_bytes(b: [u8; INSN_SIZE]) -> Self {
        let native = Self::from_bytes(b);
        Self {
            code: native.code,
            regs: native.regs.rotate_left(4),
            off: native.off.swap_bytes(),
            imm: native.imm.swap_bytes(),
        }
    }

    /// The eight bytes the kernel reads.
    pub const fn to_bytes(self) -> [u8; INSN_SIZE] {
        let off = self.off.to_ne_bytes();
        let imm = self.imm.to_ne_bytes();
        [
            self.code, self.regs, off[0], off[1], imm[0], imm[1], imm[2], imm[3],
        ]
    }

    /// The destination register's number.
    pub const fn dst(self) -> u8 {
        self.regs & 0xf
    }

    /// The source register's number, or the meaning of the immediate (see [`pseudo`]).
    pub const fn src(self) -> u8 {
        self.regs >> 4
    }

    /// The same instruction with another source register.
    #[must_use]
    pub const fn with_src(self, src: u8) -> Self {
        Self {
            regs: (self.regs & 0xf) | (src << 4),
            ..self
        }
    }

    /// The instruction's class (see [`class`]).
    pub const fn class(self) -> u8 {
        self.code & 0x07
    }

    /// Whether this is the first slot of a 64-bit immediate load.
    #[doc(alias = "is_ldimm64_insn")]
    pub const fn is_ldimm64(self) -> bool {
        self.code == Self::LD_IMM64
    }

    /// Whether this is a call to a helper function.
    pub const fn is_helper_call(self) -> bool {
        self.code == Self::CALL && self.src() == 0 && self.dst() == 0
    }

    /// The helper function that this calls, if it is a call to one.
    pub const fn helper(self) -> Option<Helper> {
        if self.is_helper_call() {
            Some(Helper(self.imm.cast_unsigned()))
        } else {
            None
        }
    }

    /// Whether this is a call to another BPF function of the same program.
    #[doc(alias = "insn_is_subprog_call")]
    pub const fn is_subprog_call(self) -> bool {
        self.code == Self::CALL && self.src() == pseudo::CALL && self.dst() == 0 && self.off == 0
    }

    /// Whether this is a 64-bit immediate load of a BPF function's address.
    #[doc(alias = "insn_is_pseudo_func")]
    pub const fn is_func_address(self) -> bool {
        self.is_ldimm64() && self.src() == pseudo::FUNC
    }
}

impl fmt::Debug for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:#04x} dst={} src={} off={} imm={:#x}",
            self.code,
            self.dst(),
            self.src(),
            self.off,
            self.imm
        )
    }
}

/// The instructions in a byte slice; `None` if its length is not a multiple of eight.
pub fn from_bytes(bytes: &[u8]) -> Option<Vec<Insn>> {
    let (slots, rest) = bytes.as_chunks::<INSN_SIZE>();
    rest.is_empty()
        .then(|| slots.iter().map(|b| Insn::from_bytes(*b)).collect())
}

/// The bytes of an instruction stream.
pub fn to_bytes(insns: &[Insn]) -> Vec<u8> {
    insns.iter().flat_map(|insn| insn.to_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip() {
        let insns = [
            Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_FD, -2, 7),
            Insn::default(),
        ];
        assert_eq!(from_bytes(&to_bytes(&insns)), Some(insns.to_vec()));
        assert_eq!(from_bytes(&[0; 9]), None);
    }

    #[test]
    fn foreign_bytes_swap_fields_and_registers() {
        let insn = Insn::new(0x85, 1, 2, 0x1234, 0x0102_0304);
        let mut bytes = insn.to_bytes();
        bytes[2..4].reverse();
        bytes[4..].reverse();
        bytes[1] = bytes[1].rotate_left(4);
        assert_eq!(Insn::from_foreign_bytes(bytes), insn);
    }
}
