//! The elements of structures, enumerations and prototypes, from names and numbers; and their encoding as words.

use super::record::{Info, halves};
use crate::TypeId;
use crate::btf::{BtfError, Enumerator, Member, Param};

/// The largest offset that fits into the word of a bitfield.
const MOST_BIT_OFFSET: u32 = 0x00ff_ffff;
/// The largest width that fits into the word of a bitfield.
const MOST_WIDTH: u32 = 0xff;

/// Whether the values of an enumeration are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signedness {
    /// They may be negative.
    Signed,
    /// They are not negative.
    Unsigned,
}

impl Signedness {
    pub(super) fn is_signed(self) -> bool {
        self == Self::Signed
    }
}

impl<'n> Member<'n> {
    /// No members.
    pub const NONE: [Self; 0] = [];

    /// A member at this bit offset that is not a bitfield.
    pub fn new(name: &'n str, type_id: TypeId, bit_offset: u32) -> Self {
        Self {
            name,
            type_id,
            bit_offset,
            bitfield_size: 0,
        }
    }

    /// This member as a bitfield of this width in bits.
    pub fn bitfield(self, bits: u32) -> Self {
        Self {
            bitfield_size: bits,
            ..self
        }
    }

    /// Its last word, in a structure whose flag says whether it has bitfields.
    pub(super) fn place(&self, index: usize, kflag: bool) -> Result<u32, BtfError> {
        if !kflag {
            return Ok(self.bit_offset);
        }
        if self.bit_offset > MOST_BIT_OFFSET || self.bitfield_size > MOST_WIDTH {
            return Err(BtfError::Bitfield {
                member: index,
                bit_offset: self.bit_offset,
                bits: self.bitfield_size,
            });
        }
        Ok(self.bitfield_size << 24 | self.bit_offset)
    }
}

impl<'n> From<(&'n str, TypeId, u32)> for Member<'n> {
    /// From name, type and bit offset.
    fn from((name, type_id, bit_offset): (&'n str, TypeId, u32)) -> Self {
        Self::new(name, type_id, bit_offset)
    }
}

impl<'n> From<&(&'n str, TypeId, u32)> for Member<'n> {
    fn from(member: &(&'n str, TypeId, u32)) -> Self {
        Self::from(*member)
    }
}

impl<'n> From<&Self> for Member<'n> {
    fn from(member: &Member<'n>) -> Self {
        *member
    }
}

impl<'n> Param<'n> {
    /// No parameters.
    pub const NONE: [Self; 0] = [];

    /// Variable arguments, as the last parameter.
    pub const VARIABLE: Self = Self {
        name: "",
        type_id: TypeId::VOID,
    };

    /// A parameter.
    pub fn new(name: &'n str, type_id: TypeId) -> Self {
        Self { name, type_id }
    }
}

impl<'n> From<(&'n str, TypeId)> for Param<'n> {
    /// From name and type.
    fn from((name, type_id): (&'n str, TypeId)) -> Self {
        Self::new(name, type_id)
    }
}

impl<'n> From<&(&'n str, TypeId)> for Param<'n> {
    fn from(param: &(&'n str, TypeId)) -> Self {
        Self::from(*param)
    }
}

impl<'n> From<&Self> for Param<'n> {
    fn from(param: &Param<'n>) -> Self {
        *param
    }
}

impl<'n> Enumerator<'n> {
    /// No constants.
    pub const NONE: [Self; 0] = [];

    /// A constant.
    pub fn new(name: &'n str, value: i64) -> Self {
        Self { name, value }
    }

    /// Its value in a 32-bit enumeration.
    pub(super) fn narrow(&self, index: usize, signedness: Signedness) -> Result<u32, BtfError> {
        let value = if signedness.is_signed() {
            i32::try_from(self.value).ok().map(i32::cast_unsigned)
        } else {
            u32::try_from(self.value).ok()
        };
        value.ok_or(BtfError::Constant {
            index,
            value: self.value,
        })
    }

    /// Its value in a 64-bit enumeration: low half, high half.
    pub(super) fn wide(&self) -> [u32; 2] {
        halves(self.value.cast_unsigned())
    }
}

impl<'n> From<(&'n str, i64)> for Enumerator<'n> {
    /// From name and value.
    fn from((name, value): (&'n str, i64)) -> Self {
        Self::new(name, value)
    }
}

impl<'n> From<&(&'n str, i64)> for Enumerator<'n> {
    fn from(constant: &(&'n str, i64)) -> Self {
        Self::from(*constant)
    }
}

impl<'n> From<&Self> for Enumerator<'n> {
    fn from(constant: &Enumerator<'n>) -> Self {
        *constant
    }
}

/// The kind of type that a forward declaration declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "btf_fwd_kind")]
pub enum FwdKind {
    /// `struct name;`
    Struct,
    /// `union name;`
    Union,
}

/// An element count that fits into a record. Kernels before 7.1 read 16 bits of it; a blob with a layout section is for later
/// ones.
pub(super) fn checked_vlen(count: usize, has_layout: bool) -> Result<usize, BtfError> {
    let most = if has_layout { Info::MOST } else { 0xffff };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if count > most {
        return Err(BtfError::TooManyElements { count, most });
    }
    Ok(count)
}
