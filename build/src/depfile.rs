//! What clang says a source depends on (`-MD`): a rule of make.

use std::path::PathBuf;

/// The files after the colon. Names that make cannot hold (with line ends) are not told apart by clang, either.
pub(crate) fn dependencies(rule: &str) -> Vec<PathBuf> {
    let Some((_, files)) = rule.split_once(": ") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut name = String::new();
    let mut rest = files.chars().peekable();
    let mut end = |name: &mut String| {
        if !name.is_empty() {
            found.push(PathBuf::from(std::mem::take(name)));
        }
    };
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some('\n')) => {
                rest.next();
                end(&mut name);
            }
            ('\\', Some(&escaped @ (' ' | '#' | '\\'))) | ('$', Some(&escaped @ '$')) => {
                rest.next();
                name.push(escaped);
            }
            (' ' | '\t' | '\n' | '\r', _) => end(&mut name),
            _ => name.push(c),
        }
    }
    end(&mut name);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped() {
        let rule = "-: src/a.bpf.c /usr/include/x.h \\\n  with\\ space.h \\\n  $$price.h c\\#.h\n";
        let names: Vec<_> = [
            "src/a.bpf.c",
            "/usr/include/x.h",
            "with space.h",
            "$price.h",
            "c#.h",
        ]
        .map(PathBuf::from)
        .into();
        assert_eq!(dependencies(rule), names);
        assert_eq!(dependencies(""), Vec::<PathBuf>::new());
        assert_eq!(dependencies("a:\\"), Vec::<PathBuf>::new());
    }
}
