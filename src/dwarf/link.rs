//! Resolves the references within a group of units, from offsets to rows.

use super::error::DwarfError;
use super::names::Name;
use super::types::{Function, Ref, Shape, Type, Types};
use super::walk::Reading;
use crate::keyed_hash::Table;

/// Converts offsets to rows, and gives definitions the names of their declarations. Afterwards nothing refers to an
/// [`Alias`](Shape::Alias).
///
/// `signatures` are the types in type units, by offset; `base` is the offset of the group, for messages; `is_told` selects the
/// functions to keep.
pub(super) fn link(
    reading: &mut Reading,
    signatures: &Table<u64, u32>,
    base: u64,
    is_told: impl Fn(&Function) -> bool,
) -> Result<(), DwarfError> {
    name_what_is_specified(reading);
    leave_out_functions(reading, is_told);
    let to_row = |offset: &mut Ref| {
        if *offset != Ref::VOID {
            let row = reading.offsets.row(offset.0);
            let row = row.ok_or_else(|| DwarfError::NoType {
                offset: base.saturating_add(u64::from(offset.0)),
            })?;
            *offset = Ref::to(row as usize);
        }
        Ok(())
    };
    let types = &mut reading.types;
    for (row, signature) in &reading.signed {
        let ty = types.rows.get_mut(*row);
        if let (Some(ty), Some(offset)) = (ty, signatures.get(signature)) {
            ty.target = Ref(*offset);
        }
    }
    for row in types.rows.iter_mut().filter(|row| row.shape.refers()) {
        to_row(&mut row.target)?;
    }
    for item in &mut types.items {
        to_row(&mut item.ty)?;
    }
    for function in &mut types.functions {
        to_row(&mut function.proto)?;
    }
    for variable in &mut types.variables {
        to_row(&mut variable.ty)?;
    }
    types.variables.retain(|variable| !variable.name.is_none());
    see_through_aliases(types);
    Ok(())
}

/// Functions that are left out of BTF, mostly inlined ones, take their prototypes with them.
fn leave_out_functions(reading: &mut Reading, is_told: impl Fn(&Function) -> bool) {
    let types = &mut reading.types;
    types.functions.retain(|function| {
        let is_whole = !function.name.is_none() && function.has_parameters;
        if is_whole && is_told(function) {
            return true;
        }
        let row = reading.offsets.row(function.proto.0);
        if let Some(proto) = row.and_then(|row| types.rows.get_mut(row as usize)) {
            *proto = Type::new(Shape::Alias, Name::NONE);
        }
        false
    });
}

/// A definition with a separate declaration has its name and type there.
fn name_what_is_specified(reading: &mut Reading) {
    let declared = &reading.declared;
    let declaration = |offset: u32| {
        let index = declared.binary_search_by_key(&offset, |(offset, ..)| *offset);
        declared.get(index.ok()?)
    };
    let types = &mut reading.types;
    for (index, offset) in &reading.specified_functions {
        let function = types.functions.get_mut(*index);
        let (Some(function), Some((_, name, ty, is_global))) = (function, declaration(*offset))
        else {
            continue;
        };
        if function.name.is_none() {
            function.name = *name;
        }
        function.is_global |= is_global;
        let row = reading.offsets.row(function.proto.0);
        let proto = row.and_then(|row| types.rows.get_mut(row as usize));
        if let Some(proto) = proto.filter(|proto| proto.target == Ref::VOID) {
            proto.target = *ty;
        }
    }
    for (index, offset) in &reading.specified_variables {
        let variable = types.variables.get_mut(*index);
        let (Some(variable), Some((_, name, ty, is_global))) = (variable, declaration(*offset))
        else {
            continue;
        };
        if variable.name.is_none() {
            variable.name = *name;
        }
        if variable.ty == Ref::VOID {
            variable.ty = *ty;
        }
        variable.is_global |= is_global;
    }
}

fn see_through_aliases(types: &mut Types) {
    if types.rows.iter().all(|row| row.shape != Shape::Alias) {
        return;
    }
    shorten_aliases(types);
    let behind: Vec<Ref> = types
        .rows
        .iter()
        .enumerate()
        .map(|(row, ty)| match ty.shape {
            Shape::Alias => ty.target,
            _ => Ref::to(row),
        })
        .collect();
    types.redirect(|reference| {
        let row = reference.row().and_then(|row| behind.get(row));
        row.copied().unwrap_or_default()
    });
}

/// Makes every alias refer to the end of its chain; those in a cycle to nothing.
fn shorten_aliases(types: &mut Types) {
    let mut chain = Vec::new();
    for row in 0..types.rows.len() {
        let mut at = Ref::to(row);
        chain.clear();
        while let Some(ty) = at.row().and_then(|row| types.rows.get_mut(row)) {
            if ty.shape != Shape::Alias {
                break;
            }
            chain.push(at);
            // Taken, so that a cycle ends here.
            at = std::mem::take(&mut ty.target);
        }
        for alias in &chain {
            let alias = alias.row().and_then(|row| types.rows.get_mut(row));
            if let Some(alias) = alias {
                alias.target = at;
            }
        }
    }
}
