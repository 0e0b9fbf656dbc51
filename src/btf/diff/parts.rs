//! The members of structures and unions, including those of their anonymous members; and the variables of sections.

use super::key::anonymous;
use crate::TypeId;
use crate::btf::{Btf, BtfError, Kind, Type};

/// The maximum nesting of anonymous structures; C compilers allow a few hundred levels.
const DEEPEST: usize = 48;

/// The remaining work, in elements and bytes of output: a constant, plus an amount for each byte of the types.
pub(super) struct Budget(usize);

impl Budget {
    const LEAST: usize = 1 << 20;
    const PER_BYTE: usize = 48;

    pub(super) fn of(bytes: usize) -> Self {
        Self(
            bytes
                .saturating_mul(Self::PER_BYTE)
                .saturating_add(Self::LEAST),
        )
    }

    /// # Errors
    /// `TooMuch`, at this type.
    pub(super) fn spend(&mut self, id: TypeId, work: usize) -> Result<(), BtfError> {
        self.0 = self.0.checked_sub(work).ok_or(BtfError::TooMuch(id))?;
        Ok(())
    }
}

/// A member, with its offset in the outermost type.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) type_id: TypeId,
    pub(super) bit_offset: u64,
    /// Its width in bits if it is a bitfield.
    pub(super) bitfield: Option<u32>,
    /// Its size in bytes, if the section specifies it.
    pub(super) bytes: Option<u32>,
}

/// The parts of a structure, union or section.
pub(super) fn of(btf: &Btf<'_>, ty: &Type<'_>, budget: &mut Budget) -> Result<Vec<Part>, BtfError> {
    let mut parts = Vec::new();
    if ty.kind() == Kind::Datasec {
        for variable in ty.variables() {
            let name = btf.get(variable.type_id).map_or("", |ty| ty.name());
            budget.spend(ty.id(), name.len().saturating_add(8))?;
            parts.push(Part {
                name: name.to_owned(),
                type_id: variable.type_id,
                bit_offset: u64::from(variable.offset).saturating_mul(8),
                bitfield: None,
                bytes: Some(variable.size),
            });
        }
        return Ok(parts);
    }
    let mut walk = Walk {
        btf,
        parts: &mut parts,
        budget,
    };
    walk.members(ty, "", 0, 0)?;
    Ok(parts)
}

struct Walk<'w, 'b> {
    btf: &'w Btf<'b>,
    parts: &'w mut Vec<Part>,
    budget: &'w mut Budget,
}

impl Walk<'_, '_> {
    fn members(
        &mut self,
        ty: &Type<'_>,
        prefix: &str,
        start: u64,
        depth: usize,
    ) -> Result<(), BtfError> {
        for member in ty.members() {
            let name = format!("{prefix}{}", member.name);
            self.budget.spend(ty.id(), name.len().saturating_add(8))?;
            let bit_offset = start.saturating_add(u64::from(member.bit_offset));
            let inner = anonymous(self.btf, member.type_id);
            let inner = inner.filter(|ty| ty.kind().is_composite() && ty.vlen() > 0);
            if let Some(inner) = inner.filter(|_| depth < DEEPEST) {
                let prefix = if member.name.is_empty() {
                    prefix.to_owned()
                } else {
                    format!("{name}.")
                };
                self.members(&inner, &prefix, bit_offset, depth.saturating_add(1))?;
                continue;
            }
            self.parts.push(Part {
                name,
                type_id: member.type_id,
                bit_offset,
                bitfield: (member.bitfield_size != 0).then_some(member.bitfield_size),
                bytes: None,
            });
        }
        Ok(())
    }
}
