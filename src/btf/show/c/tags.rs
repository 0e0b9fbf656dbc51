//! Tags, which become attributes. Their text is untrusted: it must not end the attribute, or the comment that contains it.

use crate::TypeId;
use crate::btf::Type;
use crate::keyed_hash::Table;
use std::fmt::Write as _;

/// The tags of declarations: of the whole declaration (`None`), or of one of its members.
#[derive(Default)]
pub(super) struct Tags<'b>(Table<(TypeId, Option<u32>), Vec<&'b str>>);

/// How many tags of one declaration are kept. Compilers emit one or two.
const MOST: usize = 16;

impl<'b> Tags<'b> {
    pub(super) fn add(&mut self, ty: &Type<'b>) {
        let Some(target) = ty.target() else { return };
        let tags = self.0.entry((target, ty.tag_component())).or_default();
        if tags.len() < MOST {
            tags.push(ty.name());
        }
    }

    /// The tags of a declaration, or of a component of it.
    pub(super) fn of(&self, id: TypeId, component: Option<u32>) -> &[&'b str] {
        self.0.get(&(id, component)).map_or(&[], Vec::as_slice)
    }

    /// Whether the whole declaration has this tag.
    pub(super) fn has(&self, id: TypeId, tag: &str) -> bool {
        self.of(id, None).contains(&tag)
    }

    /// As attributes, each preceded by a space.
    pub(super) fn attributes(&self, id: TypeId, component: Option<u32>) -> String {
        let mut text = String::new();
        for tag in self.of(id, component) {
            // Writing to a string does not fail.
            let _ = write!(text, " __attribute__((btf_decl_tag(\"{}\")))", quoted(tag));
        }
        text
    }
}

/// The attribute of a tagged type: `btf_type_tag`, or for tags with the flag the attribute that they name; empty if they name
/// none.
pub(super) fn of_type(ty: &Type<'_>) -> String {
    let name = ty.name();
    if !ty.kflag() {
        return format!(" __attribute__((btf_type_tag(\"{}\")))", quoted(name));
    }
    let (attribute, argument) = match name.split_once('(') {
        Some((attribute, rest)) => (attribute, rest.strip_suffix(')')),
        None => (name, Some("")),
    };
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let is_attribute = !attribute.is_empty() && is_plain(attribute);
    if is_attribute && argument.is_some_and(is_plain) {
        format!(" __attribute__(({name}))")
    } else {
        String::new()
    }
}

/// Text inside quotes.
fn quoted(text: &str) -> String {
    let shown = |c: char| {
        if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '?') || c == ' ' {
            c
        } else {
            '_'
        }
    };
    text.chars().map(shown).collect()
}
