//! The sets of objects to link.

use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Objects that are linked, in this order.
pub(super) struct Set {
    pub(super) name: String,
    pub(super) files: Vec<PathBuf>,
    /// Whether they are meant to be linked.
    pub(super) is_named: bool,
}

/// The sets that the kernel's selftests link; and the same in other orders, which must not affect how references are resolved.
const SELFTESTS: &[&[&str]] = &[
    &["linked_funcs1", "linked_funcs2"],
    &["linked_funcs2", "linked_funcs1"],
    &["linked_maps1", "linked_maps2"],
    &["linked_maps2", "linked_maps1"],
    &["linked_vars1", "linked_vars2"],
    &["linked_vars2", "linked_vars1"],
    &["test_static_linked1", "test_static_linked2"],
    &["test_static_linked2", "test_static_linked1"],
    &["test_subskeleton_lib2", "test_subskeleton_lib"],
    &[
        "test_subskeleton_lib2",
        "test_subskeleton_lib",
        "test_subskeleton",
    ],
    &[
        "test_subskeleton",
        "test_subskeleton_lib",
        "test_subskeleton_lib2",
    ],
    &["test_usdt", "test_usdt_multispec"],
];

/// The parts of each linked fixture, by its name.
pub(super) fn of_fixtures(fixtures: &Path) -> Result<Vec<Set>> {
    let parts = fixtures.join("parts");
    let mut sets: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(&parts).with_context(|| format!("listing {}", parts.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some((name, _)) = name.split_once('.') {
            sets.entry(name.to_owned()).or_default().push(path.clone());
        }
    }
    let sets = sets.into_iter().map(|(name, mut files)| {
        files.sort();
        Set {
            name,
            files,
            is_named: true,
        }
    });
    Ok(sets.collect())
}

/// The sets of a folder: the selftests' sets that exist in it, each object alone, and arbitrary pairs.
pub(super) fn of(folder: &Path, pairs: usize) -> Result<Vec<Set>> {
    let mut objects = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".bpf.o") {
            objects.insert(stem.to_owned());
        }
    }
    let objects: Vec<String> = objects.into_iter().collect();
    let set = |names: &[&str], is_named| Set {
        name: names.join(" + "),
        files: names
            .iter()
            .map(|name| folder.join(format!("{name}.bpf.o")))
            .collect(),
        is_named,
    };
    let is_there = |names: &&&[&str]| {
        let mut names = names.iter();
        names.all(|name| objects.iter().any(|object| object == name))
    };
    let mut sets: Vec<Set> = SELFTESTS
        .iter()
        .filter(is_there)
        .map(|names| set(names, true))
        .collect();
    sets.extend(objects.iter().map(|name| set(&[name], false)));
    // The same pairs in every run: those at increasing distances.
    let count = objects.len();
    for number in 0..pairs.min(count.saturating_mul(count)) {
        let (first, second) = (
            number * 7 % count,
            (number * 13 + number / count + 1) % count,
        );
        sets.push(set(&[&objects[first], &objects[second]], false));
    }
    Ok(sets)
}
