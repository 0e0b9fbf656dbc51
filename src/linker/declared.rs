//! The declarations of a file's global names, from its types: the function or variable for each name, and the section that
//! lists it.

use super::input::{Input, invalid};
use crate::btf::{Btf, Kind, Linkage, Type};
use crate::{Error, Result, TypeId};
use std::collections::HashMap;

/// The section in which clang lists declared variables that have no section of their own.
pub(super) const EXTERN: &str = ".extern";

/// The non-static functions and variables of a file, by name.
#[derive(Debug, Default)]
pub(super) struct Declared<'b> {
    by_name: HashMap<&'b str, Found<'b>>,
}

#[derive(Debug, Clone, Copy)]
struct Found<'b> {
    /// The last one with this name.
    last: TypeId,
    /// The first one that a section lists, with the name of that section.
    listed: Option<(TypeId, &'b str)>,
}

/// A function or variable that is not static.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Declaration<'b> {
    pub(super) id: TypeId,
    /// The section that lists it; `None` for functions of the file and for everything in [`EXTERN`].
    pub(super) section: Option<&'b str>,
}

/// Whether other files can refer to it by its name.
#[doc(alias = "btf_is_non_static")]
pub(super) fn is_shared(ty: &Type<'_>) -> bool {
    matches!(ty.kind(), Kind::Func | Kind::Var) && ty.linkage() != Some(Linkage::Static)
}

/// The name of a section, from its type.
pub(super) fn section_name<'b>(btf: &'b Btf<'_>, section: &Type<'b>) -> Result<&'b str> {
    let name = btf.section_name_at(section.name_offset());
    name.filter(|name| !name.is_empty()).ok_or_else(|| {
        invalid(format!(
            "type [{}] is a section whose name is missing or no text",
            section.id()
        ))
    })
}

impl<'b> Declared<'b> {
    /// The declarations of this file.
    pub(super) fn of(input: &'b Input<'_>) -> Result<Self> {
        let mut declared = Self::default();
        let Some(btf) = &input.btf else {
            return Ok(declared);
        };
        for ty in btf.types().filter(is_shared) {
            let found = declared.by_name.entry(ty.name()).or_insert(Found {
                last: ty.id(),
                listed: None,
            });
            found.last = ty.id();
        }
        for section in btf.types().filter(|ty| ty.kind() == Kind::Datasec) {
            let name = section_name(btf, &section)?;
            for variable in section.variables() {
                let ty = btf.get(variable.type_id)?;
                let found = declared.by_name.get_mut(ty.name());
                if let Some(found) = found.filter(|_| is_shared(&ty)) {
                    found.listed.get_or_insert((ty.id(), name));
                }
            }
        }
        Ok(declared)
    }

    /// The declaration of this name.
    #[doc(alias = "find_glob_sym_btf")]
    pub(super) fn find(&self, name: &str) -> Result<Declaration<'b>> {
        let found = self.by_name.get(name).filter(|_| !name.is_empty());
        let Some(found) = found else {
            return Err(missing());
        };
        match found.listed {
            None => Ok(Declaration {
                id: found.last,
                section: None,
            }),
            Some((id, _)) if id != found.last => Err(invalid(format!(
                "the type information has two of it, [{id}] and [{}]",
                found.last
            ))),
            Some((id, section)) => Ok(Declaration {
                id,
                section: Some(section).filter(|name| *name != EXTERN),
            }),
        }
    }
}

fn missing() -> Error {
    invalid("there is no type information for it, which global symbols need to be linked")
        .with_hint("compile every file with -g, so that clang writes type information; what only its own file uses can be static")
}
