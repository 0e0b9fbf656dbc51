//! Names with `*` for any number of characters and `?` for one.

/// Whether `name` matches `pattern`.
#[doc(alias = "glob_match")]
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The position of the last star, and how much of the name it has consumed so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star_at, swallowed)) = star else {
                    return false;
                };
                star = Some((star_at, swallowed + 1));
                p = star_at + 1;
                n = swallowed + 1;
            }
        }
    }
    let rest = pattern.get(p..).unwrap_or_default();
    rest.iter().all(|byte| *byte == b'*')
}

/// Whether the text may match more than one name.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("tcp_*", "tcp_v4_connect", true),
            ("tcp_*", "udp_sendmsg", false),
            ("*_connect", "tcp_v4_connect", true),
            ("t*4*t", "tcp_v4_connect", true),
            ("t?p_*", "tcp_x", true),
            ("t?p", "tp", false),
            ("a*b*c", "abbbbbbc", true),
            ("a*b*c", "abbbbbb", false),
            ("**", "x", true),
            ("vfs_read", "vfs_read", true),
            ("vfs_read", "vfs_readv", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(200);
        assert!(!matches(&pattern, &"b".repeat(10_000)));
        assert!(matches(&pattern, &"a".repeat(10_000)));
    }
}
