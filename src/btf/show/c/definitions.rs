//! The definitions that have been written.

use super::layout::Extent;
use super::names::Names;
use super::tags::Tags;
use crate::TypeId;
use crate::btf::show::budget::Budget;
use crate::btf::{Btf, BtfError, Kind};
use crate::keyed_hash::Table;

/// Definitions in C, in order of dependency.
///
/// ```
/// use rawbpf::btf::{Btf, BtfBuilder, IntEncoding, Kind};
/// use rawbpf::btf::c::Definitions;
///
/// let mut types = BtfBuilder::new();
/// let int = types.add_int("int", 4, IntEncoding::SIGNED);
/// let list = rawbpf::TypeId(types.next_id().0 + 1);
/// let next = types.add_ptr(list);
/// types.add_struct("list", 16, [("next", next, 0), ("value", int, 64)]);
/// let btf = types.build()?;
///
/// let mut c = Definitions::new(&btf);
/// c.add(btf.find("list", Kind::Struct).expect("it is there"))?;
/// assert_eq!(c.text(), "struct list {\n\tstruct list *next;\n\tint value;\n};\n\n");
/// # Ok::<(), rawbpf::btf::BtfError>(())
/// ```
#[doc(alias = "btf_dump")]
pub struct Definitions<'b> {
    pub(super) btf: &'b Btf<'b>,
    pub(super) text: String,
    pub(super) names: Names<'b>,
    states: Vec<State>,
    /// The extents of structures and unions as written.
    pub(super) extents: Table<TypeId, Extent>,
    /// The types that were written at the top level: those that have a name and a size.
    pub(super) written: Vec<TypeId>,
    /// The anonymous structures that are being written, each nested in the previous one.
    pub(super) inside: Vec<TypeId>,
    /// The number of declarations that are being written, each nested in the previous one.
    pub(super) nesting: usize,
    pub(super) tags: Tags<'b>,
    /// Whether declarations have them.
    pub(super) qualifiers: Qualifiers,
    budget: Budget,
}

impl std::fmt::Debug for Definitions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definitions")
            .field("written", &self.written.len())
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// What becomes of `const` and its like, and of attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Qualifiers {
    Keep,
    /// For memory that belongs to the reader, though it is constant for programs.
    Drop,
}

/// The state of a type.
#[derive(Clone, Copy, Default)]
pub(super) struct State(u8);

impl State {
    /// Its definition waits for those that it needs.
    pub(super) const BEGUN: Self = Self(1);
    /// It is complete from here on.
    pub(super) const DONE: Self = Self(2);
    /// Pointers to it are allowed.
    pub(super) const DECLARED: Self = Self(4);
    /// Its dependencies as a value have been visited.
    pub(super) const VISITED: Self = Self(8);
    /// Its dependencies behind a pointer have been visited.
    pub(super) const VISITED_BEHIND_POINTER: Self = Self(16);
    /// Everything that it points to has been declared.
    pub(super) const PREPARED: Self = Self(32);
    /// Another type refers to it.
    pub(super) const REFERENCED: Self = Self(64);
}

impl<'b> Definitions<'b> {
    /// No definitions yet. [`Definitions::add`] adds some.
    #[doc(alias = "btf_dump__new")]
    pub fn new(btf: &'b Btf<'b>) -> Self {
        let types = usize::try_from(btf.end_id()).unwrap_or_default();
        let mut definitions = Self {
            btf,
            text: String::new(),
            names: Names::default(),
            states: vec![State::default(); types],
            extents: Table::default(),
            written: Vec::new(),
            inside: Vec::new(),
            nesting: 0,
            tags: Tags::default(),
            qualifiers: Qualifiers::Keep,
            budget: Budget::of(btf),
        };
        definitions.look_through();
        definitions
    }

    /// Adds the definition of a type, after all those that it needs and that have not been written yet. A type that has no
    /// definition in C (a function, a variable, a section) adds nothing; a pointer or a prototype adds its target types.
    ///
    /// # Errors
    /// `TooMuch` if the output would be too large for the size of the types.
    #[doc(alias = "btf_dump__dump_type")]
    pub fn add(&mut self, id: TypeId) -> Result<(), BtfError> {
        self.add_in_order(id);
        self.check()
    }

    pub(crate) fn check(&self) -> Result<(), BtfError> {
        self.budget.check()
    }

    /// A declaration (without a semicolon) on a line that is indented by `level` tabs. Nothing that it needs is written.
    #[doc(alias = "btf_dump__emit_type_decl")]
    pub(crate) fn declaration(
        &mut self,
        id: TypeId,
        name: &str,
        level: usize,
        qualifiers: Qualifiers,
    ) -> String {
        let before = std::mem::take(&mut self.text);
        self.qualifiers = qualifiers;
        self.declare(id, name, level, None);
        self.qualifiers = Qualifiers::Keep;
        std::mem::replace(&mut self.text, before)
    }

    /// What has been written so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What has been written since the last call.
    pub fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    pub(super) fn is(&self, id: TypeId, state: State) -> bool {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        self.states
            .get(index)
            .is_some_and(|has| has.0 & state.0 != 0)
    }

    pub(super) fn set(&mut self, id: TypeId, state: State) {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        if let Some(has) = self.states.get_mut(index) {
            has.0 |= state.0;
        }
    }

    pub(super) fn unset(&mut self, id: TypeId, state: State) {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        if let Some(has) = self.states.get_mut(index) {
            has.0 &= !state.0;
        }
    }

    /// Sets a state; returns whether it was new.
    pub(super) fn set_first(&mut self, id: TypeId, state: State) -> bool {
        let new = !self.is(id, state);
        self.set(id, state);
        new
    }

    /// Spends some of the budget, in types visited or bytes of text. Once it is exhausted, nothing more is written.
    pub(super) fn spend(&mut self, id: TypeId, work: usize) {
        self.budget.spend(id, work);
    }

    #[cfg(test)]
    pub(super) fn work_left(&self) -> usize {
        self.budget.left()
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.budget.is_exhausted()
    }

    /// Records which types others refer to, since anonymous enumerations are written at the top level unless another type
    /// contains them, and the tags.
    fn look_through(&mut self) {
        for id in 1..self.btf.end_id() {
            let Ok(ty) = self.btf.get(TypeId(id)) else {
                continue;
            };
            if let Some(target) = ty.target().or(ty.array().map(|array| array.element)) {
                self.set(target, State::REFERENCED);
            }
            match ty.kind() {
                Kind::Struct | Kind::Union => {
                    for member in ty.nameless_members() {
                        self.set(member.type_id, State::REFERENCED);
                    }
                }
                Kind::FuncProto => {
                    for param in ty.params() {
                        self.set(param.type_id, State::REFERENCED);
                    }
                }
                Kind::DeclTag => self.tags.add(&ty),
                _ => {}
            }
        }
    }
}
