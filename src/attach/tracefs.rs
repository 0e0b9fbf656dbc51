//! Trace events: where tracefs is, and what is in it.

use super::glob;
use crate::{Errno, Error, ErrorKind, Result, did_you_mean};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where tracefs may be: by itself, and inside debugfs.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The folder that holds the trace events.
pub(super) fn folder() -> Result<PathBuf> {
    let places = PLACES.iter().map(Path::new);
    let mut denied = None;
    for place in places {
        match fs::read_dir(place.join("events")) {
            Ok(_) => return Ok(place.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                denied = Some((place, error));
            }
            Err(_) => {}
        }
    }
    if let Some((place, error)) = denied {
        return Err(Error::from_io(error, "look into", place).with_hint("run as root"));
    }
    Err(Error::new(
        ErrorKind::NotFound,
        "tracefs is not mounted, so trace events have no numbers",
    )
    .with_hint("mount -t tracefs tracefs /sys/kernel/tracing"))
}

/// The list of functions that can be traced, a line each.
pub(super) fn traceable_functions() -> Result<String> {
    let path = folder()?.join("available_filter_functions");
    fs::read_to_string(&path).map_err(|e| unreadable(e, &path))
}

fn unreadable(error: io::Error, path: &Path) -> Error {
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    let missing = error.kind() == io::ErrorKind::NotFound;
    let error = Error::from_io(error, "read", path);
    if denied {
        error.with_hint("run as root; a locked-down kernel lets nobody trace its functions")
    } else if missing {
        error.with_hint("the kernel was built without CONFIG_DYNAMIC_FTRACE")
    } else {
        error
    }
}

/// The names in such a list that a pattern means, of the modules that `of` admits (`None` is the kernel proper).
pub(super) fn matching_names<'l>(
    list: &'l str,
    of: impl Fn(Option<&str>) -> bool,
    pattern: &str,
) -> HashSet<&'l str> {
    // `vfs_read` or, of a module, `veth_xmit [veth]`.
    let lines = list.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        let module = words.next().map(|module| module.trim_matches(['[', ']']));
        of(module).then_some(name)
    });
    lines.filter(|name| glob::matches(pattern, name)).collect()
}

/// The number of a trace event, by which a perf event names it.
#[doc(alias = "determine_tracepoint_id")]
pub(super) fn event_id(category: &str, name: &str) -> Result<u64> {
    let plain = |word: &str| !word.is_empty() && !word.contains('/') && word != "..";
    if !plain(category) || !plain(name) {
        let message = format!("`{category}/{name}` is no name of a tracepoint");
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .with_hint("a tracepoint has a category and a name: sched/sched_switch"));
    }
    let events = folder()?.join("events");
    let path = events.join(category).join(name).join("id");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(no_event(&events, category, name));
        }
        Err(error) => return Err(Error::from_io(error, "read", &path)),
    };
    text.trim().parse().map_err(|_| {
        let message = format!("{} holds no number: `{}`", path.display(), text.trim());
        Error::new(ErrorKind::Corrupt, message)
    })
}

fn no_event(events: &Path, category: &str, name: &str) -> Error {
    let category_names = names_in(&events.join(category));
    let message = if category_names.is_empty() {
        let near = near(category, &names_in(events));
        format!("this kernel has no category `{category}` of tracepoints{near}")
    } else {
        let near = near(name, &category_names);
        format!("this kernel has no tracepoint `{category}/{name}`{near}")
    };
    Error::new(ErrorKind::NotFound, message).with_errno(Errno::ENOENT)
}

fn near(wanted: &str, names: &[String]) -> String {
    did_you_mean(wanted, names.iter().map(String::as_str))
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.collect()
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
