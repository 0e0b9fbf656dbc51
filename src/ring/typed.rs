//! Bytes as values of the caller's types.

use crate::{Error, ErrorKind, Result};
use std::any::type_name;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// A record as a `T`, in place.
pub(super) fn view<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<&T> {
    check_len::<T>(bytes, 0)?;
    T::ref_from_bytes(bytes).map_err(|_| {
        Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "`{}` is aligned to {} bytes, the record is not",
                type_name::<T>(),
                align_of::<T>()
            ),
        )
        .with_hint("`read` copies the record, and does not mind")
    })
}

/// A copy of a record, which may be padded by so many bytes, as a `T`.
pub(super) fn read<T: FromBytes>(bytes: &[u8], padding: usize) -> Result<T> {
    check_len::<T>(bytes, padding)?;
    match T::read_from_prefix(bytes) {
        Ok((value, _)) => Ok(value),
        Err(_) => Err(wrong_len::<T>(bytes)),
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
}
