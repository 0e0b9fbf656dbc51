//! Structures and unions: their members, the padding between them, and the asserts.

use super::Definitions;
use super::bits::Bitfield;
use super::expression::{Class, Expression, Facts};
use super::layout::{self, Field, Layout, Shape, Slot};
use super::names::bare;
use crate::TypeId;
use crate::btf::show::names::Space;
use std::borrow::Cow;
use std::fmt::Write as _;

/// A structure or union to write.
pub(super) struct Body<'b> {
    pub(super) id: TypeId,
    pub(super) name: Cow<'b, str>,
    /// Its declaration in C.
    pub(super) remark: String,
    /// Size in bytes.
    pub(super) size: u64,
    pub(super) parts: Vec<Part<'b>>,
    /// The names of its members.
    pub(super) taken: Space<'b>,
}

/// A member.
pub(super) struct Part<'b> {
    pub(super) name: Cow<'b, str>,
    pub(super) is_unnamed: bool,
    /// Offset in bits.
    pub(super) offset: u64,
    pub(super) width: Width,
    pub(super) ty: Expression<'b>,
    /// Its declaration in C.
    pub(super) remark: Option<String>,
}

/// How much of its type a member uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Whole,
    /// This many bits, with accessors.
    Bits(u32),
    /// This many bits of a type that is not a number of at most 64 bits.
    BitsWithoutAccess(u32),
}

/// Whether bits of this type can be represented as a number.
pub(super) fn is_wide(ty: &Expression<'_>, width: u32) -> bool {
    let bits = ty.facts.size.saturating_mul(8).min(64);
    ty.class != Class::Other && (1..=bits).contains(&u64::from(width))
}

impl Part<'_> {
    fn slot(&self, index: usize) -> Slot {
        let shape = match self.width {
            Width::Whole => Shape::Plain {
                size: self.ty.facts.size,
                align: self.ty.facts.align,
            },
            Width::Bits(width) | Width::BitsWithoutAccess(width) => Shape::Bits(width),
        };
        Slot {
            index,
            offset: self.offset,
            shape,
        }
    }

    /// Whether it is a direct member of a union.
    fn is_plain(&self, size: u64) -> bool {
        self.width == Width::Whole && self.offset == 0 && self.ty.facts.size <= size
    }

    fn remark(&self, text: &mut String) {
        let _ = match (&self.remark, self.is_unnamed) {
            (Some(remark), false) => writeln!(text, "    /// `{remark}`"),
            (Some(remark), true) => writeln!(text, "    /// `{remark}`, without a name"),
            (None, true) => writeln!(text, "    /// Without a name."),
            (None, false) => Ok(()),
        };
    }
}

impl<'b> Definitions<'b> {
    pub(super) fn structure(&mut self, mut body: Body<'b>) -> Facts {
        let slots = (0..).zip(&body.parts).map(|(index, part)| part.slot(index));
        let layout = layout::structure(slots.collect(), body.size);
        let mut facts = Facts::plain(body.size, layout.align);
        let (mut fields, mut methods, mut asserts) = (String::new(), String::new(), String::new());
        let mut functions = Space::default();
        let (mut gaps, mut storages) = (0_u32, 0_u32);
        for field in &layout.fields {
            match field {
                Field::Gap(bytes) => {
                    let name = body.taken.take(format!("_pad{gaps}").into());
                    gaps = gaps.saturating_add(1);
                    let _ = writeln!(fields, "    pub {name}: [u8; {bytes}],");
                }
                Field::Member(index) => {
                    let Some(part) = body.parts.get(*index) else {
                        continue;
                    };
                    part.remark(&mut fields);
                    let (name, ty) = (&part.name, &part.ty.text);
                    let _ = writeln!(fields, "    pub {name}: {ty},");
                    facts.has_bool |= part.ty.facts.has_bool;
                    facts.has_union |= part.ty.facts.has_union;
                    assert_offset(&mut asserts, &body.name, name, part.offset / 8);
                }
                Field::Bits {
                    start,
                    len,
                    members,
                } => {
                    let name = body.taken.take(format!("_bits{storages}").into());
                    storages = storages.saturating_add(1);
                    let _ = writeln!(fields, "    pub {name}: [u8; {len}],");
                    assert_offset(&mut asserts, &body.name, &name, *start);
                    for part in members.iter().filter_map(|index| body.parts.get(*index)) {
                        accessors(part, &name, *start, &mut functions, &mut methods);
                    }
                }
            }
            self.budget.spend(body.id, 64);
        }
        self.left_out(&body, &layout);
        self.head(&body, "struct", layout.packed, facts);
        self.text.push_str(&fields);
        self.text.push_str("}\n");
        if !methods.is_empty() {
            let _ = writeln!(self.text, "impl {} {{\n{methods}}}", body.name);
        }
        self.asserts(&body, &asserts);
        facts
    }

    pub(super) fn union(&mut self, mut body: Body<'b>) -> Facts {
        let mut largest = 0;
        let mut facts = Facts {
            has_union: true,
            ..Facts::plain(body.size, 1)
        };
        let mut left_out = Vec::new();
        let mut members = Vec::new();
        let parts = std::mem::take(&mut body.parts);
        for (index, part) in parts.into_iter().enumerate() {
            let part = if part.is_plain(body.size) {
                part
            } else if let Some(lane) = self.lane(&body, part) {
                lane
            } else {
                left_out.push(index);
                continue;
            };
            largest = largest.max(part.ty.facts.size);
            facts.align = facts.align.max(part.ty.facts.align);
            facts.has_bool |= part.ty.facts.has_bool;
            members.push(part);
        }
        let packed = !body.size.is_multiple_of(u64::from(facts.align));
        if packed {
            facts.align = 1;
        }
        let (mut fields, mut asserts) = (String::new(), String::new());
        for part in &members {
            part.remark(&mut fields);
            let (name, ty) = (&part.name, &part.ty.text);
            let _ = writeln!(fields, "    pub {name}: {ty},");
            assert_offset(&mut asserts, &body.name, name, 0);
            self.budget.spend(body.id, 64);
        }
        if largest < body.size || members.is_empty() {
            let name = body.taken.take("_size".into());
            let _ = writeln!(fields, "    pub {name}: [u8; {}],", body.size);
        }
        self.head(&body, "union", packed, facts);
        self.text.push_str(&fields);
        let (name, shown) = (&body.name, bare(&body.name));
        let _ = write!(
            self.text,
            "}}\nimpl ::core::fmt::Debug for {name} {{\n    fn fmt(&self, formatter_: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n        \
             formatter_.debug_struct(\"{shown}\").finish_non_exhaustive()\n    }}\n}}\n"
        );
        self.asserts(&body, &asserts);
        facts
    }

    /// A structure around a member of a union that is a bitfield, or that has a nonzero offset; `None` if it does not fit into
    /// it.
    fn lane(&mut self, union: &Body<'b>, part: Part<'b>) -> Option<Part<'b>> {
        let end = match part.width {
            Width::Whole => part
                .offset
                .checked_add(part.ty.facts.size.checked_mul(8)?)?,
            Width::Bits(width) | Width::BitsWithoutAccess(width) => {
                part.offset.checked_add(u64::from(width))?
            }
        };
        let size = end.div_ceil(8);
        let at_byte = part.offset.is_multiple_of(8);
        if size > union.size || part.width == Width::Whole && !at_byte {
            return None;
        }
        let name = self.names.take_after(&union.name, &part.name, union.id);
        let mut taken = Space::default();
        taken.take(part.name.clone());
        let of_union = part.name.clone();
        let is_unnamed = part.is_unnamed;
        let facts = self.structure(Body {
            id: union.id,
            name: name.clone(),
            remark: format!("{}::{}", union.name, bare(&of_union)),
            size,
            parts: vec![part],
            taken,
        });
        Some(Part {
            name: of_union,
            is_unnamed,
            offset: 0,
            width: Width::Whole,
            ty: Expression {
                text: name,
                facts,
                class: Class::Other,
            },
            remark: None,
        })
    }

    /// Describes in comments what a structure has no member for.
    fn left_out(&mut self, body: &Body<'b>, layout: &Layout) {
        for part in layout
            .left_out
            .iter()
            .filter_map(|index| body.parts.get(*index))
        {
            let (byte, bit) = (part.offset / 8, part.offset % 8);
            let (name, ty) = (bare(&part.name), &part.ty.text);
            self.budget.spend(body.id, 64);
            let _ = writeln!(
                self.text,
                "// Not a member of {}: `{name}` ({ty}), at byte {byte}, bit {bit}, which lies upon others or beyond the end.",
                body.name
            );
        }
    }

    /// Everything before the members.
    fn head(&mut self, body: &Body<'b>, keyword: &str, packed: bool, facts: Facts) {
        let Body {
            name, remark, size, ..
        } = body;
        self.budget.spend(body.id, name.len().saturating_mul(3));
        let repr = if packed { "C, packed" } else { "C" };
        let debug = if keyword == "union" { "" } else { "Debug, " };
        let from = if facts.has_bool {
            "FromZeros"
        } else {
            "FromBytes"
        };
        let into = if facts.has_union { "" } else { "IntoBytes, " };
        let _ = write!(
            self.text,
            "/// `{remark}`: {size} bytes.\n#[repr({repr})]\n\
             #[derive({debug}Clone, Copy, {from}, {into}Immutable, KnownLayout)]\npub {keyword} {name} {{\n"
        );
    }

    fn asserts(&mut self, body: &Body<'b>, asserts: &str) {
        let Body { name, size, .. } = body;
        let _ = write!(
            self.text,
            "const _: () = {{\n    assert!(::core::mem::size_of::<{name}>() == {size});\n{asserts}}};\n\n"
        );
    }
}

fn assert_offset(text: &mut String, of: &str, member: &str, bytes: u64) {
    let _ = writeln!(
        text,
        "    assert!(::core::mem::offset_of!({of}, {member}) == {bytes});"
    );
}

/// The accessors of a bitfield, in bytes that start here.
fn accessors<'b>(
    part: &Part<'b>,
    storage: &str,
    start: u64,
    functions: &mut Space<'b>,
    methods: &mut String,
) {
    let Width::Bits(width) = part.width else {
        return;
    };
    let getter = functions.take(part.name.clone());
    let setter = functions.take(format!("set_{}", bare(&part.name)).into());
    part.remark(methods);
    let bitfield = Bitfield {
        storage,
        first: part.offset.saturating_sub(start.saturating_mul(8)),
        width,
        ty: &part.ty,
        getter: &getter,
        setter: &setter,
    };
    bitfield.write(methods);
}
