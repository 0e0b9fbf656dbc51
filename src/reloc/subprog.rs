//! An entry program and every function that it leads to, as a single instruction stream.
//!
//! The kernel takes a program in one piece, so each function of `.text` that is called, or whose address is taken, is
//! appended when it is first encountered, and processed at once, before its caller continues: depth first. Two entry programs
//! that call the same function get a copy each. The traversal keeps its own stack, because the file determines the depth of a
//! call chain.
//!
//! Where a call leads (all in instructions of `.text`; symbol values are in bytes):
//!
//! ```text
//!  call, relocated       symbol / 8 + imm + 1     global function: imm is -1; static: the symbol is the section's
//!  call, not relocated   own place + imm + 1      both are static functions of .text
//!  address               (symbol + imm) / 8
//! ```

use super::core_relos::Code;
use super::plan::{Ref, RefKind};
use super::target::Searches;
use crate::btf::{Kind, Linkage};
use crate::insn::{INSN_SIZE, Insn, pseudo};
use crate::open::{Function, FunctionLinkage, OpenObject, RelocKind};
use crate::{Error, ErrorKind, Result, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

/// The maximum total number of instructions and relocations of all programs of an object. The kernel accepts a million for
/// one program; a file whose programs share a large `.text` could otherwise demand any amount of memory.
const MOST_INSNS: usize = 1 << 24;

/// The declaration tag that names the function to call when a program throws.
const EXCEPTION_CALLBACK: &str = "exception_callback:";

/// A program in one piece.
#[derive(Debug, Default)]
pub(super) struct Linked {
    pub(super) insns: Vec<Insn>,
    /// The functions that it consists of, in order.
    pub(super) parts: Vec<Part>,
    /// Calls and addresses of functions.
    pub(super) refs: Vec<Ref>,
}

/// A function's position in a linked program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Its index in the object's functions.
    pub(super) function: usize,
    /// Its first instruction in the program.
    pub(super) start: usize,
}

/// Links the programs of one object, one after the other.
#[derive(Debug)]
pub(super) struct Linker<'a, 'o> {
    object: &'o OpenObject,
    code: &'a Code<'o>,
    /// Where each function was appended in the current program.
    positions: Vec<Option<usize>>,
    budget: usize,
    /// The functions' names, for references to them.
    names: Vec<Arc<str>>,
    callbacks: Callbacks<'o>,
}

/// A function that is being processed.
struct Frame<'o> {
    function: &'o Function,
    start: usize,
    len: usize,
    next: usize,
}

/// What an instruction refers to.
#[derive(Clone, Copy)]
enum Wanted {
    Nothing,
    Function { offset: i64 },
}

impl<'a, 'o> Linker<'a, 'o> {
    pub(super) fn new(object: &'o OpenObject, code: &'a Code<'o>) -> Self {
        Self {
            object,
            code,
            positions: vec![None; object.functions.len()],
            budget: MOST_INSNS,
            names: object
                .functions
                .iter()
                .map(|f| f.name.as_str().into())
                .collect(),
            callbacks: Callbacks::of(object),
        }
    }

    /// The functions that it links.
    pub(super) fn code(&self) -> &'a Code<'o> {
        self.code
    }

    /// The program that starts with the function at this index.
    pub(super) fn link(&mut self, entry: usize) -> Result<Linked> {
        let mut linked = Linked::default();
        let result = self.link_into(&mut linked, entry);
        for part in &linked.parts {
            if let Some(position) = self.positions.get_mut(part.function) {
                *position = None;
            }
        }
        result.map(|()| linked)
    }

    fn link_into(&mut self, linked: &mut Linked, entry: usize) -> Result<()> {
        let frame = self.append(linked, entry)?;
        // libbpf does not count the entry itself as appended: a program in `.text` that calls itself gets a copy.
        if let Some(position) = self.positions.get_mut(entry) {
            *position = None;
        }
        self.walk(linked, frame)?;
        let program = self.object.functions.get(entry).map(|f| f.name.as_str());
        let callback = self
            .callbacks
            .find(self.object, program.unwrap_or_default())?;
        let Some(callback) = callback else {
            return Ok(());
        };
        if self.position(callback).is_none() {
            let frame = self.append(linked, callback)?;
            self.walk(linked, frame)?;
        }
        Ok(())
    }

    fn position(&self, function: usize) -> Option<usize> {
        self.positions.get(function).copied().flatten()
    }

    fn append(&mut self, linked: &mut Linked, index: usize) -> Result<Frame<'o>> {
        let function = self.object.functions.get(index).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidObject,
                format!("there is no function {index}"),
            )
        })?;
        let insns = self.code.insns(index);
        // Any number of relocations may apply to one instruction.
        let relocations = function.relocations.len() + self.code.steps(index).len();
        let cost = insns.len().saturating_add(relocations);
        self.budget = self.budget.checked_sub(cost).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidObject,
                format!(
                    "with function `{}` the programs come to more than {MOST_INSNS} instructions and relocations",
                    function.name
                ),
            )
        })?;
        let start = linked.insns.len();
        linked.insns.extend_from_slice(insns);
        linked.parts.push(Part {
            function: index,
            start,
        });
        if let Some(position) = self.positions.get_mut(index) {
            *position = Some(start);
        }
        for relocation in &function.relocations {
            if let RelocKind::SubprogAddress { .. } = relocation.kind
                && let Some(insn) = linked.insns.get_mut(start.saturating_add(relocation.insn))
            {
                *insn = insn.with_src(pseudo::FUNC);
            }
        }
        Ok(Frame {
            function,
            start,
            len: insns.len(),
            next: 0,
        })
    }

    /// Processes this function and everything it leads to.
    fn walk(&mut self, linked: &mut Linked, first: Frame<'o>) -> Result<()> {
        let mut stack = vec![first];
        while let Some(frame) = stack.last_mut() {
            if frame.next >= frame.len {
                stack.pop();
                continue;
            }
            let (here, at) = (frame.next, frame.start + frame.next);
            frame.next += 1;
            let function = frame.function;
            let Some(insn) = linked.insns.get(at).copied() else {
                continue;
            };
            let Wanted::Function { offset } = wanted(function, here, insn)? else {
                continue;
            };
            let callee = self.callee(function, here, offset)?;
            let start = if let Some(start) = self.position(callee) {
                start
            } else {
                let frame = self.append(linked, callee)?;
                let start = frame.start;
                stack.push(frame);
                start
            };
            if let Some(insn) = linked.insns.get_mut(at) {
                insn.imm = distance(start, at);
            }
            let name = self.names.get(callee).cloned();
            linked.refs.push(Ref {
                insn: at,
                kind: RefKind::Func,
                name: name.unwrap_or_default(),
            });
        }
        Ok(())
    }

    /// The function of `.text` that contains the instruction at this offset.
    fn callee(&self, function: &Function, insn: usize, offset: i64) -> Result<usize> {
        let place = || format!("function `{}`, instruction {insn}", function.name);
        let text = self.object.text_section.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidObject,
                "it calls another function, but the object has no `.text` section",
            )
            .context(place())
            .with_hint("only functions without SEC() can be called; they are compiled into `.text`")
        })?;
        let found = usize::try_from(offset).ok();
        let found = found.and_then(|offset| self.object.function_at(text, offset));
        found.map(|callee| callee.index).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidObject,
                format!("it leads to instruction {offset} of `.text`, where no function is"),
            )
            .context(place())
        })
    }
}

/// What the instruction at `at` in this function refers to, and where.
fn wanted(function: &Function, at: usize, insn: Insn) -> Result<Wanted> {
    if !insn.is_subprog_call() && !insn.is_func_address() {
        return Ok(Wanted::Nothing);
    }
    let relocations = &function.relocations;
    let first = relocations.partition_point(|r| r.insn < at);
    let relocation = relocations.get(first).filter(|r| r.insn == at);
    let imm = i64::from(insn.imm);
    let bytes = |symbol: u64| i64::try_from(symbol).unwrap_or(i64::MAX);
    let size = i64::try_from(INSN_SIZE).unwrap_or(1);
    let offset = match relocation.map(|r| r.kind) {
        Some(RelocKind::ExternCall { .. }) => return Ok(Wanted::Nothing),
        Some(RelocKind::Call { symbol_value }) => bytes(symbol_value) / size + imm + 1,
        Some(RelocKind::SubprogAddress { symbol_value }) => {
            bytes(symbol_value).saturating_add(imm) / size
        }
        None if insn.is_subprog_call() => {
            i64::try_from(function.offset.saturating_add(at)).unwrap_or(i64::MAX - (1 << 33))
                + imm
                + 1
        }
        Some(_) | None => {
            return Err(Error::new(
                ErrorKind::InvalidObject,
                "it takes the address of a function, but its relocation is missing or of another kind",
            )
            .context(format!("function `{}`, instruction {at}", function.name)));
        }
    };
    Ok(Wanted::Function { offset })
}

/// The immediate that makes a call at `at` reach `start`.
fn distance(start: usize, at: usize) -> i32 {
    // Both are below MOST_INSNS.
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    number(start).wrapping_sub(number(at)).wrapping_sub(1)
}

/// The exception callbacks that declaration tags name, collected once for all programs.
#[derive(Debug, Default)]
struct Callbacks<'o> {
    /// The names of callbacks by program name.
    by_program: HashMap<&'o str, Vec<&'o str>>,
    /// A tag on something other than a global function, which is an error for every program.
    misplaced: Option<String>,
    /// The functions of `.text`; empty if there are no tags.
    subprograms: HashMap<&'o str, usize>,
    /// How many more names are compared with all subprograms.
    suggestions: Searches,
}

impl<'o> Callbacks<'o> {
    fn of(object: &'o OpenObject) -> Self {
        let mut callbacks = Self::default();
        let Some(btf) = &object.btf else {
            return callbacks;
        };
        if memchr::memmem::find(btf.string_bytes(), EXCEPTION_CALLBACK.as_bytes()).is_none() {
            return callbacks;
        }
        for (index, function) in object.functions.iter().enumerate() {
            if Some(function.section) == object.text_section {
                let name = function.name.as_str();
                callbacks.subprograms.entry(name).or_insert(index);
            }
        }
        for tag in btf.types().filter(|ty| ty.kind() == Kind::DeclTag) {
            let Some(name) = tag.name().strip_prefix(EXCEPTION_CALLBACK) else {
                continue;
            };
            if tag.tag_component().is_some() {
                continue;
            }
            let tagged = btf.get(tag.target().unwrap_or(TypeId::VOID)).ok();
            match tagged.filter(|t| t.kind() == Kind::Func && t.linkage() == Some(Linkage::Global))
            {
                Some(program) => {
                    let names = callbacks.by_program.entry(program.name()).or_default();
                    names.push(name);
                }
                None => callbacks.misplaced = Some(name.to_string()),
            }
        }
        callbacks
    }

    /// The callback of the program with this name. If several are named, the verifier's message is better than any of ours.
    #[doc(alias = "bpf_prog_assign_exc_cb")]
    fn find(&self, object: &OpenObject, program: &str) -> Result<Option<usize>> {
        let fail = |message: String| Error::new(ErrorKind::InvalidObject, message);
        let name = match self.by_program.get(program).map(Vec::as_slice) {
            Some([_, _, ..]) => return Ok(None),
            Some([name]) => Some(*name),
            _ => None,
        };
        if let Some(misplaced) = &self.misplaced {
            return Err(fail(format!(
                "the tag `{EXCEPTION_CALLBACK}{misplaced}` is on something that is no global function"
            )));
        }
        let Some(name) = name else { return Ok(None) };
        let index = self.subprograms.get(name).copied().ok_or_else(|| {
            let near = if self.suggestions.take() {
                crate::did_you_mean(name, self.subprograms.keys().copied())
            } else {
                String::new()
            };
            fail(format!(
                "its exception callback `{name}` is not a function of `.text`{near}"
            ))
        })?;
        let function = object.functions.get(index);
        if function.is_some_and(|f| f.linkage == FunctionLinkage::Global) {
            return Ok(Some(index));
        }
        Err(fail(format!(
            "its exception callback `{name}` must be global and not hidden"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{add_program, btf, call, exit, load, nop, object, subprogram};
    use super::*;
    use crate::btf::BtfBuilder;
    use crate::open::Relocation;

    fn link(object: &OpenObject, entry: usize) -> Result<Linked> {
        let code = Code::unpatched(object);
        Linker::new(object, &code).link(entry)
    }

    /// The names of a program's parts.
    fn order<'o>(object: &'o OpenObject, linked: &Linked) -> Vec<&'o str> {
        let names = linked.parts.iter().map(|part| part.function);
        names.map(|f| object.functions[f].name.as_str()).collect()
    }

    fn calls(symbol: u64) -> RelocKind {
        RelocKind::Call {
            symbol_value: symbol,
        }
    }

    /// `.text`: a at 0 (calls c), b at 2 (calls c), c at 4; each has two instructions.
    fn three_subprograms() -> OpenObject {
        let mut object = object();
        // Not relocated: from 0 to 4 and from 2 to 4.
        let a = subprogram("a", 0, vec![call(3), exit()]);
        let b = subprogram("b", 2, vec![call(1), exit()]);
        let c = subprogram("c", 4, vec![nop(), exit()]);
        object.functions.extend([a, b, c]);
        object
    }

    #[test]
    fn subprograms_follow_depth_first_and_once_each() {
        let mut object = three_subprograms();
        let insns = vec![call(-1), call(-1), call(-1), exit()];
        // To b by its symbol, to a by the section's, to c.
        let relocations = [(0, calls(16)), (1, calls(0)), (2, calls(32))];
        add_program(&mut object, "xdp", insns, &relocations);
        let linked = link(&object, 3).unwrap();
        assert_eq!(order(&object, &linked), ["program_13", "b", "c", "a"]);
        let calls: Vec<(usize, i32)> = linked
            .insns
            .iter()
            .enumerate()
            .filter(|(_, insn)| insn.is_subprog_call())
            .map(|(at, insn)| (at, insn.imm))
            .collect();
        // b starts at 4, c at 6, a at 8.
        assert_eq!(calls, [(0, 3), (1, 6), (2, 3), (4, 1), (8, -3)]);
        assert_eq!(linked.refs.len(), 5);
    }

    #[test]
    fn each_program_gets_its_own_copies_in_its_own_order() {
        let mut object = three_subprograms();
        let to_c = [(0, calls(0))];
        add_program(&mut object, "xdp", vec![call(3), exit()], &to_c);
        add_program(&mut object, "tc", vec![call(-1), exit()], &[(0, calls(0))]);
        let code = Code::unpatched(&object);
        let mut linker = Linker::new(&object, &code);
        let first = linker.link(3).unwrap();
        assert_eq!(order(&object, &first), ["program_13", "c"]);
        let second = linker.link(4).unwrap();
        assert_eq!(order(&object, &second), ["program_14", "a", "c"]);
    }

    #[test]
    fn an_address_is_marked_and_counted_in_bytes() {
        let mut object = three_subprograms();
        let [low, high] = load(0, 16);
        let address = RelocKind::SubprogAddress { symbol_value: 0 };
        add_program(&mut object, "xdp", vec![low, high, exit()], &[(0, address)]);
        let linked = link(&object, 3).unwrap();
        assert_eq!(order(&object, &linked), ["program_13", "b", "c"]);
        let insn = linked.insns[0];
        assert!(insn.is_func_address());
        assert_eq!(insn.imm, 2);
    }

    #[test]
    fn recursion_ends() {
        let mut object = object();
        object
            .functions
            .push(subprogram("again", 0, vec![call(-1), exit()]));
        add_program(&mut object, "xdp", vec![call(-1), exit()], &[(0, calls(0))]);
        let linked = link(&object, 1).unwrap();
        assert_eq!(linked.insns.len(), 4);
        assert_eq!(linked.insns[2].imm, -1);
    }

    #[test]
    fn a_deep_chain_of_calls_does_not_overflow_the_stack() {
        let mut object = object();
        let count = 200_000;
        for index in 0..count {
            let name = format!("f{index}");
            object
                .functions
                .push(subprogram(&name, index * 2, vec![call(1), exit()]));
        }
        object.functions.last_mut().unwrap().insns[0] = nop();
        add_program(&mut object, "xdp", vec![call(-1), exit()], &[(0, calls(0))]);
        let linked = link(&object, count).unwrap();
        assert_eq!(linked.parts.len(), count + 1);
    }

    #[test]
    fn programs_that_would_fill_the_memory_are_refused() {
        let mut object = object();
        let large = subprogram("large", 0, vec![nop(); MOST_INSNS / 2]);
        object.functions.push(large);
        for _ in 0..2 {
            add_program(&mut object, "xdp", vec![call(-1), exit()], &[(0, calls(0))]);
        }
        let code = Code::unpatched(&object);
        let mut linker = Linker::new(&object, &code);
        assert!(linker.link(1).is_ok());
        let error = linker.link(2).unwrap_err().to_string();
        assert!(error.contains("`large`"), "{error}");
    }

    #[test]
    fn calls_that_lead_nowhere_are_errors() {
        let mut object = three_subprograms();
        add_program(
            &mut object,
            "xdp",
            vec![call(-1), exit()],
            &[(0, calls(48))],
        );
        let error = link(&object, 3).unwrap_err().to_string();
        assert!(error.contains("instruction 6 of `.text`"), "{error}");
        object.text_section = None;
        let error = link(&object, 3).unwrap_err().to_string();
        assert!(error.contains("no `.text`"), "{error}");
        let map = Relocation {
            insn: 0,
            kind: RelocKind::Map { map: 0 },
        };
        object.functions[3].relocations = vec![map];
        assert!(link(&object, 3).is_err());
    }

    fn tagged(build: impl FnOnce(&mut BtfBuilder, TypeId)) -> OpenObject {
        let mut object = three_subprograms();
        add_program(&mut object, "xdp", vec![nop(), exit()], &[]);
        object.btf = Some(Arc::new(btf(|editor| {
            let id = super::super::testing::add_function(editor, "program_13", Linkage::Global);
            build(editor, id);
        })));
        object
    }

    fn tag(editor: &mut BtfBuilder, name: &str, of: TypeId) {
        editor.add_decl_tag(name, of, None);
    }

    #[test]
    fn the_exception_callback_is_appended() {
        let object = tagged(|editor, id| tag(editor, "exception_callback:b", id));
        let linked = link(&object, 3).unwrap();
        assert_eq!(order(&object, &linked), ["program_13", "b", "c"]);

        let twice = tagged(|editor, id| {
            tag(editor, "exception_callback:b", id);
            tag(editor, "exception_callback:c", id);
        });
        assert_eq!(link(&twice, 3).unwrap().parts.len(), 1);

        let typo = tagged(|editor, id| tag(editor, "exception_callback:d", id));
        let error = link(&typo, 3).unwrap_err().to_string();
        assert!(error.contains("`d` is not a function"), "{error}");

        let mut hidden = tagged(|editor, id| tag(editor, "exception_callback:b", id));
        hidden.functions[1].linkage = FunctionLinkage::Hidden;
        let error = link(&hidden, 3).unwrap_err().to_string();
        assert!(error.contains("must be global"), "{error}");
    }
}
