//! The order of definitions and declarations.
//!
//! A structure needs the complete types of its members, and the names of those that they point to. Complete types are written
//! first ([`Definitions::add_in_order`] visits them, without recursion); those that are only pointed to are declared directly
//! before the definition that needs them ([`Definitions::prepare`]).

use super::Definitions;
use super::definitions::State;
use super::extent::{DEEPEST, VA_LIST};
use super::integer;
use crate::TypeId;
use crate::btf::{Kind, Type};

/// How a type is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reference {
    /// As a value: it must be complete.
    Value,
    /// Through a pointer.
    Pointer,
}

/// A step that remains to be done.
enum Step {
    /// Write everything that the type needs.
    Visit(TypeId, Reference),
    /// Write its definition.
    Write(TypeId),
}

impl<'b> Definitions<'b> {
    pub(super) fn add_in_order(&mut self, id: TypeId) {
        let mut steps = vec![Step::Visit(id, Reference::Value)];
        while let Some(step) = steps.pop() {
            if self.is_exhausted() {
                return;
            }
            match step {
                Step::Visit(id, reference) => self.visit(id, reference, &mut steps),
                Step::Write(id) => self.write(id),
            }
        }
    }

    fn visit(&mut self, id: TypeId, reference: Reference, steps: &mut Vec<Step>) {
        let state = match reference {
            Reference::Value => State::VISITED,
            Reference::Pointer => State::VISITED_BEHIND_POINTER,
        };
        if !self.set_first(id, state) {
            return;
        }
        let Ok(ty) = self.btf.get(id) else { return };
        match ty.kind() {
            Kind::Int | Kind::Float => self.alias(&ty),
            Kind::Ptr => steps.extend(visit(&ty, Reference::Pointer)),
            Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag => {
                steps.extend(visit(&ty, reference));
            }
            // The element type must be complete even if there is only a pointer to the array.
            Kind::Array => {
                let element = ty.array().map(|array| array.element);
                steps.extend(element.map(|id| Step::Visit(id, Reference::Value)));
            }
            Kind::Fwd | Kind::Enum | Kind::Enum64 => {
                self.write_unless_inline(&ty);
            }
            Kind::Typedef if reference == Reference::Value || self.is_strong(id, 0) => {
                self.begin(id, visit(&ty, reference), steps);
            }
            Kind::Struct | Kind::Union if ty.name().is_empty() => steps.extend(visit_members(&ty)),
            Kind::Struct | Kind::Union if reference == Reference::Value => {
                self.begin(id, visit_members(&ty), steps);
            }
            Kind::FuncProto => {
                let params = ty.params().rev();
                steps.extend(params.map(|param| Step::Visit(param.type_id, reference)));
                steps.extend(visit(&ty, reference));
            }
            _ => {}
        }
    }

    /// Writes a type after these steps, unless that is already planned.
    fn begin(&mut self, id: TypeId, first: impl IntoIterator<Item = Step>, steps: &mut Vec<Step>) {
        if self.set_first(id, State::BEGUN) {
            steps.push(Step::Write(id));
            steps.extend(first);
        }
    }

    /// Anonymous enumerations are written where they are used.
    fn write_unless_inline(&mut self, ty: &Type<'b>) {
        if !ty.name().is_empty() || !self.is(ty.id(), State::REFERENCED) {
            self.write(ty.id());
        }
    }

    /// Whether something behind a pointer to this type must be written out: an anonymous structure, an enumeration, the element
    /// of an array. A typedef without any of these is written where it is needed.
    fn is_strong(&mut self, id: TypeId, depth: usize) -> bool {
        self.spend(id, 1);
        let Ok(ty) = self.btf.get(id) else {
            return false;
        };
        if depth > DEEPEST || self.is_exhausted() {
            return false;
        }
        let depth = depth.saturating_add(1);
        match ty.kind() {
            Kind::Ptr
            | Kind::Const
            | Kind::Volatile
            | Kind::Restrict
            | Kind::TypeTag
            | Kind::Typedef => ty.target().is_some_and(|id| self.is_strong(id, depth)),
            Kind::Array => ty
                .array()
                .and_then(|array| self.btf.get(array.element).ok())
                .is_some_and(|element| {
                    let is_plain = matches!(element.kind(), Kind::Int | Kind::Float);
                    !is_plain && element.kind() != Kind::Ptr || self.is_strong(element.id(), depth)
                }),
            Kind::Struct | Kind::Union => ty.name().is_empty(),
            Kind::Enum | Kind::Enum64 | Kind::Fwd => true,
            Kind::FuncProto => {
                let mut types = ty.params().map(|param| param.type_id).chain(ty.target());
                types.any(|id| self.is_strong(id, depth))
            }
            _ => false,
        }
    }

    /// Declares what the type points to, unless that has been done: `container` is being written, and its name is known inside.
    /// Returns whether nothing was left out.
    pub(super) fn prepare(&mut self, id: TypeId, container: TypeId, depth: usize) -> bool {
        self.spend(id, 1);
        if depth > LONGEST_WAY || self.is_exhausted() || self.is(id, State::PREPARED) {
            return true;
        }
        let Ok(ty) = self.btf.get(id) else {
            return true;
        };
        let depth = depth.saturating_add(1);
        let all = match ty.kind() {
            Kind::Ptr | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag => {
                let target = ty.target().unwrap_or_default();
                self.prepare(target, container, depth)
            }
            Kind::Array => {
                let element = ty.array().map(|array| array.element).unwrap_or_default();
                self.prepare(element, container, depth)
            }
            Kind::Int | Kind::Float => {
                self.alias(&ty);
                true
            }
            Kind::Typedef => {
                if !self.is(id, State::DONE) && !self.is(id, State::DECLARED) {
                    self.write_typedef(&ty, depth);
                }
                true
            }
            Kind::Struct | Kind::Union if ty.name().is_empty() => {
                // Cycles of anonymous structures end here, too.
                self.set(id, State::PREPARED);
                let mut members = ty.nameless_members();
                let all = members.try_fold(true, |all, member| {
                    let this = self.prepare(member.type_id, container, depth);
                    (!self.is_exhausted()).then_some(all && this)
                });
                self.unset(id, State::PREPARED);
                all.unwrap_or_default()
            }
            Kind::Struct | Kind::Union => {
                if id == container {
                    return false;
                }
                if !self.is(id, State::DONE) && self.set_first(id, State::DECLARED) {
                    self.write_declaration(&ty);
                }
                true
            }
            Kind::FuncProto => {
                let result = ty.target().unwrap_or_default();
                let result = self.prepare(result, container, depth);
                let mut params = ty.params();
                let all = params.try_fold(result, |all, param| {
                    let this = self.prepare(param.type_id, container, depth);
                    (!self.is_exhausted()).then_some(all && this)
                });
                all.unwrap_or_default()
            }
            Kind::Enum | Kind::Enum64 | Kind::Fwd => {
                if !ty.name().is_empty() {
                    self.write(id);
                }
                true
            }
            _ => true,
        };
        if all {
            self.set(id, State::PREPARED);
        }
        all
    }

    /// A typedef for a number with a different name in C.
    fn alias(&mut self, ty: &Type<'b>) {
        let id = ty.id();
        // A type that is only the index type of arrays is not written.
        let is_used = self.is(id, State::REFERENCED);
        if is_used && integer::needs_alias(ty) && self.set_first(id, State::DONE) {
            self.write_alias(ty);
        }
    }

    /// Whether a typedef is built into compilers.
    pub(super) fn is_builtin(ty: &Type<'_>) -> bool {
        ty.kind() == Kind::Typedef && ty.name() == VA_LIST
    }
}

/// The maximum nesting of typedefs of pointers to typedefs, and functions that take functions.
const LONGEST_WAY: usize = 200;

/// A visit to the target of a type.
fn visit(ty: &Type<'_>, reference: Reference) -> Option<Step> {
    ty.target().map(|id| Step::Visit(id, reference))
}

/// Visits to the members' types, in reverse order.
fn visit_members<'b>(ty: &Type<'b>) -> impl Iterator<Item = Step> + use<'b> {
    let members = ty.nameless_members().rev();
    members.map(|member| Step::Visit(member.type_id, Reference::Value))
}
