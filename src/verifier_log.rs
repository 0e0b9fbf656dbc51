//! The summary of a verifier log: which instruction, from which source line, was rejected for which reason.
//!
//! Pure. A log has every instruction and register state, and the one line that matters at the very end. Two formats are
//! understood: that of Linux up to 7.2, where the reason follows the last instruction, and the newer one with headings
//! ("Verification failed:", "Reason:", "At:", "Suggestion:").
//!
//! Instructions that relocation poisoned show up as calls to impossible helpers, such as `unknown#195896080`; they are
//! translated back into the relocation that failed.

use crate::reloc::{CoreStep, Poison, Ref};

/// A reason is rarely longer than this; what precedes it is context.
const MAX_REASON_LINES: usize = 3;

/// What the numbers in a log refer to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogNames<'a> {
    /// What CO-RE did to the program.
    pub(crate) core: &'a [CoreStep],
    /// What the program's instructions refer to.
    pub(crate) refs: &'a [Ref],
    /// The names of the object's maps.
    pub(crate) maps: &'a [&'a str],
}

/// The summary of `log`: the reason on the first line, details on a few more; empty for an empty log.
#[doc(alias = "fixup_verifier_log")]
pub(crate) fn summarize(log: &str, names: LogNames<'_>) -> String {
    let gist = headed(log).unwrap_or_else(|| plain(log));
    gist.print(names)
}

#[derive(Debug, Default)]
struct Gist<'l> {
    reason: Vec<&'l str>,
    insn: Option<InsnLine<'l>>,
    source: Option<&'l str>,
    suggestion: Vec<&'l str>,
}

/// `7: (79) r1 = *(u64 *)(r0 +0)`
#[derive(Debug, Clone, Copy)]
struct InsnLine<'l> {
    index: usize,
    text: &'l str,
}

impl Gist<'_> {
    fn print(&self, names: LogNames<'_>) -> String {
        let mut lines = Vec::new();
        let mut suggestion = self.suggestion.join(" ");
        match self.missing(names) {
            Some(missing) => {
                lines.push(missing.reason);
                lines.extend(missing.details);
                suggestion = missing.suggestion.into();
            }
            None if self.reason.is_empty() => {}
            None => lines.push(self.reason.join("; ")),
        }
        if let Some(insn) = self.insn {
            lines.push(format!("at instruction {}: {}", insn.index, insn.text));
        }
        if let Some(source) = self.source {
            lines.push(format!("source: {source}"));
        }
        if !suggestion.is_empty() {
            lines.push(format!("suggestion: {suggestion}"));
        }
        lines.join("\n")
    }

    /// What a call to an impossible helper stands for.
    fn missing(&self, names: LogNames<'_>) -> Option<Missing> {
        let called = self.reason.iter().find_map(|line| unknown_helper(line));
        let number = called.or_else(|| unknown_helper(self.insn?.text))?;
        let insn = self.insn.map(|insn| insn.index);
        Some(match Poison::from_helper(number)? {
            Poison::Core => Missing::core(names.core, insn),
            Poison::Map(index) => Missing::map(names.maps.get(index).copied(), index),
            Poison::Extern(index) => {
                let name = insn.and_then(|insn| names.refs.iter().find(|r| r.insn == insn));
                Missing::kfunc(name.map(|r| &*r.name), index)
            }
        })
    }
}

/// What a poisoned instruction needs, in words.
struct Missing {
    reason: String,
    details: Vec<String>,
    suggestion: &'static str,
}

impl Missing {
    fn core(core: &[CoreStep], insn: Option<usize>) -> Self {
        // Both halves of a poisoned ldimm64 are calls; the relocation is the first half's.
        let step = insn.and_then(|insn| {
            let at = |wanted: usize| core.iter().find(|step| step.insn == wanted);
            at(insn).or_else(|| at(insn.checked_sub(1)?))
        });
        let suggestion = "ask first, with bpf_core_field_exists(), bpf_core_type_exists() or bpf_core_enum_value_exists(), \
                          and give kernels that name it otherwise a type of their own (`struct NAME___old`)";
        let Some(step) = step else {
            return Self {
                reason:
                    "it needs what this kernel does not have: a CO-RE relocation without an answer"
                        .into(),
                details: Vec::new(),
                suggestion,
            };
        };
        let missing = step.missing.as_deref().unwrap_or("something");
        // The field was found; it is the instruction that cannot access it.
        let reason = if step.candidates.is_empty() {
            format!("it needs {missing}, which this kernel does not have")
        } else {
            format!("it accesses {missing}, which is another sort of field in this kernel")
        };
        let mut details = step.mismatches.clone();
        details.push(format!("CO-RE relocation {}: {}", step.kind, step.spec));
        Self {
            reason,
            details,
            suggestion,
        }
    }

    fn map(name: Option<&str>, index: usize) -> Self {
        let shown = name.map_or_else(|| format!("number {index}"), |name| format!("`{name}`"));
        let why = if name.is_some_and(|name| name.starts_with('.')) {
            "its autocreate is off, or this kernel has no global variables, which need Linux 5.2"
        } else {
            "its autocreate is off"
        };
        Self {
            reason: format!("it uses map {shown}, which was not created ({why})"),
            details: Vec::new(),
            suggestion: "turn autocreate of the map on, or hide its uses behind a constant that is false (`const volatile`)",
        }
    }

    fn kfunc(name: Option<&str>, index: usize) -> Self {
        let shown = name.map_or_else(|| format!("number {index}"), |name| format!("`{name}`"));
        Self {
            reason: format!(
                "it calls the kernel function {shown}, declared __weak, which this kernel does not have"
            ),
            details: Vec::new(),
            suggestion: "guard the call with bpf_ksym_exists()",
        }
    }
}

/// The number in `... unknown#195896080`.
fn unknown_helper(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("unknown#")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// The old format: the last instruction, the source line before it, and what follows it.
fn plain(log: &str) -> Gist<'_> {
    let mut gist = Gist::default();
    for line in log.lines().map(str::trim_end) {
        if let Some(source) = line.strip_prefix("; ") {
            gist.source = Some(source);
            gist.reason.clear();
        } else if let Some(insn) = insn_line(line) {
            gist.insn = Some(insn);
            gist.reason.clear();
        } else if !is_noise(line) {
            gist.reason.push(line.trim());
        }
    }
    let surplus = gist.reason.len().saturating_sub(MAX_REASON_LINES);
    gist.reason.drain(..surplus);
    gist
}

/// `"7: (79) r1 = *(u64 *)(r0 +0)   ; R1=..."`, without the register state.
fn insn_line(line: &str) -> Option<InsnLine<'_>> {
    let (index, rest) = line.trim_start().split_once(": ")?;
    let index = index.parse().ok()?;
    if !rest.starts_with('(') {
        return None;
    }
    let text = rest.split_once(" ; ").map_or(rest, |(insn, _)| insn);
    Some(InsnLine {
        index,
        text: text.trim(),
    })
}

/// Lines that do not say why a program was rejected: statistics, register states, precision tracking.
fn is_noise(line: &str) -> bool {
    const STARTS: [&str; 12] = [
        "processed ",
        "verification time ",
        "stack depth ",
        "func#",
        "mark_precise: ",
        "last_idx ",
        "regs=",
        "parent ",
        "from ",
        "caller:",
        "callee:",
        "propagating ",
    ];
    let text = line.trim();
    let is_state = || {
        let Some((index, rest)) = text.split_once(':') else {
            return false;
        };
        !index.is_empty()
            && index.bytes().all(|b| b.is_ascii_digit())
            && (rest.is_empty() || rest.starts_with(" R") || rest.starts_with(" safe"))
    };
    text.is_empty()
        || STARTS.iter().any(|start| text.starts_with(start))
        || is_state()
        || text.starts_with("Func#")
        || text.starts_with("returning from callee")
        || text == "frame1:"
}

/// What the lines below a heading belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heading {
    Failed,
    Reason,
    At,
    Suggestion,
}

const HEADINGS: [(&str, Heading); 4] = [
    ("Verification failed:", Heading::Failed),
    ("Reason:", Heading::Reason),
    ("At:", Heading::At),
    ("Suggestion:", Heading::Suggestion),
];

/// The newer format; `None` if the log has no such headings.
fn headed(log: &str) -> Option<Gist<'_>> {
    let start = log.rfind(HEADINGS[0].0)?;
    let report = log.get(start..)?;
    let mut gist = Gist::default();
    let mut under = None;
    for line in report.lines() {
        let heading = HEADINGS
            .iter()
            .find_map(|(words, heading)| Some((*heading, line.strip_prefix(words)?)));
        let text = match heading {
            Some((heading, rest)) => {
                under = Some(heading);
                rest.trim()
            }
            // What belongs to a heading is indented or directly follows it; statistics do neither.
            None if is_noise(line) && !line.trim().is_empty() => {
                under = None;
                continue;
            }
            None => line.trim(),
        };
        if text.is_empty() {
            continue;
        }
        match under {
            Some(Heading::Failed | Heading::Reason) => gist.reason.push(text),
            Some(Heading::At) => gist.add_place(text),
            Some(Heading::Suggestion) => gist.suggestion.push(text),
            None => {}
        }
    }
    if gist.insn.is_none() {
        let before = plain(log.get(..start)?);
        gist.insn = before.insn;
        gist.source = gist.source.or(before.source);
    }
    Some(gist)
}

impl<'l> Gist<'l> {
    fn add_place(&mut self, text: &'l str) {
        let bare = text.strip_prefix("insn ").unwrap_or(text);
        match insn_line(bare) {
            Some(insn) => self.insn = Some(insn),
            None => self.source = Some(text.trim_start_matches("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reloc::{CoreOutcome, RefKind};

    fn fixture(name: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/logs")
            .join(name);
        std::fs::read_to_string(path).expect("the log is there")
    }

    #[test]
    fn kernels_up_to_7_2_say_it_last() {
        let expected = |source: &str| {
            format!(
                "R0 invalid mem access 'map_value_or_null'\n\
                 at instruction 7: (79) r1 = *(u64 *)(r0 +0)\nsource: *count += 1;{source}"
            )
        };
        for version in ["5.10", "6.1"] {
            let log = fixture(&format!("reject-{version}.log"));
            assert_eq!(summarize(&log, LogNames::default()), expected(""));
        }
        for version in ["6.12", "6.18", "7.2"] {
            let log = fixture(&format!("reject-{version}.log"));
            let gist = summarize(&log, LogNames::default());
            assert_eq!(gist, expected(" @ reject.bpf.c:20"));
        }
    }

    #[test]
    fn newer_kernels_say_it_under_headings() {
        let gist = summarize(&fixture("headings.log"), LogNames::default());
        assert_eq!(
            gist,
            "invalid memory access; R0 is 'map_value_or_null' here, which may be NULL\n\
             at instruction 7: (79) r1 = *(u64 *)(r0 +0)\n\
             source: *count += 1; @ example.bpf.c:20\n\
             suggestion: compare the result of the lookup with NULL before it is used"
        );
    }

    #[test]
    fn headings_may_have_their_text_on_the_same_line() {
        let log = "; x(); @ a.c:3\n4: (85) call x#1\nVerification failed: bad call\nReason: no such thing\n\
                   processed 4 insns (limit 1000000)\n";
        assert_eq!(
            summarize(log, LogNames::default()),
            "bad call; no such thing\nat instruction 4: (85) call x#1\nsource: x(); @ a.c:3"
        );
    }

    #[test]
    fn a_reason_may_take_several_lines() {
        let log = "3: (71) r1 = *(u8 *)(r0 +16)\n R0=map_value(ks=4,vs=16)\n\
                   invalid access to map value, value_size=16 off=16 size=1\n\
                   R0 min value is outside of the allowed memory range\nprocessed 4 insns (limit 1000000)\n";
        let gist = summarize(log, LogNames::default());
        assert!(
            gist.contains(
                "value_size=16 off=16 size=1; R0 min value is outside of the allowed memory range\n"
            ),
            "{gist}"
        );
    }

    #[test]
    fn a_log_without_instructions_still_has_a_reason() {
        let log = "func#0 @0\nunreachable insn 4\nprocessed 0 insns (limit 1000000)\n";
        assert_eq!(summarize(log, LogNames::default()), "unreachable insn 4");
        assert_eq!(summarize("", LogNames::default()), "");
    }

    fn poisoned(missing: Poison) -> String {
        calling(missing.helper())
    }

    fn calling(number: u32) -> String {
        format!(
            "; x = BPF_CORE_READ(t, gone); @ a.c:9\n5: (85) call unknown#{number}\n\
             invalid func unknown#{number}\nprocessed 5 insns (limit 1000000)\n"
        )
    }

    #[test]
    fn poison_is_seen_in_what_kernels_say() {
        let first_line = |name: &str| {
            let maps = ["a", "b", "c", "events"];
            let names = LogNames {
                maps: &maps,
                ..LogNames::default()
            };
            let gist = summarize(&fixture(name), names);
            let (reason, place) = gist.split_once('\n').expect("two lines");
            assert!(
                place.starts_with("at instruction 1: (85) call unknown#"),
                "{place}"
            );
            reason.to_owned()
        };
        assert_eq!(
            first_line("poison-core.log"),
            "it needs what this kernel does not have: a CO-RE relocation without an answer"
        );
        assert_eq!(
            first_line("poison-map.log"),
            "it uses map `events`, which was not created (its autocreate is off)"
        );
        assert_eq!(
            first_line("poison-kfunc.log"),
            "it calls the kernel function number 1, declared __weak, which this kernel does not have"
        );
    }

    #[test]
    fn poison_is_named_after_its_relocation() {
        let core = [CoreStep {
            insn: 5,
            kind: "field_byte_offset",
            spec: "struct task_struct.gone (0:3 @ offset 12)".into(),
            candidates: Vec::new(),
            missing: Some("field `gone` of `struct task_struct`".into()),
            mismatches: vec![
                "[114] struct task_struct has no member `gone`; did you mean `__gone`?".into(),
            ],
            value_before: Some(12),
            value_after: None,
            outcome: CoreOutcome::Poisoned,
        }];
        let names = LogNames {
            core: &core,
            ..LogNames::default()
        };
        let gist = summarize(&poisoned(Poison::Core), names);
        assert_eq!(
            gist.lines().take(5).collect::<Vec<_>>(),
            [
                "it needs field `gone` of `struct task_struct`, which this kernel does not have",
                "[114] struct task_struct has no member `gone`; did you mean `__gone`?",
                "CO-RE relocation field_byte_offset: struct task_struct.gone (0:3 @ offset 12)",
                "at instruction 5: (85) call unknown#195896080",
                "source: x = BPF_CORE_READ(t, gone); @ a.c:9",
            ]
        );
        assert!(
            gist.contains("\nsuggestion: ask first, with bpf_core_field_exists()"),
            "{gist}"
        );
    }

    #[test]
    fn a_field_that_is_there_in_another_width_is_not_called_missing() {
        let step = CoreStep {
            insn: 5,
            kind: "field_byte_offset",
            spec: "<byte_off> [17] struct t.prio (0:0 @ offset 0)".into(),
            candidates: vec!["<byte_off> [114] struct t.prio (0:9 @ offset 8)".into()],
            missing: Some("field `prio` of `struct t`".into()),
            mismatches: vec!["the field has another width".into()],
            value_before: Some(0),
            value_after: None,
            outcome: CoreOutcome::Poisoned,
        };
        let names = LogNames {
            core: std::slice::from_ref(&step),
            ..LogNames::default()
        };
        let gist = summarize(&poisoned(Poison::Core), names);
        assert!(
            gist.starts_with(
                "it accesses field `prio` of `struct t`, which is another sort of field in this kernel\n\
                 the field has another width\n"
            ),
            "{gist}"
        );
    }

    #[test]
    fn poison_is_named_after_its_map_or_kernel_function() {
        let refs = [Ref {
            insn: 5,
            kind: RefKind::Kfunc { module: None },
            name: "bpf_gone".into(),
        }];
        let names = LogNames {
            refs: &refs,
            maps: &["start", "events"],
            ..LogNames::default()
        };
        let map = summarize(&poisoned(Poison::Map(1)), names);
        assert!(
            map.contains("uses map `events`, which was not created (its autocreate is off)"),
            "{map}"
        );
        let kfunc = summarize(&poisoned(Poison::Extern(4)), names);
        assert!(
            kfunc.contains("kernel function `bpf_gone`, declared __weak")
                && kfunc.contains("bpf_ksym_exists()"),
            "{kfunc}"
        );
        // An ordinary unknown helper keeps the verifier's words.
        let helper = summarize(&calling(999), names);
        assert!(helper.starts_with("invalid func unknown#999"), "{helper}");
    }
}
