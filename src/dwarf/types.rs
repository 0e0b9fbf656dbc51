//! The types of a unit, or of many, as plain rows: the representation between DWARF and BTF.

use super::names::Name;
use crate::keyed_hash::Keys;
use std::hash::{BuildHasher, Hasher};

/// A reference to a type: 0 is `void`, otherwise its row plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Ref(pub(super) u32);

impl Ref {
    pub(super) const VOID: Self = Self(0);

    /// The reference to a row.
    pub(super) fn to(row: usize) -> Self {
        Self(u32::try_from(row.saturating_add(1)).unwrap_or(u32::MAX))
    }

    /// The row; `None` for `void`.
    #[inline]
    pub(super) fn row(self) -> Option<usize> {
        usize::try_from(self.0).ok()?.checked_sub(1)
    }
}

/// The kind of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Shape {
    /// `detail` is the encoding as in BTF, `count` the number of bits used.
    Int,
    Float,
    Ptr,
    Const,
    Volatile,
    Restrict,
    TypeTag,
    Typedef,
    /// With `count` elements.
    Array,
    Struct,
    Union,
    /// A structure, union or enumeration that is only declared; `detail` says which of them.
    Fwd,
    /// `detail` is 1 if a value is negative.
    Enum,
    /// A function's return type and parameters. A parameter without name and type is an ellipsis.
    Proto,
    /// Another name for its target, which BTF cannot express. Removed by linking.
    Alias,
}

impl Shape {
    /// Whether `target` refers to a type.
    pub(super) fn refers(self) -> bool {
        matches!(
            self,
            Self::Ptr
                | Self::Const
                | Self::Volatile
                | Self::Restrict
                | Self::TypeTag
                | Self::Typedef
                | Self::Array
                | Self::Proto
                | Self::Alias
        )
    }

    /// Whether it has items that refer to types.
    pub(super) fn has_members(self) -> bool {
        matches!(self, Self::Struct | Self::Union | Self::Proto)
    }

    pub(super) fn is_composite(self) -> bool {
        matches!(self, Self::Struct | Self::Union)
    }
}

/// What a [`Shape::Fwd`] declares.
pub(super) const FWD_STRUCT: u8 = 0;
pub(super) const FWD_UNION: u8 = 1;
/// C has no such declaration, but compilers accept it, and kernels use it.
pub(super) const FWD_ENUM: u8 = 2;

/// One type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub(super) shape: Shape,
    pub(super) detail: u8,
    pub(super) name: Name,
    /// Its target, an array's element type, a function's return type.
    pub(super) target: Ref,
    /// Size in bytes.
    pub(super) size: u32,
    /// The number of items; see [`Shape`] for other meanings.
    pub(super) count: u32,
    /// The index of its first item.
    pub(super) first: u32,
}

impl Type {
    pub(super) fn new(shape: Shape, name: Name) -> Self {
        Self {
            shape,
            detail: 0,
            name,
            target: Ref::VOID,
            size: 0,
            count: 0,
            first: 0,
        }
    }

    /// The declaration of this type.
    pub(super) fn declared(self, of: u8) -> Self {
        Self {
            shape: Shape::Fwd,
            detail: of,
            size: 0,
            ..self
        }
    }

    /// The `detail` of a declaration of this type.
    pub(super) fn declared_as(&self) -> Option<u8> {
        match self.shape {
            Shape::Struct => Some(FWD_STRUCT),
            Shape::Union => Some(FWD_UNION),
            Shape::Enum => Some(FWD_ENUM),
            _ => None,
        }
    }

    /// Whether everything except `target` and `first` is equal.
    pub(super) fn same_head(&self, other: &Self) -> bool {
        (self.shape, self.detail, self.name, self.size, self.count)
            == (
                other.shape,
                other.detail,
                other.name,
                other.size,
                other.count,
            )
    }
}

/// A member, enumerator or parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: Name,
    pub(super) ty: Ref,
    /// The bit offset, and above it (from bit 32) the width of a bitfield; or an enumerator's value.
    pub(super) value: u64,
}

/// A function definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Function {
    pub(super) name: Name,
    pub(super) proto: Ref,
    pub(super) is_global: bool,
    /// False if a parameter has no name: such a function was not written in C.
    pub(super) has_parameters: bool,
}

/// A variable with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variable {
    pub(super) name: Name,
    pub(super) ty: Ref,
    pub(super) address: u64,
    pub(super) is_global: bool,
}

/// A tag on a structure, typedef, or member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DeclTag {
    pub(super) name: Name,
    pub(super) on: Ref,
    pub(super) component: Option<u32>,
}

/// Types, and the functions, variables and tags that refer to them.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) rows: Vec<Type>,
    pub(super) items: Vec<Item>,
    pub(super) functions: Vec<Function>,
    pub(super) variables: Vec<Variable>,
    pub(super) tags: Vec<DeclTag>,
}

impl Types {
    pub(super) fn get(&self, reference: Ref) -> Option<&Type> {
        self.rows.get(reference.row()?)
    }

    /// The items of a type; none for types whose `count` has another meaning.
    #[inline]
    pub(super) fn items_of(&self, ty: &Type) -> &[Item] {
        if !(ty.shape.has_members() || ty.shape == Shape::Enum) {
            return &[];
        }
        let first = usize::try_from(ty.first).unwrap_or(usize::MAX);
        let count = usize::try_from(ty.count).unwrap_or(usize::MAX);
        let items = self.items.get(first..).and_then(|items| items.get(..count));
        items.unwrap_or_default()
    }

    /// The number of rows and items, to which the work on a whole set is proportional.
    pub(super) fn volume(&self) -> usize {
        self.rows.len().saturating_add(self.items.len())
    }

    /// Redirects all references.
    pub(super) fn redirect(&mut self, mut to: impl FnMut(Ref) -> Ref) {
        let rows = self.rows.iter_mut().filter(|row| row.shape.refers());
        rows.for_each(|row| row.target = to(row.target));
        self.items.iter_mut().for_each(|item| item.ty = to(item.ty));
        let functions = self.functions.iter_mut();
        functions.for_each(|function| function.proto = to(function.proto));
        let variables = self.variables.iter_mut();
        variables.for_each(|variable| variable.ty = to(variable.ty));
        self.tags.iter_mut().for_each(|tag| tag.on = to(tag.on));
    }

    /// Renames everything.
    pub(super) fn rename(&mut self, new: &[Name]) {
        let renamed = |name: &mut Name| {
            let index = usize::try_from(name.0).unwrap_or(usize::MAX);
            *name = new.get(index).copied().unwrap_or_default();
        };
        self.rows.iter_mut().for_each(|row| renamed(&mut row.name));
        self.items
            .iter_mut()
            .for_each(|item| renamed(&mut item.name));
        self.tags.iter_mut().for_each(|tag| renamed(&mut tag.name));
        let functions = self.functions.iter_mut();
        functions.for_each(|function| renamed(&mut function.name));
        let variables = self.variables.iter_mut();
        variables.for_each(|variable| renamed(&mut variable.name));
    }

    /// A hash that is the same for equal types. Of the types that it refers to, it includes only kinds and names: the targets
    /// of pointers to structures may be declared in one unit and defined in another.
    pub(super) fn digest(&self, ty: &Type, keys: Keys) -> u64 {
        let mut hasher = keys.build_hasher();
        hasher.write_u8(ty.shape as u8);
        hasher.write_u32(ty.name.0);
        hasher.write_u64(u64::from(ty.size) << 32 | u64::from(ty.count));
        for item in self.items_of(ty) {
            hasher.write_u64(u64::from(item.name.0) << 32 ^ item.value);
            self.label(item.ty, &mut hasher);
        }
        hasher.finish()
    }

    /// Hashes what identifies a type without following references.
    fn label(&self, reference: Ref, hasher: &mut impl Hasher) {
        const FAR_ENOUGH: usize = 6;
        let mut at = reference;
        let mut seen = 0_u64;
        for _ in 0..FAR_ENOUGH {
            let Some(ty) = self.get(at) else { break };
            seen = (seen << 4) | (1 + ty.shape as u64);
            match ty.shape {
                Shape::Array => hasher.write_u32(ty.count),
                Shape::Typedef | Shape::Int | Shape::Float | Shape::TypeTag => {
                    hasher.write_u32(ty.name.0);
                    break;
                }
                // A declared type is the same as the defined one.
                Shape::Struct | Shape::Union | Shape::Enum | Shape::Fwd => {
                    seen >>= 4;
                    match ty.name {
                        Name::NONE => {
                            hasher.write_u64(u64::from(ty.size) << 32 | u64::from(ty.count));
                            for item in self.items_of(ty).iter().take(FAR_ENOUGH) {
                                hasher.write_u32(item.name.0);
                            }
                        }
                        name => hasher.write_u32(name.0),
                    }
                    break;
                }
                Shape::Proto => {
                    hasher.write_u32(ty.count);
                    break;
                }
                _ => {}
            }
            at = ty.target;
        }
        hasher.write_u64(seen);
    }
}
