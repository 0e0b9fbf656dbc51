//! Structures and unions: their members, the padding between them, and the asserts.

use super::Definitions;
use super::bits::{Bitfield, Variant};
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

    /// Whether it lies in a union of this many bytes, and starts at a byte unless it is a bitfield.
    fn is_within(&self, size: u64) -> bool {
        let (bits, is_placed) = match self.width {
            Width::Whole => (
                self.ty.facts.size.saturating_mul(8),
                self.offset.is_multiple_of(8),
            ),
            Width::Bits(width) | Width::BitsWithoutAccess(width) => (u64::from(width), true),
        };
        is_placed && self.offset.saturating_add(bits) <= size.saturating_mul(8)
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
                    facts.has_pointer |= part.ty.facts.has_pointer;
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
        self.head(&body, layout.packed, facts);
        self.text.push_str(&fields);
        self.text.push_str("}\n");
        self.tail(&body, &methods, &asserts, facts);
        facts
    }

    /// A union is bytes with functions that read and write them as one of its members.
    pub(super) fn union(&mut self, body: &Body<'b>) -> Facts {
        let fits = |part: &&Part<'b>| part.is_within(body.size);
        let most = body.parts.iter().filter(fits);
        let most = most.map(|part| part.ty.facts.align).max().unwrap_or(1);
        // Rust's alignment is that of the storage.
        let align = if body.size.is_multiple_of(u64::from(most)) {
            most
        } else {
            1
        };
        let mut facts = Facts::plain(body.size, align);
        let (mut functions, mut methods) = (Space::default(), String::new());
        for part in &body.parts {
            if part.is_within(body.size) {
                facts.has_pointer |= part.ty.facts.has_pointer;
                self.variant(body.id, part, &mut functions, &mut methods);
            } else {
                self.not_a_member(body, part);
            }
        }
        self.head(body, false, facts);
        let (bits, count) = (align.saturating_mul(8), body.size / u64::from(align));
        let _ = writeln!(self.text, "    pub _storage: [u{bits}; {count}],\n}}");
        self.tail(body, &methods, "", facts);
        facts
    }

    /// The functions for a member of a union.
    fn variant(
        &mut self,
        id: TypeId,
        part: &Part<'b>,
        functions: &mut Space<'b>,
        methods: &mut String,
    ) {
        self.budget.spend(id, part.name.len().saturating_add(200));
        let getter = functions.take(part.name.clone());
        let setter = functions.take(format!("set_{}", bare(&part.name)).into());
        let (width, is_number) = match part.width {
            Width::Whole => (8, part.ty.class == Class::Bool),
            Width::Bits(width) => (width, true),
            Width::BitsWithoutAccess(_) => return,
        };
        part.remark(methods);
        if is_number {
            let number = Bitfield {
                bytes: "self._storage.as_bytes()",
                bytes_mut: "self._storage.as_mut_bytes()",
                is_const: false,
                first: part.offset,
                width,
                ty: &part.ty,
                getter: &getter,
                setter: &setter,
            };
            number.write(methods);
        } else {
            let variant = Variant {
                start: part.offset / 8,
                ty: &part.ty,
                getter: &getter,
                setter: &setter,
            };
            variant.write(methods);
        }
    }

    /// Describes in comments what a structure has no member for.
    fn left_out(&mut self, body: &Body<'b>, layout: &Layout) {
        for part in layout
            .left_out
            .iter()
            .filter_map(|index| body.parts.get(*index))
        {
            self.not_a_member(body, part);
        }
    }

    fn not_a_member(&mut self, body: &Body<'b>, part: &Part<'b>) {
        let (byte, bit) = (part.offset / 8, part.offset % 8);
        let (name, ty) = (bare(&part.name), &part.ty.text);
        self.budget.spend(body.id, 64);
        let _ = writeln!(
            self.text,
            "// Not a member of {}: `{name}` ({ty}), at byte {byte}, bit {bit}, which lies upon others or beyond the end.",
            body.name
        );
    }

    /// Everything before the members.
    fn head(&mut self, body: &Body<'b>, packed: bool, facts: Facts) {
        let Body {
            name, remark, size, ..
        } = body;
        let repr = if packed { "C, packed" } else { "C" };
        let from = if facts.has_bool {
            "FromZeros"
        } else {
            "FromBytes"
        };
        let traits = [
            "Debug",
            "Clone",
            "Copy",
            from,
            "IntoBytes",
            "Immutable",
            "KnownLayout",
        ];
        let derives = self.uses.derives(&traits);
        let zerocopy = self.zerocopy();
        let len = name.len().saturating_mul(3).saturating_add(derives.len());
        self.budget.spend(body.id, len);
        let _ = write!(
            self.text,
            "/// `{remark}`: {size} bytes.\n#[repr({repr})]\n#[derive({derives})]\n{zerocopy}pub struct {name} {{\n"
        );
    }

    /// Everything after the members.
    fn tail(&mut self, body: &Body<'b>, methods: &str, asserts: &str, facts: Facts) {
        let Body { name, size, .. } = body;
        if !methods.is_empty() {
            let _ = writeln!(self.text, "impl {name} {{\n{methods}}}");
        }
        let _ = writeln!(
            self.text,
            "const _: () = {{\n    assert!(::core::mem::size_of::<{name}>() == {size});\n{asserts}}};"
        );
        self.traits(name, facts);
        self.text.push('\n');
    }

    /// Where the derives of zerocopy find it.
    pub(super) fn zerocopy(&self) -> &'static str {
        if self.uses.rawbpf {
            "#[zerocopy(crate = \"::rawbpf::zerocopy\")]\n"
        } else {
            ""
        }
    }

    /// The traits of `rawbpf` for a type.
    pub(super) fn traits(&mut self, name: &str, facts: Facts) {
        if self.uses.rawbpf {
            let _ = writeln!(self.text, "impl ::rawbpf::btf::Layout for {name} {{}}");
            if !facts.has_pointer {
                let _ = writeln!(self.text, "impl ::rawbpf::ring::PlainEvent for {name} {{}}");
            }
        }
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
        bytes: &format!("&self.{storage}"),
        bytes_mut: &format!("&mut self.{storage}"),
        is_const: true,
        first: part.offset.saturating_sub(start.saturating_mul(8)),
        width,
        ty: &part.ty,
        getter: &getter,
        setter: &setter,
    };
    bitfield.write(methods);
}
