//! The table, the list of differences, and the totals.

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
    pub(crate) fn add(&mut self, row: &Row, reference: &str, format: Format) {
        if self.rows == 0 && format == Format::Table {
            self.head(reference);
        }
        self.rows += 1;
        self.differing += usize::from(!row.differences.is_empty());
        self.programs += row.programs;
        self.same_verdict += row.same_verdict;
        self.accepted += row.accepted;
        self.equal += row.equal;
        match format {
            Format::Table => self.table_row(row),
            Format::Json => println!("{}", json_row(row, reference)),
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
            Format::Table => println!(
                "{} objects, {} without a difference; {} programs: {} with the same verdict; \
                 {} accepted by both, {} of them equal",
                self.rows,
                self.rows - self.differing,
                self.programs,
                self.same_verdict,
                self.accepted,
                self.equal,
            ),
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

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// A JSON object for each line.
    Json,
}

fn pair([theirs, ours]: &[Outcome; 2]) -> String {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Untried => "-",
        Outcome::Good => "yes",
        Outcome::Bad { .. } => "no",
    };
    format!("{} {}", word(theirs), word(ours))
}

fn json_row(row: &Row, reference: &str) -> serde_json::Value {
    json!({
        "kind": "object",
        "object": row.object,
        "reference": reference,
        "opened": row.opened.each_ref().map(Outcome::is_good),
        "loaded": row.whole.each_ref().map(Outcome::is_good),
        "programs": row.programs,
        "same_verdict": row.same_verdict,
        "accepted": row.accepted,
        "equal": row.equal,
        "differences": row.differences,
    })
}
