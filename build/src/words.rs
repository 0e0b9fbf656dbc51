//! The words of a source: which types of the kernel it may name, without preprocessing it.

use std::collections::HashSet;

/// The names in some sources and headers.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// What may be the name of a type, a constant or a function.
    names: HashSet<String>,
    /// What may be the name of a member whose target is looked into.
    members: HashSet<String>,
}

/// A part of a text, without comments, strings and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Arrow,
    Other(char),
}

impl Words {
    /// Adds those of a user's file, where a word may be anything: macros such as `BPF_CORE_READ` name members without a dot.
    pub(crate) fn add_source(&mut self, text: &str) {
        for token in Tokens(text) {
            if let Token::Word(word) = token {
                self.names.insert(word.to_owned());
                self.members.insert(word.to_owned());
            }
        }
    }

    /// Adds those of an embedded header. What it only declares (`struct sk_buff;`), it does not look into, and it has members
    /// where C has them.
    pub(crate) fn add_header(&mut self, text: &str) {
        let tokens: Vec<_> = Tokens(text).collect();
        let declared: HashSet<&str> = tokens
            .windows(3)
            .filter_map(|three| match three {
                [Token::Word("struct"), Token::Word(name), Token::Other(';')] => Some(*name),
                _ => None,
            })
            .collect();
        let mut previous = Token::Other(' ');
        for token in tokens {
            if let Token::Word(word) = token
                && !declared.contains(word)
            {
                self.names.insert(word.to_owned());
                if matches!(previous, Token::Arrow | Token::Other('.')) {
                    self.members.insert(word.to_owned());
                }
            }
            previous = token;
        }
    }

    pub(crate) fn may_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(crate) fn may_look_into(&self, member: &str) -> bool {
        self.members.contains(member)
    }
}

struct Tokens<'t>(&'t str);

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        loop {
            let text = self.0.trim_start();
            let mut rest = text.chars();
            let first = rest.next()?;
            self.0 = if let Some(comment) = text.strip_prefix("//") {
                after(comment, "\n")
            } else if let Some(comment) = text.strip_prefix("/*") {
                after(comment, "*/")
            } else if first == '"' || first == '\'' {
                after_literal(rest.as_str(), first)
            } else if is_word(first) {
                let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
                let (word, rest) = text.split_at(end);
                self.0 = rest;
                if first.is_ascii_digit() {
                    continue;
                }
                return Some(Token::Word(word));
            } else if let Some(rest) = text.strip_prefix("->") {
                self.0 = rest;
                return Some(Token::Arrow);
            } else {
                self.0 = rest.as_str();
                return Some(Token::Other(first));
            };
        }
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// What follows the end of a comment; nothing if it has none.
fn after<'t>(text: &'t str, end: &str) -> &'t str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// What follows a literal, which ends at its quote, and with its line at the latest.
fn after_literal(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == '\n' && !escaped {
            return text.get(at..).unwrap_or_default();
        }
        if c == quote && !escaped {
            let rest = text.get(at..).unwrap_or_default();
            return rest.strip_prefix(quote).unwrap_or(rest);
        }
        escaped = c == '\\' && !escaped;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_strings_and_numbers_are_no_words() {
        let text = "struct a /* b */ c; // d\n\"e \\\" e\" 'f' 0x10u g->h \"open\ni";
        let words: Vec<_> = Tokens(text)
            .filter_map(|token| match token {
                Token::Word(word) => Some(word),
                _ => None,
            })
            .collect();
        assert_eq!(words, ["struct", "a", "c", "g", "h", "i"]);
    }

    #[test]
    fn in_a_source_every_word_may_be_a_member_in_a_header_only_one_after_a_dot() {
        let mut words = Words::default();
        words.add_source("BPF_CORE_READ(task, real_parent, pid)");
        words.add_header(
            "struct sk_buff; int f(struct sk_buff *skb, struct pt_regs *r) { return r->di; }",
        );
        assert!(words.may_look_into("real_parent") && words.may_name("real_parent"));
        assert!(words.may_name("pt_regs") && words.may_look_into("di"));
        assert!(!words.may_look_into("skb"));
        assert!(!words.may_name("sk_buff"), "it is only declared");
    }

    proptest! {
        #[test]
        fn any_text_has_an_end(text in r#"([a-z"'/*\\\n.>0-9-]|\PC){0,60}"#) {
            prop_assert!(Tokens(&text).count() <= text.len());
        }
    }
}
