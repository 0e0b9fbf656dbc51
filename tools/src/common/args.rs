//! The command line: options anywhere, operands in order.

use super::{Failure, Outcome, Run, Stop};
use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

/// The words after a tool's name. Options must be taken before operands.
pub(crate) struct Args {
    words: VecDeque<String>,
}

impl Args {
    pub(crate) fn new(words: VecDeque<String>) -> Self {
        Self { words }
    }

    /// Takes an option without a value; returns whether it was there.
    pub(crate) fn flag(&mut self, names: &[&str]) -> bool {
        let before = self.words.len();
        self.words.retain(|word| !names.contains(&&**word));
        self.words.len() < before
    }

    /// Takes an option's value: `-p 7`, `-p7`, `--pid 7`, `--pid=7`.
    pub(crate) fn option<T: FromStr>(&mut self, names: &[&str]) -> Outcome<Option<T>> {
        let found = self.words.iter().enumerate();
        let mut found = found.filter_map(|(at, word)| {
            let value = names.iter().find_map(|name| value_in(word, name))?;
            Some((at, value.map(str::to_owned)))
        });
        let Some((at, value)) = found.next() else {
            return Ok(None);
        };
        let name = self.words.remove(at).unwrap_or_default();
        let value = value.or_else(|| self.words.remove(at));
        let value = value.ok_or_else(|| Failure::Usage(format!("{name} needs a value")))?;
        parsed(&name, &value).map(Some)
    }

    /// The next operand.
    pub(crate) fn operand<T: FromStr>(&mut self, name: &str) -> Outcome<T> {
        self.next()?
            .ok_or_else(|| Failure::Usage(format!("{name} is missing")))
            .and_then(|word| parsed(name, &word))
    }

    /// All operands that are left, at least one.
    pub(crate) fn operands(&mut self, name: &str) -> Outcome<Vec<String>> {
        let mut all = vec![self.operand(name)?];
        while let Some(word) = self.next()? {
            all.push(word);
        }
        Ok(all)
    }

    fn next(&mut self) -> Outcome<Option<String>> {
        match self.words.front() {
            Some(word) if word.starts_with('-') => Err(unexpected(word)),
            _ => Ok(self.words.pop_front()),
        }
    }

    /// Takes the options that all tools have. Must come before the operands.
    pub(crate) fn common(&mut self) -> Outcome<Run> {
        if self.flag(&["-h", "--help"]) {
            return Err(Failure::Help);
        }
        let seconds = self.option(&["-d", "--duration"])?;
        Ok(Run {
            pid: self.option(&["-p", "--pid"])?.unwrap_or_default(),
            json: self.flag(&["--json"]),
            stop: Stop::after(seconds.map(Duration::from_secs)),
        })
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Outcome {
        match self.words.front() {
            Some(word) => Err(unexpected(word)),
            None => Ok(()),
        }
    }
}

/// The value in the same word, `Some(None)` if it is the next word; `None` if this is another option.
fn value_in<'w>(word: &'w str, name: &str) -> Option<Option<&'w str>> {
    let rest = word.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(None);
    }
    if name.starts_with("--") {
        return rest.strip_prefix('=').map(Some);
    }
    Some(Some(rest))
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Outcome<T> {
    let wrong = |_| Failure::Usage(format!("not a value for {name}: {value}"));
    value.parse().map_err(wrong)
}

fn unexpected(word: &str) -> Failure {
    Failure::Usage(format!("unexpected: {word}"))
}
