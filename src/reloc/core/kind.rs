//! The thirteen questions.

use crate::btf::Kind;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $class:ident, $long:literal, $short:literal;)*) => {
        /// What a CO-RE relocation asks. The numbers are those of `enum bpf_core_relo_kind`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum RelocKind {
            $($(#[doc = $doc])+ $name = $number,)*
        }

        impl RelocKind {
            /// The kind of this number; `None` for numbers that are newer than this library.
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
    /// How many bytes into its structure is the field?
    FieldByteOffset = 0, Field, "field_byte_offset", "byte_off";
    /// How many bytes does the field take?
    FieldByteSize = 1, Field, "field_byte_size", "byte_sz";
    /// Is there such a field?
    FieldExists = 2, Field, "field_exists", "field_exists";
    /// Is the field signed?
    FieldSigned = 3, Field, "field_signed", "signed";
    /// How far left must a loaded word be shifted to drop what stands above the field?
    FieldLshift = 4, Field, "field_lshift_u64", "lshift_u64";
    /// How far right after that?
    FieldRshift = 5, Field, "field_rshift_u64", "rshift_u64";
    /// Which number has the type in the object?
    TypeIdLocal = 6, Type, "type_id_local", "local_type_id";
    /// Which number has the type in the kernel?
    TypeIdTarget = 7, Type, "type_id_target", "target_type_id";
    /// Is there such a type?
    TypeExists = 8, Type, "type_exists", "type_exists";
    /// How many bytes does the type take?
    TypeSize = 9, Type, "type_size", "type_size";
    /// Is there such an enumerator?
    EnumvalExists = 10, Enumval, "enumval_exists", "enumval_exists";
    /// Which value has the enumerator?
    EnumvalValue = 11, Enumval, "enumval_value", "enumval_value";
    /// Does the type look the same?
    TypeMatches = 12, Type, "type_matches", "type_matches";
}

/// The name of a kind of CO-RE relocation, in the kernel's words: `"field_byte_offset"` for 0. `None` for numbers that are
/// newer than this library.
pub fn core_kind_name(number: u32) -> Option<&'static str> {
    RelocKind::from_number(number).map(RelocKind::name)
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelocClass {
    /// A path through structures and arrays.
    Field,
    /// A type as a whole.
    Type,
    /// A constant of an enumeration.
    Enumval,
}

/// Whether a type of one kind can be what a type of the other is: enumerations of both widths count as one kind.
#[doc(alias = "btf_kind_core_compat")]
pub(super) fn kinds_agree(local: Kind, target: Kind) -> bool {
    local == target || local.is_any_enum() && target.is_any_enum()
}

/// The kind as C or libbpf writes it before a name.
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
