//! A limit on the work that types can cause, in types visited and bytes of text.

use crate::TypeId;
use crate::btf::{Btf, BtfError};

/// The work that is always allowed, however few the types are.
const LEAST_WORK: usize = 1 << 18;
/// The work allowed per byte of type information: types visited, or bytes of text.
const WORK_PER_BYTE: usize = 48;

/// The remaining work.
pub(super) struct Budget {
    left: usize,
    /// The type at which the budget was exhausted.
    exhausted: Option<TypeId>,
}

impl Budget {
    /// The budget for these types, and for those of their base.
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

    /// Spends some of the budget. When it is not enough, [`Budget::is_exhausted`].
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
    /// `TooMuch`, with the type at which the budget was exhausted.
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
