//! A path into a type: the one that a relocation's access string describes, and its counterpart in a kernel's type.

use super::error::{CoreError, MAX_PATH};
use super::kind::{RelocClass, RelocKind, kind_word};
use crate::TypeId;
use crate::btf::{Array, Btf, Enumerator, Type};
use std::fmt;

/// A path into a type.
///
/// It is kept in two forms: `raw` has every index, anonymous members included; `accessors` has only what a C programmer
/// writes, named fields and array indexes. The second form is searched for in the kernel's types.
#[derive(Debug, Clone)]
#[doc(alias = "bpf_core_spec")]
pub(super) struct Spec<'a> {
    pub(super) kind: RelocKind,
    /// Where the path starts, before typedefs and qualifiers are skipped: its name and id matter.
    pub(super) root: Type<'a>,
    pub(super) raw: Vec<u32>,
    pub(super) accessors: Vec<Accessor<'a>>,
    /// Wraps at 32 bits, as it does in libbpf.
    pub(super) bit_offset: u32,
}

/// A step of a path as a C programmer writes it.
#[derive(Debug, Clone, Copy)]
#[doc(alias = "bpf_core_accessor")]
pub(super) struct Accessor<'a> {
    /// For a field, the structure that contains it; for an array index, the element; for an enumerator, the enumeration.
    pub(super) ty: Type<'a>,
    pub(super) index: u32,
    /// The field's or enumerator's name; `None` for an array index.
    pub(super) name: Option<&'a str>,
}

impl<'a> Spec<'a> {
    /// An empty path.
    pub(super) fn at_root(kind: RelocKind, root: Type<'a>) -> Self {
        Self {
            kind,
            root,
            raw: Vec::with_capacity(4),
            accessors: Vec::with_capacity(4),
            bit_offset: 0,
        }
    }

    /// Follows the access string through the object's own types.
    #[doc(alias = "bpf_core_parse_spec")]
    pub(super) fn parse(kind: RelocKind, root: Type<'a>, text: &str) -> Result<Self, CoreError> {
        let mut spec = Self::at_root(kind, root);
        if kind.class() == RelocClass::Type {
            return match text {
                "0" => Ok(spec),
                _ => Err(CoreError::TypeAccess(excerpt(text))),
            };
        }
        spec.raw = parse_indexes(text)?;
        let (first, rest) = match spec.raw.split_first() {
            Some((first, rest)) => (*first, rest.to_vec()),
            None => return Err(CoreError::AccessString(excerpt(text))),
        };
        let ty = root.resolved()?;
        if kind.class() == RelocClass::Enumval {
            spec.take_enumerator(ty, first, &rest)?;
            return Ok(spec);
        }
        spec.push_element(ty, first)?;
        let mut at = ty.id();
        for (step, index) in (1..).zip(rest) {
            at = spec.descend(root.btf(), at, step, index)?;
        }
        Ok(spec)
    }

    fn take_enumerator(&mut self, ty: Type<'a>, index: u32, rest: &[u32]) -> Result<(), CoreError> {
        if !ty.kind().is_any_enum() || !rest.is_empty() {
            return Err(CoreError::NotAnEnumerator(describe(&ty)));
        }
        let found = enumerator(&ty, index).ok_or_else(|| out_of_range(0, index, &ty))?;
        self.accessors.push(Accessor {
            ty,
            index,
            name: Some(found.name),
        });
        Ok(())
    }

    /// Takes one step of the path, into a member or an element of `at`, and returns the type that it leads to.
    fn descend(
        &mut self,
        btf: &'a Btf<'a>,
        at: TypeId,
        step: usize,
        index: u32,
    ) -> Result<TypeId, CoreError> {
        let ty = btf.get(at)?.resolved()?;
        if let Some(array) = ty.array() {
            if index >= array.len && !self.is_flexible(&array) {
                return Err(out_of_range(step, index, &ty));
            }
            let element = btf.get(array.element)?.resolved()?;
            self.push_element(element, index)?;
            return Ok(element.id());
        }
        if !ty.kind().is_composite() {
            return Err(CoreError::NotAContainer {
                step,
                of: describe(&ty),
            });
        }
        let member = usize::try_from(index).ok().and_then(|i| ty.member(i));
        let member = member.ok_or_else(|| out_of_range(step, index, &ty))?;
        self.bit_offset = self.bit_offset.wrapping_add(member.bit_offset);
        if !member.name.is_empty() {
            self.accessors.push(Accessor {
                ty,
                index,
                name: Some(member.name),
            });
        }
        Ok(member.type_id)
    }

    /// Adds an array index. `element` is the type of the elements, without typedefs and qualifiers.
    pub(super) fn push_element(&mut self, element: Type<'a>, index: u32) -> Result<(), CoreError> {
        let size = element.btf().size_of(element.id())?;
        let bits = index.wrapping_mul(size).wrapping_mul(8);
        self.bit_offset = self.bit_offset.wrapping_add(bits);
        self.accessors.push(Accessor {
            ty: element,
            index,
            name: None,
        });
        Ok(())
    }

    /// Adds an index to the raw path.
    pub(super) fn push_raw(&mut self, index: u32) -> Result<(), CoreError> {
        if self.raw.len() >= MAX_PATH {
            return Err(CoreError::PathTooLong);
        }
        self.raw.push(index);
        Ok(())
    }

    /// Whether every index into this array, which the path has just reached, is in range: whether it has no elements and is
    /// the last member of its structure.
    #[doc(alias = "is_flex_arr")]
    pub(super) fn is_flexible(&self, array: &Array) -> bool {
        array.len == 0
            && self.accessors.last().is_some_and(|last| {
                last.name.is_some() && last.index.checked_add(1) == Some(last.ty.vlen())
            })
    }
}

fn out_of_range(step: usize, index: u32, of: &Type<'_>) -> CoreError {
    CoreError::OutOfRange {
        step,
        index,
        of: describe(of),
        len: of.array().map_or(of.vlen(), |array| array.len),
    }
}

/// The enumerator with this index.
pub(super) fn enumerator<'a>(ty: &Type<'a>, index: u32) -> Option<Enumerator<'a>> {
    ty.enumerator(usize::try_from(index).ok()?)
}

/// Numbers with colons between them; at most [`MAX_PATH`].
fn parse_indexes(text: &str) -> Result<Vec<u32>, CoreError> {
    let mut indexes = Vec::with_capacity(4);
    for word in text.split(':') {
        if indexes.len() == MAX_PATH {
            return Err(CoreError::PathTooLong);
        }
        // `parse` would accept a plus sign as well. libbpf reads the numbers as C's `int`.
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let index = word.parse::<i32>().ok().filter(|_| digits);
        let index = index.and_then(|i| u32::try_from(i).ok());
        indexes.push(index.ok_or_else(|| CoreError::AccessString(excerpt(text)))?);
    }
    Ok(indexes)
}

/// The beginning of a text that may be absurdly long.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

/// A type as messages show it: `struct task_struct`.
pub(super) fn describe(ty: &Type<'_>) -> String {
    let name = if ty.name().is_empty() {
        "<anonymous>"
    } else {
        ty.name()
    };
    format!("{} {}", kind_word(ty.kind()), excerpt(name))
}

/// The beginning of a description: a path may have sixty-four long names. libbpf keeps 255 bytes.
pub(super) fn described(what: &Spec<'_>) -> String {
    start_of(|text| fmt::Write::write_fmt(text, format_args!("{what}")))
}

fn start_of(write: impl FnOnce(&mut Start) -> fmt::Result) -> String {
    let mut start = Start(String::new());
    let written = write(&mut start);
    let Start(mut text) = start;
    if written.is_err() {
        text.push_str("...");
    }
    text
}

/// Accepts no more text than there is room for.
struct Start(String);

impl Start {
    const MOST: usize = 1 << 10;
}

impl fmt::Write for Start {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.0.len().saturating_add(more.len()) > Self::MOST {
            return Err(fmt::Error);
        }
        self.0.push_str(more);
        Ok(())
    }
}

/// The beginning of a name that may be absurdly long.
fn cut(name: &str) -> &str {
    name.char_indices()
        .nth(200)
        .and_then(|(end, _)| name.get(..end))
        .unwrap_or(name)
}

impl fmt::Display for Spec<'_> {
    /// libbpf's notation: `<byte_off> [24] struct task_struct.tgid (0:1:2 @ offset 1204)`.
    #[doc(alias = "bpf_core_format_spec")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = &self.root;
        write!(f, "<{}> [{}] ", self.kind.short_name(), root.id())?;
        write!(f, "{} ", kind_word(root.kind()))?;
        match root.name() {
            "" => f.write_str("<anonymous>")?,
            name => f.write_str(cut(name))?,
        }
        match self.kind.class() {
            RelocClass::Type => Ok(()),
            RelocClass::Enumval => self.fmt_enumerator(f),
            RelocClass::Field => self.fmt_path(f),
        }
    }
}

impl Spec<'_> {
    /// What the program wants, in words: ``field `mm.arg_start` of `struct task_struct` ``.
    pub(super) fn in_words(&self) -> String {
        let root = describe(&self.root);
        let last = self.accessors.last().and_then(|last| last.name);
        match (self.kind.class(), last) {
            (RelocClass::Enumval, Some(name)) => format!("enumerator `{}` of `{root}`", cut(name)),
            (RelocClass::Field, _) => {
                let path = start_of(|text| self.write_path(text));
                match path.trim_start_matches('.') {
                    "" => format!("`{root}`"),
                    path => format!("field `{path}` of `{root}`"),
                }
            }
            _ => format!("`{root}`"),
        }
    }

    /// The steps as C writes them: `.mm.arg_start`, `.args[2]`.
    fn write_path(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for (place, accessor) in self.accessors.iter().enumerate() {
            match accessor.name {
                Some(name) => write!(out, ".{}", cut(name))?,
                None if place > 0 || accessor.index > 0 => write!(out, "[{}]", accessor.index)?,
                None => {}
            }
        }
        Ok(())
    }

    fn fmt_enumerator(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.accessors.last() else {
            return Ok(());
        };
        write!(f, "::{}", cut(last.name.unwrap_or_default()))?;
        match enumerator(&last.ty, last.index) {
            Some(found) => write!(f, " = {}", found.value),
            None => Ok(()),
        }
    }

    fn fmt_path(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_path(f)?;
        f.write_str(" (")?;
        for (place, index) in self.raw.iter().enumerate() {
            let colon = if place > 0 { ":" } else { "" };
            write!(f, "{colon}{index}")?;
        }
        write!(f, " @ offset {}", self.bit_offset / 8)?;
        match self.bit_offset % 8 {
            0 => f.write_str(")"),
            bits => write!(f, ".{bits})"),
        }
    }
}
