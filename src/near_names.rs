//! Names that may have been meant, for messages that say what there is not.

/// Words that resemble `wanted`, best first, at most three; for "no such ..." messages.
pub fn near_names<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    nearest(wanted, &mut names.into_iter())
}

/// [`near_names`], compiled once and not for each kind of iterator.
fn nearest<'a>(wanted: &str, names: &mut dyn Iterator<Item = &'a str>) -> Vec<&'a str> {
    let resembles = Resemblance::to(wanted);
    let mut found: Vec<(usize, &str)> = comparable(names)
        .filter_map(|name| Some((resembles.distance(name)?, name)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// The names that a wanted one is compared with: none that nobody would type, and no more than one search has time for.
pub(crate) fn comparable<'a>(
    names: impl IntoIterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    /// A kernel has some hundred thousand functions, with two or three million bytes of names.
    const MOST_BYTES: usize = 1 << 23;
    /// Bytes that a name counts for beside its own.
    const EACH: usize = 8;
    const LONGEST: usize = 256;
    let mut left = MOST_BYTES;
    let within_reach = names.into_iter().map_while(move |name| {
        left = left.checked_sub(name.len().min(LONGEST).saturating_add(EACH))?;
        Some(name)
    });
    within_reach.filter(|name| name.len() <= LONGEST)
}

/// Whether `part` is in the name, from the start of one of its words on: `unlink` is in `do_unlinkat`, `asks` not in `tasks`.
fn has_word(name: &str, part: &str) -> bool {
    let before = |at| name.get(..at).unwrap_or_default();
    name.match_indices(part)
        .any(|(at, _)| !before(at).ends_with(char::is_alphanumeric))
}

/// How near names are to a wanted one. A kernel has names by the hundred thousand, so most are dismissed at a glance.
struct Resemblance<'a> {
    wanted: &'a str,
    letters: u64,
    /// Edits that make another name of it: a third of a short name, a typo or two in a long one.
    limit: usize,
}

impl<'a> Resemblance<'a> {
    fn to(wanted: &'a str) -> Self {
        Self {
            wanted,
            letters: letters(wanted),
            // Never all of the name: another letter is another word.
            limit: (wanted.len() / 3)
                .clamp(1, 4)
                .min(wanted.len().saturating_sub(1)),
        }
    }

    fn distance(&self, name: &str) -> Option<usize> {
        let letters = letters(name);
        let (missing, foreign) = (self.letters & !letters, letters & !self.letters);
        let inside = missing == 0 && self.wanted.len() >= 3;
        let around = foreign == 0 && name.len() >= 3 && self.wanted.len() >= 3;
        if inside && has_word(name, self.wanted) || around && has_word(self.wanted, name) {
            return Some(1);
        }
        // An edit brings in one letter at most, and takes away one at most.
        if missing.count_ones().max(foreign.count_ones()) as usize > self.limit {
            return None;
        }
        edit_distance(self.wanted, name, self.limit)
    }
}

/// The set of letters in a word, capitals taken for small ones. Bytes that share a bit only make sets look more alike.
fn letters(word: &str) -> u64 {
    crate::work::did(word.len());
    let bit = |byte: u8| 1 << (byte.to_ascii_lowercase() & 63);
    word.bytes().fold(0, |set, byte| set | bit(byte))
}

/// The sentence end for [`near_names`]: `""`, or `"; did you mean `a` or `b`?"`.
pub fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    suggestion(&near_names(wanted, names))
}

fn suggestion(near: &[&str]) -> String {
    if near.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = near.iter().map(|n| format!("`{n}`")).collect();
    format!("; did you mean {}?", quoted.join(" or "))
}

/// How many slips lead from one word to the other: a letter too many, too few or another one, or two neighbours swapped
/// (the restricted distance of Damerau and Levenshtein). `None` if it is above `limit` or the words are long.
fn edit_distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    const LONGEST: usize = 128;
    /// More than any distance that is looked for.
    const FAR: u8 = 200;
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > limit || a.len() > LONGEST || b.len() > LONGEST {
        return None;
    }
    let limit = u8::try_from(limit).unwrap_or(FAR).min(FAR);
    let reach = usize::from(limit);
    // Cell `j` of a row tells how far what has been read of `a` is from the first `j` letters of `b`. Cells further from the
    // diagonal than `limit` are above it, and are not worked out.
    let mut row: [u8; LONGEST + 1] = std::array::from_fn(|j| u8::try_from(j).unwrap_or(FAR));
    let mut before = row;
    let same = |x: Option<&u8>, y: Option<&u8>| matches!((x, y), (Some(x), Some(y)) if x.eq_ignore_ascii_case(y));
    for i in 0..a.len() {
        let mut next = [FAR; LONGEST + 1];
        let mut least = u8::try_from(i + 1).unwrap_or(FAR);
        next[0] = least;
        let near = i.saturating_sub(reach)..b.len().min(i + reach + 1);
        crate::work::did(near.len());
        for j in near {
            let cell = |row: &[u8], j: usize| row.get(j).copied().unwrap_or(FAR);
            let other = u8::from(!same(a.get(i), b.get(j)));
            let mut best = cell(&row, j)
                .saturating_add(other)
                .min(cell(&row, j + 1).saturating_add(1))
                .min(cell(&next, j).saturating_add(1));
            let swapped =
                i > 0 && j > 0 && same(a.get(i), b.get(j - 1)) && same(a.get(i - 1), b.get(j));
            if swapped {
                best = best.min(cell(&before, j - 1).saturating_add(1));
            }
            if let Some(place) = next.get_mut(j + 1) {
                *place = best;
            }
            least = least.min(best);
        }
        // No later row gets below the least of this one, nor does a swap: the row before is one better at most.
        if least > limit {
            return None;
        }
        (before, row) = (row, next);
    }
    let distance = row.get(b.len()).copied().filter(|d| *d <= limit);
    distance.map(usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_names_start_where_a_word_does() {
        assert_eq!(near_names("unlink", ["do_unlinkat"]), ["do_unlinkat"]);
        assert!(near_names("asks", ["rcu_tasks", "set_cpumasks"]).is_empty());
    }

    #[test]
    fn near_names_finds_typos_and_parts() {
        let names = ["targ_pid", "targ_tgid", "events"];
        assert_eq!(near_names("targ_pdi", names), ["targ_pid"]);
        assert_eq!(near_names("pid", names), ["targ_pid"]);
        assert!(near_names("zzzzzz", names).is_empty());
        assert_eq!(near_names("Targ_PDI", names), ["targ_pid"]);
    }

    #[test]
    fn edit_distance_counts_slips() {
        for (a, b, distance) in [
            ("kitten", "sitting", Some(3)),
            ("pid", "pdi", Some(1)),
            ("pid", "PID", Some(0)),
            ("ca", "abc", Some(3)),
            ("do_unlinkat", "do_unlnikta", Some(2)),
            ("", "abc", Some(3)),
            ("abcd", "wxyz", None),
            ("short", "much_longer", None),
        ] {
            assert_eq!(edit_distance(a, b, 3), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a, 3), distance, "{b} {a}");
        }
        assert_eq!(edit_distance(&"x".repeat(129), "x", 200), None);
    }

    #[test]
    fn swapped_letters_of_short_words_are_seen_and_other_words_are_not() {
        assert_eq!(near_names("pdi", ["pid", "uid", "tgid"]), ["pid"]);
        assert_eq!(near_names("ba", ["ab", "xy"]), ["ab"]);
        // Another letter is another word.
        assert!(near_names("x", ["y", "z"]).is_empty());
        assert!(near_names("", ["a"]).is_empty());
    }
}
