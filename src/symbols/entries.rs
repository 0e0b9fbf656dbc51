//! Stack entries of maps with `BPF_F_STACK_BUILD_ID`: locations in files, for processes that may have ended.

use crate::elf::debug_symbols::LONGEST_KERNEL_BUILD_ID;

/// One entry of a call stack, as in `struct bpf_stack_build_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackEntry {
    /// In a file with this build ID (shorter ones are padded with zeros), at this offset.
    InFile {
        /// The build ID of the file.
        build_id: [u8; LONGEST_KERNEL_BUILD_ID],
        /// Offset in the file, in bytes.
        offset: u64,
    },
    /// An address: the kernel could not determine the file.
    Address(u64),
}

impl StackEntry {
    /// Size of `struct bpf_stack_build_id` in bytes.
    pub const SIZE: usize = 32;

    /// The entries in a map value, innermost first, up to the first empty one.
    #[doc(alias = "bpf_stack_build_id")]
    pub fn parse_all(value: &[u8]) -> Vec<Self> {
        let (entries, _) = value.as_chunks::<{ Self::SIZE }>();
        entries.iter().map_while(Self::parse).collect()
    }

    fn parse(entry: &[u8; Self::SIZE]) -> Option<Self> {
        const VALID: i32 = 1;
        const ADDRESS: i32 = 2;
        let (status, rest) = entry.split_first_chunk::<4>()?;
        let (build_id, rest) = rest.split_first_chunk()?;
        let place = u64::from_ne_bytes(*rest.first_chunk()?);
        match i32::from_ne_bytes(*status) {
            VALID => Some(Self::InFile {
                build_id: *build_id,
                offset: place,
            }),
            ADDRESS => Some(Self::Address(place)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(status: i32, id: u8, place: u64) -> Vec<u8> {
        let parts: [&[u8]; 3] = [
            &status.to_ne_bytes(),
            &[id; LONGEST_KERNEL_BUILD_ID],
            &place.to_ne_bytes(),
        ];
        parts.concat()
    }

    #[test]
    fn stacks_end_at_the_first_empty_entry() {
        let value = [
            entry(1, 7, 0x40),
            entry(2, 0, 0x7f00),
            entry(0, 0, 0),
            entry(1, 7, 1),
        ]
        .concat();
        let build_id = [7; LONGEST_KERNEL_BUILD_ID];
        let stack = StackEntry::parse_all(&value);
        let in_file = StackEntry::InFile {
            build_id,
            offset: 0x40,
        };
        assert_eq!(stack, [in_file, StackEntry::Address(0x7f00)]);
        assert_eq!(StackEntry::parse_all(&value[..31]), []);
        assert_eq!(StackEntry::parse_all(&value[..33]).len(), 1);
    }
}
