//! What the live tests claim about one kernel.

use std::collections::BTreeMap;

/// What a test saw of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It had this effect.
    Works(String),
    /// It was refused with this message.
    Refused(String),
}

/// The claims of all tests on one kernel, by attachment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) by_attachment: BTreeMap<String, Claim>,
    /// Attachments about which two tests disagree.
    pub(crate) disputed: Vec<String>,
}

impl Claims {
    /// Reads a line of a test program's output.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some((attachment, claim)) = claim(line) {
            let known = self.by_attachment.insert(attachment.clone(), claim);
            if known.is_some_and(|known| known != self.by_attachment[&attachment]) {
                self.disputed.push(attachment);
            }
        }
    }
}

/// `attach-matrix: ATTACHMENT | works | EFFECT`; it may come after the harness's `test x ... `, on the same line.
fn claim(line: &str) -> Option<(String, Claim)> {
    let (_, said) = line.split_once("attach-matrix: ")?;
    let mut parts = said.splitn(3, " | ");
    let (attachment, verdict, what) = (parts.next()?, parts.next()?, parts.next()?);
    let claim = match verdict {
        "works" => Claim::Works(what.to_owned()),
        "refused" => Claim::Refused(what.to_owned()),
        _ => return None,
    };
    Some((attachment.to_owned(), claim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_among_other_lines() {
        let mut claims = Claims::default();
        for line in [
            "running 3 tests",
            "attach-matrix: tp | works | calls are counted",
            "test x ... attach-matrix: kprobe | refused | no | kprobes",
            "attach-matrix: tp | works | calls are counted",
            "attach-matrix: odd",
        ] {
            claims.line(line);
        }
        let claim = |attachment| claims.by_attachment.get(attachment).cloned();
        let works = Claim::Works("calls are counted".to_owned());
        assert_eq!(claim("tp"), Some(works));
        let refused = Claim::Refused("no | kprobes".to_owned());
        assert_eq!(claim("kprobe"), Some(refused));
        assert_eq!(claims.by_attachment.len(), 2);
        assert!(claims.disputed.is_empty());
    }

    #[test]
    fn two_tests_that_disagree_are_noticed() {
        let mut claims = Claims::default();
        claims.line("attach-matrix: tp | works | calls are counted");
        claims.line("attach-matrix: tp | refused | no tracefs");
        assert_eq!(claims.disputed, ["tp"]);
    }
}
