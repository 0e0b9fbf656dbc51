//! Types as complete text, so that those of two files can be compared.

use std::collections::BTreeMap;

use anyhow::Result;
use rawbpf::TypeId;
use rawbpf::btf::{Btf, Kind, Type};

/// All definitions of a kind and name, sorted.
pub(super) type Types = BTreeMap<(&'static str, String), Vec<String>>;

/// The contents of a file.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) types: Types,
    /// Prototypes by name.
    pub(super) functions: BTreeMap<String, String>,
    /// Types and offsets of variables, by section and name.
    pub(super) variables: BTreeMap<String, String>,
}

/// The maximum nesting of anonymous types, which are written in full.
const DEEPEST: usize = 32;

impl Described {
    pub(super) fn of(btf: &Btf<'_>) -> Result<Self> {
        let mut described = Self {
            types: Types::new(),
            functions: BTreeMap::new(),
            variables: BTreeMap::new(),
        };
        for ty in btf.types() {
            described.add(btf, &ty)?;
        }
        for definitions in described.types.values_mut() {
            definitions.sort();
        }
        Ok(described)
    }

    fn add(&mut self, btf: &Btf<'_>, ty: &Type<'_>) -> Result<()> {
        let name = ty.name().to_owned();
        match ty.kind() {
            Kind::Func => {
                let proto = ty.target().map(|proto| shape(btf, proto, DEEPEST));
                let proto = proto.transpose()?.unwrap_or_default();
                self.functions.insert(name, proto);
            }
            Kind::Datasec => {
                for variable in ty.variables() {
                    let var = btf.get(variable.type_id)?;
                    let of = var.target().unwrap_or_default();
                    let text = format!(
                        "{} at {:#x}, {} bytes",
                        reference(btf, of, DEEPEST)?,
                        variable.offset,
                        variable.size
                    );
                    self.variables
                        .insert(format!("{name} {}", var.name()), text);
                }
            }
            kind => {
                let kind = match kind {
                    Kind::Struct => "struct",
                    Kind::Union => "union",
                    Kind::Enum | Kind::Enum64 => "enum",
                    Kind::Typedef => "typedef",
                    Kind::Fwd => "fwd",
                    Kind::Int => "int",
                    Kind::Float => "float",
                    _ => return Ok(()),
                };
                // The index type of arrays has a different name in each.
                if !name.is_empty() && name != "__ARRAY_SIZE_TYPE__" {
                    let text = shape(btf, ty.id(), DEEPEST)?;
                    self.types.entry((kind, name)).or_default().push(text);
                }
            }
        }
        Ok(())
    }
}

/// A reference to a type: its name, or its full text if it has none.
fn reference(btf: &Btf<'_>, id: TypeId, depth: usize) -> Result<String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok("...".to_owned());
    };
    if id == TypeId::VOID {
        return Ok("void".to_owned());
    }
    let ty = btf.get(id)?;
    let target = || reference(btf, ty.target().unwrap_or_default(), depth);
    Ok(match ty.kind() {
        Kind::Ptr => format!("{} *", target()?),
        Kind::Const => format!("const {}", target()?),
        Kind::Volatile => format!("volatile {}", target()?),
        Kind::Restrict => format!("restrict {}", target()?),
        Kind::Array => {
            let array = ty.array();
            let element = array.map_or(TypeId::VOID, |array| array.element);
            let len = array.map_or(0, |array| array.len);
            format!("{}[{len}]", reference(btf, element, depth)?)
        }
        // Whether it is defined or only declared here is compared elsewhere.
        Kind::Fwd if ty.kflag() => format!("union {}", ty.name()),
        Kind::Fwd => format!("struct {}", ty.name()),
        Kind::Struct if !ty.name().is_empty() => format!("struct {}", ty.name()),
        Kind::Union if !ty.name().is_empty() => format!("union {}", ty.name()),
        Kind::Enum | Kind::Enum64 if !ty.name().is_empty() => format!("enum {}", ty.name()),
        Kind::Typedef | Kind::Int | Kind::Float => ty.name().to_owned(),
        _ => shape(btf, id, depth)?,
    })
}

/// The full text of a type.
fn shape(btf: &Btf<'_>, id: TypeId, depth: usize) -> Result<String> {
    let ty = btf.get(id)?;
    let target = || reference(btf, ty.target().unwrap_or_default(), depth);
    Ok(match ty.kind() {
        Kind::Struct | Kind::Union => {
            let members = ty.members().map(|member| {
                let of = reference(btf, member.type_id, depth)?;
                let (at, bits) = (member.bit_offset, member.bitfield_size);
                Ok(format!("{of} {} @{at}:{bits}", member.name))
            });
            let members: Result<Vec<String>> = members.collect();
            let (kind, size) = (ty.kind().name(), ty.size_field());
            format!("{kind} {size} {{{}}}", members?.join("; "))
        }
        Kind::Enum | Kind::Enum64 => {
            let constants = ty.enumerators();
            let constants: Vec<String> = constants
                .map(|constant| format!("{}={}", constant.name, constant.value))
                .collect();
            format!("enum {} {{{}}}", ty.size_field(), constants.join(", "))
        }
        Kind::FuncProto => {
            let params = ty.params().map(|param| {
                let of = reference(btf, param.type_id, depth)?;
                Ok(format!("{of} {}", param.name))
            });
            let params: Result<Vec<String>> = params.collect();
            format!("{}({})", target()?, params?.join(", "))
        }
        Kind::Typedef => target()?,
        Kind::Int => format!("{} {:?}", ty.size_field(), ty.int_encoding()),
        Kind::Float => ty.size_field().to_string(),
        kind => format!("{} {} {}", kind.name(), ty.name(), ty.kflag()),
    })
}

/// Multiple dimensions of arrays as one: `[2][3]` becomes `[6]`.
pub(super) fn flattened(text: &str) -> String {
    let mut flat = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        flat.push_str(before);
        let mut product = 1_u64;
        rest = after;
        while let Some((len, after)) = rest.split_once(']') {
            product = product.saturating_mul(len.parse().unwrap_or(0));
            rest = after;
            match rest.strip_prefix('[') {
                Some(inside) => rest = inside,
                None => break,
            }
        }
        flat.extend(["[", &product.to_string(), "]"]);
    }
    flat + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_multiplied() {
        assert_eq!(flattened("int[2][3] a; char[4] b;"), "int[6] a; char[4] b;");
        assert_eq!(flattened("none"), "none");
    }
}
