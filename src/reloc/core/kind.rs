//! The thirteen kinds of CO-RE relocations: the questions that a program asks about the kernel's types.

use crate::btf::Kind;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $class:ident, $long:literal, $short:literal;)*) => {
        /// What a CO-RE relocation asks for. The numbers are those of `enum bpf_core_relo_kind`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum RelocKind {
            $($(#[doc = $doc])+ $name = $number,)*
        }

        impl RelocKind {
            /// The kind with this number; `None` for numbers that are newer than this library.
            pub(super) fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The kernel's name in lower case, without the prefix `BPF_CORE_`.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $long,)*
                }
            }

            /// The short name that libbpf prints.
            pub(super) fn short_name(self) -> &'static str {
                match self {
                    $(Self::$name => $short,)*
                }
            }

            /// What the question is about.
            pub(super) fn class(self) -> RelocClass {
                match self {
                    $(Self::$name => RelocClass::$class,)*
                }
            }
        }
    };
}

kinds! {
    /// The field's offset in bytes from the start of the structure.
    FieldByteOffset = 0, Field, "field_byte_offset", "byte_off";
    /// The field's size in bytes.
    FieldByteSize = 1, Field, "field_byte_size", "byte_sz";
    /// Whether the field exists.
    FieldExists = 2, Field, "field_exists", "field_exists";
    /// Whether the field is signed.
    FieldSigned = 3, Field, "field_signed", "signed";
    /// How far a loaded 64-bit word must be shifted to the left to drop the bits above the field.
    FieldLshift = 4, Field, "field_lshift_u64", "lshift_u64";
    /// How far the word must then be shifted to the right.
    FieldRshift = 5, Field, "field_rshift_u64", "rshift_u64";
    /// The type's id in the object's BTF.
    TypeIdLocal = 6, Type, "type_id_local", "local_type_id";
    /// The type's id in the kernel's BTF.
    TypeIdTarget = 7, Type, "type_id_target", "target_type_id";
    /// Whether the type exists.
    TypeExists = 8, Type, "type_exists", "type_exists";
    /// The type's size in bytes.
    TypeSize = 9, Type, "type_size", "type_size";
    /// Whether the enumerator exists.
    EnumvalExists = 10, Enumval, "enumval_exists", "enumval_exists";
    /// The enumerator's value.
    EnumvalValue = 11, Enumval, "enumval_value", "enumval_value";
    /// Whether the kernel's type matches the local one in all details that the local one has.
    TypeMatches = 12, Type, "type_matches", "type_matches";
}

/// The kernel's name of a kind of CO-RE relocation, such as `"field_byte_offset"` for 0. `None` for numbers that are
/// newer than this library.
pub fn core_kind_name(number: u32) -> Option<&'static str> {
    RelocKind::from_number(number).map(RelocKind::name)
}

/// What a relocation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelocClass {
    /// A path through structures and arrays.
    Field,
    /// A type as a whole.
    Type,
    /// An enumerator.
    Enumval,
}

/// Whether types of these kinds can be compatible: enumerations of both widths count as one kind.
#[doc(alias = "btf_kind_core_compat")]
pub(super) fn kinds_agree(local: Kind, target: Kind) -> bool {
    local == target || local.is_any_enum() && target.is_any_enum()
}

/// The keyword that C or libbpf writes before a name of this kind.
pub(super) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Void => "void",
        Kind::Int => "int",
        Kind::Ptr => "ptr",
        Kind::Array => "array",
        Kind::Struct => "struct",
        Kind::Union => "union",
        Kind::Enum => "enum",
        Kind::Fwd => "fwd",
        Kind::Typedef => "typedef",
        Kind::Volatile => "volatile",
        Kind::Const => "const",
        Kind::Restrict => "restrict",
        Kind::Func => "func",
        Kind::FuncProto => "func_proto",
        Kind::Var => "var",
        Kind::Datasec => "datasec",
        Kind::Float => "float",
        Kind::DeclTag => "decl_tag",
        Kind::TypeTag => "type_tag",
        Kind::Enum64 => "enum64",
    }
}
