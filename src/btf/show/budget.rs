//! How much work types may cause, in looks at types and bytes of text.

use crate::TypeId;
use crate::btf::{Btf, BtfError};

/// What any types may cost, however few they are.
const LEAST_WORK: usize = 1 << 18;
/// What each byte of type information may cost: a look at a type, or a byte of text.
const WORK_PER_BYTE: usize = 48;

/// Work that may still be done.
pub(super) struct Budget {
    left: usize,
    /// The type at which it became too much.
    exhausted: Option<TypeId>,
}

impl Budget {
    /// As much as these types, and those that they continue, are worth.
    pub(super) fn of(btf: &Btf<'_>) -> Self {
        let base = btf.base().map_or(0, |base| base.bytes().len());
        let bytes = base.saturating_add(btf.bytes().len());
        Self {
            left: bytes
                .saturating_mul(WORK_PER_BYTE)
                .saturating_add(LEAST_WORK),
            exhausted: None,
        }
    }

    /// Takes note of work. Once there was too much, [`Budget::is_exhausted`].
    pub(super) fn spend(&mut self, id: TypeId, work: usize) {
        match self.left.checked_sub(work) {
            Some(left) => self.left = left,
            None => {
                self.exhausted.get_or_insert(id);
            }
        }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted.is_some()
    }

    /// # Errors
    /// `TooMuch`, with the type at which it was.
    pub(super) fn check(&self) -> Result<(), BtfError> {
        match self.exhausted {
            Some(id) => Err(BtfError::TooMuch(id)),
            None => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.left
    }
}
