//! The notes that the compiler writes, one for each location of a probe.

use crate::{Error, ErrorKind, Result};

/// `NT_STAPSDT`
const TYPE: u32 = 3;
/// The notes' owner, with its NUL.
const OWNER: &[u8] = b"stapsdt\0";
/// Three 32-bit numbers: the sizes of the owner's name and of the contents, and the type.
const HEADER: usize = 12;

/// A location of a probe; a probe may have many.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "usdt_note")]
pub struct UsdtNote {
    /// The provider: a name space, such as `python`.
    pub provider: String,
    /// The probe's name.
    pub name: String,
    /// Where its arguments are, such as `-4@%edi 8@-16(%rbp)`. May be empty.
    pub args: String,
    /// The address of its instruction, before the file was loaded.
    pub location: u64,
    /// The address of the section `.stapsdt.base` when this was written.
    pub base: u64,
    /// The address of the 16-bit counter of attached tracers; 0 if there is none.
    pub semaphore: u64,
}

/// All notes of a section in this machine's byte order.
///
/// # Errors
/// One of them is truncated, or is not a USDT note. Notes after an unknown one cannot be found.
pub(super) fn notes(section: &[u8]) -> Result<Vec<UsdtNote>> {
    let mut notes = Vec::new();
    let mut rest = section;
    // Anything shorter than a header is padding.
    while rest.len() >= HEADER {
        let at = section.len() - rest.len();
        let (note, tail) = note(rest).ok_or_else(|| {
            let message =
                format!("the note at {at:#x} of .note.stapsdt is damaged, or no USDT note");
            Error::new(ErrorKind::Elf, message)
        })?;
        notes.push(note);
        rest = tail;
    }
    Ok(notes)
}

/// The first note, and the rest.
#[doc(alias = "parse_usdt_note")]
fn note(bytes: &[u8]) -> Option<(UsdtNote, &[u8])> {
    let (name_len, rest) = word(bytes)?;
    let (contents_len, rest) = word(rest)?;
    let (kind, rest) = word(rest)?;
    let (owner, rest) = padded(rest, name_len)?;
    let (contents, rest) = padded(rest, contents_len)?;
    if owner != OWNER || kind != TYPE {
        return None;
    }
    let (location, contents) = address(contents)?;
    let (base, contents) = address(contents)?;
    let (semaphore, contents) = address(contents)?;
    let (provider, contents) = text(contents)?;
    let (name, contents) = text(contents)?;
    let (args, _) = text(contents)?;
    let note = UsdtNote {
        provider,
        // Probes are found by name.
        name: Some(name).filter(|name| !name.is_empty())?,
        // A colon alone stands for "no arguments".
        args: if args.starts_with(':') {
            String::new()
        } else {
            args
        },
        location,
        base,
        semaphore,
    };
    Some((note, rest))
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_ne_bytes(*word), rest))
}

fn address(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (address, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_ne_bytes(*address), rest))
}

/// The first `len` bytes, and what follows after padding to a multiple of four, which may be missing at the end.
fn padded(bytes: &[u8], len: u32) -> Option<(&[u8], &[u8])> {
    let len = usize::try_from(len).ok()?;
    let taken = bytes.get(..len)?;
    let next = len.checked_next_multiple_of(4)?;
    Some((taken, bytes.get(next..).unwrap_or_default()))
}

/// A text that ends with a NUL.
fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (text, rest) = bytes.split_at_checked(memchr::memchr(0, bytes)?)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest.get(1..)?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A note in this machine's byte order.
    pub(crate) fn bytes(addresses: [u64; 3], texts: &[u8]) -> Vec<u8> {
        let mut contents = addresses.map(u64::to_ne_bytes).concat();
        contents.extend(texts);
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_ne_bytes();
        let mut note = [len(OWNER), len(&contents), TYPE.to_ne_bytes()].concat();
        note.extend(OWNER);
        note.extend(&contents);
        note.resize(note.len().next_multiple_of(4), 0);
        note
    }

    #[test]
    fn notes_follow_each_other() {
        let mut section = bytes([1, 2, 3], b"p\0n\0-4@%edi\0");
        section.extend(bytes([4, 5, 0], b"\0other\0:\0"));
        let notes = notes(&section).unwrap();
        assert_eq!(
            (&*notes[0].provider, &*notes[0].name, &*notes[0].args),
            ("p", "n", "-4@%edi")
        );
        assert_eq!(
            (notes[0].location, notes[0].base, notes[0].semaphore),
            (1, 2, 3)
        );
        assert_eq!(
            (&*notes[1].provider, &*notes[1].name, &*notes[1].args),
            ("", "other", "")
        );
        assert_eq!(notes.len(), 2);
    }

    #[test]
    fn damage_is_refused_with_its_place() {
        let good = bytes([1, 2, 3], b"p\0n\0\0");
        for texts in [&b"p\0\0\0"[..], b"p\0n\0", b"p\0n", b"p", b""] {
            let mut section = good.clone();
            section.extend(bytes([1, 2, 3], texts));
            let error = notes(&section).unwrap_err();
            let place = format!("at {:#x} ", good.len());
            assert!(error.message().contains(&place), "{texts:?}: {error}");
        }
        let mut foreign = good.clone();
        foreign[12..16].copy_from_slice(b"GNU\0");
        assert!(notes(&foreign).is_err());
        let mut huge = good.clone();
        huge[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(notes(&huge).is_err());
        assert!(notes(&good[..11]).unwrap().is_empty());
        assert!(notes(&good[..20]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(section in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = notes(&section);
        }

        #[test]
        fn a_note_with_any_byte_changed_is_read_or_refused(at in 0..56usize, byte: u8) {
            let mut section = bytes([1, 2, 3], b"provider\0name\0args\0");
            section.extend(bytes([4, 5, 6], b"p\0n\0\0"));
            section[at] = byte;
            if let Ok(notes) = notes(&section) {
                prop_assert!(notes.len() <= 2);
            }
        }
    }
}
