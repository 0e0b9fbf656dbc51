//! Converts types to BTF, and selects the functions and variables to include.

use super::error::DwarfError;
use super::image::Symbols;
use super::names::{Name, Names};
use super::types::{FWD_ENUM, FWD_UNION, Function, Item, Ref, Shape, Type, Types, Variable};
use crate::TypeId;
use crate::btf::{
    BtfBuilder, Enumerator, FwdKind, IntEncoding, Linkage, Member, Param, Signedness, VarSecinfo,
};
use crate::keyed_hash::Table;

pub(super) fn write(
    types: &Types,
    names: &Names<'_>,
    symbols: &Symbols,
) -> Result<Vec<u8>, DwarfError> {
    let mut writer = Writer {
        types,
        names,
        btf: BtfBuilder::new(),
    };
    writer.add_types();
    writer.add_tags();
    writer.add_functions();
    writer.add_sections(symbols);
    let written = writer.btf.finish();
    written.map_err(|error| DwarfError::Write(error.to_string()))
}

struct Writer<'t, 'd> {
    types: &'t Types,
    names: &'t Names<'d>,
    btf: BtfBuilder,
}

/// References have the same numbers as type ids.
fn id(reference: Ref) -> TypeId {
    TypeId(reference.0)
}

impl<'d> Writer<'_, 'd> {
    /// All rows, followed by the index type of arrays.
    fn add_types(&mut self) {
        let index = Ref::to(self.types.rows.len());
        let mut has_arrays = false;
        for ty in &self.types.rows {
            has_arrays |= ty.shape == Shape::Array;
            self.add_type(ty, index);
        }
        if has_arrays {
            // The name that clang uses.
            self.btf.add_int("__ARRAY_SIZE_TYPE__", 4, 0);
        }
    }

    fn add_type(&mut self, ty: &Type, index: Ref) {
        let name = self.names.text(ty.name);
        let target = id(ty.target);
        match ty.shape {
            Shape::Int => {
                let bits = u8::try_from(ty.count).unwrap_or(u8::MAX);
                let encoding = IntEncoding::new(ty.detail, 0, bits);
                self.btf.add_int_with(name, ty.size, encoding)
            }
            Shape::Float => self.btf.add_float(name, ty.size),
            Shape::Ptr => self.btf.add_ptr(target),
            Shape::Const => self.btf.add_const(target),
            Shape::Volatile => self.btf.add_volatile(target),
            Shape::Restrict => self.btf.add_restrict(target),
            Shape::TypeTag => self.btf.add_type_tag(name, target),
            Shape::Typedef | Shape::Alias => self.btf.add_typedef(name, target),
            Shape::Array => self.btf.add_array(target, id(index), ty.count),
            Shape::Struct => {
                let members = self.members(ty);
                self.btf.add_struct(name, ty.size, members)
            }
            Shape::Union => {
                let members = self.members(ty);
                self.btf.add_union(name, ty.size, members)
            }
            Shape::Fwd => match ty.detail {
                FWD_ENUM => self
                    .btf
                    .add_enum(name, 4, Signedness::Unsigned, Enumerator::NONE),
                FWD_UNION => self.btf.add_fwd(name, FwdKind::Union),
                _ => self.btf.add_fwd(name, FwdKind::Struct),
            },
            Shape::Enum => self.add_enum(ty, name),
            Shape::Proto => {
                let items = self.types.items_of(ty).iter();
                let params = items.map(|item| Param::new(self.names.text(item.name), id(item.ty)));
                self.btf.add_func_proto(target, params)
            }
        };
    }

    fn members(&self, ty: &Type) -> Vec<Member<'d>> {
        let items = self.types.items_of(ty).iter();
        items
            .map(|item| {
                let (bits, start) = halves(item.value);
                Member::new(self.names.text(item.name), id(item.ty), start).bitfield(bits)
            })
            .collect()
    }

    fn add_enum(&mut self, ty: &Type, name: &str) -> TypeId {
        let signedness = match ty.detail {
            0 => Signedness::Unsigned,
            _ => Signedness::Signed,
        };
        let items = self.types.items_of(ty).iter();
        let text = |item: &Item| self.names.text(item.name);
        if ty.size > 4 {
            let constants = items.map(|item| Enumerator::new(text(item), item.value.cast_signed()));
            return self.btf.add_enum64(name, ty.size, signedness, constants);
        }
        let constants = items.map(|item| {
            // Larger values do not fit in the size that C gave the type.
            let (_, low) = halves(item.value);
            let value = match signedness {
                Signedness::Signed => i64::from(low.cast_signed()),
                Signedness::Unsigned => i64::from(low),
            };
            Enumerator::new(text(item), value)
        });
        self.btf.add_enum(name, ty.size, signedness, constants)
    }

    fn add_tags(&mut self) {
        for tag in &self.types.tags {
            let name = self.names.text(tag.name);
            self.btf.add_decl_tag(name, id(tag.on), tag.component);
        }
    }

    /// Functions whose definitions agree: of two different functions with the same name, it would be unclear which one a
    /// program is attached to.
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
            let linkage = linkage(function.is_global);
            self.btf.add_func(name, linkage, id(function.proto));
        }
    }

    /// Whether two prototypes are the same, or differ only in the targets of pointers.
    fn is_same_proto(&self, one: Ref, other: Ref) -> bool {
        if one == other {
            return true;
        }
        let (Some(one), Some(other)) = (self.types.get(one), self.types.get(other)) else {
            return false;
        };
        let (items, others) = (self.types.items_of(one), self.types.items_of(other));
        // A stub for a kernel without the function may have different parameter names.
        let is_same = |(one, other): (&Item, &Item)| self.is_called_the_same(one.ty, other.ty);
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

    /// The variables of each section that is included.
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

fn add_variable(btf: &mut BtfBuilder, name: &str, variable: &Variable) -> TypeId {
    btf.add_var(name, linkage(variable.is_global), id(variable.ty))
}

fn linkage(is_global: bool) -> Linkage {
    if is_global {
        Linkage::Global
    } else {
        Linkage::Static
    }
}

/// The high and the low half.
fn halves(value: u64) -> (u32, u32) {
    let half = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
    (half(value >> 32), half(value))
}
