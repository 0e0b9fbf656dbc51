//! Bytes as values of the caller's types.

use crate::btf::not_valid;
use crate::{Error, ErrorKind, Result};
use std::any::type_name;
use zerocopy::{Immutable, KnownLayout, TryCastError, TryFromBytes};

/// A record as a `T`, in place.
pub(super) fn view<T: TryFromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<&T> {
    check_len::<T>(bytes, 0)?;
    T::try_ref_from_bytes(bytes).map_err(|error| match error {
        TryCastError::Alignment(_) => not_aligned::<T>(),
        _ => not_valid::<T>(bytes),
    })
}

#[cold]
fn not_aligned<T>() -> Error {
    let message = format!(
        "`{}` is aligned to {} bytes, the record is not",
        type_name::<T>(),
        align_of::<T>()
    );
    Error::new(ErrorKind::InvalidArgument, message)
        .with_hint("`read` copies the record, and does not mind")
}

/// A copy of a record as a `T`; the record may have this many bytes of padding.
pub(super) fn read<T: TryFromBytes>(bytes: &[u8], padding: usize) -> Result<T> {
    check_len::<T>(bytes, padding)?;
    match T::try_read_from_prefix(bytes) {
        Ok((value, _)) => Ok(value),
        Err(_) => Err(not_valid::<T>(bytes)),
    }
}

fn check_len<T>(bytes: &[u8], padding: usize) -> Result<()> {
    match bytes.len().checked_sub(size_of::<T>()) {
        Some(more) if more <= padding => Ok(()),
        _ => Err(wrong_len::<T>(bytes)),
    }
}

#[cold]
fn wrong_len<T>(bytes: &[u8]) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!(
            "the record has {} bytes, but `{}` has {}",
            bytes.len(),
            type_name::<T>(),
            size_of::<T>()
        ),
    )
    .with_hint("is it the structure that the program writes, with the same padding (`repr(C)`)?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C, align(8))]
    struct Eight([u8; 8]);

    #[test]
    fn sizes_must_agree() {
        assert_eq!(read::<[u16; 2]>(&[1, 0, 2, 0], 0).unwrap(), [1, 2]);
        for bytes in [&[0; 3][..], &[0; 5]] {
            let error = read::<u32>(bytes, 0).unwrap_err().to_string();
            let words = format!("has {} bytes, but `u32` has 4", bytes.len());
            assert!(error.contains(&words), "{error}");
            assert!(view::<u32>(bytes).is_err());
        }
    }

    #[test]
    fn padding_is_allowed_where_the_kernel_pads() {
        assert_eq!(read::<u8>(&[9; 8], 7).unwrap(), 9);
        assert!(read::<u8>(&[9; 9], 7).is_err());
        assert!(read::<u64>(&[9; 7], 7).is_err());
    }

    #[test]
    fn alignment_matters_in_place_only() {
        let memory = Eight([1; 8]);
        let Eight(bytes) = &memory;
        assert_eq!(view::<u32>(&bytes[..4]).unwrap(), &0x0101_0101);
        let error = view::<u32>(&bytes[1..5]).unwrap_err().to_string();
        assert!(error.contains("aligned to 4 bytes"), "{error}");
        assert_eq!(read::<u32>(&bytes[1..5], 0).unwrap(), 0x0101_0101);
    }

    #[derive(Debug, PartialEq, TryFromBytes, KnownLayout, Immutable)]
    #[repr(C)]
    struct Event {
        state: State,
        enabled: bool,
        _pad: [u8; 3],
    }

    #[derive(Debug, PartialEq, TryFromBytes, KnownLayout, Immutable)]
    #[repr(u32)]
    enum State {
        Idle,
        Busy = 7,
    }

    #[test]
    fn only_valid_bytes_become_enums_and_bools() {
        let memory = Eight([7, 0, 0, 0, 1, 0, 0, 0]);
        let event = Event {
            state: State::Busy,
            enabled: true,
            _pad: [0; 3],
        };
        assert_eq!(view::<Event>(&memory.0).unwrap(), &event);
        assert_eq!(read::<Event>(&memory.0, 0).unwrap(), event);
        assert_eq!(read::<State>(&memory.0, 7).unwrap(), State::Busy);
        for wrong in [[6, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 2, 0, 0, 0]] {
            let memory = Eight(wrong);
            for error in [
                view::<Event>(&memory.0).unwrap_err(),
                read::<Event>(&memory.0, 0).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                let text = error.to_string();
                assert!(
                    text.contains("00 00 00") && text.contains("Event`"),
                    "{text}"
                );
            }
        }
        assert_eq!(State::Idle as u32, 0);
    }
}
