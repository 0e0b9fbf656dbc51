//! Collects the kernel's types and members that answers depend on.
//!
//! With these alone, every record gets the same answer (except for type ids) as from all of the kernel's types: what
//! matched still matches, and what did not match is no more similar to the local type than before.

use super::candidates::Candidate;
use super::error::CoreError;
use super::kind::{RelocClass, RelocKind};
use super::spec::Spec;
use super::types_match::Reached;
use crate::TypeId;
use crate::btf::{Btf, BtfError, Kind, Subset, Type};
use std::collections::HashSet;

/// The part of a kernel's types that the records of one or more objects have used so far.
#[derive(Debug, Default)]
pub(crate) struct UsedTypes<'a> {
    types: Subset<'a>,
    /// Types whose references were followed, and how.
    followed: HashSet<(Option<&'a str>, TypeId, Depth)>,
}

/// How much of what a type refers to is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Depth {
    /// Its size and shape, as for a field: what a pointer points to does not matter.
    Shape,
    /// Everything except members, also behind pointers.
    Kinds,
    /// Members as well.
    Members,
    /// As `Members`, but behind a pointer: structures are compared by name only.
    MembersBehindPointer,
}

impl From<Reached> for Depth {
    fn from(reached: Reached) -> Self {
        match reached {
            Reached::Directly => Self::Members,
            Reached::BehindPointer => Self::MembersBehindPointer,
        }
    }
}

impl<'a> UsedTypes<'a> {
    /// The types as a blob.
    ///
    /// # Errors
    /// There are more names or types than a blob can hold.
    pub(crate) fn build(&self) -> Result<Btf<'static>, BtfError> {
        self.types.build()
    }

    /// Notes what the match of this candidate, in `found`, depends on.
    pub(super) fn note(
        &mut self,
        candidate: Candidate<'a>,
        found: &Spec<'a>,
    ) -> Result<(), CoreError> {
        let blob = candidate.module;
        match (found.kind.class(), found.kind) {
            (RelocClass::Field, _) => self.note_path(found, blob),
            (RelocClass::Enumval, _) => self.follow(found.root, blob, Depth::Shape),
            (_, RelocKind::TypeMatches) => self.follow(found.root, blob, Reached::Directly.into()),
            _ => self.follow(found.root, blob, Depth::Kinds),
        }
    }

    /// Every type and member that a path leads through.
    fn note_path(&mut self, found: &Spec<'a>, blob: Option<&'a str>) -> Result<(), CoreError> {
        let btf = found.root.btf();
        let mut at = found.root;
        self.follow(at, blob, Depth::Shape)?;
        // The first index is into the array that the pointer may point to.
        for index in found.raw.iter().skip(1) {
            let ty = at.resolved()?;
            let next = if let Some(array) = ty.array() {
                Some(array.element)
            } else {
                self.types.keep_member(&ty, blob, *index);
                let member = usize::try_from(*index)
                    .ok()
                    .and_then(|index| ty.member(index));
                member.map(|member| member.type_id)
            };
            let Some(next) = next else { break };
            at = btf.get(next)?;
            self.follow(at, blob, Depth::Shape)?;
        }
        Ok(())
    }

    /// Keeps a type, and as much of what it refers to as is compared.
    fn follow(
        &mut self,
        ty: Type<'a>,
        blob: Option<&'a str>,
        depth: Depth,
    ) -> Result<(), CoreError> {
        let mut waiting = vec![(ty, depth)];
        while let Some((ty, depth)) = waiting.pop() {
            if ty.kind() == Kind::Void || !self.followed.insert((blob, ty.id(), depth)) {
                continue;
            }
            self.types.keep(ty, blob);
            for (id, depth) in self.references(&ty, blob, depth) {
                waiting.push((ty.btf().get(id)?, depth));
            }
        }
        Ok(())
    }

    /// The references of a type that are compared, and how.
    fn references(
        &mut self,
        ty: &Type<'a>,
        blob: Option<&'a str>,
        depth: Depth,
    ) -> Vec<(TypeId, Depth)> {
        let target = ty.target();
        match ty.kind() {
            Kind::Ptr => {
                let behind = match depth {
                    Depth::Shape => return Vec::new(),
                    Depth::Kinds => Depth::Kinds,
                    Depth::Members | Depth::MembersBehindPointer => Depth::MembersBehindPointer,
                };
                target.map(|id| (id, behind)).into_iter().collect()
            }
            Kind::Array => {
                let array = ty.array();
                let both = array.map(|array| [(array.element, depth), (array.index, Depth::Shape)]);
                both.into_iter().flatten().collect()
            }
            Kind::Struct | Kind::Union if depth == Depth::Members => {
                let mut members = Vec::new();
                for (index, member) in (0..).zip(ty.members()) {
                    self.types.keep_member(ty, blob, index);
                    members.push((member.type_id, depth));
                }
                members
            }
            Kind::FuncProto => {
                let params = ty.params().map(|param| param.type_id);
                target
                    .into_iter()
                    .chain(params)
                    .map(|id| (id, depth))
                    .collect()
            }
            _ => target.map(|id| (id, depth)).into_iter().collect(),
        }
    }
}
