//! glibc's list of the libraries in the system's folders: `/etc/ld.so.cache`.
//!
//! A header, then entries of fixed size, which name their library and its path by offsets from the start of the file.

/// Magic and version.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER_LEN: usize = 48;
const ENTRY_LEN: usize = 24;

/// The paths of all libraries with this name, for any machine, in the order in which the dynamic loader prefers them. Empty if
/// `cache` is not such a list.
pub(crate) fn paths<'a>(cache: &'a [u8], name: &str) -> impl Iterator<Item = &'a str> {
    let known = cache.starts_with(MAGIC);
    let count = u32_at(cache, MAGIC.len()).filter(|_| known);
    let count = count.and_then(|count| usize::try_from(count).ok());
    let entries = cache.get(HEADER_LEN..).unwrap_or_default();
    let entries = entries.chunks_exact(ENTRY_LEN).take(count.unwrap_or(0));
    entries.filter_map(move |entry| {
        let found = text_at(cache, u32_at(entry, 4)?, name.len())?;
        let path = || text_at(cache, u32_at(entry, 8)?, LONGEST_PATH);
        (found == name).then(path).flatten()
    })
}

/// `PATH_MAX`
const LONGEST_PATH: usize = 4096;

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// The text at an offset, up to its NUL; `None` if it is longer than `longest`.
fn text_at(bytes: &[u8], at: u32, longest: usize) -> Option<&str> {
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    let window = rest.get(..=longest).unwrap_or(rest);
    std::str::from_utf8(window.get(..memchr::memchr(0, window)?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cache(entries: &[(&str, &str)]) -> Vec<u8> {
        let u32 = |n: usize| u32::try_from(n).unwrap().to_ne_bytes();
        let mut bytes = [MAGIC, &u32(entries.len())].concat();
        bytes.resize(HEADER_LEN, 0);
        let mut texts = Vec::new();
        let texts_at = HEADER_LEN + entries.len() * ENTRY_LEN;
        for (name, path) in entries {
            let name_at = texts_at + texts.len();
            texts.extend([name.as_bytes(), b"\0"].concat());
            let path_at = texts_at + texts.len();
            texts.extend([path.as_bytes(), b"\0"].concat());
            bytes.extend([&[3, 3, 0, 0][..], &u32(name_at), &u32(path_at), &[0; 12]].concat());
        }
        bytes.extend(texts);
        bytes
    }

    #[test]
    fn libraries_are_found_by_their_whole_name() {
        let bytes = cache(&[
            ("liba.so.1", "/x/liba.so.1"),
            ("libab.so", "/x/libab.so"),
            ("liba.so.1", "/y/liba.so.1"),
        ]);
        let found = |name| paths(&bytes, name).collect::<Vec<_>>();
        assert_eq!(found("liba.so.1"), ["/x/liba.so.1", "/y/liba.so.1"]);
        assert_eq!(found("libab.so"), ["/x/libab.so"]);
        assert!(found("liba.so").is_empty() && found("").is_empty());
    }

    #[test]
    fn this_machines_list_has_its_c_library() {
        let Ok(bytes) = std::fs::read("/etc/ld.so.cache") else {
            println!("skipped: there is no /etc/ld.so.cache");
            return;
        };
        let found: Vec<_> = paths(&bytes, "libc.so.6").collect();
        assert!(
            found.iter().any(|path| std::path::Path::new(path).exists()),
            "{found:?}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(at in 0..150usize, byte: u8, cut in 0..150usize) {
            let mut bytes = cache(&[("liba.so", "/x/liba.so"), ("libb.so", "/x/libb.so")]);
            let len = bytes.len();
            bytes[at % len] = byte;
            let _ = paths(&bytes, "liba.so").count();
            let _ = paths(&bytes[..cut % len], "libb.so").count();
        }
    }
}
