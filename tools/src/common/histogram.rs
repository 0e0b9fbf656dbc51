//! Histograms in powers of two, as the originals draw them.

use rawbpf::btf::Value;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Counts by slot: slot 0 counts 0 and 1, slot n counts 2^n to 2^(n+1) - 1.
pub(crate) struct Histogram<'s> {
    /// What is counted, or in which unit.
    pub(crate) unit: &'s str,
    pub(crate) slots: &'s [u64],
    /// Numbers below zero, which have no slot.
    pub(crate) negative: u64,
}

/// The longest bar, in characters.
const WIDTH: u64 = 40;

impl Histogram<'_> {
    pub(crate) fn print(&self, json: bool) -> io::Result<()> {
        let text = if json { self.json() } else { self.text() };
        io::stdout().write_all(text.as_bytes())
    }

    /// The slots up to the last one that counted something, with their limits.
    fn rows(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let used = self.slots.iter().rposition(|count| *count > 0);
        let used = used.map_or(0, |last| last + 1);
        self.slots
            .iter()
            .take(used)
            .zip(0_u32..)
            .map(|(count, slot)| {
                let power = 1_u64.checked_shl(slot).unwrap_or_default();
                let from = if slot == 0 { 0 } else { power };
                (from, power.wrapping_mul(2).wrapping_sub(1), *count)
            })
    }

    fn text(&self) -> String {
        let most = self.slots.iter().copied().max().unwrap_or_default();
        let most = most.max(self.negative);
        let mut text = format!(
            "{:>10}{:<14} : {:<8} distribution\n",
            "", self.unit, "count"
        );
        let mut row = |limits: String, count: u64| {
            let stars = stars(count, most);
            // Writing to a string does not fail.
            let _ = writeln!(text, "{limits} : {count:<8} |{stars:<40}|");
        };
        if self.negative > 0 {
            row(format!("{:>24}", "below 0"), self.negative);
        }
        for (from, to, count) in self.rows() {
            row(format!("{from:>10} -> {to:<10}"), count);
        }
        text
    }

    fn json(&self) -> String {
        let uint = |number: u64| Value::Uint(number.into());
        let named = |names: [&str; 3], values: [Value; 3]| {
            Value::Struct(names.map(str::to_owned).into_iter().zip(values).collect())
        };
        let slots = self
            .rows()
            .map(|(from, to, count)| named(["from", "to", "count"], [from, to, count].map(uint)));
        let slots = Value::Array(slots.collect());
        let unit = Value::Text(self.unit.to_owned());
        let object = named(
            ["unit", "negative", "slots"],
            [unit, uint(self.negative), slots],
        );
        format!("{}\n", object.json())
    }
}

fn stars(count: u64, most: u64) -> String {
    let length = u128::from(count) * u128::from(WIDTH) / u128::from(most.max(1));
    "*".repeat(usize::try_from(length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_drawn_up_to_the_last_used_one() {
        let histogram = Histogram {
            unit: "usecs",
            slots: &[1, 0, 4, 0],
            negative: 0,
        };
        let text = histogram.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(
            lines[0].contains("usecs") && lines[0].contains("count"),
            "{text}"
        );
        assert_eq!(
            lines[1],
            format!(
                "         0 -> 1          : 1        |{:<40}|",
                "*".repeat(10)
            )
        );
        assert_eq!(
            lines[3],
            format!("         4 -> 7          : 4        |{}|", "*".repeat(40))
        );
        assert_eq!(
            histogram.json(),
            "{\"unit\":\"usecs\",\"negative\":0,\"slots\":[{\"from\":0,\"to\":1,\"count\":1},\
             {\"from\":2,\"to\":3,\"count\":0},{\"from\":4,\"to\":7,\"count\":4}]}\n"
        );
    }

    #[test]
    fn the_last_slot_of_64_ends_at_the_largest_number() {
        let mut slots = [0; 64];
        slots[63] = u64::MAX;
        let histogram = Histogram {
            unit: "",
            slots: &slots,
            negative: 3,
        };
        let last = histogram.rows().last();
        assert_eq!(last, Some((1 << 63, u64::MAX, u64::MAX)));
        assert!(
            histogram.text().contains("below 0 : 3 "),
            "{}",
            histogram.text()
        );
    }
}
