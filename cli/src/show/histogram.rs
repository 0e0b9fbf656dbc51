//! Power-of-two histograms, drawn as bars.
//!
//! Slot 0 counts 0 and 1, slot n counts 2^n to 2^(n+1) - 1, like `log2l` in BCC's tools. Recognized as histograms are:
//!
//! - an array of integers called `slots` or `hist`, as a member of a value or as a variable;
//! - a map from integers to integers, if one of the words in its name is `hist`, `hists`, `histogram`, `dist` or `slots`, or
//!   one of the words in the name of its key's type or only member is `slot`.

use rawbpf::btf::{Kind, Value};
use rawbpf::map::MapTypes;
use rawbpf::{Result, TypeId};
use std::io::{self, Write};

/// Counters, lowest slot first.
#[derive(Debug, PartialEq)]
pub(crate) struct Histogram {
    /// The path of the value's member; empty if it is the whole value.
    pub(crate) place: String,
    pub(crate) slots: Vec<u128>,
}

/// The longest bar, in characters.
const WIDTH: usize = 40;

/// Whether a map with this name and these types contains counters by slot.
pub(crate) fn is_keyed_by_slot(name: &str, types: Option<&MapTypes>) -> Result<bool> {
    let Some(types) = types.filter(|types| types.key != TypeId::VOID) else {
        return Ok(false);
    };
    let key = types.btf.get(types.key)?;
    let resolved = key.resolved()?;
    let value = types.btf.get(types.value)?.resolved()?;
    let only = resolved.member(0).filter(|_| resolved.vlen() == 1);
    let counted = match only {
        Some(only) => types.btf.get(only.type_id)?.resolved()?.kind(),
        None => resolved.kind(),
    };
    if counted != Kind::Int || value.kind() != Kind::Int {
        return Ok(false);
    }
    let by_map = has_word(name, &["hist", "hists", "histogram", "dist", "slots"]);
    let key_names = [
        key.name(),
        resolved.name(),
        only.map_or("", |only| only.name),
    ];
    Ok(by_map || key_names.iter().any(|name| has_word(name, &["slot"])))
}

fn has_word(name: &str, words: &[&str]) -> bool {
    name.split(['_', '.']).any(|part| words.contains(&part))
}

/// The histogram of a map that is keyed by slot; `None` if a key is not a slot.
pub(crate) fn of_elements<'e>(
    elements: impl Iterator<Item = (&'e Value, &'e Value)>,
) -> Option<Histogram> {
    let mut slots = vec![0; 128];
    for (key, value) in elements {
        let slot = usize::try_from(number(only_member(key))?).ok()?;
        *slots.get_mut(slot)? = number(value)?;
    }
    Some(Histogram {
        place: String::new(),
        slots,
    })
}

fn only_member(value: &Value) -> &Value {
    match value {
        Value::Struct(members) => match &members[..] {
            [(_, only)] => only,
            _ => value,
        },
        _ => value,
    }
}

fn number(value: &Value) -> Option<u128> {
    match value {
        Value::Uint(n) => Some(*n),
        Value::Int(n) => u128::try_from(*n).ok(),
        _ => None,
    }
}

/// Splits a value called `name` into its histograms and the rest.
pub(crate) fn split(name: &str, value: Value) -> (Vec<Histogram>, Option<Value>) {
    match value {
        Value::Array(elements) if matches!(name, "slots" | "hist") => {
            match elements.iter().map(number).collect::<Option<Vec<_>>>() {
                Some(slots) if !slots.is_empty() => {
                    let place = String::new();
                    (vec![Histogram { place, slots }], None)
                }
                _ => split_array(elements),
            }
        }
        Value::Array(elements) => split_array(elements),
        Value::Struct(members) => split_members(members),
        other => (Vec::new(), Some(other)),
    }
}

fn split_array(elements: Vec<Value>) -> (Vec<Histogram>, Option<Value>) {
    // Only structures can contain histograms; nothing else is searched.
    if !matches!(elements.first(), Some(Value::Struct(_))) {
        return (Vec::new(), Some(Value::Array(elements)));
    }
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    for (index, element) in elements.into_iter().enumerate() {
        let (histograms, left) = split("", element);
        found.extend(under(&format!("[{index}]"), histograms));
        rest.extend(left);
    }
    (found, some_of(rest, Value::Array))
}

fn split_members(members: Vec<(String, Value)>) -> (Vec<Histogram>, Option<Value>) {
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    for (name, value) in members {
        let (histograms, left) = split(&name, value);
        found.extend(under(&name, histograms));
        rest.extend(left.map(|left| (name, left)));
    }
    (found, some_of(rest, Value::Struct))
}

fn under(place: &str, histograms: Vec<Histogram>) -> impl Iterator<Item = Histogram> {
    histograms.into_iter().map(move |histogram| {
        let dot = if histogram.place.is_empty() || histogram.place.starts_with('[') {
            ""
        } else {
            "."
        };
        Histogram {
            place: format!("{place}{dot}{}", histogram.place),
            ..histogram
        }
    })
}

fn some_of<T>(rest: Vec<T>, make: impl Fn(Vec<T>) -> Value) -> Option<Value> {
    (!rest.is_empty()).then(|| make(rest))
}

impl Histogram {
    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(|count| *count == 0)
    }

    /// Prints the slots from the first to the last nonzero one.
    pub(crate) fn print(&self, out: &mut impl Write, indent: &str) -> io::Result<()> {
        let counted = |count: &u128| *count != 0;
        let first = self.slots.iter().position(counted).unwrap_or(0);
        let last = self.slots.iter().rposition(counted).unwrap_or(0);
        let most = self.slots.iter().copied().max().unwrap_or(0);
        let rows: Vec<_> = (first..=last).zip(self.slots.iter().skip(first)).collect();
        let widths = [
            width("from", rows.iter().map(|(slot, _)| from(*slot).len())),
            width("to", rows.iter().map(|(slot, _)| to(*slot).len())),
            width(
                "count",
                rows.iter().map(|(_, count)| count.to_string().len()),
            ),
        ];
        let [a, b, c] = widths;
        writeln!(out, "{indent}{:>a$}  {:>b$}  {:>c$}", "FROM", "TO", "COUNT")?;
        for (slot, count) in rows {
            let (from, to, bar) = (from(slot), to(slot), bar(*count, most));
            let line = format!("{indent}{from:>a$}  {to:>b$}  {count:>c$}  {bar}");
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn width(heading: &str, lengths: impl Iterator<Item = usize>) -> usize {
    lengths.max().unwrap_or(0).max(heading.len())
}

fn from(slot: usize) -> String {
    match (
        slot,
        u32::try_from(slot).ok().and_then(|n| 1_u128.checked_shl(n)),
    ) {
        (0, _) => "0".to_string(),
        (_, Some(from)) => from.to_string(),
        (_, None) => format!("2^{slot}"),
    }
}

fn to(slot: usize) -> String {
    match u32::try_from(slot + 1)
        .ok()
        .and_then(|n| 1_u128.checked_shl(n))
    {
        Some(next) => (next - 1).to_string(),
        None => format!("2^{}-1", slot + 1),
    }
}

/// A bar as long as the count's share of the largest one; any nonzero count gets at least one character.
fn bar(count: u128, most: u128) -> String {
    let full = WIDTH as u128;
    let length = count.saturating_mul(full).checked_div(most).unwrap_or(0);
    let length = if count == 0 { 0 } else { length.clamp(1, full) };
    "#".repeat(usize::try_from(length).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawbpf::btf::BtfBuilder;
    use std::sync::Arc;

    fn counts(counts: &[u128]) -> Value {
        Value::Array(counts.iter().copied().map(Value::Uint).collect())
    }

    #[test]
    fn bars_are_drawn_from_the_first_slot_to_the_last() {
        let histogram = Histogram {
            place: String::new(),
            slots: vec![0, 0, 3, 0, 400, 0],
        };
        let mut out = Vec::new();
        histogram.print(&mut out, "  ").unwrap();
        let text = String::from_utf8(out).unwrap();
        let full = "#".repeat(40);
        assert_eq!(
            text,
            format!(
                "  FROM  TO  COUNT\n     4   7      3  #\n     8  15      0\n    16  31    400  {full}\n"
            )
        );
    }

    #[test]
    fn the_ends_of_the_scale() {
        assert_eq!([from(0), to(0)], ["0", "1"]);
        assert_eq!(
            [from(63), to(63)],
            [(1_u128 << 63).to_string(), u64::MAX.to_string()]
        );
        assert_eq!(
            [from(127), to(127)],
            [(1_u128 << 127).to_string(), "2^128-1".into()]
        );
        assert_eq!([from(128), to(4000)], ["2^128", "2^4001-1"]);
        let most = u128::from(u64::MAX);
        assert_eq!(
            [
                bar(most, most).len(),
                bar(1, most).len(),
                bar(0, most).len()
            ],
            [WIDTH, 1, 0]
        );
    }

    #[test]
    fn slots_are_found_by_their_name_wherever_they_are() {
        let hist = |n| {
            Value::Struct(vec![
                ("slots".into(), counts(&[n, 2])),
                ("comm".into(), Value::Text("a".into())),
            ])
        };
        let (found, rest) = split("", hist(1));
        assert_eq!(
            found,
            [Histogram {
                place: "slots".into(),
                slots: vec![1, 2]
            }]
        );
        assert_eq!(rest.unwrap().to_string(), "{comm: a}");
        let section = Value::Struct(vec![
            ("hists".into(), Value::Array(vec![hist(1), hist(5)])),
            ("hist".into(), counts(&[7])),
            ("numbers".into(), counts(&[8])),
        ]);
        let (found, rest) = split("", section);
        let places: Vec<_> = found.iter().map(|h| h.place.as_str()).collect();
        assert_eq!(places, ["hists[0].slots", "hists[1].slots", "hist"]);
        assert_eq!(
            rest.unwrap().to_string(),
            "{hists: [{comm: a}, {comm: a}], numbers: [8]}"
        );
    }

    #[test]
    fn maps_are_keyed_by_slot_if_a_name_says_so() {
        let mut b = BtfBuilder::new();
        let int = b.add_int("u32", 4, 0);
        let slot = b.add_typedef("slot_t", int);
        let one = b.add_struct("key", 4, &[("slot", int, 0)]);
        let two = b.add_struct("key", 8, &[("slot", int, 0), ("dev", int, 32)]);
        let btf = Arc::new(b.build().unwrap());
        let keyed = |name, key, value| {
            let btf = Arc::clone(&btf);
            is_keyed_by_slot(name, Some(&MapTypes { btf, key, value })).unwrap()
        };
        assert!(keyed("read_hist", int, int));
        assert!(keyed("x", slot, int) && keyed("x", one, int));
        assert!(!keyed("history", int, int) && !keyed("x", two, int) && !keyed("hist", int, two));
        let elements = [
            (Value::Uint(2), Value::Uint(9)),
            (Value::Uint(0), Value::Int(1)),
        ];
        let histogram = of_elements(elements.iter().map(|(k, v)| (k, v))).unwrap();
        assert_eq!(histogram.slots[..4], [1, 0, 9, 0]);
        let far = [(Value::Uint(128), Value::Uint(1))];
        assert_eq!(of_elements(far.iter().map(|(k, v)| (k, v))), None);
    }
}
