//! The definitions that have been written, and their order.

use super::expression::Facts;
use super::names::{Names, identifier};
use crate::TypeId;
use crate::btf::show::budget::Budget;
use crate::btf::{Btf, BtfError, Kind, Type};
use crate::keyed_hash::{Set, Table};

/// Definitions in Rust, which require the [`PRELUDE`](super::PRELUDE) before them.
///
/// ```
/// use rawbpf::btf::rust::Definitions;
/// use rawbpf::btf::{BtfBuilder, IntEncoding, Kind};
///
/// let mut types = BtfBuilder::new();
/// let int = types.add_int("int", 4, IntEncoding::SIGNED);
/// types.add_struct("event", 8, [("pid", int, 0)]);
/// let btf = types.build()?;
///
/// let mut rust = Definitions::new(&btf);
/// rust.add(btf.find("event", Kind::Struct).expect("it is there"))?;
/// assert_eq!(rust.text(), "\
/// /// `struct event`: 8 bytes.
/// #[repr(C)]
/// #[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// pub struct event {
///     pub pid: i32,
///     pub _pad0: [u8; 4],
/// }
/// const _: () = {
///     assert!(::core::mem::size_of::<event>() == 8);
///     assert!(::core::mem::offset_of!(event, pid) == 0);
/// };
///
/// ");
/// # Ok::<(), rawbpf::btf::BtfError>(())
/// ```
pub struct Definitions<'b> {
    pub(super) btf: &'b Btf<'b>,
    pub(super) text: String,
    pub(super) names: Names<'b>,
    /// The types that have been written.
    pub(super) known: Table<TypeId, Facts>,
    pub(super) budget: Budget,
    pub(super) uses: Uses,
    visited: Set<TypeId>,
}

/// Who uses the definitions.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// A crate that depends on this one, and has `zerocopy` from it.
    pub(super) rawbpf: bool,
    /// Traits that it wants to have derived as well, each as a path.
    derives: Vec<String>,
}

impl Uses {
    /// All traits to derive: ours, and those that the user wants besides. Ends in a comma.
    pub(super) fn derives(&self, ours: &[&str]) -> String {
        let name = |path: &str| path.rsplit("::").next().unwrap_or(path).trim().to_owned();
        let is_new = |path: &&str| !ours.contains(&name(path).as_str());
        let users = self.derives.iter().map(String::as_str).filter(is_new);
        let all: Vec<&str> = ours.iter().copied().chain(users).collect();
        all.join(", ")
    }
}

impl std::fmt::Debug for Definitions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definitions")
            .field("written", &self.known.len())
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// A step that remains to be done.
enum Step {
    /// Write everything that the type needs.
    Visit(TypeId),
    /// Write its definition.
    Write(TypeId),
}

impl<'b> Definitions<'b> {
    /// No definitions yet. [`Definitions::add`] adds some.
    pub fn new(btf: &'b Btf<'b>) -> Self {
        Self::beside(btf, &[])
    }

    /// No definitions yet, and no type will have one of these names, which other items of the module have.
    pub(crate) fn beside(btf: &'b Btf<'b>, others: &[&'static str]) -> Self {
        let mut budget = Budget::of(btf);
        Self {
            btf,
            text: String::new(),
            names: Names::of(btf, others, &mut budget),
            known: Table::default(),
            budget,
            uses: Uses::default(),
            visited: Set::default(),
        }
    }

    /// Writes for a crate that depends on `rawbpf` instead of `zerocopy`, which comes from there: arrays of characters are
    /// [`CharArray`](crate::btf::CharArray)s, every type is [`Layout`](crate::btf::Layout), and those without pointers are
    /// `ring::PlainEvent`.
    pub(crate) fn for_rawbpf(mut self) -> Self {
        self.uses.rawbpf = true;
        self
    }

    /// Derives another trait for all types, given by its path.
    pub(crate) fn derive(mut self, path: impl Into<String>) -> Self {
        self.uses.derives.push(path.into());
        self
    }

    /// Adds the definition of a type, after all that it contains and that have not been written yet; for a variable or section,
    /// those of its types. Nothing is added for types that are only pointed to, and for functions.
    ///
    /// # Errors
    /// `TooMuch` if the output would be too large for the size of the types.
    pub fn add(&mut self, id: TypeId) -> Result<(), BtfError> {
        let mut steps = vec![Step::Visit(id)];
        while let Some(step) = steps.pop() {
            self.budget.check()?;
            let (Step::Visit(id) | Step::Write(id)) = step;
            let Ok(ty) = self.btf.get(id) else { continue };
            match step {
                Step::Visit(_) => self.visit(&ty, &mut steps),
                Step::Write(_) => self.write(&ty),
            }
        }
        self.budget.check()
    }

    /// Whether the work stays within what the types allow.
    ///
    /// # Errors
    /// `TooMuch` if it does not.
    pub(crate) fn check(&self) -> Result<(), BtfError> {
        self.budget.check()
    }

    /// What has been written so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What has been written since the last call.
    pub fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    fn visit(&mut self, ty: &Type<'b>, steps: &mut Vec<Step>) {
        if !self.visited.insert(ty.id()) {
            return;
        }
        self.budget.spend(ty.id(), 1);
        match ty.kind() {
            Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag | Kind::Var => {
                steps.extend(ty.target().map(Step::Visit));
            }
            Kind::Array => steps.extend(ty.array().map(|array| Step::Visit(array.element))),
            Kind::Datasec => {
                let variables = ty.variables().map(|variable| variable.type_id);
                steps.extend(variables.map(Step::Visit));
            }
            Kind::Typedef => {
                steps.push(Step::Write(ty.id()));
                steps.extend(ty.target().map(Step::Visit));
            }
            Kind::Enum | Kind::Enum64 | Kind::Fwd => steps.push(Step::Write(ty.id())),
            Kind::Struct | Kind::Union => {
                steps.push(Step::Write(ty.id()));
                self.name_members(ty);
                let members = ty.members().rev();
                steps.extend(members.map(|member| Step::Visit(member.type_id)));
            }
            _ => {}
        }
    }

    /// Names the anonymous types of members after the members.
    fn name_members(&mut self, ty: &Type<'b>) {
        if ty.name().is_empty() {
            // An anonymous type at the top level, unless it was already named after a member.
            self.names
                .name_after(ty.id(), "anonymous", &ty.id().to_string());
        }
        let outer = self.names.get(ty.id()).cloned().unwrap_or_default();
        let mut unnamed = 0_u32;
        for member in ty.members() {
            self.budget.spend(ty.id(), 1);
            let name = if member.name.is_empty() {
                unnamed = unnamed.saturating_add(1);
                format!("anon_{}", unnamed.saturating_sub(1)).into()
            } else {
                identifier(member.name)
            };
            if let Some(inner) = self.without_name(member.type_id) {
                self.names.name_after(inner, &outer, &name);
            }
        }
    }

    /// The anonymous structure, union or enumeration that is the type of a member or of the elements of an array.
    fn without_name(&mut self, id: TypeId) -> Option<TypeId> {
        let mut now = id;
        for _ in 0..crate::btf::MAX_CHAIN {
            self.budget.spend(now, 1);
            let ty = self.btf.get(now).ok()?;
            now = match ty.kind() {
                Kind::Array => ty.array()?.element,
                kind if kind.is_modifier() => ty.target()?,
                kind if kind.is_composite() || kind.is_any_enum() => {
                    return ty.name().is_empty().then_some(now);
                }
                _ => return None,
            };
        }
        None
    }
}
