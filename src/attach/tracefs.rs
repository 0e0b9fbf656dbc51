//! Trace events and traceable functions: the contents of tracefs.

use super::glob;
use crate::kernel::rights;
use crate::mounts::{self, Folder};
use crate::{Errno, Error, ErrorKind, Result, did_you_mean};
use std::collections::{BTreeSet, HashSet};
use std::io;

/// The list of functions that can be traced, one per line.
pub(super) fn traceable_functions() -> Result<String> {
    let file = "available_filter_functions";
    let folder = mounts::tracefs()?;
    folder.read(file).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let error = unreadable(error, &folder, file);
        if missing {
            error.with_hint("the kernel was built without CONFIG_DYNAMIC_FTRACE")
        } else {
            error
        }
    })
}

fn unreadable(error: io::Error, folder: &Folder, file: &str) -> Error {
    let errno = error.raw_os_error().map(Errno);
    let error = Error::from_io(error, "read", &folder.shown(file));
    match errno {
        Some(Errno::EACCES) => error.with_hint(rights::for_files()),
        Some(Errno::EPERM) => error.with_hint(
            "a locked-down kernel lets nobody read this (see /sys/kernel/security/lockdown)",
        ),
        _ => error,
    }
}

/// All names in such a list.
pub(super) fn names(list: &str) -> impl Iterator<Item = &str> {
    list.lines()
        .filter_map(|line| line.split_ascii_whitespace().next())
}

/// The names in such a list that match a pattern, of the modules that `of` accepts (`None` is vmlinux).
pub(super) fn matching_names<'l>(
    list: &'l str,
    of: impl Fn(Option<&str>) -> bool,
    pattern: &str,
) -> HashSet<&'l str> {
    // `vfs_read` or, in a module, `veth_xmit [veth]`.
    let lines = list.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        of(words.next().map(module_name)).then_some(name)
    });
    lines.filter(|name| glob::matches(pattern, name)).collect()
}

/// Strips the brackets of `[veth]`, as such lists write it.
pub(super) fn module_name(word: &str) -> &str {
    word.trim_matches(['[', ']'])
}

/// The id of a trace event, which perf events refer to.
#[doc(alias = "determine_tracepoint_id")]
pub(super) fn event_id(category: &str, name: &str) -> Result<u64> {
    let plain = |word: &str| !word.is_empty() && !word.contains('/') && word != "..";
    if !plain(category) || !plain(name) {
        let message = format!("`{category}/{name}` is no name of a tracepoint");
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .with_hint("a tracepoint has a category and a name: sched/sched_switch"));
    }
    let folder = mounts::tracefs()?;
    let file = format!("events/{category}/{name}/id");
    let text = match folder.read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(no_event(&folder, category, name));
        }
        Err(error) => return Err(unreadable(error, &folder, &file)),
    };
    text.trim().parse().map_err(|_| {
        let path = folder.shown(&file);
        let message = format!("{} holds no number: `{}`", path.display(), text.trim());
        Error::new(ErrorKind::Corrupt, message)
    })
}

fn no_event(folder: &Folder, category: &str, name: &str) -> Error {
    if !folder.has("events").unwrap_or(true) {
        let message = format!(
            "there are no trace events: {} is missing",
            folder.shown("events").display()
        );
        return Error::new(ErrorKind::NotFound, message)
            .with_errno(Errno::ENOENT)
            .with_hint("the kernel was built without CONFIG_EVENT_TRACING, or is locked down for confidentiality");
    }
    // `category:name`, one per line.
    let list = folder.read("available_events").unwrap_or_default();
    let events: Vec<(&str, &str)> = list
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let of_category: Vec<&str> = events
        .iter()
        .filter(|(of, _)| *of == category)
        .map(|(_, name)| *name)
        .collect();
    let message = if of_category.is_empty() {
        let categories: BTreeSet<&str> = events.iter().map(|(category, _)| *category).collect();
        let near = did_you_mean(category, categories);
        format!("this kernel has no category `{category}` of tracepoints{near}")
    } else {
        let near = did_you_mean(name, of_category);
        format!("this kernel has no tracepoint `{category}/{name}`{near}")
    };
    Error::new(ErrorKind::NotFound, message).with_errno(Errno::ENOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_modules_are_told_apart() {
        let list = "vfs_read\nveth_xmit [veth]\nveth_open [veth]\nvfs_x [veth]\n\n";
        let names = |module, pattern| {
            let mut names: Vec<_> = matching_names(list, |of| of == module, pattern)
                .into_iter()
                .collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(None, "v*"), ["vfs_read"]);
        assert_eq!(names(Some("veth"), "veth_*"), ["veth_open", "veth_xmit"]);
        assert!(names(Some("other"), "*").is_empty());
        assert_eq!(matching_names(list, |_| true, "vfs_*").len(), 2);
    }
}
