//! The numbers of the instruction set (RFC 9669), under the kernel's names.

/// Instruction classes: the low three bits of the opcode.
pub mod class {
    /// Loads of immediates, and the legacy packet loads.
    pub const LD: u8 = 0x00;
    /// Loads from memory into a register.
    pub const LDX: u8 = 0x01;
    /// Stores of an immediate.
    pub const ST: u8 = 0x02;
    /// Stores of a register, and atomics.
    pub const STX: u8 = 0x03;
    /// 32-bit arithmetic.
    pub const ALU: u8 = 0x04;
    /// 64-bit comparisons and jumps, calls, exit.
    pub const JMP: u8 = 0x05;
    /// 32-bit comparisons and jumps.
    pub const JMP32: u8 = 0x06;
    /// 64-bit arithmetic.
    pub const ALU64: u8 = 0x07;
}

/// Access sizes of loads and stores: bits 3 and 4.
pub mod size {
    /// Four bytes.
    pub const W: u8 = 0x00;
    /// Two bytes.
    pub const H: u8 = 0x08;
    /// One byte.
    pub const B: u8 = 0x10;
    /// Eight bytes.
    pub const DW: u8 = 0x18;
    /// The bits that hold the size.
    pub const MASK: u8 = 0x18;
}

/// Addressing modes of loads and stores: the high three bits.
pub mod mode {
    /// 64-bit immediate.
    pub const IMM: u8 = 0x00;
    /// Legacy packet access, absolute.
    pub const ABS: u8 = 0x20;
    /// Legacy packet access, indirect.
    pub const IND: u8 = 0x40;
    /// Memory at register plus offset.
    pub const MEM: u8 = 0x60;
    /// Memory, sign-extending.
    pub const MEMSX: u8 = 0x80;
    /// Atomic read-modify-write.
    pub const ATOMIC: u8 = 0xc0;
    /// The bits that hold the mode.
    pub const MASK: u8 = 0xe0;
}

/// The second operand of an arithmetic instruction or jump: bit 3.
pub mod source {
    /// The immediate.
    pub const K: u8 = 0x00;
    /// The source register.
    pub const X: u8 = 0x08;
}

/// Operations of the jump classes: the high four bits.
pub mod jump {
    /// Unconditional jump.
    pub const JA: u8 = 0x00;
    /// Call.
    pub const CALL: u8 = 0x80;
    /// Return.
    pub const EXIT: u8 = 0x90;
}

/// Meanings of the source register field in `ldimm64` and `call`.
pub mod pseudo {
    /// `ldimm64`: the immediate is a map's descriptor.
    #[doc(alias = "BPF_PSEUDO_MAP_FD")]
    pub const MAP_FD: u8 = 1;
    /// `ldimm64`: descriptor, and offset into the map's first value.
    #[doc(alias = "BPF_PSEUDO_MAP_VALUE")]
    pub const MAP_VALUE: u8 = 2;
    /// `ldimm64`: BTF id of a kernel variable, and the descriptor of its module's BTF.
    #[doc(alias = "BPF_PSEUDO_BTF_ID")]
    pub const BTF_ID: u8 = 3;
    /// `ldimm64`: the address of a BPF function, as an instruction offset.
    #[doc(alias = "BPF_PSEUDO_FUNC")]
    pub const FUNC: u8 = 4;
    /// `ldimm64`: index into the descriptor array.
    #[doc(alias = "BPF_PSEUDO_MAP_IDX")]
    pub const MAP_IDX: u8 = 5;
    /// `ldimm64`: index into the descriptor array, and offset.
    #[doc(alias = "BPF_PSEUDO_MAP_IDX_VALUE")]
    pub const MAP_IDX_VALUE: u8 = 6;
    /// `call`: a BPF function of the same program.
    #[doc(alias = "BPF_PSEUDO_CALL")]
    pub const CALL: u8 = 1;
    /// `call`: a kernel function by BTF id; the offset is an index into the descriptor array.
    #[doc(alias = "BPF_PSEUDO_KFUNC_CALL")]
    pub const KFUNC_CALL: u8 = 2;
}
