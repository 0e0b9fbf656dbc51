//! The headers that programs include, `bpf/bpf_helpers.h` and its neighbours: embedded, so that nothing has to be installed.

/// The header that is made from a kernel's types.
pub(crate) const VMLINUX: &str = "vmlinux.h";

/// The name that is written in `#include <...>`, and the text.
const HEADERS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/headers.rs"));

/// The headers that every source may include: the name in `#include <...>`, and the text. `vmlinux.h` is not among them, because
/// it is made from a kernel's types.
pub fn headers() -> impl Iterator<Item = (&'static str, &'static str)> {
    HEADERS.iter().copied()
}

/// The text of one of them.
pub(crate) fn header(name: &str) -> Option<&'static str> {
    let place = HEADERS.binary_search_by(|(header, _)| (*header).cmp(name));
    place
        .ok()
        .and_then(|at| HEADERS.get(at))
        .map(|found| found.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_by_the_name_that_sources_include() {
        assert!(headers().count() > 0);
        for (name, text) in headers() {
            assert_eq!(header(name), Some(text), "{name}");
        }
        assert_eq!(header("bpf/no_such.h"), None);
        assert_eq!(header(VMLINUX), None);
    }
}
