//! Which function an instruction of a section belongs to.

use super::OpenObject;
use crate::SectionIndex;

/// An instruction's position in its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FunctionAt {
    /// The function's index in the object.
    pub(crate) index: usize,
    /// The index of the instruction in the function.
    pub(crate) insn: usize,
}

impl OpenObject {
    /// The function that contains an instruction, which is given by its index in the section. If functions overlap, it is the
    /// one that starts last.
    #[doc(alias = "find_prog_by_sec_insn")]
    pub(crate) fn function_at(&self, section: SectionIndex, insn: usize) -> Option<FunctionAt> {
        let functions = &self.functions;
        let after = functions.partition_point(|f| (f.section, f.offset) <= (section, insn));
        let index = after.checked_sub(1)?;
        let function = functions.get(index).filter(|f| f.section == section)?;
        let insn = insn.checked_sub(function.offset)?;
        (insn < function.insns.len()).then_some(FunctionAt { index, insn })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Function, FunctionLinkage};
    use super::*;
    use crate::insn::Insn;

    /// Functions by section, first instruction and number of instructions.
    fn object(functions: &[(u32, usize, usize)]) -> OpenObject {
        let mut object = OpenObject::empty("test");
        object.functions = functions
            .iter()
            .map(|(section, offset, len)| Function {
                name: format!("at_{offset}"),
                section: SectionIndex(*section),
                section_name: format!("section_{section}"),
                offset: *offset,
                insns: vec![Insn::default(); *len],
                relocations: Vec::new(),
                linkage: FunctionLinkage::Global,
            })
            .collect();
        object
    }

    fn found(object: &OpenObject, section: u32, insn: usize) -> Option<(usize, usize)> {
        let at = object.function_at(SectionIndex(section), insn)?;
        Some((at.index, at.insn))
    }

    #[test]
    fn instructions_belong_to_the_function_around_them() {
        let object = object(&[(1, 0, 2), (1, 2, 3), (3, 4, 1)]);
        assert_eq!(found(&object, 1, 0), Some((0, 0)));
        assert_eq!(found(&object, 1, 1), Some((0, 1)));
        assert_eq!(found(&object, 1, 2), Some((1, 0)));
        assert_eq!(found(&object, 1, 4), Some((1, 2)));
        assert_eq!(found(&object, 3, 4), Some((2, 0)));
    }

    #[test]
    fn gaps_ends_and_other_sections_belong_to_none() {
        let object = object(&[(1, 1, 2), (1, 5, 1), (3, 4, 1)]);
        for (section, insn) in [(1, 0), (1, 3), (1, 4), (1, 6), (1, usize::MAX)] {
            assert_eq!(found(&object, section, insn), None, "{section} {insn}");
        }
        for (section, insn) in [(0, 1), (2, 1), (2, 4), (3, 3), (3, 5), (4, 4)] {
            assert_eq!(found(&object, section, insn), None, "{section} {insn}");
        }
        assert_eq!(found(&OpenObject::empty("test"), 1, 0), None);
    }

    #[test]
    fn of_overlapping_functions_the_last_one_counts() {
        let object = object(&[(1, 0, 9), (1, 2, 3), (1, 2, 2)]);
        assert_eq!(found(&object, 1, 1), Some((0, 1)));
        assert_eq!(found(&object, 1, 3), Some((2, 1)));
    }
}
