//! Walks the entries of a unit, and turns them into rows of types.
//!
//! Every type is pushed where its entry starts, so that rows are in the order of offsets. The children of an entry (members,
//! parameters, the dimensions of an array) follow it, up to a null entry; a stack of frames records the enclosing entries.
//! Function bodies can contain types, and are walked; inlined copies of functions are not.

use super::entry::{Entry, EntryReader, Slice};
use super::error::DwarfError;
use super::names::Name;
use super::offsets::Offsets;
use super::plan::{Plan, Plans, What};
use super::types::{
    DeclTag, FWD_ENUM, FWD_STRUCT, FWD_UNION, Function, Item, Ref, Shape, Type, Types, Variable,
};
use crate::btf::IntEncoding;
use gimli::{Abbreviations, Endianity, EntriesRaw, UnitHeader, UnitOffset};

/// Real ones are about twenty deep.
const DEEPEST: usize = 1024;

/// The enclosing entry.
#[derive(Debug, Clone, Copy)]
enum Inside {
    Scope,
    /// A structure, union, enumeration or prototype: the row that gets the items from `from` on.
    Items {
        row: usize,
        from: usize,
    },
    /// The same for a function's parameters.
    Function {
        row: usize,
        from: usize,
        function: usize,
    },
    /// An array: the row of the previous dimension.
    Array {
        row: usize,
        dimensions: usize,
    },
    /// A type or member that can have annotations.
    Tagged {
        row: usize,
        component: Option<u32>,
    },
}

/// What was read from a group of units: references are offsets until it is linked.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) types: Types,
    pub(super) offsets: Offsets,
    /// Functions and variables that are defined elsewhere, by offset: name, type, and whether they are external.
    pub(super) declared: Vec<(u32, Name, Ref, bool)>,
    /// Functions and variables, by index, and the declaration that has their name.
    pub(super) specified_functions: Vec<(usize, u32)>,
    pub(super) specified_variables: Vec<(usize, u32)>,
    /// Types that stand for one in a type unit.
    pub(super) signed: Vec<(usize, u64)>,
    items: Vec<Item>,
    frames: Vec<Inside>,
    pub(super) plans: Plans,
}

impl Reading {
    /// Removes everything, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.types.rows.clear();
        self.types.items.clear();
        self.types.functions.clear();
        self.types.variables.clear();
        self.types.tags.clear();
        self.offsets.clear();
        self.declared.clear();
        self.specified_functions.clear();
        self.specified_variables.clear();
        self.signed.clear();
    }

    /// Reads a unit.
    pub(super) fn walk<'d, E: Endianity>(
        &mut self,
        header: &UnitHeader<Slice<'d, E>>,
        abbreviations: &Abbreviations,
        reader: &mut EntryReader<'_, 'd, E>,
    ) -> Result<(), DwarfError> {
        let unit = header
            .debug_info_offset()
            .map_or(0, |offset| offset.0 as u64);
        let damaged = |reason| DwarfError::Damaged { unit, reason };
        self.plans.clear();
        self.items.clear();
        self.frames.clear();
        let mut entries = header.entries_raw(abbreviations, None).map_err(damaged)?;
        while !entries.is_empty() {
            let offset = entries.next_offset().0;
            let Some(abbreviation) = entries.read_abbreviation().map_err(damaged)? else {
                self.close();
                continue;
            };
            let plan = self.plans.of(abbreviation);
            let entry = reader
                .read(&self.plans, plan, &mut entries)
                .map_err(damaged)?;
            let offset = u32::try_from(offset)
                .ok()
                .and_then(|offset| offset.checked_add(reader.unit_base))
                .ok_or(DwarfError::Unsupported {
                    what: "a group of units with more than 4 GiB",
                    hint: None,
                })?;
            let inside = self.add(offset, plan, &entry);
            if !plan.has_children {
                self.end(inside);
            } else if let Some(rest) = rest_after(header, abbreviations, plan, &entry, &entries) {
                self.end(inside);
                entries = rest;
            } else if self.frames.len() < DEEPEST {
                self.frames.push(inside);
            } else {
                return Err(DwarfError::Nested {
                    unit,
                    depth: DEEPEST,
                });
            }
        }
        while !self.frames.is_empty() {
            self.close();
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(inside) = self.frames.pop() {
            self.end(inside);
        }
    }

    /// All children are complete.
    fn end(&mut self, inside: Inside) {
        match inside {
            Inside::Items { row, from } => self.take_items(row, from),
            Inside::Function {
                row,
                from,
                function,
            } => {
                let parameters = self.items.get(from..).unwrap_or_default();
                let is_nameless = |item: &Item| item.name.is_none() && item.ty != Ref::VOID;
                if parameters.iter().any(is_nameless)
                    && let Some(function) = self.types.functions.get_mut(function)
                {
                    function.has_parameters = false;
                }
                self.take_items(row, from);
            }
            Inside::Scope | Inside::Array { .. } | Inside::Tagged { .. } => {}
        }
    }

    fn take_items(&mut self, row: usize, from: usize) {
        let first = self.types.items.len();
        self.types
            .items
            .extend(self.items.drain(from.min(self.items.len())..));
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let count = number(self.types.items.len() - first);
        if let Some(ty) = self.types.rows.get_mut(row) {
            ty.first = number(first);
            ty.count = count;
        }
    }

    /// Records an entry; returns the frame for its children.
    #[inline]
    fn add(&mut self, offset: u32, plan: Plan, entry: &Entry) -> Inside {
        match plan.what {
            What::Base => self.push(offset, base_type(entry)),
            What::Reference(shape) => {
                let mut ty = Type::new(shape, Name::NONE);
                ty.target = Ref(entry.ty);
                if shape == Shape::Typedef {
                    ty.name = entry.name;
                    if entry.name.is_none() {
                        ty.shape = Shape::Alias;
                    }
                }
                let row = self.push_row(offset, ty);
                Inside::Tagged {
                    row,
                    component: None,
                }
            }
            What::Composite(shape) => self.add_composite(offset, shape, entry),
            What::Enum => {
                let mut ty = Type::new(Shape::Enum, entry.name);
                ty.size = size(entry.byte_size.unwrap_or(4));
                if entry.is_declaration && entry.signature.is_none() {
                    return self.push(offset, ty.declared(FWD_ENUM));
                }
                self.push_signed(offset, ty, entry)
            }
            What::Enumerator => self.add_enumerator(entry),
            What::Member => self.add_member(entry),
            What::Inheritance => self.add_item(Name::NONE, entry.ty, bits(entry.location)),
            What::Array => {
                let mut ty = Type::new(Shape::Array, Name::NONE);
                ty.target = Ref(entry.ty);
                Inside::Array {
                    row: self.push_row(offset, ty),
                    dimensions: 0,
                }
            }
            What::Subrange => self.add_dimension(offset, entry),
            What::Proto => {
                let mut ty = Type::new(Shape::Proto, Name::NONE);
                ty.target = Ref(entry.ty);
                let row = self.push_row(offset, ty);
                self.items_of(row)
            }
            What::Function => self.add_function(offset, entry),
            What::Parameter => self.add_parameter(entry.name, entry.ty),
            What::Variadic => self.add_parameter(Name::NONE, 0),
            What::Variable => self.add_variable(offset, entry),
            What::Annotation => self.add_annotation(offset, entry),
            What::Opaque => {
                let mut ty = Type::new(Shape::Struct, entry.name);
                ty.size = size(entry.byte_size.unwrap_or(0));
                self.push(offset, ty)
            }
            What::Scope | What::Inert => Inside::Scope,
        }
    }

    fn push_row(&mut self, offset: u32, ty: Type) -> usize {
        let row = self.types.rows.len();
        self.types.rows.push(ty);
        self.offsets.push(offset);
        row
    }

    fn push(&mut self, offset: u32, ty: Type) -> Inside {
        self.push_row(offset, ty);
        Inside::Scope
    }

    fn push_signed(&mut self, offset: u32, mut ty: Type, entry: &Entry) -> Inside {
        if entry.signature.is_some() {
            ty.shape = Shape::Alias;
        }
        let row = self.push_row(offset, ty);
        if let Some(signature) = entry.signature {
            self.signed.push((row, signature));
            return Inside::Scope;
        }
        self.items_of(row)
    }

    fn items_of(&self, row: usize) -> Inside {
        Inside::Items {
            row,
            from: self.items.len(),
        }
    }

    fn add_composite(&mut self, offset: u32, shape: Shape, entry: &Entry) -> Inside {
        let mut ty = Type::new(shape, entry.name);
        ty.size = size(entry.byte_size.unwrap_or(0));
        if entry.is_declaration && entry.signature.is_none() && !entry.name.is_none() {
            let of = if shape == Shape::Union {
                FWD_UNION
            } else {
                FWD_STRUCT
            };
            return self.push(offset, ty.declared(of));
        }
        self.push_signed(offset, ty, entry)
    }

    fn add_item(&mut self, name: Name, ty: u32, value: u64) -> Inside {
        if let Some(Inside::Items { .. }) = self.frames.last() {
            let ty = Ref(ty);
            self.items.push(Item { name, ty, value });
        }
        Inside::Scope
    }

    fn add_enumerator(&mut self, entry: &Entry) -> Inside {
        if let Some(Inside::Items { row, .. }) = self.frames.last() {
            let ty = self.types.rows.get_mut(*row);
            if let Some(ty) = ty.filter(|ty| ty.shape == Shape::Enum) {
                ty.detail |= u8::from(entry.is_negative);
                return self.add_item(entry.name, 0, entry.value);
            }
        }
        Inside::Scope
    }

    fn add_member(&mut self, entry: &Entry) -> Inside {
        let Some(Inside::Items { row, from }) = self.frames.last().copied() else {
            return Inside::Scope;
        };
        // Static members of a class are not part of its objects.
        if entry.is_external || entry.is_declaration {
            return Inside::Scope;
        }
        let component = self.items.len() - from;
        self.add_item(entry.name, entry.ty, place(entry));
        Inside::Tagged {
            row,
            component: u32::try_from(component).ok(),
        }
    }

    fn add_parameter(&mut self, name: Name, ty: u32) -> Inside {
        if let Some(Inside::Items { .. } | Inside::Function { .. }) = self.frames.last() {
            let (ty, value) = (Ref(ty), 0);
            self.items.push(Item { name, ty, value });
        }
        Inside::Scope
    }

    /// A dimension of an array; the second is the element of the first. Elsewhere, a subrange is a type of its own.
    fn add_dimension(&mut self, offset: u32, entry: &Entry) -> Inside {
        let count = entry.elements.and_then(|count| u32::try_from(count).ok());
        let count = count.unwrap_or(0);
        let Some(Inside::Array { row, dimensions }) = self.frames.last().copied() else {
            let mut ty = Type::new(Shape::Alias, Name::NONE);
            ty.target = Ref(entry.ty);
            return self.push(offset, ty);
        };
        let mut last = row;
        if dimensions > 0 {
            let outer = self.types.rows.get_mut(row);
            let element = outer.map(|outer| std::mem::replace(&mut outer.target, Ref(offset)));
            let mut ty = Type::new(Shape::Array, Name::NONE);
            ty.target = element.unwrap_or_default();
            last = self.push_row(offset, ty);
        }
        if let Some(ty) = self.types.rows.get_mut(last) {
            ty.count = count;
        }
        if let Some(frame) = self.frames.last_mut() {
            *frame = Inside::Array {
                row: last,
                dimensions: dimensions.saturating_add(1),
            };
        }
        Inside::Scope
    }

    fn add_function(&mut self, offset: u32, entry: &Entry) -> Inside {
        if entry.abstract_origin != 0 {
            return Inside::Scope;
        }
        if entry.is_declaration {
            self.declare(offset, entry);
            return Inside::Scope;
        }
        let mut ty = Type::new(Shape::Proto, Name::NONE);
        ty.target = Ref(entry.ty);
        let row = self.push_row(offset, ty);
        let function = self.types.functions.len();
        if entry.specification != 0 {
            self.specified_functions
                .push((function, entry.specification));
        }
        self.types.functions.push(Function {
            name: entry.name,
            proto: Ref(offset),
            is_global: entry.is_external,
            has_parameters: true,
        });
        Inside::Function {
            row,
            from: self.items.len(),
            function,
        }
    }

    fn declare(&mut self, offset: u32, entry: &Entry) {
        let ty = Ref(entry.ty);
        self.declared
            .push((offset, entry.name, ty, entry.is_external));
    }

    fn add_variable(&mut self, offset: u32, entry: &Entry) -> Inside {
        // Variables inside functions are not wanted.
        if !matches!(self.frames.last(), Some(Inside::Scope)) {
            return Inside::Scope;
        }
        if entry.is_declaration {
            self.declare(offset, entry);
        } else if let Some(address) = entry.address {
            if entry.specification != 0 {
                let index = self.types.variables.len();
                self.specified_variables.push((index, entry.specification));
            }
            self.types.variables.push(Variable {
                name: entry.name,
                ty: Ref(entry.ty),
                address,
                is_global: entry.is_external,
            });
        }
        Inside::Scope
    }

    /// `btf_type_tag` goes between a pointer and its target, `btf_decl_tag` applies to a type or a member.
    fn add_annotation(&mut self, offset: u32, entry: &Entry) -> Inside {
        let Some(inside) = self.frames.last().copied() else {
            return Inside::Scope;
        };
        let (row, component) = match inside {
            Inside::Tagged { row, component } => (row, component),
            Inside::Items { row, .. } => (row, None),
            _ => return Inside::Scope,
        };
        let Some(ty) = self.types.rows.get_mut(row) else {
            return Inside::Scope;
        };
        if ty.shape == Shape::Ptr && !entry.text.is_none() {
            let mut tag = Type::new(Shape::TypeTag, entry.text);
            tag.target = std::mem::replace(&mut ty.target, Ref(offset));
            return self.push(offset, tag);
        }
        if !entry.text.is_none() && (ty.shape.is_composite() || ty.shape == Shape::Typedef) {
            self.types.tags.push(DeclTag {
                name: entry.text,
                // By row, since its offset is not available here.
                on: Ref::to(row),
                component,
            });
        }
        Inside::Scope
    }
}

/// The entries after this one and its children, if the children are not used and it has the offset of its sibling.
fn rest_after<'a, 'd, E: Endianity>(
    header: &UnitHeader<Slice<'d, E>>,
    abbreviations: &'a Abbreviations,
    plan: Plan,
    entry: &Entry,
    entries: &EntriesRaw<'a, Slice<'d, E>>,
) -> Option<EntriesRaw<'a, Slice<'d, E>>> {
    let is_empty = match plan.what {
        What::Inert => true,
        What::Function => entry.abstract_origin != 0 || entry.is_declaration,
        _ => false,
    };
    if !is_empty || entry.sibling <= entries.next_offset().0 {
        return None;
    }
    let at = UnitOffset(entry.sibling);
    header.entries_raw(abbreviations, Some(at)).ok()
}

/// Sizes in BTF have 32 bits.
fn size(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn bits(bytes: u64) -> u64 {
    u64::from(u32::try_from(bytes.saturating_mul(8)).unwrap_or(u32::MAX))
}

/// The offset of a member, encoded as in [`Item::value`].
fn place(entry: &Entry) -> u64 {
    let Some(width) = entry.bit_size else {
        let bit = entry.data_bit_offset.unwrap_or(0);
        return bits(entry.location).saturating_add(bit) & u64::from(u32::MAX);
    };
    let start = match (entry.data_bit_offset, entry.bit_offset) {
        (Some(start), _) => start,
        (None, Some(from_top)) => {
            let unit = entry.byte_size.map_or_else(
                || from_top.saturating_add(width).next_multiple_of(8),
                |bytes| bytes.saturating_mul(8),
            );
            let below = unit.saturating_sub(from_top).saturating_sub(width);
            let from_start = if entry.is_big_endian { from_top } else { below };
            bits(entry.location).saturating_add(from_start)
        }
        (None, None) => bits(entry.location),
    };
    let start = u32::try_from(start).unwrap_or(u32::MAX);
    u64::from(start) | (width & 0xff) << 32
}

/// Base types. What BTF cannot express as an integer or float becomes a structure without members.
fn base_type(entry: &Entry) -> Type {
    let bytes = entry.byte_size.unwrap_or(0);
    let mut ty = Type::new(Shape::Struct, entry.name);
    ty.size = size(bytes);
    let used = entry.bit_size.unwrap_or(bytes.saturating_mul(8));
    let encoding = gimli::DwAte(entry.encoding);
    let flags = match encoding {
        gimli::DW_ATE_float | gimli::DW_ATE_imaginary_float | gimli::DW_ATE_decimal_float => {
            if matches!(bytes, 2 | 4 | 8 | 12 | 16) {
                ty.shape = Shape::Float;
            }
            return ty;
        }
        gimli::DW_ATE_complex_float => return ty,
        gimli::DW_ATE_signed | gimli::DW_ATE_signed_char | gimli::DW_ATE_signed_fixed => {
            IntEncoding::SIGNED
        }
        gimli::DW_ATE_boolean => IntEncoding::BOOL,
        _ => 0,
    };
    if matches!(bytes, 1 | 2 | 4 | 8 | 16) && (1..=bytes * 8).contains(&used) {
        ty.shape = Shape::Int;
        ty.detail = flags;
        ty.count = u32::try_from(used).unwrap_or_default();
    }
    ty
}
