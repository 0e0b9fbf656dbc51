//! Chooses among several symbols with the same name.

use super::executable::{CodePlace, Executable};
use super::functions::Wanted;
use super::symbol_scan::SymbolKind;
use crate::{Error, ErrorKind, Result};

/// How many are listed in a message.
const SHOWN: usize = 8;

/// A symbol with the wanted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its index in its table.
    pub(super) index: u32,
    pub(super) kind: SymbolKind,
    pub(super) address: u64,
    pub(super) weak: bool,
    pub(super) version: Option<String>,
    /// Whether the name without a version refers to it.
    pub(super) is_default: bool,
}

/// What a name refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// A function, at this offset in the file.
    Function(u64),
    /// An indirect function.
    Indirect,
    /// A variable.
    Data,
    /// An untyped symbol, at this offset in the file.
    Label(u64),
    /// Something that is defined in another file.
    Undefined,
    /// A function whose address is not code.
    NotCode(String),
    /// The name exists, but only in these versions.
    OtherVersions(Vec<String>),
    Nothing,
}

impl Choice {
    /// Whether this settles the choice, so that other tables are not consulted.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Function(_) | Self::Indirect | Self::Data | Self::NotCode(_)
        )
    }

    /// Combines this with the result of a later table, which takes precedence if it has one.
    pub(super) fn replace_by(&mut self, later: Self) {
        if later != Self::Nothing {
            *self = later;
        }
    }
}

/// Chooses by version, then by binding: the only symbol that is not weak.
///
/// # Errors
/// `InvalidArgument` if several are left.
pub(super) fn choose(
    file: &Executable<'_>,
    wanted: Wanted<'_>,
    candidates: &mut [Candidate],
) -> Result<Choice> {
    candidates.sort_by_key(|candidate| candidate.index);
    let defined = candidates
        .iter()
        .filter(|c| c.kind != SymbolKind::Undefined);
    let defined: Vec<&Candidate> = defined.collect();
    if defined.is_empty() {
        return Ok(match candidates {
            [] => Choice::Nothing,
            _ => Choice::Undefined,
        });
    }
    let mut fitting: Vec<&Candidate> = defined
        .iter()
        .copied()
        .filter(|c| fits(c, wanted))
        .collect();
    if fitting.is_empty() {
        let versions = versions(wanted.name, &defined);
        if wanted.version.is_some() {
            return Ok(Choice::OtherVersions(versions));
        }
        if versions.len() > 1 {
            return Err(no_default(wanted.name, &versions));
        }
        // It is kept for old programs, but there is no other.
        fitting = defined;
    }
    let of_kind = |kind| fitting.iter().copied().filter(move |c| c.kind == kind);
    let functions: Vec<&Candidate> = of_kind(SymbolKind::Function).collect();
    if !functions.is_empty() {
        let address = strongest(wanted.name, file, &functions)?.address;
        return Ok(code(file, address).map_or_else(Choice::NotCode, Choice::Function));
    }
    let first = |kind| of_kind(kind).next();
    Ok(if first(SymbolKind::Indirect).is_some() {
        Choice::Indirect
    } else if first(SymbolKind::Data).is_some() {
        Choice::Data
    } else if let Some(Ok(offset)) = first(SymbolKind::Label).map(|c| code(file, c.address)) {
        Choice::Label(offset)
    } else {
        Choice::Nothing
    })
}

fn fits(candidate: &Candidate, wanted: Wanted<'_>) -> bool {
    match wanted.version {
        None => candidate.is_default,
        Some(_) => candidate.version.as_deref() == wanted.version,
    }
}

/// The offset in the file, or why there is none.
fn code(file: &Executable<'_>, address: u64) -> Result<u64, String> {
    match file.code_at(address) {
        CodePlace::At(offset) => Ok(offset),
        CodePlace::NotExecuted => Err(format!("at {address:#x}, where nothing is executed")),
        CodePlace::NotLoaded => Err(format!(
            "at {address:#x}, which is not loaded from the file"
        )),
    }
}

/// The first that is not weak, or else the first.
fn strongest<'c>(
    name: &str,
    file: &Executable<'_>,
    functions: &[&'c Candidate],
) -> Result<&'c Candidate> {
    let strong = functions.iter().copied().find(|c| !c.weak);
    let chosen = strong.or(functions.first().copied());
    let chosen = chosen.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no function"))?;
    let other = functions
        .iter()
        .find(|c| !c.weak && c.address != chosen.address);
    let Some(other) = other.filter(|_| !chosen.weak) else {
        return Ok(chosen);
    };
    let place = |candidate: &Candidate| match code(file, candidate.address) {
        Ok(offset) => format!("{offset:#x} in the file"),
        Err(why) => why,
    };
    let message = format!(
        "`{name}` is ambiguous: one function of that name is at {}, another at {}",
        place(chosen),
        place(other)
    );
    Err(Error::new(ErrorKind::InvalidArgument, message)
        .with_hint("give the offset instead of the name"))
}

fn no_default(name: &str, versions: &[String]) -> Error {
    let message = format!(
        "`{name}` is ambiguous: it has no default version, but {}",
        versions.join(", ")
    );
    Error::new(ErrorKind::InvalidArgument, message).with_hint("name one of the versions")
}

/// `f@V1`, `f@@V2`
fn versions(name: &str, candidates: &[&Candidate]) -> Vec<String> {
    let mut versions: Vec<String> = candidates
        .iter()
        .map(|candidate| {
            let at = if candidate.is_default { "@@" } else { "@" };
            match &candidate.version {
                Some(version) => format!("{name}{at}{}", version.escape_debug()),
                None => name.to_owned(),
            }
        })
        .collect();
    versions.sort_unstable();
    versions.dedup();
    versions.truncate(SHOWN);
    versions
}
