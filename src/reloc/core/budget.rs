//! A bound on work: no type graph, however tangled, takes more than a few seconds.

use super::error::CoreError;

/// How many steps all of an object's relocations may take together.
///
/// The largest real objects need about a hundred thousand. A structure that contains the next one twice, thirty levels deep,
/// would need a billion.
const OBJECT_STEPS: u64 = 1 << 26;

/// The steps that are left.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    left: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(OBJECT_STEPS)
    }
}

impl Budget {
    pub(super) fn of(steps: u64) -> Self {
        Self { left: steps }
    }

    /// Spends `steps`.
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), CoreError> {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(CoreError::TooMuchWork)
    }

    /// Spends what looking at something with this name costs: long names take long to compare.
    pub(super) fn spend_on(&mut self, name: &str) -> Result<(), CoreError> {
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
        self.spend((length / 32).saturating_add(1))
    }
}
