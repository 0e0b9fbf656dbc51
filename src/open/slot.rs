//! Entries of maps that an object fills with other maps or with programs.

/// An entry of a map of maps or program array that contains a map or a program from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapSlot {
    /// The entry's index.
    pub index: u32,
    /// What it contains.
    pub target: SlotTarget,
}

/// What a [`MapSlot`] contains. The indexes are those of the object, which its plan preserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotTarget {
    /// A map: its index in [`OpenObject::maps`](super::OpenObject::maps) and
    /// [`LoadPlan::maps`](crate::reloc::LoadPlan::maps).
    Map(usize),
    /// An entry program: its index in [`OpenObject::programs`](super::OpenObject::programs) and
    /// [`LoadPlan::programs`](crate::reloc::LoadPlan::programs).
    Program(usize),
}
