//! Instructions without a valid answer: written by relocation, recognised in the verifier's log.
//!
//! What does not exist on a kernel is an error only if the program reaches it. So the instruction is replaced by a call to a
//! helper function that no kernel has. The verifier rejects it (`invalid func unknown#2001000003`) only if it is reachable,
//! and the helper's number tells what was missing.

use crate::insn::Insn;

/// `0xbad2310`, which tools and people know from libbpf.
const CORE: u32 = 195_896_080;
const FIRST_MAP: u32 = 2_001_000_000;
const FIRST_EXTERN: u32 = 2_002_000_000;
/// The numbers per kind: more than any object has maps or externs.
const RANGE: u32 = 1_000_000;

/// What is missing. The numbers are libbpf's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    /// A CO-RE relocation has no answer.
    Core,
    /// The map with this index was not created.
    #[doc(alias = "POISON_LDIMM64_MAP_BASE")]
    Map(usize),
    /// The kernel lacks the function of the extern with this index.
    #[doc(alias = "POISON_CALL_KFUNC_BASE")]
    Extern(usize),
}

impl Poison {
    /// The call that marks what is missing. A 64-bit immediate load is replaced by two of them: the verifier would otherwise
    /// fail on the second half.
    pub(super) const fn insn(self) -> Insn {
        Insn::new(Insn::CALL, 0, 0, 0, self.helper().cast_signed())
    }

    /// The number of the helper. An index beyond those of real objects shares the last number of its kind.
    pub(crate) const fn helper(self) -> u32 {
        match self {
            Self::Core => CORE,
            Self::Map(index) => FIRST_MAP + within_range(index),
            Self::Extern(index) => FIRST_EXTERN + within_range(index),
        }
    }

    /// What this helper number, unknown to the kernel, represents; `None` if relocation did not write it.
    pub(crate) fn from_helper(number: u32) -> Option<Self> {
        if number == CORE {
            return Some(Self::Core);
        }
        index_from(FIRST_MAP, number)
            .map(Self::Map)
            .or_else(|| index_from(FIRST_EXTERN, number).map(Self::Extern))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "compared before")]
const fn within_range(index: usize) -> u32 {
    if index < RANGE as usize {
        index as u32
    } else {
        RANGE - 1
    }
}

fn index_from(first: u32, number: u32) -> Option<usize> {
    let index = number.checked_sub(first).filter(|index| *index < RANGE)?;
    usize::try_from(index).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(poison: Poison) -> Option<Poison> {
        Poison::from_helper(poison.insn().imm.cast_unsigned())
    }

    #[test]
    fn the_numbers_are_those_of_libbpf() {
        assert_eq!(Poison::Core.insn().imm, 0xbad_2310);
        assert_eq!(Poison::Map(3).insn().imm, 2_001_000_003);
        assert_eq!(Poison::Extern(0).insn().imm, 2_002_000_000);
    }

    #[test]
    fn an_index_beyond_the_range_stays_of_its_kind() {
        let last = RANGE as usize - 1;
        for index in [last + 1, usize::MAX] {
            assert_eq!(round_trip(Poison::Map(index)), Some(Poison::Map(last)));
            assert_eq!(
                round_trip(Poison::Extern(index)),
                Some(Poison::Extern(last))
            );
        }
    }

    #[test]
    fn helpers_that_kernels_have_are_no_poison() {
        let neighbours = [CORE - 1, CORE + 1, FIRST_MAP - 1, FIRST_EXTERN + RANGE];
        for number in [0, 1, 211, 999, u32::MAX].into_iter().chain(neighbours) {
            assert_eq!(Poison::from_helper(number), None, "{number}");
        }
    }

    fn any_poison() -> impl Strategy<Value = Poison> {
        let index = || 0..RANGE as usize;
        prop_oneof![
            Just(Poison::Core),
            index().prop_map(Poison::Map),
            index().prop_map(Poison::Extern),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(poison in any_poison()) {
            prop_assert_eq!(poison.insn().code, Insn::CALL);
            prop_assert_eq!(round_trip(poison), Some(poison));
        }

        #[test]
        fn what_is_read_was_written(number: u32) {
            if let Some(poison) = Poison::from_helper(number) {
                prop_assert_eq!(poison.helper(), number);
            }
        }
    }
}
