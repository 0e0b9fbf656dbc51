//! What a plan says about alternative programs.

use crate::{Error, ErrorKind};

/// The choice among a group of alternative programs ([`OpenObject::prefer`](crate::OpenObject::prefer)).
#[derive(Debug, Clone)]
pub struct Choice {
    /// The programs, in the order of preference.
    pub names: Vec<String>,
    /// The one that is loaded; `None` if none can be.
    pub chosen: Option<String>,
    /// The programs before it, and why each cannot be loaded or attached. Those after it were not checked.
    pub passed_over: Vec<PassedOver>,
}

/// A program that is not loaded, because the kernel cannot load or attach it.
#[derive(Debug, Clone)]
pub struct PassedOver {
    /// Its name.
    pub name: String,
    /// The reason.
    pub reason: Error,
}

impl Choice {
    /// Why no program is left.
    pub(crate) fn error(&self) -> Error {
        let names: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("none of {} can be loaded and attached", names.join(", "));
        let mut details = Vec::new();
        for PassedOver { name, reason } in &self.passed_over {
            let mut lines = reason.message().lines();
            let first = lines.next().unwrap_or_default();
            details.push(format!("  `{name}`: {first}"));
            details.extend(lines.map(|line| format!("    {line}")));
        }
        let hint = self.passed_over.iter().find_map(|one| one.reason.hint());
        let mut kinds = self.passed_over.iter().map(|one| one.reason.kind());
        let kind = kinds.next().unwrap_or(ErrorKind::Unsupported);
        let is_shared = kinds.all(|other| other == kind);
        let kind = if is_shared {
            kind
        } else {
            ErrorKind::Unsupported
        };
        let error = Error::new(kind, message).with_details(details.iter().map(String::as_str));
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}
