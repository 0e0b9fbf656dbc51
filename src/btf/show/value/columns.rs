//! Values as rows of a text table.

use super::Value;
use super::show::text;
use crate::TypeId;
use crate::btf::{Btf, Kind};

/// The columns of a table whose rows are values of one type: one for each member, nested ones under `outer.inner`; a value
/// other than a structure has one column, `VALUE`.
///
/// ```
/// use rawbpf::btf::{Columns, Value};
///
/// let row = |pid, comm: &str| {
///     Value::Struct(vec![("pid".into(), Value::Uint(pid)), ("comm".into(), Value::Text(comm.into()))])
/// };
/// let rows = [row(7, "cat"), row(12345, "a longer one")];
/// let columns = Columns::for_rows(&rows);
/// assert_eq!(columns.heading(), "PID   COMM");
/// assert_eq!(columns.row(&rows[0]), "7     cat");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Columns {
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    width: usize,
}

/// The maximum width of a column; longer text shifts the following columns to the right.
const MAX_WIDTH: usize = 48;

/// The maximum length of a nested member's name: it is repeated for each of its members.
const MAX_NAME: usize = 128;

impl Columns {
    /// Columns for rows that arrive one at a time: the usual width for values of the type `id`, and at least that of `first`.
    pub fn for_type(btf: &Btf<'_>, id: TypeId, first: &Value) -> Self {
        let mut columns = Self::for_rows(std::slice::from_ref(first));
        for column in &mut columns.columns {
            let usual = natural_width(btf, id, &column.name).unwrap_or(0);
            column.widen(usual);
        }
        columns
    }

    /// Columns that fit these rows, all of which are values of one type.
    pub fn for_rows(rows: &[Value]) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        for (nth, row) in rows.iter().enumerate() {
            for (index, (name, text)) in flatten(row).into_iter().enumerate() {
                if nth == 0 {
                    columns.push(Column {
                        width: name.len(),
                        name,
                    });
                }
                if let Some(column) = columns.get_mut(index) {
                    column.widen(text.chars().count());
                }
            }
        }
        Self { columns }
    }

    /// The heading: the members' names in capitals.
    pub fn heading(&self) -> String {
        let names = self.columns.iter().map(|column| column.name.to_uppercase());
        self.line(names)
    }

    /// A value as a row.
    pub fn row(&self, value: &Value) -> String {
        self.line(flatten(value).into_iter().map(|(_, text)| text))
    }

    fn line(&self, texts: impl Iterator<Item = String>) -> String {
        let mut line = String::new();
        let (mut want, mut have) = (0, 0);
        for (column, text) in self.columns.iter().zip(texts) {
            want += column.width + 1;
            have += text.chars().count();
            line.push_str(&text);
            let gap = want.saturating_sub(have).max(1);
            line.extend(std::iter::repeat_n(' ', gap));
            have += gap;
        }
        line.truncate(line.trim_end().len());
        line
    }
}

impl Column {
    fn widen(&mut self, width: usize) {
        self.width = self.width.max(width.min(MAX_WIDTH));
    }
}

/// The members of a value with their texts.
fn flatten(value: &Value) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    flatten_into(value, "", &mut fields);
    fields
}

fn flatten_into(value: &Value, name: &str, fields: &mut Vec<(String, String)>) {
    let Value::Struct(members) = value else {
        let name = if name.is_empty() { "value" } else { name };
        fields.push((name.to_string(), value.to_string()));
        return;
    };
    for (member, value) in members {
        let mut shown = String::new();
        // Writing to a string does not fail.
        let _ = text(&mut shown, member);
        let full = if name.is_empty() {
            shown
        } else {
            format!("{name}.{shown}").chars().take(MAX_NAME).collect()
        };
        flatten_into(value, &full, fields);
    }
}

/// The usual width of a member's text; nested ones are as wide as their first text.
fn natural_width(btf: &Btf<'_>, id: TypeId, name: &str) -> Option<usize> {
    let ty = btf.get(id).ok()?.resolved().ok()?;
    let member = ty.members().find(|m| m.name == name)?;
    let ty = btf.get(member.type_id).ok()?.resolved().ok()?;
    Some(match ty.kind() {
        Kind::Int if ty.int_encoding()?.bool => 5,
        // Process ids and the like rarely use the whole range.
        Kind::Int => [3, 3, 5, 7, 16][usize::try_from(ty.size_field().checked_ilog2()?)
            .ok()?
            .min(4)],
        Kind::Ptr => 18,
        Kind::Array => usize::try_from(ty.array()?.len).ok()?.min(16),
        Kind::Enum | Kind::Enum64 => ty.enumerators().map(|e| e.name.len()).max()?,
        _ => return None,
    })
}
