//! One entry (DIE) of `.debug_info`: those of its attributes that are used.

use super::names::{Name, Names};
use super::plan::{Plan, Plans, Role, Step};
use crate::btf::LONGEST_NAME;
use crate::keyed_hash::Table;
use gimli::{Attribute, AttributeValue, Encoding, EndianSlice, Endianity, EntriesRaw};
use std::ops::Range;

pub(super) type Slice<'d, E> = EndianSlice<'d, E>;

/// The sections that attributes refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sections<'d, E: Endianity> {
    pub(super) strings: &'d [u8],
    pub(super) line_strings: &'d [u8],
    pub(super) string_offsets: gimli::DebugStrOffsets<Slice<'d, E>>,
    pub(super) addresses: gimli::DebugAddr<Slice<'d, E>>,
    pub(super) order: E,
}

/// Where the unit's contributions to these sections start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bases {
    pub(super) strings: gimli::DebugStrOffsetsBase,
    pub(super) addresses: gimli::DebugAddrBase,
}

/// The attributes of an entry. Offsets are relative to the group that is read; 0 means none.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an attribute of its own, in any combination"
)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) ty: u32,
    pub(super) byte_size: Option<u64>,
    pub(super) bit_size: Option<u64>,
    pub(super) bit_offset: Option<u64>,
    pub(super) is_big_endian: bool,
    pub(super) data_bit_offset: Option<u64>,
    /// Byte offset in the structure.
    pub(super) location: u64,
    pub(super) encoding: u8,
    /// For an array; none if unknown.
    pub(super) elements: Option<u64>,
    pub(super) value: u64,
    pub(super) is_negative: bool,
    /// The value of an annotation.
    pub(super) text: Name,
    pub(super) is_declaration: bool,
    pub(super) is_external: bool,
    pub(super) abstract_origin: u32,
    pub(super) specification: u32,
    /// An offset in the unit.
    pub(super) sibling: usize,
    pub(super) signature: Option<u64>,
    pub(super) address: Option<u64>,
}

/// Reads entries of one unit.
#[derive(Debug)]
pub(super) struct EntryReader<'r, 'd, E: Endianity> {
    pub(super) sections: &'r Sections<'d, E>,
    pub(super) encoding: Encoding,
    pub(super) bases: Bases,
    /// The offset of the unit in its group, and that of the group.
    pub(super) unit_base: u32,
    pub(super) group: Range<u64>,
    /// Whether a reference leaves the group.
    pub(super) crosses: bool,
    /// The offsets of types in type units, by signature.
    pub(super) signatures: &'r Table<u64, u32>,
    pub(super) names: &'r mut Names<'d>,
    /// Names by section and offset: most of them occur often.
    pub(super) known: &'r mut Table<u64, Name>,
}

/// Marks offsets in `.debug_line_str`.
const LINE_STRINGS: u64 = 1 << 63;

impl<'d, E: Endianity> EntryReader<'_, 'd, E> {
    pub(super) fn read(
        &mut self,
        plans: &Plans,
        plan: Plan,
        entries: &mut EntriesRaw<'_, Slice<'d, E>>,
    ) -> gimli::Result<Entry> {
        let mut entry = Entry::default();
        for step in plans.steps(plan) {
            match step {
                Step::Skip(from, to) => entries.skip_attributes(plans.skipped(*from..*to))?,
                Step::Read(role, specification) => {
                    let attribute = entries.read_attribute_inline(*specification)?;
                    self.note(&mut entry, *role, &attribute)?;
                }
            }
        }
        Ok(entry)
    }

    fn note(
        &mut self,
        entry: &mut Entry,
        role: Role,
        attribute: &Attribute<Slice<'d, E>>,
    ) -> gimli::Result<()> {
        let number = || attribute.udata_value();
        match role {
            Role::Name => entry.name = self.name(attribute.raw_value())?,
            Role::Type => entry.ty = self.reference(attribute)?,
            Role::ByteSize => entry.byte_size = number(),
            Role::BitSize => entry.bit_size = number(),
            Role::BitOffset => {
                entry.bit_offset = number();
                entry.is_big_endian = self.sections.order.is_big_endian();
            }
            Role::DataBitOffset => entry.data_bit_offset = number(),
            Role::MemberLocation => entry.location = self.member_location(attribute)?,
            Role::Encoding => {
                let encoding = attribute.udata_value().and_then(|e| u8::try_from(e).ok());
                entry.encoding = encoding.unwrap_or_default();
            }
            Role::Count => entry.elements = number(),
            Role::UpperBound => entry.elements = elements(attribute),
            Role::Value => match attribute.raw_value() {
                AttributeValue::Sdata(value) => {
                    entry.value = value.cast_unsigned();
                    entry.is_negative = value < 0;
                }
                value => match attribute.udata_value() {
                    Some(number) => entry.value = number,
                    None => entry.text = self.name(value)?,
                },
            },
            Role::Declaration => entry.is_declaration = is_set(attribute),
            Role::External => entry.is_external = is_set(attribute),
            Role::AbstractOrigin => entry.abstract_origin = self.reference(attribute)?,
            Role::Specification => entry.specification = self.reference(attribute)?,
            Role::Sibling => {
                if let AttributeValue::UnitRef(offset) = attribute.raw_value() {
                    entry.sibling = offset.0;
                }
            }
            Role::Signature => {
                if let AttributeValue::DebugTypesRef(signature) = attribute.raw_value() {
                    entry.signature = Some(signature.0);
                }
            }
            Role::Location => entry.address = self.address(attribute)?,
        }
        Ok(())
    }

    /// An offset in the group.
    #[inline]
    fn reference(&mut self, attribute: &Attribute<Slice<'d, E>>) -> gimli::Result<u32> {
        let offset = match attribute.raw_value() {
            AttributeValue::UnitRef(offset) => u32::try_from(offset.0)
                .ok()
                .and_then(|offset| self.unit_base.checked_add(offset)),
            AttributeValue::DebugInfoRef(offset) => {
                let offset = offset.0 as u64;
                let is_inside = self.group.contains(&offset);
                self.crosses |= !is_inside;
                let offset = offset.checked_sub(self.group.start);
                offset.and_then(|offset| u32::try_from(offset).ok().filter(|_| is_inside))
            }
            AttributeValue::DebugTypesRef(signature) => {
                let offset = self.signatures.get(&signature.0).copied();
                self.crosses |= offset.is_none();
                offset
            }
            _ => None,
        };
        offset.ok_or(gimli::Error::UnsupportedAttributeForm(attribute.form()))
    }

    #[inline]
    fn name(&mut self, value: AttributeValue<Slice<'d, E>>) -> gimli::Result<Name> {
        let strings = self.sections.strings;
        match value {
            AttributeValue::String(text) => Ok(self.names.number(text.slice())),
            AttributeValue::DebugStrRef(offset) => Ok(self.name_at(strings, 0, offset.0)),
            AttributeValue::DebugLineStrRef(offset) => {
                Ok(self.name_at(self.sections.line_strings, LINE_STRINGS, offset.0))
            }
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let offset = self.sections.string_offsets.get_str_offset(
                    self.encoding.format,
                    self.bases.strings,
                    index,
                )?;
                Ok(self.name_at(strings, 0, offset.0))
            }
            _ => Ok(Name::NONE),
        }
    }

    #[inline]
    fn name_at(&mut self, strings: &'d [u8], section: u64, offset: usize) -> Name {
        let key = section | offset as u64;
        if let Some(name) = self.known.get(&key) {
            return *name;
        }
        let text = strings.get(offset..).unwrap_or_default();
        // A longer one counts as missing, and its end is not searched for.
        let window = text.get(..=LONGEST_NAME).unwrap_or(text);
        let text = memchr::memchr(0, window).and_then(|len| window.get(..len));
        let name = text.map_or(Name::NONE, |text| self.names.number(text));
        self.known.insert(key, name);
        name
    }

    /// A number, or (DWARF 2) an expression that adds one to the address of the structure.
    fn member_location(&self, attribute: &Attribute<Slice<'d, E>>) -> gimli::Result<u64> {
        if let Some(number) = attribute.udata_value() {
            return Ok(number);
        }
        let Some(expression) = attribute.exprloc_value() else {
            return Ok(0);
        };
        let mut operations = expression.operations(self.encoding);
        match operations.next()? {
            Some(
                gimli::Operation::PlusConstant { value }
                | gimli::Operation::UnsignedConstant { value },
            ) => Ok(value),
            // The location of a virtual base class is determined at run time.
            _ => Ok(0),
        }
    }

    /// The address of a variable that is at one fixed address.
    fn address(&self, attribute: &Attribute<Slice<'d, E>>) -> gimli::Result<Option<u64>> {
        let Some(expression) = attribute.exprloc_value() else {
            return Ok(None);
        };
        let mut operations = expression.operations(self.encoding);
        let address = match operations.next()? {
            Some(gimli::Operation::Address { address }) => address,
            Some(gimli::Operation::AddressIndex { index }) => self.sections.addresses.get_address(
                self.encoding.address_size,
                self.bases.addresses,
                index,
            )?,
            _ => return Ok(None),
        };
        Ok(operations.next()?.is_none().then_some(address))
    }
}

/// The highest index plus one. All bits set mean -1, the upper bound of an array without elements.
fn elements<E: Endianity>(attribute: &Attribute<Slice<'_, E>>) -> Option<u64> {
    match attribute.raw_value() {
        AttributeValue::Sdata(highest) => highest.checked_add(1)?.try_into().ok(),
        AttributeValue::Data4(u32::MAX) => Some(0),
        _ => attribute
            .udata_value()
            .map(|highest| highest.wrapping_add(1)),
    }
}

fn is_set<E: Endianity>(attribute: &Attribute<Slice<'_, E>>) -> bool {
    match attribute.raw_value() {
        AttributeValue::Flag(flag) => flag,
        _ => attribute.udata_value() == Some(1),
    }
}
