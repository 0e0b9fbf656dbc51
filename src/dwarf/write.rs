//! Types become BTF: what is between them and the builder, and which functions and variables are told of.

use super::error::DwarfError;
use super::hash::Table;
use super::image::Symbols;
use super::names::{Name, Names};
use super::types::{FWD_ENUM, FWD_UNION, Function, Item, Ref, Shape, Type, Types, Variable};
use crate::TypeId;
use crate::btf::{BtfEditor, Info, Kind, VarSecinfo};

pub(super) fn write(
    types: &Types,
    names: &Names<'_>,
    symbols: &Symbols,
) -> Result<Vec<u8>, DwarfError> {
    let mut writer = Writer {
        types,
        names,
        btf: BtfEditor::new(),
    };
    writer.add_types();
    writer.add_tags();
    writer.add_functions();
    writer.add_sections(symbols);
    Ok(writer.btf.finish())
}

struct Writer<'t, 'd> {
    types: &'t Types,
    names: &'t Names<'d>,
    btf: BtfEditor,
}

/// Rows have the numbers that types get.
fn id(reference: Ref) -> TypeId {
    TypeId(reference.0)
}

impl Writer<'_, '_> {
    /// All rows, and after them the type of arrays' indexes.
    fn add_types(&mut self) {
        let index = Ref::to(self.types.rows.len());
        let mut has_arrays = false;
        for ty in &self.types.rows {
            has_arrays |= ty.shape == Shape::Array;
            self.add_type(ty, index);
        }
        if has_arrays {
            // What clang calls it.
            self.btf.add_int("__ARRAY_SIZE_TYPE__", 4, 0);
        }
    }

    fn add_type(&mut self, ty: &Type, index: Ref) {
        let name = self.names.text(ty.name);
        let target = id(ty.target);
        match ty.shape {
            Shape::Int => {
                let encoding = u32::from(ty.detail) << 24 | ty.count;
                self.btf
                    .add_type(name, Info::of(Kind::Int), ty.size, &[encoding]);
            }
            Shape::Float => {
                self.btf.add_type(name, Info::of(Kind::Float), ty.size, &[]);
            }
            Shape::Array => {
                self.btf.add_array(target, id(index), ty.count);
            }
            Shape::Struct | Shape::Union => self.add_composite(ty, name),
            Shape::Fwd if ty.detail == FWD_ENUM => {
                self.btf.add_type(name, Info::of(Kind::Enum), 4, &[]);
            }
            Shape::Fwd => {
                let info = flagged(Info::of(Kind::Fwd), ty.detail == FWD_UNION);
                self.btf.add_type(name, info, 0, &[]);
            }
            Shape::Enum => self.add_enum(ty, name),
            Shape::Proto => {
                let items = self.types.items_of(ty).iter();
                let params: Vec<(&str, TypeId)> = items
                    .map(|item| (self.names.text(item.name), id(item.ty)))
                    .collect();
                self.btf.add_func_proto(target, &params);
            }
            shape => {
                self.btf.add_reference(reference_kind(shape), name, target);
            }
        }
    }

    fn add_composite(&mut self, ty: &Type, name: &str) {
        let kind = match ty.shape {
            Shape::Union => Kind::Union,
            _ => Kind::Struct,
        };
        let items = self.types.items_of(ty);
        let has_bitfields = items.iter().any(|item| item.value >> 32 != 0);
        let mut tail = Vec::with_capacity(items.len() * 3);
        for item in items {
            let (bits, start) = halves(item.value);
            tail.extend([
                self.btf.add_string(self.names.text(item.name)),
                item.ty.0,
                if has_bitfields {
                    bits << 24 | start & 0x00ff_ffff
                } else {
                    start
                },
            ]);
        }
        let info = flagged(Info::of(kind).with_vlen(items.len()), has_bitfields);
        self.btf.add_type(name, info, ty.size, &tail);
    }

    fn add_enum(&mut self, ty: &Type, name: &str) {
        let is_wide = ty.size > 4;
        let items = self.types.items_of(ty);
        let mut tail = Vec::with_capacity(items.len() * 3);
        for item in items {
            let (high, low) = halves(item.value);
            tail.extend([self.btf.add_string(self.names.text(item.name)), low]);
            tail.extend(is_wide.then_some(high));
        }
        let kind = if is_wide { Kind::Enum64 } else { Kind::Enum };
        let info = flagged(Info::of(kind).with_vlen(items.len()), ty.detail == 1);
        self.btf.add_type(name, info, ty.size, &tail);
    }

    fn add_tags(&mut self) {
        for tag in &self.types.tags {
            let name = self.names.text(tag.name);
            let component = tag.component.unwrap_or(u32::MAX);
            self.btf
                .add_type(name, Info::of(Kind::DeclTag), tag.on.0, &[component]);
        }
    }

    /// Those whose definitions agree with each other: of two functions of one name, nobody could say which
    /// one a program is attached to.
    fn add_functions(&mut self) {
        let mut agreed: Table<Name, Option<Function>> = Table::default();
        for function in &self.types.functions {
            agreed
                .entry(function.name)
                .and_modify(|one| {
                    *one = one.filter(|one| self.is_same_proto(one.proto, function.proto));
                })
                .or_insert(Some(*function));
        }
        for function in &self.types.functions {
            let Some(Some(function)) = agreed.remove(&function.name) else {
                continue;
            };
            let name = self.names.text(function.name);
            let info = Info::of(Kind::Func).with_vlen(usize::from(function.is_global));
            self.btf.add_type(name, info, function.proto.0, &[]);
        }
    }

    /// Whether two prototypes are the same, or differ only in what is behind pointers.
    fn is_same_proto(&self, one: Ref, other: Ref) -> bool {
        if one == other {
            return true;
        }
        let (Some(one), Some(other)) = (self.types.get(one), self.types.get(other)) else {
            return false;
        };
        let (items, others) = (self.types.items_of(one), self.types.items_of(other));
        let is_same = |(one, other): (&Item, &Item)| {
            one.name == other.name && self.is_called_the_same(one.ty, other.ty)
        };
        items.len() == others.len()
            && self.is_called_the_same(one.target, other.target)
            && items.iter().zip(others).all(is_same)
    }

    /// Whether two types are written the same in C.
    fn is_called_the_same(&self, mut one: Ref, mut other: Ref) -> bool {
        const FAR_ENOUGH: usize = 16;
        for _ in 0..FAR_ENOUGH {
            if one == other {
                return true;
            }
            let (Some(a), Some(b)) = (self.types.get(one), self.types.get(other)) else {
                return false;
            };
            let kind = |ty: &Type| match (ty.shape, ty.detail) {
                (Shape::Fwd, FWD_UNION) => Shape::Union,
                (Shape::Fwd, FWD_ENUM) => Shape::Enum,
                (Shape::Fwd, _) => Shape::Struct,
                (shape, _) => shape,
            };
            if kind(a) != kind(b) || a.name != b.name {
                return false;
            }
            if !a.name.is_none() && a.shape != Shape::TypeTag {
                return true;
            }
            if !a.shape.refers() || a.shape == Shape::Proto || a.count != b.count {
                return false;
            }
            (one, other) = (a.target, b.target);
        }
        false
    }

    /// The variables of each section that is told of.
    fn add_sections(&mut self, symbols: &Symbols) {
        let mut sections: Vec<Vec<VarSecinfo>> = vec![Vec::new(); symbols.sections.len()];
        for variable in &self.types.variables {
            let name = self.names.text(variable.name);
            let Some(symbol) = symbols.variable(variable.address, name) else {
                continue;
            };
            let (Some(places), Some((_, start))) = (
                sections.get_mut(symbol.section),
                symbols.sections.get(symbol.section),
            ) else {
                continue;
            };
            if variable.ty == Ref::VOID {
                continue;
            }
            let offset = variable.address.wrapping_sub(*start);
            places.push(VarSecinfo {
                type_id: add_variable(&mut self.btf, name, variable),
                offset: u32::try_from(offset).unwrap_or(u32::MAX),
                size: symbol.size,
            });
        }
        for (mut places, (name, _)) in sections.into_iter().zip(&symbols.sections) {
            if places.is_empty() {
                continue;
            }
            places.sort_by_key(|place| place.offset);
            places.dedup_by_key(|place| place.offset);
            let end = places
                .last()
                .map_or(0, |last| last.offset.saturating_add(last.size));
            self.btf.add_datasec(name, end, &places);
        }
    }
}

fn add_variable(btf: &mut BtfEditor, name: &str, variable: &Variable) -> TypeId {
    btf.add_var(name, id(variable.ty), u32::from(variable.is_global))
}

fn flagged(info: Info, kflag: bool) -> Info {
    Info { kflag, ..info }
}

fn reference_kind(shape: Shape) -> Kind {
    match shape {
        Shape::Ptr => Kind::Ptr,
        Shape::Const => Kind::Const,
        Shape::Volatile => Kind::Volatile,
        Shape::Restrict => Kind::Restrict,
        Shape::TypeTag => Kind::TypeTag,
        _ => Kind::Typedef,
    }
}

/// The high and the low half.
fn halves(value: u64) -> (u32, u32) {
    let half = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
    (half(value >> 32), half(value))
}
