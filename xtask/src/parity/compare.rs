//! Two opinions about one object, side by side.

use super::Depth;
use super::verdict::{Fact, Opinion, Outcome, fact};

/// A row of the report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// The object.
    pub(crate) object: String,
    /// The reference with its version.
    pub(crate) reference: String,
    /// Whether each opened it: theirs, ours.
    pub(crate) opened: [Outcome; 2],
    /// Whether each loaded it as it stands.
    pub(crate) whole: [Outcome; 2],
    /// How many programs there are.
    pub(crate) programs: usize,
    /// How many of them both accept.
    pub(crate) accepted: usize,
    /// How many of those have equal tags (or, not loaded, equal instructions).
    pub(crate) equal: usize,
    /// How many programs have the same verdict.
    pub(crate) same_verdict: usize,
    /// Everything that differs.
    pub(crate) differences: Vec<Difference>,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Difference {
    /// Which program or map; empty for the object itself.
    pub(crate) of: String,
    /// Which property.
    pub(crate) what: &'static str,
    /// The reference's value.
    pub(crate) theirs: String,
    /// Ours.
    pub(crate) ours: String,
}

/// Compares what the two loaders say about one object.
pub(crate) fn compare(object: &str, theirs: &Opinion, ours: &Opinion, depth: Depth) -> Row {
    let mut row = Row {
        object: object.to_owned(),
        reference: theirs.loader.clone(),
        opened: [theirs.opened.clone(), ours.opened.clone()],
        whole: [theirs.whole.clone(), ours.whole.clone()],
        programs: theirs.programs.len(),
        ..Row::default()
    };
    row.differences
        .extend(verdicts("", "opened", &theirs.opened, &ours.opened));
    if !theirs.opened.is_good() || !ours.opened.is_good() {
        return row;
    }
    row.differences
        .extend(verdicts("", "loaded", &theirs.whole, &ours.whole));
    programs(&mut row, theirs, ours, depth);
    // If nothing of an object could be loaded, there are no maps left to list.
    if !ours.maps.is_empty() || ours.whole.is_good() || theirs.whole.is_good() {
        maps(&mut row, theirs, ours);
    }
    row
}

/// The row of an object on which a loader, or the machine under it, died.
pub(crate) fn silence(
    object: &str,
    theirs: Option<anyhow::Error>,
    ours: Option<anyhow::Error>,
) -> Row {
    let said =
        |error: Option<anyhow::Error>| error.map_or("answered".to_owned(), |e| format!("{e:#}"));
    let difference = Difference {
        of: String::new(),
        what: "answer",
        theirs: said(theirs),
        ours: said(ours),
    };
    Row {
        object: object.to_owned(),
        differences: vec![difference],
        ..Row::default()
    }
}

fn programs(row: &mut Row, theirs: &Opinion, ours: &Opinion, depth: Depth) {
    let names = |opinion: &Opinion| {
        opinion
            .programs
            .iter()
            .map(|p| p.name.clone())
            .collect::<Vec<_>>()
    };
    row.differences
        .extend(lists("programs", &names(theirs), &names(ours)));
    for theirs in &theirs.programs {
        let of = format!("program {}", theirs.name);
        let Some(ours) = ours.programs.iter().find(|ours| ours.name == theirs.name) else {
            continue;
        };
        let verdict = verdicts(&of, "verdict", &theirs.verdict, &ours.verdict);
        let untried = ours.verdict == Outcome::Untried;
        row.same_verdict +=
            usize::from(untried || theirs.verdict.is_good() == ours.verdict.is_good());
        // libbpf's preparation creates maps and leaves attach targets to the load; a plan does the reverse. So before the
        // load, only what both have made is compared.
        if depth == Depth::Load {
            row.differences.extend(verdict);
        }
        if theirs.verdict.is_good() && ours.verdict.is_good() {
            row.accepted += 1;
            let proof = |facts: &[Fact]| {
                fact(facts, "tag")
                    .or_else(|| fact(facts, "insns"))
                    .map(str::to_owned)
            };
            let (their_proof, our_proof) = (proof(&theirs.facts), proof(&ours.facts));
            row.equal += usize::from(their_proof.is_some() && their_proof == our_proof);
            if our_proof.is_none() {
                row.differences.push(Difference {
                    of: of.clone(),
                    what: "tag",
                    theirs: their_proof.unwrap_or_default(),
                    ours: "none was printed".to_owned(),
                });
            }
        }
        row.differences
            .extend(facts(&of, &theirs.facts, &ours.facts));
    }
}

fn maps(row: &mut Row, theirs: &Opinion, ours: &Opinion) {
    let names = |opinion: &Opinion| {
        opinion
            .maps
            .iter()
            .map(|m| m.name.clone())
            .collect::<Vec<_>>()
    };
    row.differences
        .extend(lists("maps", &names(theirs), &names(ours)));
    for theirs in &theirs.maps {
        if let Some(ours) = ours.maps.iter().find(|ours| ours.name == theirs.name) {
            row.differences.extend(facts(
                &format!("map {}", theirs.name),
                &theirs.facts,
                &ours.facts,
            ));
        }
    }
}

/// Both must accept, or both must refuse, with the same error number if both report one from the kernel.
fn verdicts(of: &str, what: &'static str, theirs: &Outcome, ours: &Outcome) -> Option<Difference> {
    let what = match (theirs, ours) {
        (Outcome::Untried, _) | (_, Outcome::Untried) | (Outcome::Good, Outcome::Good) => {
            return None;
        }
        (Outcome::Bad { errno: Some(a), .. }, Outcome::Bad { errno: Some(b), .. }) if a != b => {
            "errno"
        }
        (Outcome::Bad { .. }, Outcome::Bad { .. }) => return None,
        _ => what,
    };
    Some(Difference {
        of: of.to_owned(),
        what,
        theirs: theirs.show(),
        ours: ours.show(),
    })
}

fn lists(what: &'static str, theirs: &[String], ours: &[String]) -> Option<Difference> {
    let mut sorted = [theirs.to_vec(), ours.to_vec()];
    for list in &mut sorted {
        list.sort_unstable();
    }
    let [their_sorted, our_sorted] = &sorted;
    (their_sorted != our_sorted).then(|| Difference {
        of: String::new(),
        what,
        theirs: theirs.join(" "),
        ours: ours.join(" "),
    })
}

fn facts(of: &str, theirs: &[Fact], ours: &[Fact]) -> Vec<Difference> {
    let differing = theirs.iter().filter_map(|their| {
        let our = fact(ours, their.name).filter(|our| *our != their.value)?;
        let [theirs, ours] = match their.name {
            "insns" => first_difference(&their.value, our),
            _ => [their.value.clone(), our.to_owned()],
        };
        Some(Difference {
            of: of.to_owned(),
            what: their.name,
            theirs,
            ours,
        })
    });
    differing.collect()
}

/// Where two instruction streams in hex diverge, with the instruction there.
fn first_difference(theirs: &str, ours: &str) -> [String; 2] {
    const DIGITS: usize = 16;
    let [theirs, ours] =
        [theirs, ours].map(|text| text.as_bytes().chunks(DIGITS).collect::<Vec<_>>());
    let longest = theirs.len().max(ours.len());
    let at = (0..longest)
        .find(|&at| theirs.get(at) != ours.get(at))
        .unwrap_or(longest);
    [&theirs, &ours].map(|insns| {
        let insn = insns
            .get(at)
            .map_or("the end".into(), |insn| String::from_utf8_lossy(insn));
        format!("{} instructions, number {at} is {insn}", insns.len())
    })
}

#[cfg(test)]
mod tests {
    use super::super::verdict::{Map, Program};
    use super::*;

    fn program(name: &str, verdict: Outcome, tag: Option<&str>) -> Program {
        Program {
            name: name.into(),
            verdict,
            facts: Fact::new("tag", tag).into_iter().collect(),
        }
    }

    fn refused(errno: i32) -> Outcome {
        Outcome::Bad {
            errno: Some(errno),
            message: String::new(),
        }
    }

    fn opinion(programs: Vec<Program>) -> Opinion {
        Opinion {
            opened: Outcome::Good,
            whole: Outcome::Good,
            programs,
            ..Opinion::default()
        }
    }

    #[test]
    fn equal_opinions_have_no_difference() {
        let one = opinion(vec![
            program("a", Outcome::Good, Some("1")),
            program("b", refused(1), None),
        ]);
        let row = compare("x", &one, &one.clone(), Depth::Load);
        assert_eq!(row.differences, []);
        assert_eq!(
            (row.programs, row.accepted, row.equal, row.same_verdict),
            (2, 1, 1, 2)
        );
    }

    #[test]
    fn tags_verdicts_and_numbers_are_told_apart() {
        let theirs = opinion(vec![
            program("tag", Outcome::Good, Some("1")),
            program("none", Outcome::Good, Some("1")),
            program("verdict", Outcome::Good, Some("1")),
            program("errno", refused(1), None),
            program("gone", Outcome::Good, Some("1")),
        ]);
        let ours = opinion(vec![
            program("tag", Outcome::Good, Some("2")),
            program("none", Outcome::Good, None),
            program("verdict", refused(13), None),
            program("errno", refused(22), None),
        ]);
        let row = compare("x", &theirs, &ours, Depth::Load);
        let what: Vec<_> = row
            .differences
            .iter()
            .map(|d| (&d.of[..], d.what))
            .collect();
        let expected = [
            ("", "programs"),
            ("program tag", "tag"),
            ("program none", "tag"),
            ("program verdict", "verdict"),
            ("program errno", "errno"),
        ];
        assert_eq!(what, expected);
        assert_eq!((row.accepted, row.equal, row.same_verdict), (2, 0, 3));
    }

    #[test]
    fn an_object_that_only_one_opens_is_one_difference() {
        let theirs = opinion(vec![program("a", Outcome::Good, Some("1"))]);
        let ours = Opinion {
            opened: refused(22),
            ..Opinion::default()
        };
        let row = compare("x", &theirs, &ours, Depth::Load);
        assert_eq!(row.differences.len(), 1);
        assert_eq!(row.differences[0].what, "opened");
    }

    #[test]
    fn only_facts_that_both_state_are_compared() {
        let map = |facts: &[(&'static str, u32)]| {
            let facts = facts
                .iter()
                .filter_map(|(name, value)| Fact::new(name, Some(*value)));
            let map = Map {
                name: "m".into(),
                facts: facts.collect(),
            };
            Opinion {
                maps: vec![map],
                ..opinion(Vec::new())
            }
        };
        let theirs = map(&[("flags", 1), ("key_size", 4), ("extra", 0)]);
        let ours = map(&[("flags", 2), ("key_size", 4)]);
        let row = compare("x", &theirs, &ours, Depth::Load);
        let expected = Difference {
            of: "map m".into(),
            what: "flags",
            theirs: "1".into(),
            ours: "2".into(),
        };
        assert_eq!(row.differences, [expected]);
    }

    #[test]
    fn instruction_streams_part_at_the_first_difference() {
        let [theirs, ours] = first_difference(
            &"0".repeat(32),
            &format!("{}1{}", "0".repeat(31), "2".repeat(16)),
        );
        assert_eq!(theirs, "2 instructions, number 1 is 0000000000000000");
        assert_eq!(ours, "3 instructions, number 1 is 0000000000000001");
    }
}
