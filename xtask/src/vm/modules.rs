//! Kernel modules for a guest: found by name, unpacked, in the order in which they must be inserted.
//!
//! A module's dependencies are in its own `.modinfo` section, so neither `depmod` nor `modprobe` is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

/// A module that can be inserted as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its name, with underscores.
    pub(crate) name: String,
    /// Its ELF file.
    pub(crate) data: Vec<u8>,
}

/// Reads the modules with these names from a kernel's folder, preceded by those that they need.
pub(crate) fn in_order(folder: &Path, names: &[String]) -> Result<Vec<Module>> {
    let mut files = BTreeMap::new();
    scan(&folder.join("kernel"), &mut files)?;
    let built_in = fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
    let built_in: BTreeSet<_> = built_in
        .lines()
        .filter_map(|line| module_name(Path::new(line)))
        .collect();
    let mut data = BTreeMap::new();
    let order = order(names, |name| {
        let Some(file) = files.get(name) else {
            if built_in.contains(name) {
                return Ok(None);
            }
            bail!("{} has no module `{name}`", folder.display());
        };
        let module =
            read(file).with_context(|| format!("while reading the module {}", file.display()))?;
        let info = section(&module, ".modinfo")
            .with_context(|| format!("{} is not a kernel module", file.display()))?;
        // Only optional: these need not be modules at all.
        let mut needs = listed(&info, "softdep=pre:");
        needs.retain(|name| files.contains_key(name));
        needs.extend(listed(&info, "depends="));
        data.insert(name.to_owned(), module);
        Ok(Some(needs))
    })?;
    Ok(order
        .into_iter()
        .filter_map(|name| data.remove(&name).map(|data| Module { name, data }))
        .collect())
}

/// Names in an order in which everything follows what it needs. `needs` returns that, or `None` for what is already there.
fn order(
    wanted: &[String],
    mut needs: impl FnMut(&str) -> Result<Option<Vec<String>>>,
) -> Result<Vec<String>> {
    enum Step {
        Visit(String),
        Place(String),
    }
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    let mut steps: Vec<_> = wanted
        .iter()
        .rev()
        .map(|name| Step::Visit(plain(name)))
        .collect();
    while let Some(step) = steps.pop() {
        match step {
            Step::Place(name) => order.push(name),
            Step::Visit(name) if seen.insert(name.clone()) => {
                if let Some(needs) = needs(&name)? {
                    steps.push(Step::Place(name));
                    steps.extend(needs.iter().rev().map(|name| Step::Visit(plain(name))));
                }
            }
            Step::Visit(_) => {}
        }
    }
    Ok(order)
}

/// The kernel treats dashes and underscores in a module's name alike.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// The name of the module in a file such as `kernel/net/nf_conntrack.ko.xz`.
fn module_name(file: &Path) -> Option<String> {
    let (name, packing) = file.file_name()?.to_str()?.split_once(".ko")?;
    matches!(packing, "" | ".gz" | ".xz" | ".zst").then(|| plain(name))
}

fn scan(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("while looking for modules in {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            scan(&path, files)?;
        } else if let Some(name) = module_name(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// Reads a module and unpacks it: busybox's `insmod` only accepts plain ones.
fn read(file: &Path) -> Result<Vec<u8>> {
    let packed = fs::read(file)?;
    let mut data = Vec::new();
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => flate2::bufread::GzDecoder::new(&*packed).read_to_end(&mut data)?,
        Some("xz") => xz4rust::XzReader::new(Cursor::new(packed)).read_to_end(&mut data)?,
        Some("zst") => ruzstd::decoding::StreamingDecoder::new(&*packed)?.read_to_end(&mut data)?,
        _ => return Ok(packed),
    };
    Ok(data)
}

fn section(module: &[u8], name: &str) -> Result<Vec<u8>> {
    let elf = object::File::parse(module)?;
    let section = elf
        .section_by_name(name)
        .with_context(|| format!("no section {name}"))?;
    Ok(section.data()?.to_vec())
}

/// The names behind `key` in a `.modinfo` section, which is a list of NUL-terminated strings.
fn listed(info: &[u8], key: &str) -> Vec<String> {
    info.split(|byte| *byte == 0)
        .filter_map(|entry| std::str::from_utf8(entry).ok()?.strip_prefix(key))
        .flat_map(|names| names.split([',', ' ']))
        .filter(|name| !name.is_empty())
        .map(plain)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let order = order(&strings(&["veth", "nf-conntrack", "nf_nat"]), |name| {
            Ok(match name {
                "nf_conntrack" => Some(strings(&["nf_defrag_ipv6", "nf_defrag_ipv4"])),
                "nf_nat" => Some(strings(&["nf_conntrack", "libcrc32c"])),
                "libcrc32c" => None,
                _ => Some(vec![]),
            })
        });
        assert_eq!(
            order.unwrap(),
            [
                "veth",
                "nf_defrag_ipv6",
                "nf_defrag_ipv4",
                "nf_conntrack",
                "nf_nat"
            ]
        );
    }

    #[test]
    fn a_circle_ends() {
        let order = order(&strings(&["a"]), |name| {
            Ok(Some(strings(if name == "a" { &["b"] } else { &["a"] })))
        });
        assert_eq!(order.unwrap(), ["b", "a"]);
    }

    #[test]
    fn names_of_packed_and_plain_files() {
        let name = |file: &str| module_name(Path::new(file));
        assert_eq!(name("net/veth.ko"), Some("veth".to_owned()));
        assert_eq!(
            name("net/nf-conntrack.ko.xz"),
            Some("nf_conntrack".to_owned())
        );
        assert_eq!(name("net/veth.ko.zst"), Some("veth".to_owned()));
        assert_eq!(name("modules.order"), None);
        assert_eq!(name("veth.kobject"), None);
    }

    #[test]
    fn modinfo_lists() {
        let info = b"license=GPL\0depends=nf_defrag_ipv6,libcrc32c\0softdep=pre: crc32c sha1-x\0";
        assert_eq!(listed(info, "depends="), ["nf_defrag_ipv6", "libcrc32c"]);
        assert_eq!(listed(info, "softdep=pre:"), ["crc32c", "sha1_x"]);
        assert!(listed(b"depends=\0", "depends=").is_empty());
    }
}
