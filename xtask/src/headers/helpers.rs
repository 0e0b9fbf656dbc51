//! The table of helper functions, and the header that declares them.

use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A line each: number, version of Linux, prototype, description.
const TABLE: &str = include_str!("helpers.txt");

/// The widest line of a comment.
const WIDTH: usize = 120;

/// A helper function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Helper<'t> {
    pub(super) number: u32,
    /// The version of Linux that introduced it.
    pub(super) since: &'t str,
    /// What it returns, with the attributes of the function.
    result: &'t str,
    pub(super) name: &'t str,
    /// The parameters, in parentheses.
    parameters: &'t str,
    description: &'t str,
}

/// The helpers of the table, in the order of their numbers.
pub(super) fn all() -> Result<Vec<Helper<'static>>> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| Helper::parse(row).with_context(|| format!("in the table of helpers: {row}")))
        .collect()
}

impl<'t> Helper<'t> {
    fn parse(row: &'t str) -> Result<Self> {
        let fields: Vec<&str> = row.split(" | ").collect();
        let [number, since, prototype, description] = fields[..] else {
            bail!("not `number | version | prototype | description`");
        };
        let (head, _) = prototype.split_once('(').context("no parameters")?;
        let result = head.trim_end_matches(is_in_names);
        let (_, name) = head.split_at(result.len());
        let (_, parameters) = prototype.split_at(head.len());
        ensure!(name.starts_with("bpf_"), "no name of a helper");
        ensure!(parameters.ends_with(')'), "the prototype has no end");
        ensure!(
            !description.contains("*/"),
            "the description ends the comment"
        );
        Ok(Self {
            number: number.parse()?,
            since,
            result,
            name,
            parameters,
            description,
        })
    }

    /// The structures that the prototype mentions.
    fn structs(&self) -> impl Iterator<Item = &'t str> {
        let texts = [self.result, self.parameters].into_iter();
        let names = texts.flat_map(|text| {
            let words = text.split(|char| !is_in_names(char));
            let next = words.clone().skip(1);
            words.zip(next).filter(|(word, _)| *word == "struct")
        });
        names.map(|(_, name)| name)
    }

    /// The helper as a constant pointer to a function: a call through it is a call of the number.
    fn declaration(&self) -> String {
        let Self {
            number,
            result,
            name,
            parameters,
            ..
        } = self;
        format!("static {result}(*const {name}){parameters} = (void *){number};\n")
    }
}

fn is_in_names(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// The header's text.
pub(super) fn header() -> Result<String> {
    let helpers = all()?;
    let mut text = TOP.to_owned();
    let structs: BTreeSet<&str> = helpers.iter().flat_map(Helper::structs).collect();
    for name in structs {
        writeln!(text, "struct {name};")?;
    }
    text.push_str(FASTCALL);
    for helper in &helpers {
        let about = format!("{} Since Linux {}.", helper.description, helper.since);
        text.push('\n');
        push_comment(&mut text, &about);
        text.push_str(&helper.declaration());
    }
    text.push_str("\n#endif\n");
    Ok(text)
}

const TOP: &str = "\
/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Written by `cargo xtask headers`. */
/*
 * The kernel's helper functions, each as a pointer whose value is the function's number: the compiler makes a call through it
 * an instruction that calls that number. Functions since Linux 6.2 have no numbers; vmlinux.h declares them.
 */
#ifndef __BPF_HELPER_DEFS__
#define __BPF_HELPER_DEFS__

";

const FASTCALL: &str = "
/* A function that leaves registers alone that others may overwrite. */
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif
";

/// Appends a comment, in as many lines as it takes.
fn push_comment(text: &mut String, about: &str) {
    if about.len() + "/*  */".len() <= WIDTH {
        text.extend(["/* ", about, " */\n"]);
        return;
    }
    text.push_str("/*");
    // As if the line were full, so that the first word starts another.
    let mut width = WIDTH;
    for word in about.split(' ') {
        if width + 1 + word.len() > WIDTH {
            text.push_str("\n *");
            width = " *".len();
        }
        text.extend([" ", word]);
        width += 1 + word.len();
    }
    text.push_str("\n */\n");
}

#[cfg(test)]
mod tests;
