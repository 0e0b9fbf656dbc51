//! The hash that identifies the one program that may use an exclusive map.

use crate::insn::{Insn, pseudo};
use crate::sha256::sha256;

/// SHA-256 of the program's instructions, without what differs between loads: map descriptors, and offsets into map
/// values.
#[doc(alias = "bpf_prog_compute_hash")]
pub(super) fn program_hash(insns: &[Insn]) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(insns.len().saturating_mul(8));
    let mut after_map = false;
    for insn in insns {
        let mut insn = *insn;
        let is_map = insn.is_ldimm64() && matches!(insn.src(), pseudo::MAP_FD | pseudo::MAP_VALUE);
        let is_second = after_map && insn.code == 0 && insn.regs == 0 && insn.off == 0;
        if is_second || is_map && !after_map {
            insn.imm = 0;
        }
        after_map = is_map && !after_map;
        bytes.extend(insn.to_bytes());
    }
    sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_and_offsets_of_maps_do_not_count() {
        let program = |fd, offset, constant| {
            [
                Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_VALUE, 0, fd),
                Insn::new(0, 0, 0, 0, offset),
                Insn::new(Insn::LD_IMM64, 1, 0, 0, constant),
                Insn::new(0, 0, 0, 0, 0),
            ]
        };
        let hash = program_hash(&program(3, 8, 1));
        assert_eq!(hash, program_hash(&program(9, 16, 1)));
        assert_ne!(hash, program_hash(&program(3, 8, 2)));
    }
}
