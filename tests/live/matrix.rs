//! What attaching does on this kernel: tests report it, chores collect it into `tests/attach/README.md`.
//!
//! A test claims something by passing what it saw: [`works`] is an assertion about an effect, [`refused`] one about an
//! error. They print only after asserting, so nothing can be claimed that was not seen.
//!
//! ```ignore
//! match program.attach_kprobe(&at) {
//!     Ok(link) => works("kprobe", "calls of a function are counted", count() >= 5),
//!     error => refused("kprobe", error, "CONFIG_KPROBE_EVENTS"),
//! }
//! ```

use crate::support::{Need, check};
use std::fmt::Debug;
use std::io::{self, Write};

/// Asserts that attaching this way had its effect, and claims it for the running kernel.
///
/// `effect` says what was seen; it is the same on all kernels.
#[track_caller]
pub(crate) fn works(attachment: &str, effect: &str, seen: bool) {
    assert!(seen, "{attachment}: not seen: {effect}");
    say(attachment, "works", effect);
}

/// Asserts that attaching (or loading, where the kernel objects that early) was refused with these words, and claims it
/// for the running kernel.
#[track_caller]
pub(crate) fn refused<T: Debug>(attachment: &str, result: rawbpf::Result<T>, words: &str) {
    let error = result.expect_err(attachment);
    let text = error.to_string();
    assert!(
        text.contains(words),
        "{attachment}: refused without saying \"{words}\": {text}"
    );
    say(attachment, "refused", &text);
}

/// The result of an attempt; `None` if it was refused with these words, which is then claimed for the running kernel.
///
/// If `needs` are met, it must not be refused. If not, it may work all the same: stable kernels and distributions backport
/// things, so the attempt decides, and the kernel's version only says whether a refusal is excused.
#[track_caller]
pub(crate) fn unless_refused<T: Debug>(
    attachment: &str,
    attempt: rawbpf::Result<T>,
    needs: &[Need],
    words: &str,
) -> Option<T> {
    match attempt {
        Ok(value) => Some(value),
        Err(error) => {
            let unmet = check(needs).is_err();
            assert!(unmet, "{attachment}: {error}");
            refused::<T>(attachment, Err(error), words);
            None
        }
    }
}

fn say(attachment: &str, verdict: &str, what: &str) {
    let fixtures = crate::support::fixture("");
    let what = what
        .replace('\n', "; ")
        .replace(&fixtures.display().to_string(), "");
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let what = what.replace(&format!(" {}", release.trim()), "");
    let what = without_patch_level(&without_numbers(&what));
    // Past the test harness, which captures the output of passing tests; in one write, as the harness writes there, too.
    let line = format!("attach-matrix: {attachment} | {verdict} | {what}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Makes the words the same in every run: process ids, and numbers in the names of what a test created, are removed.
fn without_numbers(text: &str) -> String {
    const BEFORE: &str = "rawbpf-test";
    let mut parts = text.split(BEFORE);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(BEFORE);
        plain.push_str(part.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit()));
    }
    plain
}

/// Makes the words the same on every kernel of a series: the third number of "this kernel is 6.1.27" is removed.
fn without_patch_level(text: &str) -> String {
    const BEFORE: &str = "this kernel is ";
    let Some((before, after)) = text.split_once(BEFORE) else {
        return text.to_owned();
    };
    let length = after.find(|c: char| c != '.' && !c.is_ascii_digit());
    let (version, rest) = after.split_at(length.unwrap_or(after.len()));
    let series: Vec<_> = version.split('.').take(2).collect();
    format!("{before}{BEFORE}{}{rest}", series.join("."))
}
