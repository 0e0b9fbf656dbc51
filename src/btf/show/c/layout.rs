//! The layout of a structure by C compilers, and what must be written to make it match BTF.
//!
//! The rules are those that gcc and clang share for x86-64 and BPF: a member is at the next multiple of its alignment, a
//! bitfield directly after the previous one unless it would cross a unit of its type, and the size is a multiple of the largest
//! alignment. Unnamed bitfields leave gaps, one of width 0 skips to the next unit of its type; neither affects the structure's
//! alignment. In a packed structure everything is at the next byte, bitfields at the next bit, but width 0 keeps its meaning.

/// Size and alignment of a type as written, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) size: u64,
    pub(super) align: u32,
}

/// A member, as far as the layout is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// Its index in the type.
    pub(super) index: usize,
    /// Its required offset in the structure, in bits.
    pub(super) offset: u64,
    /// The extent of the type as written.
    pub(super) extent: Extent,
    /// Its width in bits if it is a bitfield.
    pub(super) width: Option<u32>,
}

/// A piece of the text between the braces, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// The member with this index.
    Member(usize),
    /// An unnamed bitfield: `long: 64`.
    Gap(Unit, u32),
    /// An array of this many bytes, for gaps that would take many lines.
    Bytes(u64),
    /// The start of a structure in a union of structures, whose members overlap those of the others.
    LaneStart,
    /// The end of such a structure.
    LaneEnd,
}

/// The type of an unnamed bitfield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Char,
    Short,
    Int,
    Long,
}

impl Unit {
    const SMALLEST_FIRST: [Self; 4] = [Self::Char, Self::Short, Self::Int, Self::Long];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Char => "char",
            Self::Short => "short",
            Self::Int => "int",
            Self::Long => "long",
        }
    }

    fn bits(self) -> u32 {
        match self {
            Self::Char => 8,
            Self::Short => 16,
            Self::Int => 32,
            Self::Long => 64,
        }
    }
}

/// How a structure or union is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) pieces: Vec<Piece>,
    pub(super) packed: bool,
    /// `__attribute__((aligned(n)))`, for unions that are larger than their members.
    pub(super) aligned: Option<u32>,
    /// Its members overlap: it contains a union of structures.
    pub(super) lanes: bool,
    /// Its extent as compiled.
    pub(super) extent: Extent,
}

/// Whether the compiler may insert gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Natural,
    Packed,
}

/// The maximum number of lines for one gap; no processor's cache lines are larger.
const MOST_GAP_LINES: u64 = 32;

/// The layout of a structure of `size` bytes: the simplest text that compilers lay out in this way.
pub(super) fn structure(slots: &[Slot], size: u64) -> Layout {
    let mut sorted;
    let slots = if slots.is_sorted_by_key(|slot| slot.offset) {
        slots
    } else {
        sorted = slots.to_vec();
        sorted.sort_by_key(|slot| slot.offset);
        &sorted
    };
    attempt(slots, size, Packing::Natural)
        .or_else(|| attempt(slots, size, Packing::Packed))
        .unwrap_or_else(|| lanes(slots, size))
}

/// Tries to write the members in order; `None` if a compiler would put one at a different offset.
fn attempt(slots: &[Slot], size: u64, packing: Packing) -> Option<Layout> {
    let mut text = Text::new(packing);
    for slot in slots {
        text.member(slot)?;
    }
    text.tail(size)?;
    Some(Layout {
        pieces: text.pieces,
        packed: packing == Packing::Packed,
        aligned: None,
        lanes: false,
        extent: Extent {
            size,
            align: text.align,
        },
    })
}

/// A union of packed structures, each with members that do not overlap.
fn lanes(slots: &[Slot], size: u64) -> Layout {
    let mut pieces = Vec::new();
    let mut lane = Text::new(Packing::Packed);
    let mut largest = 0;
    let mut close = |lane: Text| {
        largest = largest.max(lane.at.div_ceil(8));
        pieces.push(Piece::LaneStart);
        pieces.extend(lane.pieces);
        pieces.push(Piece::LaneEnd);
    };
    for slot in slots {
        // C cannot express a member that is not a bitfield and does not start at a byte.
        let slot = Slot {
            offset: if slot.width.is_none() {
                slot.offset / 8 * 8
            } else {
                slot.offset
            },
            ..*slot
        };
        if lane.member(&slot).is_none() {
            close(std::mem::replace(&mut lane, Text::new(Packing::Packed)));
            // The first member of a lane always fits.
            let _ = lane.member(&slot);
        }
    }
    close(lane);
    let mut rest = Text::new(Packing::Packed);
    rest.at = largest.saturating_mul(8);
    let fits = rest.tail(size).is_some();
    pieces.extend(rest.pieces);
    Layout {
        pieces,
        packed: true,
        aligned: None,
        lanes: true,
        extent: Extent {
            size: if fits { size } else { largest },
            align: 1,
        },
    }
}

/// The layout of a union of `size` bytes.
pub(super) fn union(slots: &[Slot], size: u64) -> Layout {
    let mut pieces = Vec::new();
    let (mut largest, mut align) = (0, 1);
    for slot in slots {
        if slot.offset == 0 {
            pieces.push(Piece::Member(slot.index));
            let bytes = slot
                .width
                .map_or(slot.extent.size, |width| u64::from(width.div_ceil(8)));
            largest = largest.max(bytes);
            align = align.max(slot.extent.align);
        } else {
            let mut lane = Text::new(Packing::Packed);
            let fits = lane.member(slot).is_some();
            pieces.push(Piece::LaneStart);
            pieces.append(&mut lane.pieces);
            if !fits {
                pieces.push(Piece::Member(slot.index));
            }
            pieces.push(Piece::LaneEnd);
            largest = largest.max(lane.at.div_ceil(8));
        }
    }
    let natural = largest.checked_next_multiple_of(u64::from(align)) == Some(size);
    let mut layout = Layout {
        pieces,
        packed: !natural && !size.is_multiple_of(u64::from(align)),
        aligned: None,
        lanes: false,
        extent: Extent { size, align },
    };
    if layout.packed {
        layout.extent.align = 1;
    }
    if natural || layout.packed && largest == size {
        return layout;
    }
    let wanted = (0..=20).map(|power| 1_u32 << power).find(|n| {
        *n > layout.extent.align && largest.checked_next_multiple_of(u64::from(*n)) == Some(size)
    });
    match wanted {
        Some(n) => {
            layout.aligned = Some(n);
            layout.extent.align = n;
        }
        None if largest < size => layout.pieces.push(Piece::Bytes(size)),
        // A member that is larger than the union: C cannot express that.
        None => layout.extent.size = largest,
    }
    layout
}

/// Pieces, and the compiler's position after them.
struct Text {
    pieces: Vec<Piece>,
    packing: Packing,
    /// The first free bit.
    at: u64,
    /// The alignment of the structure so far, in bytes.
    align: u32,
    after_bitfield: bool,
}

impl Text {
    fn new(packing: Packing) -> Self {
        Self {
            pieces: Vec::new(),
            packing,
            at: 0,
            align: 1,
            after_bitfield: false,
        }
    }

    /// The alignment in bits that a compiler uses for this alignment in bytes.
    fn align_bits(&self, align: u32) -> u64 {
        match self.packing {
            Packing::Natural => u64::from(align).saturating_mul(8),
            Packing::Packed => 8,
        }
    }

    /// Writes a member, preceded by the gaps that put it at its offset; `None` if that is impossible.
    fn member(&mut self, slot: &Slot) -> Option<()> {
        let end = match slot.width {
            Some(width) => self.bitfield(slot, width)?,
            None => self.plain(slot)?,
        };
        self.pieces.push(Piece::Member(slot.index));
        self.at = end;
        self.after_bitfield = slot.width.is_some();
        if self.packing == Packing::Natural {
            self.align = self.align.max(slot.extent.align);
        }
        Some(())
    }

    /// The end of a member that is not a bitfield.
    fn plain(&mut self, slot: &Slot) -> Option<u64> {
        let align = self.align_bits(slot.extent.align);
        if !slot.offset.is_multiple_of(align) {
            return None;
        }
        self.fill(slot.offset, align, false)?;
        slot.offset.checked_add(slot.extent.size.checked_mul(8)?)
    }

    /// The end of a bitfield.
    fn bitfield(&mut self, slot: &Slot, width: u32) -> Option<u64> {
        let unit = slot.extent.size.checked_mul(8)?;
        let crosses = (slot.offset % self.align_bits(slot.extent.align).max(1))
            .checked_add(u64::from(width))?
            > unit;
        if crosses && self.packing == Packing::Natural {
            return None;
        }
        self.fill(slot.offset, 1, self.after_bitfield)?;
        slot.offset.checked_add(u64::from(width))
    }

    /// Writes the gap after the last member of a structure of `size` bytes.
    fn tail(&mut self, size: u64) -> Option<()> {
        let align = self.align_bits(self.align);
        let end = size.checked_mul(8)?;
        if !end.is_multiple_of(align) {
            return None;
        }
        self.fill(end, align, false)
    }

    /// Writes gaps up to the bit `to`, which is followed by something of this alignment in bits.
    fn fill(&mut self, to: u64, align: u64, in_bitfields: bool) -> Option<()> {
        let gap = to.checked_sub(self.at)?;
        if gap == 0 {
            return Some(());
        }
        if gap > MOST_GAP_LINES * 64 {
            self.fill_with_bytes(to);
            return Some(());
        }
        let tidy = tidy_gaps(self.at, to, align, in_bitfields, self.packing);
        let end = self.after(&tidy).checked_next_multiple_of(align)?;
        let gaps = if end == to {
            tidy
        } else {
            plain_gaps(self.at, to)
        };
        self.pieces
            .extend(gaps.iter().map(|(unit, width)| Piece::Gap(*unit, *width)));
        self.at = to;
        Some(())
    }

    fn fill_with_bytes(&mut self, to: u64) {
        let byte = self.at.next_multiple_of(8);
        if byte > self.at {
            let width = u32::try_from(byte - self.at).unwrap_or_default();
            self.pieces.push(Piece::Gap(Unit::Char, width));
        }
        let bytes = (to - byte) / 8;
        self.pieces.push(Piece::Bytes(bytes));
        self.at = byte + bytes * 8;
        if self.at < to {
            let width = u32::try_from(to - self.at).unwrap_or_default();
            self.pieces.push(Piece::Gap(Unit::Char, width));
            self.at = to;
        }
    }

    /// The first free bit after these bitfields.
    fn after(&self, gaps: &[(Unit, u32)]) -> u64 {
        gaps.iter().fold(self.at, |at, (unit, width)| {
            let unit = u64::from(unit.bits());
            let crosses = at % unit + u64::from(*width) > unit;
            if *width == 0 || crosses && self.packing == Packing::Natural {
                at.next_multiple_of(unit) + u64::from(*width)
            } else {
                at + u64::from(*width)
            }
        })
    }
}

/// Few and large bitfields for the bits from `at` to `to`. They rely on the compiler's own gaps, which must be verified
/// afterwards.
fn tidy_gaps(
    at: u64,
    to: u64,
    align: u64,
    in_bitfields: bool,
    packing: Packing,
) -> Vec<(Unit, u32)> {
    let mut gaps = Vec::new();
    let largest_first = Unit::SMALLEST_FIRST.iter().rev();
    let up_to = |unit: Unit| at.next_multiple_of(u64::from(unit.bits()));
    let unit = largest_first.copied().find(|unit| up_to(*unit) <= to);
    let (unit, mut now) = unit.map_or((Unit::Char, at), |unit| (unit, up_to(unit)));
    if now > at {
        let comes_by_itself = match to - now {
            0 => at.next_multiple_of(align) == now,
            // The next bitfield does not fit before the boundary.
            rest => packing == Packing::Natural && rest.min(u64::from(unit.bits())) > now - at,
        };
        let to_boundary = u32::try_from(now - at).unwrap_or_default();
        if in_bitfields || packing == Packing::Packed && now < to {
            gaps.push((unit, to_boundary));
        } else if !comes_by_itself {
            gaps.push((unit, 0));
        }
    }
    while now < to {
        let bits = u32::try_from(to - now).unwrap_or(u32::MAX).min(unit.bits());
        let smallest = Unit::SMALLEST_FIRST
            .into_iter()
            .find(|small| small.bits() >= bits);
        gaps.push((smallest.unwrap_or(unit), bits));
        now += u64::from(bits);
    }
    gaps
}

/// Bitfields for the bits from `at` to `to`, none of which crosses a unit of its type.
fn plain_gaps(at: u64, to: u64) -> Vec<(Unit, u32)> {
    let mut gaps = Vec::new();
    let mut now = at;
    while now < to {
        let whole = Unit::SMALLEST_FIRST.iter().rev().copied().find(|unit| {
            let bits = u64::from(unit.bits());
            now.is_multiple_of(bits) && to - now >= bits
        });
        let (unit, bits) = whole.map_or_else(
            || {
                let to_byte = (8 - now % 8).min(to - now);
                (Unit::Char, u32::try_from(to_byte).unwrap_or(8))
            },
            |unit| (unit, unit.bits()),
        );
        gaps.push((unit, bits));
        now += u64::from(bits);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(index: usize, offset: u64, size: u64, width: Option<u32>) -> Slot {
        let align = u32::try_from(size.clamp(1, 8)).unwrap();
        let extent = Extent { size, align };
        Slot {
            index,
            offset,
            extent,
            width,
        }
    }

    fn gaps(layout: &Layout) -> Vec<(Unit, u32)> {
        let gap = |piece: &Piece| match piece {
            Piece::Gap(unit, width) => Some((*unit, *width)),
            _ => None,
        };
        layout.pieces.iter().filter_map(gap).collect()
    }

    #[test]
    fn what_a_compiler_does_by_itself_is_not_written() {
        let layout = structure(
            &[
                slot(0, 0, 4, None),
                slot(1, 64, 8, None),
                slot(2, 128, 1, None),
            ],
            24,
        );
        assert_eq!(gaps(&layout), []);
        assert!(!layout.packed);
        assert_eq!(layout.extent, Extent { size: 24, align: 8 });
    }

    #[test]
    fn members_off_their_alignment_pack_the_structure() {
        let layout = structure(&[slot(0, 0, 2, None), slot(1, 16, 4, None)], 6);
        assert!(layout.packed);
        assert_eq!(layout.extent, Extent { size: 6, align: 1 });
        // A bitfield across a unit of its type.
        let crossing = [slot(0, 0, 4, Some(20)), slot(1, 20, 4, Some(20))];
        assert!(structure(&crossing, 5).packed);
    }

    #[test]
    fn members_upon_each_other_stand_in_lanes() {
        let layout = structure(&[slot(0, 0, 4, None), slot(1, 16, 4, None)], 8);
        assert!(layout.lanes && layout.packed);
        assert_eq!(layout.extent.size, 8);
        assert_eq!(
            layout.pieces,
            [
                Piece::LaneStart,
                Piece::Member(0),
                Piece::LaneEnd,
                Piece::LaneStart,
                Piece::Gap(Unit::Short, 16),
                Piece::Member(1),
                Piece::LaneEnd,
                Piece::Gap(Unit::Long, 0),
            ]
        );
    }

    #[test]
    fn members_in_disorder_are_sorted() {
        let layout = structure(&[slot(0, 64, 4, None), slot(1, 0, 8, None)], 16);
        assert_eq!(layout.pieces, [Piece::Member(1), Piece::Member(0)]);
        assert!(!layout.packed);
    }

    #[test]
    fn unions_larger_than_their_members_are_aligned() {
        let layout = union(&[slot(0, 0, 4, None)], 64);
        assert_eq!((layout.aligned, layout.packed), (Some(64), false));
        assert_eq!(union(&[slot(0, 0, 4, None)], 4).aligned, None);
        // No alignment gives this size.
        let odd = union(&[slot(0, 0, 4, None)], 12);
        assert_eq!(odd.pieces, [Piece::Member(0), Piece::Bytes(12)]);
        assert!(union(&[slot(0, 0, 8, None), slot(1, 0, 1, None)], 9).packed);
    }

    #[test]
    fn a_long_gap_is_one_line() {
        let layout = structure(&[slot(0, 0, 4, None)], 1 << 32);
        assert_eq!(
            layout.pieces,
            [Piece::Member(0), Piece::Bytes((1 << 32) - 4)]
        );
        assert_eq!(layout.extent.size, 1 << 32);
    }
}
