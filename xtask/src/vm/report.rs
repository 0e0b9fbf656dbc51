//! Counts test results, and shows them as a table.

use std::time::Duration;

use crate::matrix::Claims;

/// What was counted in one guest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tests that ran and passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that reported that this machine cannot run them.
    pub(crate) skipped: u64,
    /// Programs that ended with a result.
    pub(crate) results: u64,
}

impl Counts {
    /// Reads a line of a test program's output.
    pub(crate) fn line(&mut self, line: &str) {
        // It may come after the harness's `test x ... `, on the same line.
        if line.contains("skipped: ") {
            self.skipped += 1;
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.results += 1;
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
        }
    }

    /// The tests that passed by doing something: a skipped test returns as if it had passed.
    pub(crate) fn really_passed(&self) -> u64 {
        self.passed.saturating_sub(self.skipped)
    }
}

fn number_before(text: &str, word: &str) -> u64 {
    text.split(word)
        .next()
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The kernel's series.
    pub(crate) series: String,
    /// The kernel's release.
    pub(crate) release: String,
    /// What was counted.
    pub(crate) counts: Counts,
    /// What its tests said about attachments.
    pub(crate) claims: Claims,
    /// How long the guest took to boot, if it did.
    pub(crate) boot: Option<Duration>,
    /// How long all of it took.
    pub(crate) elapsed: Duration,
    /// Why it is not a success; empty if it is.
    pub(crate) trouble: Vec<String>,
}

/// The table of all guests.
pub(crate) fn table(rows: &[Row]) -> String {
    let heads = [
        "kernel", "release", "boot s", "passed", "failed", "skipped", "seconds", "verdict",
    ];
    let mut lines = vec![heads.map(str::to_owned)];
    for row in rows {
        let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
        lines.push([
            row.series.clone(),
            row.release.clone(),
            row.boot.map_or("-".to_owned(), seconds),
            row.counts.really_passed().to_string(),
            row.counts.failed.to_string(),
            row.counts.skipped.to_string(),
            seconds(row.elapsed),
            if row.trouble.is_empty() {
                "ok".to_owned()
            } else {
                row.trouble.join("; ")
            },
        ]);
    }
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut table = String::new();
    for line in lines {
        let cells: Vec<_> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        table.push_str(cells.join("  ").trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(lines: &[&str]) -> Counts {
        let mut counts = Counts::default();
        for line in lines {
            counts.line(line);
        }
        counts
    }

    #[test]
    fn results_of_several_programs_add_up() {
        let counts = counts(&[
            "running 3 tests",
            "test x ... skipped: live::x: no kprobes",
            "ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
             finished in 0.10s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!(
            counts,
            Counts {
                passed: 4,
                failed: 2,
                skipped: 1,
                results: 2
            }
        );
        assert_eq!(counts.really_passed(), 3);
    }

    #[test]
    fn columns_line_up() {
        let row = |series: &str, trouble: &[&str]| Row {
            series: series.to_owned(),
            release: "r".to_owned(),
            claims: Claims::default(),
            counts: counts(&["test result: ok. 12 passed; 0 failed;"]),
            boot: None,
            elapsed: Duration::from_millis(1250),
            trouble: trouble.iter().map(|why| (*why).to_owned()).collect(),
        };
        let table = table(&[row("5.10", &[]), row("6.1", &["a", "b"])]);
        assert_eq!(
            table,
            "kernel  release  boot s  passed  failed  skipped  seconds  verdict\n\
             5.10    r        -       12      0       0        1.2      ok\n\
             6.1     r        -       12      0       0        1.2      a; b\n"
        );
    }
}
