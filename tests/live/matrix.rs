//! What attaching is seen to do on this kernel: tests say it, chores collect it into `tests/attach/README.md`.
//!
//! A test claims by handing over what it saw: [`works`] is an assertion about an effect, [`refused`] one about an error.
//! Only after that it prints, so nothing can be claimed that was not seen.
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

/// What came of an attempt; `None` where it was refused with these words, which is then claimed for the running kernel.
///
/// With `needs` it must not be refused. Without, it may work all the same: stable kernels and distributions take things
/// over, so the kernel is asked by the attempt, and its version decides only whether it has an excuse.
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
    // Past the harness, which keeps the output of tests that pass to itself; in one piece, as it writes there too.
    let line = format!("attach-matrix: {attachment} | {verdict} | {what}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// The same words in every run: the process and the number in the name of what a test made itself go.
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

/// The same words on every kernel of a series: the third number of "this kernel is 6.1.27" goes.
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
