//! Which helper functions an object's programs call.

use super::core_relos::Code;
use super::subprog::Linker;
use crate::insn::{Helper, Insn};
use crate::open::OpenObject;
use std::collections::BTreeSet;

impl OpenObject {
    /// The helper functions that each program calls, in the order of [`OpenObject::programs`], including those in the functions that
    /// it calls, and in branches that are never taken.
    pub fn helpers(&self) -> Vec<BTreeSet<Helper>> {
        let code = Code::unpatched(self);
        let mut linker = Linker::new(self, &code);
        let mut called = |function| match linker.link(function) {
            Ok(linked) => of(&linked.insns),
            // Its subprograms cannot be resolved, but the program itself is still known.
            Err(_) => of(code.insns(function)),
        };
        let programs = self.programs.iter();
        programs.map(|program| called(program.function)).collect()
    }
}

fn of(insns: &[Insn]) -> BTreeSet<Helper> {
    insns.iter().filter_map(|insn| insn.helper()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{add_program, exit, object, subprogram};
    use super::*;
    use crate::insn::pseudo;
    use crate::open::RelocKind;

    fn call(helper: Helper) -> Insn {
        Insn::new(Insn::CALL, 0, 0, 0, helper.immediate())
    }

    #[test]
    fn helpers_of_subprograms_count_too() {
        let mut object = object();
        let insns = vec![call(Helper::KTIME_GET_NS), exit()];
        object.functions.push(subprogram("sub", 0, insns));
        let to_sub = Insn::new(Insn::CALL, 0, pseudo::CALL, 0, -1);
        let calls = RelocKind::Call { symbol_value: 0 };
        let insns = vec![call(Helper(999)), to_sub, exit()];
        add_program(&mut object, "xdp", insns, &[(1, calls)]);
        add_program(&mut object, "tc", vec![exit()], &[]);
        let nowhere = RelocKind::Call { symbol_value: 800 };
        let insns = vec![call(Helper::LOOP), to_sub, exit()];
        add_program(&mut object, "socket", insns, &[(1, nowhere)]);
        let helpers = object.helpers();
        let of = |index: usize| helpers[index].iter().copied().collect::<Vec<_>>();
        assert_eq!(of(0), [Helper::KTIME_GET_NS, Helper(999)]);
        assert_eq!(of(1), []);
        assert_eq!(of(2), [Helper::LOOP]);
    }
}
