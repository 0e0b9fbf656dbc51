//! A `struct_ops` variable, as a structure: its numbers can be changed before loading, its functions replaced by other programs.

use super::writer::Writer;
use crate::btf::c::{Qualifiers, identifier};
use crate::btf::{Kind, Member, Space, Type};
use crate::open::OpenMap;
use crate::{Result, TypeId};

/// A table of functions.
#[derive(Debug)]
pub(super) struct Table {
    /// Its field, and that of its map.
    pub(super) field: String,
    /// The name of its structure.
    pub(super) tag: String,
    /// The declarations of its members.
    pub(super) members: Vec<String>,
}

/// The size of a pointer for BPF programs.
const POINTER: u32 = 8;

impl Table {
    /// `None` if its type is not known.
    pub(super) fn of(
        writer: &mut Writer<'_>,
        object: &str,
        map: &OpenMap,
        field: &str,
    ) -> Result<Option<Self>> {
        let btf = writer.btf;
        let Ok(ty) = btf.get(map.value_type()).and_then(|ty| ty.resolved()) else {
            return Ok(None);
        };
        if !ty.kind().is_composite() {
            return Ok(None);
        }
        let mut table = Self {
            field: field.to_owned(),
            tag: format!("{object}__{field}__{}", identifier(ty.name())),
            members: Vec::new(),
        };
        let mut fields = Space::default();
        let mut end = 0;
        for (index, member) in ty.members().enumerate() {
            let offset = member.bit_offset / 8;
            // No kernel has such a table; it would have no layout in C.
            if member.bitfield_size > 0 || offset < end {
                continue;
            }
            if offset > end {
                let gap = offset.saturating_sub(end);
                let name = fields.take(format!("__padding_{index}").into());
                table.members.push(format!("char {name}[{gap}]"));
            }
            let (declaration, size) = declare(writer, &mut fields, index, &member)?;
            table.members.push(declaration);
            end = offset.saturating_add(size);
        }
        let size = ty.size_field();
        if size > end {
            let gap = size.saturating_sub(end);
            let name = fields.take("__padding_end".into());
            table.members.push(format!("char {name}[{gap}]"));
        }
        Ok(Some(table))
    }
}

/// A member's declaration, and its size. Types that would need definitions are left out.
fn declare<'b>(
    writer: &mut Writer<'b>,
    fields: &mut Space<'b>,
    index: usize,
    member: &Member<'b>,
) -> Result<(String, u32)> {
    let btf = writer.btf;
    let ty = btf.get(member.type_id)?.resolved()?;
    match ty.kind() {
        Kind::Int | Kind::Float | Kind::Enum | Kind::Enum64 => {
            let field = fields.take(identifier(member.name));
            let declaration = writer
                .definitions
                .declaration(ty.id(), &field, 3, Qualifiers::Drop);
            Ok((declaration, ty.size_field()))
        }
        Kind::Ptr if is_function(&ty, writer) => {
            let field = fields.take(identifier(member.name));
            Ok((format!("struct bpf_program *{field}"), POINTER))
        }
        _ => {
            let size = btf.size_of(member.type_id)?;
            let field = fields.take(format!("__unsupported_{index}").into());
            Ok((format!("char {field}[{size}]"), size))
        }
    }
}

fn is_function(pointer: &Type<'_>, writer: &Writer<'_>) -> bool {
    let target = pointer.target().unwrap_or(TypeId::VOID);
    let target = writer.btf.get(target).and_then(|ty| ty.resolved());
    target.is_ok_and(|ty| ty.kind() == Kind::FuncProto)
}
