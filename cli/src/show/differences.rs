//! The differences between two sets of types, as text and as JSON.

use crate::show::escape;
use rawbpf::btf::diff::{Change, Changed, Diff, Named, Place};
use rawbpf::btf::{IntEncoding, Kind, Linkage};
use serde::Serialize;
use std::io::{self, Write};

/// Prints added, removed and changed types, each group under its title; nothing if nothing changed.
pub(crate) fn print(out: &mut impl Write, diff: &Diff) -> io::Result<()> {
    for (title, types) in [("added", &diff.added), ("removed", &diff.removed)] {
        if !types.is_empty() {
            writeln!(out, "{title}:")?;
        }
        for named in types {
            writeln!(out, "  {}", title_of(named))?;
        }
    }
    if !diff.changed.is_empty() {
        writeln!(out, "changed:")?;
    }
    diff.changed
        .iter()
        .try_for_each(|changed| print_changed(out, changed))
}

fn print_changed(out: &mut impl Write, changed: &Changed) -> io::Result<()> {
    writeln!(out, "  {}:", title_of(&changed.of))?;
    for change in &changed.changes {
        match change {
            Change::Size { old, new } => writeln!(out, "    size: {old} -> {new}")?,
            Change::Member { name, old, new } => {
                print_member(out, name, old.as_ref(), new.as_ref())?;
            }
            Change::Constant { name, old, new } => {
                let name = escape::name(name);
                match (old, new) {
                    (Some(old), Some(new)) => writeln!(out, "    {name}: {old} -> {new}")?,
                    (Some(old), None) => writeln!(out, "    - {name} = {old}")?,
                    (None, Some(new)) => writeln!(out, "    + {name} = {new}")?,
                    (None, None) => {}
                }
            }
            Change::Declaration { old, new } if old == new => {
                writeln!(out, "    changed within: {}", escape::name(old))?;
            }
            Change::Declaration { old, new } => {
                writeln!(out, "    - {}", escape::name(old))?;
                writeln!(out, "    + {}", escape::name(new))?;
            }
            Change::Encoding { old, new } => {
                writeln!(
                    out,
                    "    encoding: {} -> {}",
                    encoding(*old),
                    encoding(*new)
                )?;
            }
            Change::Signedness { old, new } => {
                writeln!(out, "    constants: {} -> {}", sign(*old), sign(*new))?;
            }
            Change::Linkage { old, new } => {
                writeln!(out, "    linkage: {} -> {}", linkage(*old), linkage(*new))?;
            }
            Change::Tag {
                tag,
                component,
                is_new,
            } => {
                let sign = if *is_new { '+' } else { '-' };
                let of = component.map_or(String::new(), |index| format!(" (of number {index})"));
                writeln!(out, "    {sign} tag {}{of}", escape::name(tag))?;
            }
            _ => writeln!(out, "    changed otherwise")?,
        }
    }
    Ok(())
}

fn print_member(
    out: &mut impl Write,
    name: &str,
    old: Option<&Place>,
    new: Option<&Place>,
) -> io::Result<()> {
    let name = if name.is_empty() {
        "(anonymous)".into()
    } else {
        escape::name(name)
    };
    let whole = |place: &Place| {
        format!(
            "{}, {}, {}",
            offset(place),
            width(place),
            escape::name(&place.ty)
        )
    };
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (Some(old), None) => return writeln!(out, "    - {name}: {}", whole(old)),
        (None, Some(new)) => return writeln!(out, "    + {name}: {}", whole(new)),
        (None, None) => return Ok(()),
    };
    let mut parts = Vec::new();
    if old.bit_offset != new.bit_offset {
        let to = offset(new);
        let to = to.strip_prefix("offset ").unwrap_or(&to);
        parts.push(format!("{} -> {to}", offset(old)));
    }
    if (old.bits, old.is_bitfield) != (new.bits, new.is_bitfield) {
        parts.push(format!("{} -> {}", width(old), width(new)).replace(" bytes -> ", " -> "));
    }
    if old.ty != new.ty {
        parts.push(format!(
            "{} -> {}",
            escape::name(&old.ty),
            escape::name(&new.ty)
        ));
    }
    if parts.is_empty() {
        parts.push(format!("changed within {}", escape::name(&old.ty)));
    }
    writeln!(out, "    {name}: {}", parts.join(", "))
}

/// `offset 16`, `offset 16 bit 3`
fn offset(place: &Place) -> String {
    let (byte, bit) = (place.bit_offset / 8, place.bit_offset % 8);
    if place.is_bitfield || bit != 0 {
        format!("offset {byte} bit {bit}")
    } else {
        format!("offset {byte}")
    }
}

fn width(place: &Place) -> String {
    match place.bits {
        None => "no size".into(),
        Some(1) => "1 bit".into(),
        Some(8) if !place.is_bitfield => "1 byte".into(),
        Some(bits) if place.is_bitfield || bits % 8 != 0 => format!("{bits} bits"),
        Some(bits) => format!("{} bytes", bits / 8),
    }
}

/// Its title, as in a C declaration.
fn title_of(named: &Named) -> String {
    let name = escape::name(&named.name);
    let word = word(named.kind);
    if named.is_anonymous {
        format!("{word} {{ {name}, ... }}")
    } else if named.kind == Kind::Fwd {
        format!("{word} {name};")
    } else {
        format!("{word} {name}")
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Struct => "struct",
        Kind::Union => "union",
        Kind::Enum | Kind::Enum64 => "enum",
        Kind::Typedef => "typedef",
        Kind::Func => "function",
        Kind::Var => "variable",
        Kind::Datasec => "section",
        Kind::Int => "integer",
        Kind::Float => "float",
        Kind::Fwd => "declaration of",
        other => other.name(),
    }
}

fn encoding(of: IntEncoding) -> String {
    let mut words = vec![if of.signed { "signed" } else { "unsigned" }];
    words.extend(of.char.then_some("character"));
    words.extend(of.bool.then_some("boolean"));
    format!(
        "{}, bits {} to {}",
        words.join(" "),
        of.offset,
        u16::from(of.offset).saturating_add(of.bits.into())
    )
}

fn sign(is_signed: bool) -> &'static str {
    if is_signed { "signed" } else { "unsigned" }
}

fn linkage(of: Linkage) -> String {
    match of {
        Linkage::Static => "static".into(),
        Linkage::Global => "global".into(),
        Linkage::Extern => "extern".into(),
        other => format!("{other:?}"),
    }
}

/// The field names are an interface: other tools read them.
#[derive(Serialize)]
pub(crate) struct DiffJson<'d> {
    added: Vec<NamedJson<'d>>,
    removed: Vec<NamedJson<'d>>,
    changed: Vec<ChangedJson<'d>>,
}

#[derive(Serialize)]
struct NamedJson<'d> {
    kind: &'static str,
    name: &'d str,
    /// Whether it is anonymous: `name` is then that of its first constant.
    anonymous: bool,
}

#[derive(Serialize)]
struct ChangedJson<'d> {
    #[serde(flatten)]
    of: NamedJson<'d>,
    changes: Vec<ChangeJson<'d>>,
}

#[derive(Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
enum ChangeJson<'d> {
    Size {
        old: u32,
        new: u32,
    },
    Member {
        name: &'d str,
        old: Option<PlaceJson<'d>>,
        new: Option<PlaceJson<'d>>,
    },
    Constant {
        name: &'d str,
        old: Option<i128>,
        new: Option<i128>,
    },
    Declaration {
        old: &'d str,
        new: &'d str,
    },
    Encoding {
        old: String,
        new: String,
    },
    Signedness {
        old: &'static str,
        new: &'static str,
    },
    Linkage {
        old: String,
        new: String,
    },
    Tag {
        tag: &'d str,
        component: Option<u32>,
        added: bool,
    },
    Other,
}

#[derive(Serialize)]
struct PlaceJson<'d> {
    #[serde(rename = "type")]
    ty: &'d str,
    bit_offset: u64,
    bits: Option<u64>,
    bitfield: bool,
}

impl<'d> From<&'d Named> for NamedJson<'d> {
    fn from(named: &'d Named) -> Self {
        Self {
            kind: named.kind.name(),
            name: &named.name,
            anonymous: named.is_anonymous,
        }
    }
}

impl<'d> From<&'d Place> for PlaceJson<'d> {
    fn from(place: &'d Place) -> Self {
        Self {
            ty: &place.ty,
            bit_offset: place.bit_offset,
            bits: place.bits,
            bitfield: place.is_bitfield,
        }
    }
}

impl<'d> From<&'d Change> for ChangeJson<'d> {
    fn from(change: &'d Change) -> Self {
        match change {
            Change::Size { old, new } => Self::Size {
                old: *old,
                new: *new,
            },
            Change::Member { name, old, new } => Self::Member {
                name,
                old: old.as_ref().map(Into::into),
                new: new.as_ref().map(Into::into),
            },
            Change::Constant { name, old, new } => Self::Constant {
                name,
                old: *old,
                new: *new,
            },
            Change::Declaration { old, new } => Self::Declaration { old, new },
            Change::Encoding { old, new } => Self::Encoding {
                old: encoding(*old),
                new: encoding(*new),
            },
            Change::Signedness { old, new } => Self::Signedness {
                old: sign(*old),
                new: sign(*new),
            },
            Change::Linkage { old, new } => Self::Linkage {
                old: linkage(*old),
                new: linkage(*new),
            },
            Change::Tag {
                tag,
                component,
                is_new,
            } => Self::Tag {
                tag,
                component: *component,
                added: *is_new,
            },
            _ => Self::Other,
        }
    }
}

impl<'d> From<&'d Diff> for DiffJson<'d> {
    fn from(diff: &'d Diff) -> Self {
        let changed = diff.changed.iter().map(|changed| ChangedJson {
            of: (&changed.of).into(),
            changes: changed.changes.iter().map(Into::into).collect(),
        });
        Self {
            added: diff.added.iter().map(Into::into).collect(),
            removed: diff.removed.iter().map(Into::into).collect(),
            changed: changed.collect(),
        }
    }
}
