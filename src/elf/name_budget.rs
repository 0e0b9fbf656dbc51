//! A limit on the total length of the names of one table.

use super::ElfError;

/// How many bytes the rest of a table's names may take.
///
/// Linkers let names share the ends of others, and store equal ones once, so all names together may be longer than the table
/// that contains them. In a file made to cost time or memory, any number of names share the bytes of a long one.
#[derive(Debug)]
pub(crate) struct NameBudget {
    left: u64,
    /// What has the names.
    of: &'static str,
}

impl NameBudget {
    /// How many names a byte of the table may belong to, on average.
    const SHARED: u64 = 4;
    /// Names up to this length are free.
    const SHORT: u64 = 32;
    /// An allowance for small tables.
    const LEAST: u64 = 1 << 20;

    /// The budget for a table of `len` bytes with the names of `count` symbols or sections, as `of` says.
    pub(crate) fn of_table(of: &'static str, len: u64, count: u64) -> Self {
        let shared = len.saturating_mul(Self::SHARED);
        let short = count.saturating_mul(Self::SHORT);
        Self {
            of,
            left: shared.saturating_add(short).saturating_add(Self::LEAST),
        }
    }

    /// Spends what a name costs.
    ///
    /// # Errors
    /// The budget is used up.
    pub(crate) fn spend(&mut self, name_len: usize) -> Result<(), ElfError> {
        let len = u64::try_from(name_len).unwrap_or(u64::MAX);
        let left = self.left.checked_sub(len);
        self.left = left.ok_or(ElfError::OverlappingNames(self.of))?;
        Ok(())
    }
}
