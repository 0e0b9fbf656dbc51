//! The layout of a structure: its members, and the padding between them.

/// A member, as far as the layout is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// Its index among all members.
    pub(super) index: usize,
    /// Offset in the structure, in bits.
    pub(super) offset: u64,
    pub(super) shape: Shape,
}

/// The size of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// In bytes, with the alignment of its type in Rust.
    Plain { size: u64, align: u32 },
    /// In bits.
    Bits(u32),
}

/// A piece of the text between the braces, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// This many bytes of padding.
    Gap(u64),
    /// The member with this index.
    Member(usize),
    /// Bytes that contain bitfields.
    Bits {
        /// Offset in the structure, in bytes.
        start: u64,
        len: u64,
        members: Vec<usize>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) fields: Vec<Field>,
    /// Members that overlap others, or exceed the structure.
    pub(super) left_out: Vec<usize>,
    pub(super) packed: bool,
    /// Alignment in Rust, in bytes.
    pub(super) align: u32,
}

/// The layout of a structure of `size` bytes.
pub(super) fn structure(mut slots: Vec<Slot>, size: u64) -> Layout {
    // At equal offsets, members of size zero come first.
    slots.sort_by_key(|slot| (slot.offset, !slot.is_empty()));
    let mut writer = Writer::default();
    for slot in slots {
        if writer.place(&slot, size).is_none() {
            writer.left_out.push(slot.index);
        }
    }
    writer.gap(size);
    let is_natural = writer.is_aligned && size.is_multiple_of(u64::from(writer.align));
    Layout {
        fields: writer.fields,
        left_out: writer.left_out,
        packed: !is_natural,
        align: if is_natural { writer.align } else { 1 },
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        matches!(self.shape, Shape::Plain { size: 0, .. })
    }
}

struct Writer {
    fields: Vec<Field>,
    left_out: Vec<usize>,
    /// The first free byte.
    at: u64,
    align: u32,
    is_aligned: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            fields: Vec::new(),
            left_out: Vec::new(),
            at: 0,
            align: 1,
            is_aligned: true,
        }
    }
}

impl Writer {
    /// Adds a member; `None` if it does not fit.
    fn place(&mut self, slot: &Slot, end: u64) -> Option<()> {
        let start = slot.offset / 8;
        match slot.shape {
            Shape::Plain { size, align } => {
                let after = start.checked_add(size)?;
                if !slot.offset.is_multiple_of(8) || start < self.at || after > end {
                    return None;
                }
                self.gap(start);
                self.fields.push(Field::Member(slot.index));
                self.at = after;
                self.is_aligned &= start.is_multiple_of(u64::from(align.max(1)));
                self.align = self.align.max(align);
            }
            Shape::Bits(width) => {
                let after = slot.offset.checked_add(u64::from(width))?.div_ceil(8);
                if after > end || width == 0 {
                    return None;
                }
                self.bits(slot.index, start, after)?;
            }
        }
        Some(())
    }

    fn bits(&mut self, index: usize, start: u64, after: u64) -> Option<()> {
        if let Some(Field::Bits {
            start: first,
            len,
            members,
        }) = self.fields.last_mut()
            && start <= self.at
        {
            self.at = self.at.max(after);
            *len = self.at.saturating_sub(*first);
            members.push(index);
            return Some(());
        }
        if start < self.at {
            return None;
        }
        self.gap(start);
        let (len, members) = (after.saturating_sub(start), vec![index]);
        self.fields.push(Field::Bits {
            start,
            len,
            members,
        });
        self.at = after;
        Some(())
    }

    /// Adds padding up to this byte.
    fn gap(&mut self, to: u64) {
        let gap = to.saturating_sub(self.at);
        if gap > 0 {
            self.fields.push(Field::Gap(gap));
            self.at = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(index: usize, byte: u64, size: u64, align: u32) -> Slot {
        let shape = Shape::Plain { size, align };
        Slot {
            index,
            offset: byte * 8,
            shape,
        }
    }

    fn bits(index: usize, offset: u64, width: u32) -> Slot {
        let shape = Shape::Bits(width);
        Slot {
            index,
            offset,
            shape,
        }
    }

    #[test]
    fn gaps_are_filled() {
        let layout = structure(vec![plain(0, 0, 1, 1), plain(1, 8, 8, 8)], 24);
        let fields = [
            Field::Member(0),
            Field::Gap(7),
            Field::Member(1),
            Field::Gap(8),
        ];
        assert_eq!(layout.fields, fields);
        assert_eq!((layout.packed, layout.align), (false, 8));
    }

    #[test]
    fn what_is_off_its_alignment_is_packed() {
        for layout in [
            structure(vec![plain(0, 0, 1, 1), plain(1, 1, 4, 4)], 8),
            structure(vec![plain(0, 0, 4, 4)], 5),
        ] {
            assert_eq!((layout.packed, layout.align), (true, 1));
        }
    }

    #[test]
    fn bitfields_that_touch_share_their_bytes() {
        let layout = structure(
            vec![
                bits(0, 0, 3),
                bits(1, 3, 10),
                plain(2, 4, 4, 4),
                bits(3, 66, 1),
            ],
            12,
        );
        let bits = |start, len, members| Field::Bits {
            start,
            len,
            members,
        };
        let fields = [
            bits(0, 2, vec![0, 1]),
            Field::Gap(2),
            Field::Member(2),
            bits(8, 1, vec![3]),
            Field::Gap(3),
        ];
        assert_eq!(layout.fields, fields);
        assert!(!layout.packed);
    }

    #[test]
    fn what_lies_upon_something_is_left_out() {
        let slots = vec![
            plain(0, 0, 8, 8),
            plain(1, 4, 4, 4),
            bits(2, 32, 1),
            plain(3, 8, 0, 4),
            plain(4, 8, 1, 1),
        ];
        let layout = structure(slots, 8);
        assert_eq!(layout.fields, [Field::Member(0), Field::Member(3)]);
        assert_eq!(layout.left_out, [1, 2, 4]);
    }
}
