//! How many bytes the names of one table may come to.

use super::ElfError;

/// What a table's names may still come to.
///
/// Linkers let a name end within another and share those that are equal, so all names together may be longer than the table
/// that holds them. In a file that is made to cost time or memory, any number of names share the bytes of a long one.
#[derive(Debug)]
pub(crate) struct NameBudget {
    left: u64,
    /// What bears the names.
    of: &'static str,
}

impl NameBudget {
    /// How often a byte of the table may be part of a name, on average.
    const SHARED: u64 = 4;
    /// What a name of common length does not count for.
    const SHORT: u64 = 32;
    /// What small tables may have beside.
    const LEAST: u64 = 1 << 20;

    /// For a table of `len` bytes, with the names of `count` symbols or sections, as `of` says.
    pub(crate) fn of_table(of: &'static str, len: u64, count: u64) -> Self {
        let shared = len.saturating_mul(Self::SHARED);
        let short = count.saturating_mul(Self::SHORT);
        Self {
            of,
            left: shared.saturating_add(short).saturating_add(Self::LEAST),
        }
    }

    /// Takes away what one name costs.
    ///
    /// # Errors
    /// Nothing is left of the budget.
    pub(crate) fn spend(&mut self, name_len: usize) -> Result<(), ElfError> {
        let len = u64::try_from(name_len).unwrap_or(u64::MAX);
        let left = self.left.checked_sub(len);
        self.left = left.ok_or(ElfError::OverlappingNames(self.of))?;
        Ok(())
    }
}
