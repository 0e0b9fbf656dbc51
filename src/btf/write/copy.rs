//! Copies types of other blobs into a builder: a single one, or all with their ids mapped.

use super::builder::BtfBuilder;
use super::record::{map_types, visit_names};
use super::strings::Strings;
use crate::TypeId;
use crate::btf::{Btf, BtfError, ByteOrder, Type};
use std::collections::HashMap;
use std::sync::Arc;

/// The names of a blob whose types are added one by one: each is looked up once, and together they have a limit.
///
/// Names may share the bytes of a long one. In a blob that is made to cost time and memory any number of them do.
#[derive(Debug)]
pub(crate) struct NameMap<'b> {
    source: &'b Btf<'b>,
    known: HashMap<u32, u32>,
    /// Bytes that further names may have.
    left: usize,
}

impl<'b> NameMap<'b> {
    /// How often a byte may be part of a name, on average.
    const SHARED: usize = 4;
    /// What small blobs may have beside.
    const LEAST: usize = 1 << 16;

    /// For the names of `source`.
    pub(crate) fn of(source: &'b Btf<'b>) -> Self {
        let shared = source.string_bytes().len().saturating_mul(Self::SHARED);
        Self {
            source,
            known: HashMap::new(),
            left: shared.saturating_add(Self::LEAST),
        }
    }
}

impl BtfBuilder {
    /// The offset here of the string that has this offset in another blob.
    pub(crate) fn add_name(&mut self, names: &mut NameMap<'_>, offset: u32) -> u32 {
        if offset == 0 {
            return 0;
        }
        if let Some(known) = names.known.get(&offset) {
            return *known;
        }
        let tail = match names.source.strings_from(offset) {
            Ok(tail) => tail,
            Err(missing) => {
                self.fail(missing);
                return 0;
            }
        };
        let longest = tail.get(..=names.left).unwrap_or(tail);
        let Some(len) = memchr::memchr(0, longest) else {
            self.fail(BtfError::OverlappingStrings);
            return 0;
        };
        names.left = names.left.saturating_sub(len);
        let added = self.add_bytes(longest.get(..len).unwrap_or_default());
        names.known.insert(offset, added);
        added
    }

    /// Adds a copy of a type whose names are in `names`; see [`add_type_with`](Self::add_type_with).
    pub(crate) fn add_type_named(
        &mut self,
        ty: &Type<'_>,
        names: &mut NameMap<'_>,
        map: impl FnMut(TypeId) -> TypeId,
    ) -> TypeId {
        self.add_record(ty, |own, name| own.add_name(names, name), map)
    }

    /// Adds a copy of a record, in which `name` and `map` convert the string offsets and type ids.
    fn add_record(
        &mut self,
        ty: &Type<'_>,
        mut name: impl FnMut(&mut Self, u32) -> u32,
        map: impl FnMut(TypeId) -> TypeId,
    ) -> TypeId {
        let id = self.next_id();
        let start = self.words.len();
        self.start_record();
        self.words.extend(ty.words());
        let mut record = self.words.split_off(start);
        visit_names(&mut record, ty.kind(), |offset| {
            *offset = name(self, *offset);
        });
        map_types(&mut record, ty.kind(), map);
        self.words.append(&mut record);
        id
    }

    /// A copy of a blob, to be changed. If it is split, so is the copy. It is written in this machine's byte order.
    pub fn copy_of(btf: &Btf<'_>) -> Self {
        let (words, rest) = btf.type_bytes().as_chunks::<4>();
        let starts = btf.starts().map(|start| u32::try_from(start / 4));
        let starts: Vec<u32> = starts.map(|start| start.unwrap_or(u32::MAX)).collect();
        let mut copy = Self {
            base: btf.base().cloned(),
            first_id: btf.own_ids().start,
            words: words.iter().map(|word| u32::from_ne_bytes(*word)).collect(),
            copied: starts.len(),
            starts,
            strings: Strings::copy_of(btf),
            layout: btf.layout_bytes().to_vec(),
            order: ByteOrder::Native,
            error: None,
        };
        let odd = btf.starts().position(|start| start % 4 != 0);
        let odd = odd.or((!rest.is_empty()).then_some(copy.copied));
        if let Some(index) = odd.and_then(|index| u32::try_from(index).ok()) {
            copy.fail(BtfError::Unaligned(TypeId(
                copy.first_id.saturating_add(index),
            )));
        }
        copy
    }

    /// Adds a copy of a type. The ids in it stay the same: see [`add_type_with`](Self::add_type_with).
    #[doc(alias = "btf__add_type")]
    pub fn add_type(&mut self, ty: &Type<'_>) -> TypeId {
        self.add_type_with(ty, |id| id)
    }

    /// Adds a copy of a type, in which `map` converts each type id (other than `void`) to an id of this builder.
    #[doc(alias = "btf__add_type")]
    pub fn add_type_with(&mut self, ty: &Type<'_>, map: impl FnMut(TypeId) -> TypeId) -> TypeId {
        if ty.kind() == crate::btf::Kind::Void {
            self.fail(BtfError::NoType(TypeId::VOID));
            return self.next_id();
        }
        let source = ty.btf();
        let name = |own: &mut Self, offset| match source.strings_from(offset) {
            Ok(tail) => own.add_first(tail),
            Err(missing) => {
                own.fail(missing);
                0
            }
        };
        self.add_record(ty, name, map)
    }

    /// Adds the string at the start of these bytes.
    fn add_first(&mut self, tail: &[u8]) -> u32 {
        let end = memchr::memchr(0, tail).unwrap_or(tail.len());
        self.add_bytes(tail.get(..end).unwrap_or_default())
    }

    /// Adds all types of a blob, and returns the id of the first one: the ids of all of them increase by the same number.
    /// Those of its base are not added: a split blob must have the same base as this builder.
    #[doc(alias = "btf__add_btf")]
    pub fn add_btf(&mut self, btf: &Btf<'_>) -> TypeId {
        let first = self.next_id();
        if let Some(base) = btf.base()
            && !self.base.as_ref().is_some_and(|own| same(own, base))
        {
            self.fail(BtfError::OtherBase);
            return first;
        }
        let own = btf.own_ids();
        let difference = first.0.wrapping_sub(own.start);
        let map = |id: TypeId| {
            if id.0 < own.start {
                id
            } else {
                TypeId(id.0.wrapping_add(difference))
            }
        };
        self.words.reserve(btf.type_bytes().len() / 4);
        for record in btf.records() {
            match record {
                Ok(ty) => {
                    self.add_type_with(&ty, map);
                }
                Err(error) => self.fail(error),
            }
        }
        first
    }

    /// Adds a copy of one of this builder's types, for editing it; the original stays.
    pub fn duplicate(&mut self, id: TypeId) -> TypeId {
        let copy = self.next_id();
        let Some(record) = self.record(id).map(<[u32]>::to_vec) else {
            self.fail(BtfError::NoType(id));
            return copy;
        };
        self.start_record();
        self.words.extend(record);
        copy
    }
}

/// Whether two bases are identical or equal.
fn same(a: &Arc<Btf<'static>>, b: &Arc<Btf<'static>>) -> bool {
    Arc::ptr_eq(a, b)
        || a.bytes() == b.bytes()
            && match (a.base(), b.base()) {
                (None, None) => true,
                (Some(a), Some(b)) => same(a, b),
                _ => false,
            }
}
