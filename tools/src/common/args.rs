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
        let words = self.words.iter().enumerate();
        let mut found = words.filter_map(|(at, word)| {
            let found = names.iter().find_map(|name| value_in(word, name))?;
            Some((at, found))
        });
        let Some((at, found)) = found.next() else {
            return Ok(None);
        };
        let name = self.words.remove(at).unwrap_or_default();
        let value = match found {
            Found::SameWord(value) => Some(value),
            Found::NextWord => self.words.remove(at),
        };
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

/// Where an option's value is.
enum Found {
    SameWord(String),
    NextWord,
}

/// Where the value of this option is; `None` if the word is another option.
fn value_in(word: &str, name: &str) -> Option<Found> {
    let rest = word.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(Found::NextWord);
    }
    let value = if name.starts_with("--") {
        rest.strip_prefix('=')?
    } else {
        rest
    };
    Some(Found::SameWord(value.to_owned()))
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Outcome<T> {
    let wrong = |_| Failure::Usage(format!("not a value for {name}: {value}"));
    value.parse().map_err(wrong)
}

fn unexpected(word: &str) -> Failure {
    Failure::Usage(format!("unexpected: {word}"))
}
