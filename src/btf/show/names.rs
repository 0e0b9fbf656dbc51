//! Unique names in a namespace.

use crate::keyed_hash::Table;
use std::borrow::Cow;

/// The name with `_` for every character other than letters, digits and `_`, and before a leading digit.
pub(super) fn plain(name: &str) -> Cow<'_, str> {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    if starts_well && name.bytes().all(of_name) {
        return name.into();
    }
    let mut text = String::with_capacity(name.len().saturating_add(1));
    if !starts_well {
        text.push('_');
    }
    text.extend(
        name.chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }),
    );
    text.into()
}

/// The names of one namespace, and how often each was requested, so that the next number is found at once.
#[derive(Default)]
pub(crate) struct Space<'b>(Table<Cow<'b, str>, u32>);

impl<'b> Space<'b> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The name, with the suffix `___2` (or a higher number) if it is taken.
    pub(crate) fn take(&mut self, name: Cow<'b, str>) -> Cow<'b, str> {
        if !self.0.contains_key(&name) {
            self.0.insert(name.clone(), 1);
            return name;
        }
        loop {
            let free = self.next(&name);
            if !self.0.contains_key(&free) {
                self.0.insert(free.clone(), 1);
                return free;
            }
        }
    }

    pub(crate) fn next(&mut self, name: &Cow<'b, str>) -> Cow<'b, str> {
        let count = self.0.entry(name.clone()).or_insert(1);
        *count = count.saturating_add(1);
        format!("{name}___{count}").into()
    }
}
