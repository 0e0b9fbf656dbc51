//! The positions of the types: one pass over the type section, which records the position of every eighth type.
//!
//! A table of all positions would take half a megabyte for a kernel's types, and its page faults would cost more time than
//! the pass.
//! From a recorded position, any type is at most seven steps away, over adjacent bytes.

use crate::TypeId;
use crate::btf::{BtfError, KIND_COUNT, Kind};
use std::sync::OnceLock;

/// The position of one in this many types is recorded.
const STRIDE: u32 = 8;

/// The length of the header that starts every type record.
const COMMON_LEN: u32 = 12;

/// The positions of a blob's types in its type section.
#[derive(Clone)]
pub(super) struct Index {
    /// The position of the first type, and of every eighth after it.
    kept: Vec<u32>,
    /// The position of every type, for callers that follow references all over the blob.
    all: OnceLock<Vec<u32>>,
    /// The number of types.
    len: u32,
    tails: Tails,
    /// Why the pass stopped before the end of the section.
    pub(super) error: Option<BtfError>,
}

impl Index {
    /// Walks through the section once, and calls `visit` with the index and the name offset of each type. Every step advances
    /// by at least twelve bytes, so this terminates.
    #[inline]
    pub(super) fn walk(
        types: &[u8],
        layout: &[u8],
        first_id: u32,
        mut visit: impl FnMut(u32, u32),
    ) -> Self {
        let mut index = Self {
            // A kernel's types take about 30 bytes on average.
            kept: Vec::with_capacity(types.len() / (28 * STRIDE as usize)),
            all: OnceLock::new(),
            len: 0,
            tails: Tails::new(layout),
            error: None,
        };
        let mut start = 0;
        index.error = loop {
            let Some(head) = types.get(start..).and_then(<[u8]>::first_chunk::<12>) else {
                // Either this is the end, or less than a record is left.
                break (start != types.len()).then(|| index.cut(first_id, start));
            };
            let [name_off, info, _]: [u32; 3] = zerocopy::transmute!(*head);
            let Some(len) = record_len(info, &index.tails) else {
                break Some(BtfError::UnknownKind {
                    id: index.next_id(first_id),
                    kind: kind_number(info),
                });
            };
            let next = usize::try_from(len)
                .ok()
                .and_then(|len| start.checked_add(len));
            let (Some(next), Ok(place)) = (
                next.filter(|next| *next <= types.len()),
                u32::try_from(start),
            ) else {
                break Some(index.cut(first_id, start));
            };
            if index.len.is_multiple_of(STRIDE) {
                index.kept.push(place);
            }
            visit(index.len, name_off);
            index.len = index.len.saturating_add(1);
            start = next;
        };
        index
    }

    fn next_id(&self, first_id: u32) -> TypeId {
        TypeId(first_id.saturating_add(self.len))
    }

    fn cut(&self, first_id: u32, offset: usize) -> BtfError {
        BtfError::Truncated {
            id: self.next_id(first_id),
            offset,
        }
    }

    /// The number of types.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// The position of the type with this index (not id) in `types`, the section that was walked through.
    pub(super) fn start(&self, types: &[u8], index: u32) -> Option<usize> {
        if index >= self.len {
            return None;
        }
        if let Some(all) = self.all.get() {
            let start = all.get(usize::try_from(index).ok()?)?;
            return usize::try_from(*start).ok();
        }
        let kept = usize::try_from(index / STRIDE).ok()?;
        let kept = usize::try_from(*self.kept.get(kept)?).ok()?;
        (0..index % STRIDE).try_fold(kept, |start, _| self.next(types, start))
    }

    /// Keeps the position of every type from now on.
    pub(super) fn keep_all(&self, types: &[u8]) {
        self.all.get_or_init(|| {
            let starts = self.starts(types).map(u32::try_from);
            starts.map(|start| start.unwrap_or(u32::MAX)).collect()
        });
    }

    /// The position of each type in `types`, in order.
    pub(super) fn starts<'i>(&'i self, types: &'i [u8]) -> impl Iterator<Item = usize> + 'i {
        let starts = std::iter::successors(Some(0), |start| self.next(types, *start));
        starts.take(usize::try_from(self.len).unwrap_or(usize::MAX))
    }

    /// Calls `visit` with the index and the name offset of each type in `types`.
    ///
    /// Every eighth position comes from the table, so that the CPU can work on several stretches at a time; a single chain
    /// from start to start would make it wait for each.
    #[inline]
    pub(super) fn for_each_name(&self, types: &[u8], mut visit: impl FnMut(u32, u32)) {
        let indices = (0..self.len).step_by(STRIDE as usize);
        for (first, kept) in indices.zip(&self.kept) {
            let mut start = usize::try_from(*kept).unwrap_or(usize::MAX);
            for index in first..self.len.min(first.saturating_add(STRIDE)) {
                let Some(head) = types.get(start..).and_then(<[u8]>::first_chunk::<12>) else {
                    return;
                };
                let [name_off, info, _]: [u32; 3] = zerocopy::transmute!(*head);
                visit(index, name_off);
                let len = record_len(info, &self.tails).and_then(|len| usize::try_from(len).ok());
                start = start.saturating_add(len.unwrap_or(usize::MAX));
            }
        }
    }

    /// The position of the type after the one at `start`.
    #[inline]
    fn next(&self, types: &[u8], start: usize) -> Option<usize> {
        let head = types.get(start..)?.first_chunk::<12>()?;
        let [_, info, _]: [u32; 3] = zerocopy::transmute!(*head);
        let len = usize::try_from(record_len(info, &self.tails)?).ok()?;
        start.checked_add(len)
    }
}

/// The kind in the info word: seven bits since Linux 7.1, five before, with the others zero.
#[inline]
pub(super) fn kind_number(info: u32) -> u32 {
    info >> 24 & 0x7f
}

/// How many bytes follow the common header, for each possible kind.
#[derive(Clone)]
pub(super) struct Tails([Option<(u8, u8)>; 128]);

impl Tails {
    /// For the kinds that this library knows, and others in the blob's layout section.
    pub(super) fn new(layout: &[u8]) -> Self {
        let mut table = [None; 128];
        for (slot, raw) in table.iter_mut().zip(layout.as_chunks::<4>().0) {
            let [once, each, _, _] = *raw;
            *slot = Some((once, each));
        }
        for (slot, kind) in table.iter_mut().zip(Kind::ALL) {
            *slot = Some(kind.tail());
        }
        debug_assert!(KIND_COUNT < table.len());
        Self(table)
    }

    #[inline]
    pub(super) fn of(&self, info: u32) -> Option<(u8, u8)> {
        usize::try_from(kind_number(info))
            .ok()
            .and_then(|kind| self.0.get(kind).copied().flatten())
    }
}

/// The tails of the known kinds in two words, two bits per kind, in units of four bytes: the end of a record is the start of the
/// next one, so the pass is one long chain of such sums, and a shift is faster than a table look-up.
const KNOWN_TAILS: (u64, u64) = {
    let (mut once, mut each) = (0, 0);
    let mut number = 0;
    while number < KIND_COUNT {
        let tail = Kind::ALL[number].tail();
        assert!(tail.0.is_multiple_of(4) && tail.0 <= 12);
        assert!(tail.1.is_multiple_of(4) && tail.1 <= 12);
        once |= (tail.0 as u64 / 4) << (2 * number);
        each |= (tail.1 as u64 / 4) << (2 * number);
        number += 1;
    }
    assert!(2 * KIND_COUNT <= 64);
    (once, each)
};

/// The length of the record with this `info` word; `None` for an unknown kind.
#[inline]
fn record_len(info: u32, tails: &Tails) -> Option<u64> {
    let vlen = u64::from(info & 0x00ff_ffff);
    let kind = kind_number(info);
    // Neither sum can overflow: `vlen` has 24 bits and `each` at most eight.
    if usize::try_from(kind).is_ok_and(|kind| kind < KIND_COUNT) {
        let (once, each) = KNOWN_TAILS;
        let (once, each) = (once >> (2 * kind) & 3, each >> (2 * kind) & 3);
        return Some(u64::from(COMMON_LEN) + 4 * (once + each * vlen));
    }
    let (once, each) = tails.of(info)?;
    Some(u64::from(COMMON_LEN) + u64::from(once) + u64::from(each) * vlen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Btf, BtfBuilder};

    #[test]
    fn every_type_is_found_between_the_kept_places() {
        for count in [0, 1, 7, 8, 9, 63, 64, 65] {
            let mut editor = BtfBuilder::new();
            let mut last = TypeId::VOID;
            for number in 0..count {
                // Records of 12 to 60 bytes.
                let members = vec![("m", last, 0); number % 5];
                last = editor.add_struct("s", 0, &members);
            }
            let blob = editor.finish().unwrap();
            let btf = Btf::parse(&blob).unwrap();
            let starts: Vec<usize> = btf.starts().collect();
            assert_eq!(starts.len(), count);
            for (ty, id) in btf.types().zip(btf.own_ids()) {
                assert_eq!(ty.id(), TypeId(id));
                assert_eq!(
                    btf.get(ty.id()).unwrap().members().count(),
                    (id as usize - 1) % 5
                );
            }
            assert!(btf.get(TypeId(btf.end_id())).is_err());
        }
    }
}
