//! The table in `tests/attach/README.md`: read, changed, compared, written.

use super::claims::{Claim, Claims};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const HEAD: &str = "\
# Attaching: what was seen on which kernel

Written by the live tests: no cell by hand. A test hands over what it saw to `works` or `refused` (`tests/live/matrix.rs`),
which assert it before they claim it. `cargo xtask vm` compares the columns of the kernels that it boots with what
their tests say, `cargo xtask matrix` that of the machine it runs on; with `--write` (`--matrix` for `vm`) they write it.

**works**: attached, and its effect was seen.
**refused**: this kernel cannot, and the error says why, in the words below. **-**: no test ran.
";

const MESSAGES: &str =
    "\n## What refusals say\n\n| Attachment | Kernel | Message |\n|---|---|---|\n";

/// Suffix of the column of the machine that the chore runs on.
const HOST: &str = " (host)";

/// All claims, of all kernels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// By kernel: its series, and whether it is the host's.
    columns: BTreeMap<String, BTreeMap<String, Claim>>,
}

/// The name of the column of a host with a kernel of this series.
pub(crate) fn host_column(series: &str) -> String {
    format!("{series}{HOST}")
}

/// How much of a kernel's tests ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All: what was not claimed does not belong in the table.
    All,
    /// Some, by name.
    Some,
}

/// Whether the only difference is that one machine forbids what another with the same kernel allows.
fn is_policy(old: Option<&Claim>, new: Option<&Claim>) -> bool {
    match (old, new) {
        (Some(Claim::Refused(message)), Some(Claim::Works(_)))
        | (Some(Claim::Works(_)), Some(Claim::Refused(message))) => message.contains("(EPERM)"),
        _ => false,
    }
}

impl Table {
    /// Reads what [`Table::text`] wrote; an empty text is an empty table.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut table = Self::default();
        let mut effects = text
            .lines()
            .skip_while(|line| !line.starts_with("| Attachment | What"));
        let Some(head) = effects.next() else {
            return Ok(table);
        };
        let kernels: Vec<String> = cells(head).skip(2).collect();
        let mut refused = BTreeSet::new();
        for line in effects.skip(1).take_while(|line| line.starts_with('|')) {
            let mut row = cells(line);
            let (attachment, effect) = row.next().zip(row.next()).context("a short row")?;
            let attachment = attachment.trim_matches('`').to_owned();
            for (kernel, cell) in kernels.iter().zip(row) {
                match cell.as_str() {
                    "works" => table.claim(kernel, &attachment, Claim::Works(effect.clone())),
                    "refused" => drop(refused.insert((attachment.clone(), kernel.clone()))),
                    "-" => {}
                    other => bail!("the row of `{attachment}` has a cell `{other}`"),
                }
            }
        }
        let messages = text
            .lines()
            .skip_while(|line| *line != "## What refusals say");
        for line in messages.skip(4) {
            let row: Vec<String> = cells(line).collect();
            let [attachment, kernel, message] = &row[..] else {
                bail!("the row `{line}` has not three cells");
            };
            let attachment = attachment.trim_matches('`').to_owned();
            if !refused.remove(&(attachment.clone(), kernel.clone())) {
                bail!("a message of `{attachment}` on {kernel}, which is not refused");
            }
            let message = message.trim_matches('`').trim().to_owned();
            table.claim(kernel, &attachment, Claim::Refused(message));
        }
        match refused.first() {
            Some((attachment, kernel)) => {
                bail!("`{attachment}` is refused on {kernel}: no message")
            }
            None => Ok(table),
        }
    }

    fn claim(&mut self, kernel: &str, attachment: &str, claim: Claim) {
        let column = self.columns.entry(kernel.to_owned()).or_default();
        column.insert(attachment.to_owned(), claim);
    }

    /// Whether there is a column of this name.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// Puts a kernel's claims into its column.
    pub(crate) fn take(&mut self, column: &str, claims: &Claims, extent: Extent) {
        if column.ends_with(HOST) {
            // There is one host.
            self.columns
                .retain(|name, _| name == column || !name.ends_with(HOST));
        }
        let column = self.columns.entry(column.to_owned()).or_default();
        if extent == Extent::All {
            column.clear();
        }
        column.extend(claims.by_attachment.clone());
    }

    /// Where a kernel's column differs from its tests' claims: one line each.
    pub(crate) fn differences(&self, column: &str, claims: &Claims, extent: Extent) -> Vec<String> {
        let mut wanted = self.clone();
        wanted.take(column, claims, extent);
        let empty = BTreeMap::new();
        let [old, new] = [self, &wanted].map(|table| table.columns.get(column).unwrap_or(&empty));
        let attachments: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let changed = attachments
            .into_iter()
            .filter(|a| old.get(*a) != new.get(*a))
            .filter(|a| !(column.ends_with(HOST) && is_policy(old.get(*a), new.get(*a))));
        changed
            .map(|a| {
                format!(
                    "{a}: the table has {:?}, the tests say {:?}",
                    old.get(a),
                    new.get(a)
                )
            })
            .collect()
    }

    /// Everything, as Markdown.
    pub(crate) fn text(&self) -> Result<String> {
        let mut kernels: Vec<&String> = self.columns.keys().collect();
        kernels.sort_by_key(|name| series_of(name));
        let attachments: BTreeSet<&String> =
            self.columns.values().flat_map(BTreeMap::keys).collect();
        let mut text = format!("{HEAD}\n| Attachment | What is seen |");
        for kernel in &kernels {
            write!(text, " {kernel} |")?;
        }
        writeln!(text, "\n|---|---|{}", "---|".repeat(kernels.len()))?;
        let mut messages = String::new();
        for attachment in attachments {
            let effect = self.effect(attachment)?.unwrap_or("");
            write!(text, "| `{attachment}` | {} |", escaped(effect))?;
            for kernel in &kernels {
                let cell = match self.columns[*kernel].get(attachment) {
                    Some(Claim::Works(_)) => "works",
                    Some(Claim::Refused(message)) => {
                        let message = escaped(message);
                        writeln!(messages, "| `{attachment}` | {kernel} | `` {message} `` |")?;
                        "refused"
                    }
                    None => "-",
                };
                write!(text, " {cell} |")?;
            }
            text.push('\n');
        }
        Ok(text + MESSAGES + &messages)
    }

    /// The effect of an attachment, which is the same on all kernels.
    fn effect(&self, attachment: &str) -> Result<Option<&str>> {
        let claims = self
            .columns
            .values()
            .filter_map(|column| column.get(attachment));
        let mut effects = claims.filter_map(|claim| match claim {
            Claim::Works(effect) => Some(effect.as_str()),
            Claim::Refused(_) => None,
        });
        let first = effects.next();
        if let Some(other) = effects.find(|effect| Some(*effect) != first) {
            bail!(
                "`{attachment}` has two effects, depending on the kernel: `{}` and `{other}`: run its tests on all of them",
                first.unwrap_or("")
            );
        }
        Ok(first)
    }
}

fn series_of(column: &str) -> Vec<u32> {
    let numbers = column.split(|c: char| !c.is_ascii_digit());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|")
}

/// The cells of a row.
fn cells(line: &str) -> impl Iterator<Item = String> {
    const BAR: &str = "\u{1e}";
    let line = line.replace("\\|", BAR);
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    let cells: Vec<String> = inner
        .split('|')
        .map(|cell| cell.trim().replace(BAR, "|"))
        .collect();
    cells.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(lines: &[&str]) -> Claims {
        let mut claims = Claims::default();
        for line in lines {
            claims.line(&format!("attach-matrix: {line}"));
        }
        claims
    }

    fn example() -> Table {
        let mut table = Table::default();
        let all = Extent::All;
        table.take(
            "6.12",
            &claims(&["tp | works | calls are counted", "xdp | works | a packet"]),
            all,
        );
        table.take("5.10", &claims(&["tp | works | calls are counted"]), all);
        table.take(
            &host_column("6.18"),
            &claims(&["tp | refused | a | b: `c_*`"]),
            all,
        );
        table
    }

    #[test]
    fn what_was_written_is_read_again() {
        let text = example().text().unwrap();
        assert!(
            text.contains("| Attachment | What is seen | 5.10 | 6.12 | 6.18 (host) |"),
            "{text}"
        );
        assert!(
            text.contains("| `tp` | calls are counted | works | works | refused |"),
            "{text}"
        );
        assert!(
            text.contains("| `xdp` | a packet | - | works | - |"),
            "{text}"
        );
        assert!(
            text.contains("| `tp` | 6.18 (host) | `` a \\| b: `c_*` `` |"),
            "{text}"
        );
        assert_eq!(Table::parse(&text).unwrap(), example());
        assert_eq!(Table::parse("").unwrap(), Table::default());
    }

    #[test]
    fn a_changed_cell_is_a_difference() {
        let table = example();
        let same = claims(&["tp | works | calls are counted"]);
        assert_eq!(table.differences("5.10", &same, Extent::All), [""; 0]);
        assert_eq!(table.differences("6.12", &same, Extent::Some), [""; 0]);
        assert_eq!(
            table.differences("6.12", &same, Extent::All).len(),
            1,
            "xdp is gone"
        );
        let refused = claims(&["tp | refused | no"]);
        assert_eq!(table.differences("5.10", &refused, Extent::Some).len(), 1);
    }

    /// Machines with the same kernel may forbid different things.
    #[test]
    fn what_a_host_forbids_is_no_difference() {
        let mut table = example();
        let host = host_column("7.0");
        table.take(&host, &claims(&["tp | refused | no (EPERM)"]), Extent::All);
        let works = claims(&["tp | works | calls are counted"]);
        assert_eq!(table.differences(&host, &works, Extent::All), [""; 0]);
        let other = claims(&["tp | refused | no (EINVAL)"]);
        assert_eq!(table.differences(&host, &other, Extent::All).len(), 1);
        let guest = claims(&["tp | refused | no (EPERM)"]);
        assert_eq!(table.differences("5.10", &guest, Extent::Some).len(), 1);
    }

    #[test]
    fn there_is_one_host_and_one_effect() {
        let mut table = example();
        table.take(
            &host_column("7.0"),
            &claims(&["tp | works | other"]),
            Extent::Some,
        );
        assert!(!table.has("6.18 (host)") && table.has("7.0 (host)"));
        assert!(
            table
                .text()
                .unwrap_err()
                .to_string()
                .contains("two effects")
        );
    }

    #[test]
    fn a_table_changed_by_hand_is_refused() {
        let text = example().text().unwrap();
        assert!(Table::parse(&text.replace("| works |", "| maybe |")).is_err());
        assert!(Table::parse(&text.replace("| works |", "| refused |")).is_err());
        assert!(Table::parse(&text.replace("| refused |", "| works |")).is_err());
    }
}
