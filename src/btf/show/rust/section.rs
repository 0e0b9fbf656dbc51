//! Where the definitions are used: the variables of a section as one structure, and types as they are written.

use super::Definitions;
use super::compose::{Body, Part, Width};
use super::expression::Expression;
use super::names::identifier;
use crate::TypeId;
use crate::btf::show::names::Space;
use std::borrow::Cow;

/// A section of global variables.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// The name for its structure.
    pub(crate) name: String,
    /// What it is, for the comment.
    pub(crate) remark: String,
    /// Size in bytes.
    pub(crate) size: u64,
}

/// A global variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SectionVariable<'b> {
    pub(crate) name: &'b str,
    /// Its type; `void` if there is none.
    pub(crate) type_id: TypeId,
    /// Offset and size in bytes.
    pub(crate) offset: u32,
    pub(crate) size: u32,
}

/// A type as it is written outside of the definitions.
#[derive(Debug, Clone)]
pub(crate) struct Used<'b> {
    /// The name that it has, for a member or a structure.
    pub(crate) name: Cow<'b, str>,
    /// The type as written in Rust.
    pub(crate) ty: Cow<'b, str>,
    /// Its declaration in C, safe for a comment.
    pub(crate) remark: String,
}

impl<'b> Definitions<'b> {
    /// Writes a structure with the variables of a section. Returns it, and its members in the order of the variables. What a
    /// variable's type does not describe is bytes. The structure may be larger than the section, by less than its alignment, so
    /// that its members can be borrowed: a section ends with its last variable.
    pub(crate) fn section(
        &mut self,
        section: Section,
        variables: &[SectionVariable<'b>],
    ) -> (Used<'b>, Vec<Used<'b>>) {
        let name = self.free_name(&section.name);
        let mut taken = Space::default();
        let (mut parts, mut used) = (Vec::new(), Vec::new());
        for variable in variables {
            let ty = self.sized(variable.type_id, variable.size);
            let member = Used {
                name: taken.take(identifier(variable.name)),
                ty: ty.text.clone(),
                remark: self.c_name(variable.type_id),
            };
            let work = member.name.len().saturating_add(member.ty.len());
            self.budget.spend(variable.type_id, work.saturating_mul(4));
            parts.push(Part {
                name: member.name.clone(),
                is_unnamed: false,
                offset: u64::from(variable.offset).saturating_mul(8),
                width: Width::Whole,
                ty,
                remark: Some(member.remark.clone()),
            });
            used.push(member);
        }
        let align = parts.iter().map(|part| part.ty.facts.align).max();
        let align = u64::from(align.unwrap_or(1).max(1));
        self.structure(Body {
            id: TypeId::VOID,
            name: name.clone(),
            remark: section.remark.clone(),
            size: section
                .size
                .checked_next_multiple_of(align)
                .unwrap_or(section.size),
            parts,
            taken,
        });
        let all = Used {
            ty: name.clone(),
            name,
            remark: section.remark,
        };
        (all, used)
    }

    /// A name that no type has, and that none will get.
    pub(crate) fn free_name(&mut self, name: &str) -> Cow<'b, str> {
        self.names.take_owned(identifier(name).into_owned())
    }

    /// How a type whose definition was [added](Self::add) is written; bytes if it does not have this size.
    pub(crate) fn used(&mut self, id: TypeId, size: u32) -> Used<'b> {
        let ty = self.sized(id, size);
        self.budget.spend(id, ty.text.len().saturating_mul(4));
        Used {
            name: self.names.get(id).cloned().unwrap_or_default(),
            ty: ty.text,
            remark: self.c_name(id),
        }
    }

    fn sized(&mut self, id: TypeId, size: u32) -> Expression<'b> {
        let size = u64::from(size);
        let is_right = |ty: &Expression<'b>| ty.facts.size == size;
        let ty = self.expression(id).filter(is_right);
        ty.unwrap_or_else(|| Expression::bytes(size))
    }
}
