//! The variables of a section, as a structure.

use super::writer::{Access, Writer};
use crate::btf::c::{Qualifiers, identifier};
use crate::btf::{Btf, Kind, Linkage, Space, Type, VarSecinfo};
use crate::{Error, ErrorKind, Result, TypeId};

/// A section of variables.
#[derive(Debug)]
pub(super) struct Section {
    /// The section's name.
    pub(super) name: String,
    /// Its field, and that of its map.
    pub(super) field: String,
    /// The name of its structure.
    pub(super) tag: String,
    pub(super) variables: Vec<Variable>,
}

/// A variable.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) field: String,
    pub(super) size: u32,
    /// How many bytes before it belong to no variable that is shown.
    pub(super) gap: u32,
    /// Its declaration, or that of a pointer to it.
    pub(super) declaration: String,
}

/// What compilers for 32 bits align 64 bits to: those see the gaps, too.
const LEAST_ALIGN: u32 = 4;

impl Section {
    pub(super) fn of(
        writer: &mut Writer<'_>,
        object: &str,
        name: &str,
        field: &str,
    ) -> Result<Self> {
        let mut section = Self {
            name: name.to_owned(),
            field: field.to_owned(),
            tag: format!("{object}__{field}"),
            variables: Vec::new(),
        };
        let btf = writer.btf;
        // Constants that the compiler put there have no type.
        let Some(datasec) = btf.find(name, Kind::Datasec) else {
            return Ok(section);
        };
        let mut fields = Space::default();
        let mut end = 0;
        for place in btf.get(datasec)?.variables() {
            let variable = btf.get(place.type_id)?;
            // Its file keeps it for itself.
            if variable.linkage() == Some(Linkage::Static) {
                continue;
            }
            let variable = section.variable(writer, &mut fields, &variable, place, end)?;
            end = place.offset.saturating_add(place.size);
            section.variables.push(variable);
        }
        Ok(section)
    }

    fn variable<'b>(
        &self,
        writer: &mut Writer<'b>,
        fields: &mut Space<'b>,
        variable: &Type<'b>,
        place: VarSecinfo,
        end: u32,
    ) -> Result<Variable> {
        let (btf, access) = (writer.btf, writer.access);
        let name = variable.name();
        let gap = place.offset.checked_sub(end).ok_or_else(|| {
            let message = format!("variable `{name}` begins before the one in front of it ends");
            Error::new(ErrorKind::InvalidObject, message)
                .context(format!("section `{}`", self.name))
        })?;
        let id = variable.target().unwrap_or_default();
        let align = btf.align_of(id).unwrap_or(1).clamp(1, LEAST_ALIGN);
        let is_aligned = end.checked_next_multiple_of(align) == Some(place.offset);
        let field = fields.take(identifier(name)).into_owned();
        let qualifiers = if self.name == ".kconfig" {
            Qualifiers::Keep
        } else {
            Qualifiers::Drop
        };
        let mut declare = |name: &str| {
            let definitions = &mut writer.definitions;
            definitions.declaration(id, name, 2, qualifiers)
        };
        let declaration = match access {
            Access::Sections => declare(&field),
            Access::Variables if needs_typeof(btf, id) => {
                format!("__typeof__({}) *{field}", declare(""))
            }
            Access::Variables => format!("{} *{field}", declare("")),
        };
        Ok(Variable {
            name: name.to_owned(),
            field,
            size: place.size,
            gap: if is_aligned { 0 } else { gap },
            declaration,
        })
    }
}

/// Whether `*` cannot stand behind the type: it is an array, or a pointer to a function.
fn needs_typeof(btf: &Btf<'_>, id: TypeId) -> bool {
    let Some(ty) = unqualified(btf, id) else {
        return false;
    };
    let target = || ty.target().and_then(|id| unqualified(btf, id));
    match ty.kind() {
        Kind::Array => true,
        Kind::Ptr => target().is_some_and(|ty| matches!(ty.kind(), Kind::FuncProto | Kind::Array)),
        _ => false,
    }
}

/// The type without qualifiers, though with typedefs: these have a name.
fn unqualified<'b>(btf: &'b Btf<'_>, mut id: TypeId) -> Option<Type<'b>> {
    for _ in 0..crate::btf::MAX_CHAIN {
        let ty = btf.get(id).ok()?;
        match ty.kind() {
            Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag => {
                id = ty.target().unwrap_or_default();
            }
            _ => return Some(ty),
        }
    }
    None
}
