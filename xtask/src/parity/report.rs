//! The table, the list of differences, and the totals.

use std::fmt::Write as _;

use serde_json::json;

use super::Depth;
use super::compare::Row;
use super::verdict::Outcome;

/// Prints rows as they come and adds them up.
#[derive(Debug)]
pub(crate) struct Report {
    depth: Depth,
    rows: usize,
    differing: usize,
    programs: usize,
    same_verdict: usize,
    accepted: usize,
    equal: usize,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(depth: Depth) -> Self {
        Self {
            depth,
            rows: 0,
            differing: 0,
            programs: 0,
            same_verdict: 0,
            accepted: 0,
            equal: 0,
        }
    }

    /// How many objects have a difference.
    pub(crate) fn differing(&self) -> usize {
        self.differing
    }

    /// Prints a row, and the head of the table before the first.
    pub(crate) fn add(&mut self, row: &Row, format: Format) {
        if self.rows == 0 && format == Format::Table {
            self.head(&row.reference);
        }
        self.rows += 1;
        self.differing += usize::from(!row.differences.is_empty());
        self.programs += row.programs;
        self.same_verdict += row.same_verdict;
        self.accepted += row.accepted;
        self.equal += row.equal;
        match format {
            Format::Table => self.table_row(row),
            Format::Json => println!("{}", json_row(row)),
        }
    }

    fn head(&self, reference: &str) {
        let (step, proof) = match self.depth {
            Depth::Load => ("loaded", "equal tags"),
            Depth::Prepare => ("-", "equal insns"),
        };
        println!("the reference is {reference}; pairs are the reference's answer, then rawbpf's");
        println!(
            "{:<28} {:<9} {step:<9} {:>8} {:>12} {proof:>11}",
            "object", "opened", "programs", "same verdict"
        );
    }

    fn table_row(&self, row: &Row) {
        println!(
            "{:<28} {:<9} {:<9} {:>8} {:>12} {:>11}",
            row.object,
            pair(&row.opened),
            match self.depth {
                Depth::Load => pair(&row.whole),
                Depth::Prepare => "-".to_owned(),
            },
            row.programs,
            format!("{}/{}", row.same_verdict, row.programs),
            format!("{}/{}", row.equal, row.accepted),
        );
        for difference in &row.differences {
            let of = if difference.of.is_empty() {
                "object"
            } else {
                &difference.of
            };
            println!("    {of}: {}", difference.what);
            println!("        reference: {}", difference.theirs);
            println!("        rawbpf:    {}", difference.ours);
        }
    }

    /// Prints the totals.
    pub(crate) fn finish(&self, format: Format) {
        match format {
            Format::Table => {
                println!();
                for (what, part, all) in [
                    (
                        "objects without a difference",
                        self.rows - self.differing,
                        self.rows,
                    ),
                    (
                        "programs with the same verdict",
                        self.same_verdict,
                        self.programs,
                    ),
                    (proof(self.depth), self.equal, self.accepted),
                ] {
                    println!("{what:<48} {part:>6} of {all:>6} {:>8}", percent(part, all));
                }
            }
            Format::Json => println!(
                "{}",
                json!({
                    "kind": "summary",
                    "objects": self.rows,
                    "differing": self.differing,
                    "programs": self.programs,
                    "same_verdict": self.same_verdict,
                    "accepted": self.accepted,
                    "equal": self.equal,
                })
            ),
        }
    }
}

/// Adds a line of JSON for each difference.
pub(crate) fn write_differences(row: &Row, lines: &mut String) {
    for difference in &row.differences {
        let line = json!({
            "object": row.object,
            "of": difference.of,
            "what": difference.what,
            "reference": difference.theirs,
            "rawbpf": difference.ours,
        });
        let _ = writeln!(lines, "{line}");
    }
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// A JSON object for each line.
    Json,
}

fn proof(depth: Depth) -> &'static str {
    match depth {
        Depth::Load => "programs accepted by both with the same tag",
        Depth::Prepare => "programs relocated by both to the same insns",
    }
}

/// With two decimals, rounded down: only all of them are 100 %.
fn percent(part: usize, all: usize) -> String {
    let hundredths = (part * 10_000).checked_div(all).unwrap_or(10_000);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn pair([theirs, ours]: &[Outcome; 2]) -> String {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Untried => "-",
        Outcome::Good => "yes",
        Outcome::Bad { .. } => "no",
    };
    format!("{} {}", word(theirs), word(ours))
}

fn json_row(row: &Row) -> serde_json::Value {
    json!({
        "kind": "object",
        "object": row.object,
        "reference": row.reference,
        "opened": row.opened.each_ref().map(Outcome::is_good),
        "loaded": row.whole.each_ref().map(Outcome::is_good),
        "programs": row.programs,
        "same_verdict": row.same_verdict,
        "accepted": row.accepted,
        "equal": row.equal,
        "differences": row.differences,
    })
}
