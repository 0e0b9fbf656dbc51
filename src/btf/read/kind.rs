//! The twenty kinds of BTF types, and how many bytes their records have.

use std::fmt;

/// What a BTF type describes. The numbers are the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
#[doc(alias = "BTF_KIND")]
pub enum Kind {
    /// Nothing: type id 0.
    Void = 0,
    /// An integer, character or boolean.
    Int = 1,
    /// A pointer.
    Ptr = 2,
    /// An array.
    Array = 3,
    /// A structure.
    Struct = 4,
    /// A union.
    Union = 5,
    /// An enumeration of at most 32 bits.
    Enum = 6,
    /// A forward declaration of a structure or union.
    Fwd = 7,
    /// A type definition.
    Typedef = 8,
    /// The `volatile` qualifier.
    Volatile = 9,
    /// The `const` qualifier.
    Const = 10,
    /// The `restrict` qualifier.
    Restrict = 11,
    /// A function.
    Func = 12,
    /// A function's parameters and result.
    FuncProto = 13,
    /// A variable.
    Var = 14,
    /// The variables of an ELF section.
    Datasec = 15,
    /// A floating-point number. Since Linux 5.13.
    Float = 16,
    /// A tag on a declaration. Since Linux 5.16.
    DeclTag = 17,
    /// A tag on a type. Since Linux 5.17.
    TypeTag = 18,
    /// An enumeration of 64 bits. Since Linux 6.0.
    Enum64 = 19,
}

/// One more than the highest kind.
pub const KIND_COUNT: usize = 20;

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; KIND_COUNT] = [
        Self::Void,
        Self::Int,
        Self::Ptr,
        Self::Array,
        Self::Struct,
        Self::Union,
        Self::Enum,
        Self::Fwd,
        Self::Typedef,
        Self::Volatile,
        Self::Const,
        Self::Restrict,
        Self::Func,
        Self::FuncProto,
        Self::Var,
        Self::Datasec,
        Self::Float,
        Self::DeclTag,
        Self::TypeTag,
        Self::Enum64,
    ];

    /// The kind with this number; `None` for kinds newer than this library.
    #[inline]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Structure or union.
    #[doc(alias = "btf_is_composite")]
    pub fn is_composite(self) -> bool {
        matches!(self, Self::Struct | Self::Union)
    }

    /// Enumeration of either width.
    #[doc(alias = "btf_is_any_enum")]
    pub fn is_any_enum(self) -> bool {
        matches!(self, Self::Enum | Self::Enum64)
    }

    /// Whether the third word of a record of this kind is a type.
    #[inline]
    pub(in crate::btf) fn has_target(self) -> bool {
        matches!(
            self,
            Self::Ptr
                | Self::Typedef
                | Self::Volatile
                | Self::Const
                | Self::Restrict
                | Self::Func
                | Self::FuncProto
                | Self::Var
                | Self::DeclTag
                | Self::TypeTag
        )
    }

    /// A qualifier or type tag: skipped when only the layout matters.
    #[doc(alias = "btf_is_mod")]
    pub fn is_modifier(self) -> bool {
        matches!(
            self,
            Self::Volatile | Self::Const | Self::Restrict | Self::TypeTag
        )
    }

    /// The upper-case name that the kernel and bpftool print.
    pub fn name(self) -> &'static str {
        match self {
            Self::Void => "VOID",
            Self::Int => "INT",
            Self::Ptr => "PTR",
            Self::Array => "ARRAY",
            Self::Struct => "STRUCT",
            Self::Union => "UNION",
            Self::Enum => "ENUM",
            Self::Fwd => "FWD",
            Self::Typedef => "TYPEDEF",
            Self::Volatile => "VOLATILE",
            Self::Const => "CONST",
            Self::Restrict => "RESTRICT",
            Self::Func => "FUNC",
            Self::FuncProto => "FUNC_PROTO",
            Self::Var => "VAR",
            Self::Datasec => "DATASEC",
            Self::Float => "FLOAT",
            Self::DeclTag => "DECL_TAG",
            Self::TypeTag => "TYPE_TAG",
            Self::Enum64 => "ENUM64",
        }
    }

    /// How many bytes follow the common header once, and how many for each of `vlen` elements.
    #[inline]
    pub const fn tail(self) -> (u8, u8) {
        match self {
            Self::Int | Self::Var | Self::DeclTag => (4, 0),
            Self::Array => (12, 0),
            Self::Struct | Self::Union | Self::Datasec | Self::Enum64 => (0, 12),
            Self::Enum | Self::FuncProto => (0, 8),
            _ => (0, 0),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_table_agree() {
        for (number, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, number);
            assert_eq!(
                Kind::from_number(u32::try_from(number).unwrap()),
                Some(*kind)
            );
        }
        assert_eq!(Kind::from_number(20), None);
    }
}
