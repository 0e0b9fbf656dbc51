//! What the lists of programs, maps and links have in common: options, and values as bpftool's JSON has them.

use super::holders::Holder;
use super::which::{self, Listed, Which};
use crate::cannot_print;
use crate::show::json::print_json;
use clap::Args;
use rawbpf::Result;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::io::{self, Write};

/// How a list is printed.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// Print JSON, with bpftool's keys, in one line
    #[arg(long, short = 'j')]
    pub(crate) json: bool,
    /// Print JSON, indented
    #[arg(long, short)]
    pub(crate) pretty: bool,
}

impl OutputArgs {
    pub(crate) fn is_json(&self) -> bool {
        self.json || self.pretty
    }

    /// Prints a list: by `table`, or as JSON. An object that can only be one, by id or pin, is not in an array there.
    pub(crate) fn print<K: Listed, T: Serialize, W: Write>(
        &self,
        out: &mut W,
        which: Option<Which<'_>>,
        listed: &[T],
        table: impl FnOnce(&mut W, &[T]) -> io::Result<()>,
    ) -> Result<()> {
        which::expect_some::<K>(which, listed.len())?;
        let printed = match (self.is_json(), which, listed) {
            (false, _, _) => table(out, listed),
            (true, Some(Which::Id(_) | Which::Pinned(_)), [only]) => self.print_json(out, only),
            (true, _, _) => self.print_json(out, listed),
        };
        printed.map_err(cannot_print)
    }

    fn print_json(
        &self,
        out: &mut impl Write,
        document: &(impl Serialize + ?Sized),
    ) -> io::Result<()> {
        if self.pretty {
            return print_json(out, document);
        }
        serde_json::to_writer(&mut *out, document)?;
        writeln!(out)
    }
}

/// A number with a name; without one, the number itself is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named(pub(crate) u32, pub(crate) Option<&'static str>);

impl Named {
    pub(crate) fn text(self) -> Cow<'static, str> {
        self.1
            .map_or_else(|| self.0.to_string().into(), Cow::Borrowed)
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.1 {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_u32(self.0),
        }
    }
}

/// The device that a program or map was made for.
#[derive(Debug, Serialize)]
pub(crate) struct Device {
    ifindex: u32,
    ns_dev: u64,
    ns_inode: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifname: Option<String>,
}

impl Device {
    /// `None` for index 0: it is for no device.
    pub(crate) fn of(ifindex: u32, ns_dev: u64, ns_inode: u64) -> Option<Self> {
        (ifindex != 0).then(|| Self {
            ifindex,
            ns_dev,
            ns_inode,
            ifname: interface(ifindex),
        })
    }
}

/// The name of an interface of this process's network namespace.
pub(crate) fn interface(ifindex: u32) -> Option<String> {
    let entries = std::fs::read_dir("/sys/class/net").ok()?;
    entries.flatten().find_map(|entry| {
        let index = std::fs::read_to_string(entry.path().join("ifindex")).ok()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        (index.trim().parse() == Ok(ifindex)).then_some(name)
    })
}

/// A table's cell for processes.
pub(crate) fn holders_cell(holders: &[&Holder]) -> Cow<'static, str> {
    let texts: Vec<_> = holders
        .iter()
        .map(|holder| format!("{}({})", holder.comm, holder.pid))
        .collect();
    texts.join(",").into()
}

/// A table's cell for numbers.
pub(crate) fn ids_cell(ids: &[u32]) -> Cow<'static, str> {
    let texts: Vec<_> = ids.iter().map(ToString::to_string).collect();
    texts.join(",").into()
}
