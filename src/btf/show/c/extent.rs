//! The sizes of types as written, and the layout of their members.

use super::Definitions;
use super::integer;
use super::layout::{self, Extent, Layout, Slot};
use crate::TypeId;
use crate::btf::show::place::place;
use crate::btf::{Kind, Member, Type};

/// The maximum nesting of anonymous structures; compilers allow a few hundred levels.
pub(super) const DEEPEST: usize = 48;

/// The maximum length of a chain of pointers, qualifiers, typedefs and arrays.
pub(super) const LONGEST_CHAIN: usize = 256;

/// Compilers do not accept larger types.
const LARGEST: u64 = 1 << 46;

/// How a member is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// With its own type.
    Own,
    /// As an array of bytes, because its type is never complete.
    Bytes(u64),
    /// As a bitfield of the widest integer, because its type is not an integer.
    Wide,
}

/// The type of variable arguments, which is built into each compiler.
pub(super) const VA_LIST: &str = "__builtin_va_list";

impl<'b> Definitions<'b> {
    /// Size and alignment of a type as written; `None` if it is incomplete in C at this point.
    pub(super) fn extent(&mut self, id: TypeId, depth: usize) -> Option<Extent> {
        let mut elements: u64 = 1;
        let mut now = id;
        for _ in 0..LONGEST_CHAIN {
            self.spend(now, 1);
            if self.is_exhausted() {
                return None;
            }
            let ty = self.btf.get(now).ok()?;
            now = match ty.kind() {
                Kind::Typedef if ty.name() == VA_LIST => return times(VA_LIST_EXTENT, elements),
                Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag | Kind::Typedef => {
                    ty.target()?
                }
                Kind::Array => {
                    let array = ty.array()?;
                    elements = elements.checked_mul(u64::from(array.len))?;
                    array.element
                }
                _ => return times(self.own_extent(&ty, depth)?, elements),
            };
        }
        None
    }

    fn own_extent(&mut self, ty: &Type<'b>, depth: usize) -> Option<Extent> {
        let of_scalar = |size: u32| Extent {
            size: u64::from(size),
            align: size.clamp(1, 16),
        };
        match ty.kind() {
            Kind::Ptr => Some(of_scalar(8)),
            Kind::Int => Some(of_scalar(integer::size(ty))),
            Kind::Float => Some(of_scalar(integer::float_size(ty))),
            Kind::Enum | Kind::Enum64 if ty.vlen() > 0 => Some(of_scalar(integer::enum_size(ty))),
            Kind::Struct | Kind::Union => {
                if let Some(extent) = self.extents.get(&ty.id()) {
                    return Some(*extent);
                }
                // A named one is known once it has been written.
                if !ty.name().is_empty() || depth > DEEPEST {
                    return None;
                }
                // Recursion ends here.
                let nothing = Extent { size: 0, align: 1 };
                self.extents.insert(ty.id(), nothing);
                let extent = self.layout(ty, depth).extent;
                self.extents.insert(ty.id(), extent);
                Some(extent)
            }
            _ => None,
        }
    }

    /// The layout of a structure or union whose member types have been written.
    pub(super) fn layout(&mut self, ty: &Type<'b>, depth: usize) -> Layout {
        let members = ty.nameless_members();
        let mut slots = Vec::with_capacity(members.len());
        for (index, member) in members.enumerate() {
            slots.push(self.slot(index, &member, depth.saturating_add(1)));
        }
        let size = u64::from(ty.size_field());
        match ty.kind() {
            Kind::Union => layout::union(&slots, size),
            _ => layout::structure(&slots, size),
        }
    }

    fn slot(&mut self, index: usize, member: &Member<'b>, depth: usize) -> Slot {
        let (form, extent, place) = self.form(member, depth);
        let (offset, width) = place;
        let extent = match form {
            Form::Own => extent,
            Form::Bytes(size) => Extent { size, align: 1 },
            Form::Wide => Extent { size: 8, align: 8 },
        };
        Slot {
            index,
            offset,
            extent,
            width,
        }
    }

    /// How a member is written, the extent of its own type, and its offset and width in bits.
    pub(super) fn form(
        &mut self,
        member: &Member<'b>,
        depth: usize,
    ) -> (Form, Extent, (u64, Option<u32>)) {
        let (offset, width) = place(self.btf, member);
        let bytes = |size| (Form::Bytes(size), Extent { size, align: 1 }, (offset, None));
        let own = self.extent(member.type_id, depth);
        match (own, width) {
            (Some(extent), None) => (Form::Own, extent, (offset, None)),
            (None, None) => bytes(self.btf.size_of(member.type_id).map_or(0, u64::from)),
            (own, Some(width)) => {
                let resolved = self.btf.get(member.type_id).and_then(|ty| ty.resolved());
                let most = resolved.map_or(0, |ty| integer::most_bits(&ty));
                match own {
                    Some(extent) if width <= most => (Form::Own, extent, (offset, Some(width))),
                    _ if width <= 64 => {
                        let extent = Extent { size: 8, align: 8 };
                        (Form::Wide, extent, (offset, Some(width)))
                    }
                    _ => bytes(u64::from(width.div_ceil(8))),
                }
            }
        }
    }
}

/// On x86-64; on other targets a structure that contains one has a different size than in the kernel.
const VA_LIST_EXTENT: Extent = Extent { size: 24, align: 8 };

fn times(extent: Extent, elements: u64) -> Option<Extent> {
    let size = extent.size.checked_mul(elements)?;
    (size <= LARGEST).then_some(Extent { size, ..extent })
}
