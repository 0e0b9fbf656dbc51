//! Abbreviations, decoded once: how their entries are handled, and which of their attributes are read.

use super::types::Shape;
use crate::keyed_hash::Table;
use gimli::{Abbreviation, AttributeSpecification, DwAt, DwTag};
use std::ops::Range;

/// `DW_TAG_LLVM_annotation`
const LLVM_ANNOTATION: DwTag = DwTag(0x6000);
/// `DW_TAG_APPLE_ptrauth_type`
const APPLE_PTRAUTH_TYPE: DwTag = DwTag(0x4300);

/// How an entry is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Base,
    /// A type that refers to another one.
    Reference(Shape),
    Composite(Shape),
    Enum,
    Enumerator,
    Member,
    /// A base class.
    Inheritance,
    Array,
    Subrange,
    /// A function type.
    Proto,
    Function,
    Parameter,
    Variadic,
    Variable,
    /// A clang tag (`btf_type_tag`, `btf_decl_tag`).
    Annotation,
    /// A type that BTF cannot express.
    Opaque,
    /// An entry that may contain types.
    Scope,
    /// An entry that contains no types.
    Inert,
}

impl What {
    fn of(tag: DwTag) -> Self {
        match tag {
            gimli::DW_TAG_base_type => Self::Base,
            gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_reference_type
            | gimli::DW_TAG_rvalue_reference_type => Self::Reference(Shape::Ptr),
            gimli::DW_TAG_const_type => Self::Reference(Shape::Const),
            gimli::DW_TAG_volatile_type => Self::Reference(Shape::Volatile),
            gimli::DW_TAG_restrict_type => Self::Reference(Shape::Restrict),
            gimli::DW_TAG_typedef | gimli::DW_TAG_template_alias => Self::Reference(Shape::Typedef),
            gimli::DW_TAG_unspecified_type
            | gimli::DW_TAG_atomic_type
            | gimli::DW_TAG_packed_type
            | gimli::DW_TAG_shared_type
            | gimli::DW_TAG_immutable_type
            | APPLE_PTRAUTH_TYPE => Self::Reference(Shape::Alias),
            gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_interface_type => Self::Composite(Shape::Struct),
            gimli::DW_TAG_union_type => Self::Composite(Shape::Union),
            gimli::DW_TAG_enumeration_type => Self::Enum,
            gimli::DW_TAG_enumerator => Self::Enumerator,
            gimli::DW_TAG_member => Self::Member,
            gimli::DW_TAG_inheritance => Self::Inheritance,
            gimli::DW_TAG_array_type => Self::Array,
            gimli::DW_TAG_subrange_type => Self::Subrange,
            gimli::DW_TAG_subroutine_type => Self::Proto,
            gimli::DW_TAG_subprogram => Self::Function,
            gimli::DW_TAG_formal_parameter => Self::Parameter,
            gimli::DW_TAG_unspecified_parameters => Self::Variadic,
            gimli::DW_TAG_variable => Self::Variable,
            LLVM_ANNOTATION => Self::Annotation,
            gimli::DW_TAG_ptr_to_member_type
            | gimli::DW_TAG_string_type
            | gimli::DW_TAG_set_type
            | gimli::DW_TAG_file_type
            | gimli::DW_TAG_coarray_type
            | gimli::DW_TAG_dynamic_type => Self::Opaque,
            gimli::DW_TAG_inlined_subroutine
            | gimli::DW_TAG_call_site
            | gimli::DW_TAG_GNU_call_site => Self::Inert,
            _ => Self::Scope,
        }
    }

    /// Whether its children may be skipped if it has the offset of its sibling.
    fn can_be_left_out(self) -> bool {
        matches!(self, Self::Function | Self::Inert)
    }

    fn is_type(self) -> bool {
        matches!(
            self,
            Self::Base
                | Self::Reference(_)
                | Self::Composite(_)
                | Self::Enum
                | Self::Array
                | Self::Proto
                | Self::Opaque
        )
    }
}

/// The meaning of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Name,
    Type,
    ByteSize,
    BitSize,
    /// Bits from the *upper* end of the storage unit, as in DWARF 2 and 3.
    BitOffset,
    DataBitOffset,
    MemberLocation,
    Encoding,
    Count,
    UpperBound,
    Value,
    Declaration,
    External,
    AbstractOrigin,
    Specification,
    Sibling,
    Signature,
    Location,
}

impl Role {
    /// `None` if the attribute is not used.
    fn of(what: What, attribute: DwAt) -> Option<Self> {
        use What as W;
        let (role, matters) = match attribute {
            gimli::DW_AT_name => (
                Self::Name,
                !matches!(
                    what,
                    W::Scope | W::Inert | W::Inheritance | W::Subrange | W::Variadic
                ),
            ),
            gimli::DW_AT_type => (
                Self::Type,
                !matches!(
                    what,
                    W::Scope | W::Inert | W::Base | W::Enum | W::Composite(_)
                ),
            ),
            gimli::DW_AT_byte_size => (Self::ByteSize, what.is_type() || what == W::Member),
            gimli::DW_AT_bit_size => (Self::BitSize, matches!(what, W::Base | W::Member)),
            gimli::DW_AT_bit_offset => (Self::BitOffset, what == W::Member),
            gimli::DW_AT_data_bit_offset => (Self::DataBitOffset, what == W::Member),
            gimli::DW_AT_data_member_location => (
                Self::MemberLocation,
                matches!(what, W::Member | W::Inheritance),
            ),
            gimli::DW_AT_encoding => (Self::Encoding, what == W::Base),
            gimli::DW_AT_count => (Self::Count, what == W::Subrange),
            gimli::DW_AT_upper_bound => (Self::UpperBound, what == W::Subrange),
            gimli::DW_AT_const_value => {
                (Self::Value, matches!(what, W::Enumerator | W::Annotation))
            }
            gimli::DW_AT_declaration => (Self::Declaration, true),
            gimli::DW_AT_external => (
                Self::External,
                matches!(what, W::Function | W::Variable | W::Member),
            ),
            gimli::DW_AT_abstract_origin => (
                Self::AbstractOrigin,
                matches!(what, W::Function | W::Variable),
            ),
            gimli::DW_AT_specification => (
                Self::Specification,
                matches!(what, W::Function | W::Variable),
            ),
            gimli::DW_AT_sibling => (Self::Sibling, what.can_be_left_out()),
            gimli::DW_AT_signature => (Self::Signature, what.is_type()),
            gimli::DW_AT_location => (Self::Location, what == W::Variable),
            _ => return None,
        };
        matters.then_some(role)
    }
}

/// One step of reading an entry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Read(Role, AttributeSpecification),
    /// Attributes that are not used.
    Skip(usize, usize),
}

/// How entries with an abbreviation are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) what: What,
    pub(super) has_children: bool,
    first: u32,
    count: u32,
}

/// The abbreviations of a unit that have been used.
#[derive(Debug, Default)]
pub(super) struct Plans {
    /// By code: compilers number them from one.
    dense: Vec<Option<Plan>>,
    others: Table<u64, Plan>,
    steps: Vec<Step>,
    skipped: Vec<AttributeSpecification>,
}

/// Units have a few hundred abbreviations.
const DENSE: usize = 4096;

impl Plans {
    /// Removes those of another unit.
    pub(super) fn clear(&mut self) {
        self.dense.clear();
        self.others.clear();
        self.steps.clear();
        self.skipped.clear();
    }

    pub(super) fn of(&mut self, abbreviation: &Abbreviation) -> Plan {
        let code = abbreviation.code();
        let index = usize::try_from(code).unwrap_or(usize::MAX);
        if let Some(Some(plan)) = self.dense.get(index) {
            return *plan;
        }
        if let Some(plan) = self.others.get(&code) {
            return *plan;
        }
        let plan = self.make(abbreviation);
        if index < DENSE {
            if self.dense.len() <= index {
                self.dense.resize(index + 1, None);
            }
            if let Some(place) = self.dense.get_mut(index) {
                *place = Some(plan);
            }
        } else {
            self.others.insert(code, plan);
        }
        plan
    }

    fn make(&mut self, abbreviation: &Abbreviation) -> Plan {
        let what = What::of(abbreviation.tag());
        let first = self.steps.len();
        for attribute in abbreviation.attributes() {
            if let Some(role) = Role::of(what, attribute.name()) {
                self.steps.push(Step::Read(role, *attribute));
                continue;
            }
            let end = self.skipped.len() + 1;
            self.skipped.push(*attribute);
            let has_steps = self.steps.len() > first;
            match self.steps.last_mut().filter(|_| has_steps) {
                Some(Step::Skip(_, to)) => *to = end,
                _ => self.steps.push(Step::Skip(end - 1, end)),
            }
        }
        let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        Plan {
            what,
            has_children: abbreviation.has_children(),
            first: number(first),
            count: number(self.steps.len() - first),
        }
    }

    pub(super) fn steps(&self, plan: Plan) -> &[Step] {
        let first = plan.first as usize;
        let steps = self.steps.get(first..);
        let steps = steps.and_then(|steps| steps.get(..plan.count as usize));
        steps.unwrap_or_default()
    }

    pub(super) fn skipped(&self, range: Range<usize>) -> &[AttributeSpecification] {
        self.skipped.get(range).unwrap_or_default()
    }
}
