//! A type as stored in the blob, decoded field by field on demand.

use crate::TypeId;
use crate::btf::{Btf, BtfError, Kind};

/// One type of a [`Btf`]: a cheap view, decoded in place. Returned by [`Btf::get`].
#[derive(Clone, Copy)]
#[doc(alias = "btf_type")]
pub struct Type<'b> {
    pub(super) btf: &'b Btf<'b>,
    pub(super) id: TypeId,
    pub(super) kind: Kind,
    pub(super) name_off: u32,
    pub(super) info: u32,
    pub(super) size_or_target: u32,
    /// What follows the common header: exactly as many bytes as kind and `vlen` require.
    pub(super) tail: &'b [u8],
}

impl std::fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {} '{}'", self.id, self.kind, self.name())
    }
}

/// A member of a structure or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "btf_member")]
pub struct Member<'b> {
    /// Its name; empty for an anonymous structure or union.
    pub name: &'b str,
    /// Its type.
    pub type_id: TypeId,
    /// The offset from the start of the structure, in bits.
    pub bit_offset: u32,
    /// Width in bits if it is a bitfield, otherwise 0.
    pub bitfield_size: u32,
}

/// A constant of an enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias("btf_enum", "btf_enum64"))]
pub struct Enumerator<'b> {
    /// Its name.
    pub name: &'b str,
    /// Its value, sign-extended if the enumeration is signed and 32 bits wide.
    pub value: i64,
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "btf_param")]
pub struct Param<'b> {
    /// Its name; may be empty.
    pub name: &'b str,
    /// Its type; `void` without a name as the last parameter means variable arguments.
    pub type_id: TypeId,
}

/// A variable's location in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "btf_var_secinfo")]
pub struct VarSecinfo {
    /// The variable (or, for externs, function).
    pub type_id: TypeId,
    /// The offset from the start of the section, in bytes; clang leaves 0 here.
    pub offset: u32,
    /// The size in bytes.
    pub size: u32,
}

/// An array's element type, index type and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "btf_array")]
pub struct Array {
    /// The element type.
    pub element: TypeId,
    /// The index type.
    pub index: TypeId,
    /// The number of elements; 0 for a flexible array.
    pub len: u32,
}

/// An integer's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntEncoding {
    /// Whether it is signed.
    pub signed: bool,
    /// Whether it is a character.
    pub char: bool,
    /// Whether it is a boolean.
    pub bool: bool,
    /// The raw flags.
    pub flags: u8,
    /// The offset from the start of the storage unit, in bits; 0 except in old bitfields.
    pub offset: u8,
    /// The width in bits.
    pub bits: u8,
}

impl IntEncoding {
    /// Flag: signed.
    pub const SIGNED: u8 = 1;
    /// Flag: character.
    pub const CHAR: u8 = 2;
    /// Flag: boolean.
    pub const BOOL: u8 = 4;

    /// From the flags, the bit offset in the storage unit, and the width in bits.
    pub fn new(flags: u8, offset: u8, bits: u8) -> Self {
        Self {
            signed: flags & Self::SIGNED != 0,
            char: flags & Self::CHAR != 0,
            bool: flags & Self::BOOL != 0,
            flags,
            offset,
            bits,
        }
    }

    /// The encoded word.
    pub(in crate::btf) fn word(self) -> u32 {
        u32::from_le_bytes([self.bits, 0, self.offset, self.flags])
    }
}

/// The linkage of a function or variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Linkage {
    /// Visible only in its file.
    Static,
    /// Visible everywhere.
    Global,
    /// Defined elsewhere.
    Extern,
    /// A number that is none of these.
    Unknown(u32),
}

impl From<u32> for Linkage {
    fn from(number: u32) -> Self {
        match number {
            0 => Self::Static,
            1 => Self::Global,
            2 => Self::Extern,
            n => Self::Unknown(n),
        }
    }
}

impl Linkage {
    /// Its number.
    pub(in crate::btf) fn number(self) -> u32 {
        match self {
            Self::Static => 0,
            Self::Global => 1,
            Self::Extern => 2,
            Self::Unknown(number) => number,
        }
    }
}

impl<'b> Type<'b> {
    /// `void`.
    pub(super) fn void(btf: &'b Btf<'b>) -> Self {
        let (id, kind) = (TypeId::VOID, Kind::Void);
        Self {
            btf,
            id,
            kind,
            name_off: 0,
            info: 0,
            size_or_target: 0,
            tail: &[],
        }
    }

    /// The blob this type belongs to.
    pub fn btf(&self) -> &'b Btf<'b> {
        self.btf
    }

    /// Its id.
    pub fn id(&self) -> TypeId {
        self.id
    }

    /// What it describes.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name; empty if it has none (or one that is not text).
    pub fn name(&self) -> &'b str {
        self.btf.str_at(self.name_off).unwrap_or_default()
    }

    /// Its name's offset in the string section: 0 if it has none.
    pub fn name_offset(&self) -> u32 {
        self.name_off
    }

    /// The number of members, constants, parameters or variables.
    pub fn vlen(&self) -> u32 {
        self.info & 0x00ff_ffff
    }

    /// The kind-specific flag: bitfields in a structure, signedness of an enumeration, union for a forward declaration.
    pub fn kflag(&self) -> bool {
        self.info >> 31 != 0
    }

    /// The size field, which is meaningful for integers, structures, unions, enumerations, floats and sections. For the size
    /// of any type see [`Btf::size_of`].
    pub fn size_field(&self) -> u32 {
        self.size_or_target
    }

    /// The type that a pointer, typedef, qualifier, function, variable or tag refers to (for a prototype, its result); `None`
    /// for other kinds.
    pub fn target(&self) -> Option<TypeId> {
        self.kind
            .has_target()
            .then_some(TypeId(self.size_or_target))
    }

    /// Whether both views refer to the same type of the same blob.
    pub fn is(&self, other: &Type<'_>) -> bool {
        self.id == other.id && std::ptr::eq(self.tail, other.tail)
    }

    /// The record's 32-bit words.
    pub(in crate::btf) fn words(&self) -> impl Iterator<Item = u32> + use<'b> {
        let tail = self.tail.as_chunks::<4>().0.iter();
        let head = [self.name_off, self.info, self.size_or_target];
        head.into_iter()
            .chain(tail.map(|word| u32::from_ne_bytes(*word)))
    }

    fn u32_at(&self, offset: usize) -> u32 {
        self.tail
            .get(offset..)
            .and_then(|b| b.first_chunk())
            .map_or(0, |b| u32::from_ne_bytes(*b))
    }

    /// The members of a structure or union; empty for other kinds.
    pub fn members(
        &self,
    ) -> impl ExactSizeIterator<Item = Member<'b>> + DoubleEndedIterator + use<'b> {
        let ty = *self;
        self.raw_members().map(move |raw| ty.decode_member(raw))
    }

    /// The members without their names, whose lookup takes longer than everything else.
    pub(in crate::btf) fn nameless_members(
        &self,
    ) -> impl ExactSizeIterator<Item = Member<'b>> + DoubleEndedIterator + use<'b> {
        let ty = *self;
        self.raw_members().map(move |raw| ty.decode_nameless(raw).1)
    }

    fn raw_members(&self) -> std::slice::Iter<'b, [u8; 12]> {
        let is_composite = self.kind.is_composite();
        let tail = if is_composite { self.tail } else { &[] };
        tail.as_chunks().0.iter()
    }

    fn decode_member(&self, raw: &[u8; 12]) -> Member<'b> {
        let (name, member) = self.decode_nameless(raw);
        Member {
            name: self.btf.str_at(name).unwrap_or_default(),
            ..member
        }
    }

    fn decode_nameless(&self, raw: &[u8; 12]) -> (u32, Member<'b>) {
        let [name, type_id, offset] = words(raw);
        let (bit_offset, bitfield_size) = if self.kflag() {
            (offset & 0x00ff_ffff, offset >> 24)
        } else {
            (offset, 0)
        };
        let member = Member {
            name: "",
            type_id: TypeId(type_id),
            bit_offset,
            bitfield_size,
        };
        (name, member)
    }

    /// The member with this index.
    pub fn member(&self, index: usize) -> Option<Member<'b>> {
        let raw = self.tail.as_chunks().0.get(index)?;
        self.kind.is_composite().then(|| self.decode_member(raw))
    }

    /// The constants of an enumeration of either width; empty for other kinds.
    pub fn enumerators(&self) -> impl Iterator<Item = Enumerator<'b>> + use<'b> {
        let narrow = if self.kind == Kind::Enum {
            self.tail
        } else {
            &[]
        };
        let wide = if self.kind == Kind::Enum64 {
            self.tail
        } else {
            &[]
        };
        let ty = *self;
        let narrow = narrow.as_chunks::<8>().0.iter();
        let wide = wide.as_chunks::<12>().0.iter();
        narrow
            .map(move |raw| ty.decode_enumerator(words(raw)))
            .chain(wide.map(move |raw| ty.decode_enumerator64(words(raw))))
    }

    fn decode_enumerator(&self, [name, value]: [u32; 2]) -> Enumerator<'b> {
        let value = if self.kflag() {
            i64::from(value.cast_signed())
        } else {
            i64::from(value)
        };
        Enumerator {
            name: self.btf.str_at(name).unwrap_or_default(),
            value,
        }
    }

    fn decode_enumerator64(&self, [name, low, high]: [u32; 3]) -> Enumerator<'b> {
        Enumerator {
            name: self.btf.str_at(name).unwrap_or_default(),
            value: (u64::from(high) << 32 | u64::from(low)).cast_signed(),
        }
    }

    /// The constant with this index.
    pub fn enumerator(&self, index: usize) -> Option<Enumerator<'b>> {
        match self.kind {
            Kind::Enum => {
                let raw = self.tail.as_chunks::<8>().0.get(index)?;
                Some(self.decode_enumerator(words(raw)))
            }
            Kind::Enum64 => {
                let raw = self.tail.as_chunks::<12>().0.get(index)?;
                Some(self.decode_enumerator64(words(raw)))
            }
            _ => None,
        }
    }

    /// The parameters of a prototype; empty for other kinds.
    pub fn params(
        &self,
    ) -> impl ExactSizeIterator<Item = Param<'b>> + DoubleEndedIterator + use<'b> {
        let tail = if self.kind == Kind::FuncProto {
            self.tail
        } else {
            &[]
        };
        let btf = self.btf;
        tail.as_chunks::<8>().0.iter().map(move |raw| {
            let [name, type_id] = words(raw);
            Param {
                name: btf.str_at(name).unwrap_or_default(),
                type_id: TypeId(type_id),
            }
        })
    }

    /// The variables of a section; empty for other kinds.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = VarSecinfo> + use<'b> {
        let tail = if self.kind == Kind::Datasec {
            self.tail
        } else {
            &[]
        };
        tail.as_chunks::<12>().0.iter().map(|raw| {
            let [type_id, offset, size] = words(raw);
            VarSecinfo {
                type_id: TypeId(type_id),
                offset,
                size,
            }
        })
    }

    /// The first two words of each member, parameter or constant: its name offset, and its type or value.
    pub(in crate::btf) fn element_words(&self) -> impl Iterator<Item = (u32, u32)> + use<'b> {
        let wide = matches!(self.kind, Kind::Struct | Kind::Union | Kind::Enum64);
        let size = if wide { 12 } else { 8 };
        self.tail.chunks_exact(size).filter_map(|raw| {
            let [name_off, word] = words(raw.first_chunk::<8>()?);
            Some((name_off, word))
        })
    }

    /// The types that this one refers to, in the order of its record, including `void`.
    #[doc(alias = "btf_field_iter")]
    pub fn referenced(&self) -> impl Iterator<Item = TypeId> + use<'b> {
        let array = self.array().map(|array| [array.element, array.index]);
        let members = self.members().map(|member| member.type_id);
        let params = self.params().map(|param| param.type_id);
        let variables = self.variables().map(|variable| variable.type_id);
        let target = self.target().into_iter();
        let elements = target.chain(array.into_iter().flatten());
        elements.chain(members).chain(params).chain(variables)
    }

    /// An array's element type, index type and length.
    pub fn array(&self) -> Option<Array> {
        (self.kind == Kind::Array).then(|| Array {
            element: TypeId(self.u32_at(0)),
            index: TypeId(self.u32_at(4)),
            len: self.u32_at(8),
        })
    }

    /// An integer's encoding.
    pub fn int_encoding(&self) -> Option<IntEncoding> {
        (self.kind == Kind::Int).then(|| {
            let [bits, _, offset, flags] = self.u32_at(0).to_le_bytes();
            IntEncoding::new(flags & 0x0f, offset, bits)
        })
    }

    /// The linkage of a function or variable.
    pub fn linkage(&self) -> Option<Linkage> {
        match self.kind {
            Kind::Func => Some(self.vlen().into()),
            Kind::Var => Some(self.u32_at(0).into()),
            _ => None,
        }
    }

    /// The index of the member or parameter that a declaration tag applies to; `None` if it applies to the whole declaration.
    pub fn tag_component(&self) -> Option<u32> {
        (self.kind == Kind::DeclTag)
            .then(|| self.u32_at(0))
            .filter(|index| *index != u32::MAX)
    }

    /// This type with qualifiers, type tags and typedefs removed.
    #[doc(alias = "skip_mods_and_typedefs")]
    pub fn resolved(&self) -> Result<Type<'b>, BtfError> {
        let mut now = *self;
        for _ in 0..super::query::MAX_CHAIN {
            if !now.kind.is_modifier() && now.kind != Kind::Typedef {
                return Ok(now);
            }
            now = self.btf.get(TypeId(now.size_or_target))?;
        }
        Err(BtfError::TooDeep(self.id))
    }
}

/// A record's 32-bit words.
pub(super) fn words<const BYTES: usize, const WORDS: usize>(raw: &[u8; BYTES]) -> [u32; WORDS] {
    const { assert!(BYTES == WORDS * 4) };
    // One load for each word; `array::from_fn` is not inlined everywhere.
    zerocopy::FromBytes::read_from_bytes(raw).unwrap_or([0; WORDS])
}
