//! Decodes bytes of a type to a [`Value`], within a budget.

use super::address::ip_address;
use super::{Value, number};
use crate::TypeId;
use crate::btf::read::query::MAX_CHAIN;
use crate::btf::{Btf, BtfError, Kind, Type};

/// The cost that is always allowed, however few bytes there are: the kernel's largest structures have thousands of members.
const LEAST_BUDGET: usize = 1 << 18;
/// The cost allowed per byte: enough for a structure of one byte with a long name.
const BUDGET_PER_BYTE: usize = 64;

impl Btf<'_> {
    /// Decodes `bytes` as a value of the type `id`; see [`value`](super::super::value) for the mapping of types.
    ///
    /// The bytes are in the byte order of this machine, whatever the byte order of the BTF was.
    ///
    /// # Errors
    /// The type refers to one that does not exist, has no size, is nested too deeply, or takes too much work for this many
    /// bytes.
    #[doc(alias = "btf_dump__dump_type_data")]
    pub fn decode(&self, id: TypeId, bytes: &[u8]) -> Result<Value, BtfError> {
        let budget = bytes.len().saturating_mul(BUDGET_PER_BYTE);
        self.decode_within(id, bytes, &mut budget.saturating_add(LEAST_BUDGET))
    }

    /// Like [`Btf::decode`], but with a budget that many values share: the variables of an object may overlap. Each value,
    /// character of a member's name, and byte that is copied costs one.
    ///
    /// # Errors
    /// Those of [`Btf::decode`]; `TooMuch` if the budget is spent.
    pub fn decode_within(
        &self,
        id: TypeId,
        bytes: &[u8],
        budget: &mut usize,
    ) -> Result<Value, BtfError> {
        let mut decoder = Decoder { bytes, budget };
        let place = Place {
            offset: 0,
            size: size_of(self, id)?,
            name: "",
            depth: 0,
            is_end: true,
        };
        decoder.value(&self.get(id)?, place)
    }
}

/// The location of a value, and what is known about it from its context.
#[derive(Clone, Copy)]
struct Place<'n> {
    offset: usize,
    size: usize,
    /// The member's name: a hint at the meaning of integers.
    name: &'n str,
    /// How many structures and arrays contain it.
    depth: usize,
    /// Whether nothing of the outermost type follows it.
    is_end: bool,
}

struct Decoder<'r, 'b> {
    bytes: &'r [u8],
    /// The remaining budget: each value, character of a name, and byte that is copied costs one.
    budget: &'b mut usize,
}

impl<'r> Decoder<'r, '_> {
    fn spend(&mut self, ty: &Type<'_>, cost: usize) -> Result<(), BtfError> {
        let left = self.budget.checked_sub(cost);
        *self.budget = left.ok_or(BtfError::TooMuch(ty.id()))?;
        Ok(())
    }

    /// The bytes of a value; `None` if some are missing.
    fn get(&self, place: &Place<'_>) -> Option<&'r [u8]> {
        let end = place.offset.checked_add(place.size)?;
        self.bytes.get(place.offset..end)
    }

    /// As many of its bytes as there are.
    fn get_partial(&self, place: &Place<'_>) -> &'r [u8] {
        let rest = self.bytes.get(place.offset..).unwrap_or_default();
        rest.get(..place.size).unwrap_or(rest)
    }

    fn value(&mut self, ty: &Type<'_>, place: Place<'_>) -> Result<Value, BtfError> {
        self.spend(ty, 1)?;
        if place.depth > MAX_CHAIN {
            return Err(BtfError::TooDeep(ty.id()));
        }
        let raw = self.get(&place);
        if let Some(ip) = raw.and_then(|raw| ip_address(ty, place.name, raw).transpose()) {
            return ip.map(Value::Ip);
        }
        let ty = ty.resolved()?;
        match ty.kind() {
            Kind::Struct | Kind::Union => {
                let mut members = Vec::new();
                self.members(&ty, place, &mut members)?;
                Ok(Value::Struct(members))
            }
            Kind::Array => self.array(&ty, place),
            Kind::Datasec => self.section(&ty, place),
            Kind::Var | Kind::DeclTag => {
                let depth = place.depth + 1;
                self.value(
                    &ty.btf().get(TypeId(ty.size_field()))?,
                    Place { depth, ..place },
                )
            }
            _ => match raw {
                Some(raw) => self.scalar(&ty, raw),
                None => Ok(Value::Missing),
            },
        }
    }

    fn scalar(&mut self, ty: &Type<'_>, raw: &[u8]) -> Result<Value, BtfError> {
        let constants = if ty.kind().is_any_enum() {
            ty.vlen()
        } else {
            0
        };
        // Looking at a constant is cheaper than creating a value.
        self.spend(ty, raw.len() + constants as usize / 8)?;
        Ok(number::scalar(ty, raw))
    }

    fn members(
        &mut self,
        ty: &Type<'_>,
        place: Place<'_>,
        out: &mut Vec<(String, Value)>,
    ) -> Result<(), BtfError> {
        if place.depth > MAX_CHAIN {
            return Err(BtfError::TooDeep(ty.id()));
        }
        let count = ty.members().len();
        for (index, member) in ty.members().enumerate() {
            self.spend(ty, member.name.len().saturating_add(1))?;
            let of = ty.btf().get(member.type_id)?;
            let resolved = of.resolved()?;
            let inner = Place {
                offset: place.offset.saturating_add(as_usize(member.bit_offset / 8)),
                size: size_of(ty.btf(), member.type_id)?,
                name: member.name,
                depth: place.depth + 1,
                is_end: place.is_end && (ty.kind() == Kind::Union || index + 1 == count),
            };
            if member.bitfield_size != 0 || !member.bit_offset.is_multiple_of(8) {
                let value = self.bitfield(
                    &resolved,
                    inner,
                    member.bit_offset % 8,
                    member.bitfield_size,
                )?;
                out.push((member.name.to_string(), value));
            } else if member.name.is_empty() && resolved.kind().is_composite() {
                self.members(&resolved, inner, out)?;
            } else {
                out.push((member.name.to_string(), self.value(&of, inner)?));
            }
        }
        Ok(())
    }

    /// A bitfield of `bits` bits, or of the width of its type if that is 0, `skipped` bits after its start.
    fn bitfield(
        &mut self,
        ty: &Type<'_>,
        place: Place<'_>,
        skipped: u32,
        bits: u32,
    ) -> Result<Value, BtfError> {
        let (own_skipped, own_bits) = number::int_bits(ty, place.size);
        let (skipped, bits) = if bits == 0 {
            (skipped.saturating_add(own_skipped), own_bits)
        } else {
            (skipped, bits)
        };
        let size = as_usize(skipped.saturating_add(bits).div_ceil(8));
        let Some(raw) = self.get(&Place { size, ..place }) else {
            return Ok(Value::Missing);
        };
        self.spend(ty, raw.len() + as_usize(ty.vlen() / 8))?;
        Ok(number::bitfield(ty, raw, skipped, bits))
    }

    fn array(&mut self, ty: &Type<'_>, place: Place<'_>) -> Result<Value, BtfError> {
        let array = ty.array().ok_or(BtfError::NoSize(ty.id()))?;
        let element = ty.btf().get(array.element)?;
        let resolved = element.resolved()?;
        let is_flexible = array.len == 0;
        let bytes = if is_flexible && place.is_end {
            self.bytes.get(place.offset..).unwrap_or_default()
        } else {
            self.get_partial(&place)
        };
        if bytes.is_empty() && place.size != 0 {
            return Ok(Value::Missing);
        }
        if is_char(&resolved) {
            self.spend(ty, bytes.len())?;
            return Ok(Value::Text(text(bytes)));
        }
        let size = size_of(ty.btf(), array.element)?;
        if size == 1 && resolved.int_encoding().is_some_and(|e| !e.bool) {
            self.spend(ty, bytes.len())?;
            return Ok(Value::Bytes(bytes.to_vec()));
        }
        // The last one may be truncated; a flexible array may be followed by bytes that are not an element.
        let whole = bytes.len().checked_div(size).unwrap_or(0);
        let cut =
            usize::from(!is_flexible && whole.saturating_mul(size) < bytes.len() && size != 0);
        let mut elements = Vec::new();
        for index in 0..whole + cut {
            let at = Place {
                offset: place.offset.saturating_add(index.saturating_mul(size)),
                size,
                name: place.name,
                depth: place.depth + 1,
                is_end: false,
            };
            elements.push(self.value(&element, at)?);
        }
        Ok(Value::Array(elements))
    }

    /// The variables of a section.
    fn section(&mut self, ty: &Type<'_>, place: Place<'_>) -> Result<Value, BtfError> {
        let mut variables = Vec::new();
        for variable in ty.variables() {
            let var = ty.btf().get(variable.type_id)?;
            self.spend(ty, var.name().len().saturating_add(1))?;
            let at = Place {
                offset: place.offset.saturating_add(as_usize(variable.offset)),
                size: size_of(ty.btf(), variable.type_id)?,
                name: var.name(),
                depth: place.depth + 1,
                is_end: false,
            };
            variables.push((var.name().to_string(), self.value(&var, at)?));
        }
        Ok(Value::Struct(variables))
    }
}

fn size_of(btf: &Btf<'_>, id: TypeId) -> Result<usize, BtfError> {
    btf.size_of(id).map(as_usize)
}

fn as_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// clang does not set the character flag, so the name decides.
pub(super) fn is_char(ty: &Type<'_>) -> bool {
    ty.kind() == Kind::Int
        && ty.size_field() == 1
        && (ty.name() == "char" || ty.int_encoding().is_some_and(|e| e.char))
}

fn text(bytes: &[u8]) -> String {
    let len = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..len).unwrap_or_default()).into_owned()
}
