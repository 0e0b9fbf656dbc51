//! Writing down types and names.

use crate::btf::c::Definitions;
use crate::btf::{Btf, Space};

/// How a variable is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The structure points to sections, which have the variables.
    Sections,
    /// The structure has pointers to variables.
    Variables,
}

/// The fields of the structure that are not the object's.
const FIELDS: &[&str] = &[
    "skeleton",
    "subskel",
    "obj",
    "maps",
    "struct_ops",
    "progs",
    "links",
];

/// What is needed to write down types.
pub(super) struct Writer<'o> {
    pub(super) btf: &'o Btf<'o>,
    /// How variables are declared.
    pub(super) access: Access,
    pub(super) definitions: Definitions<'o>,
    /// The fields of the structure.
    pub(super) fields: Space<'o>,
}

impl<'o> Writer<'o> {
    pub(super) fn new(btf: &'o Btf<'o>, access: Access) -> Self {
        let mut fields = Space::default();
        for field in FIELDS {
            fields.take((*field).into());
        }
        Self {
            btf,
            access,
            definitions: Definitions::new(btf),
            fields,
        }
    }
}
