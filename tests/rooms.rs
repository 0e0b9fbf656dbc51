//! Checks the plan of the house on the parsed sources: stages import only to the left, rooms form no circle, and the picture
//! of a large room shows all of its files.
//!
//! The compiler checks that pure rooms do not reach the kernel: it builds them alone (`--no-default-features`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};

/// A module by its path from the crate's root: `["reloc", "core", "patch"]`.
type Module = Vec<String>;

/// Every file below `src`, with the module that it is.
fn files() -> Vec<(PathBuf, Module)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inside = path.strip_prefix(&src).unwrap().with_extension("");
                let mut module: Module = inside
                    .iter()
                    .map(|part| part.to_str().unwrap().to_owned())
                    .collect();
                module.retain(|part| part != "mod" && part != "lib");
                found.push((path, module));
            }
        }
    }
    found.sort();
    found
}

/// Whether this is compiled for tests only.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Meta>()
                    .is_ok_and(|what| demands_test(&what))
    })
}

/// `test`, or `all(test, ...)`.
fn demands_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated)
            .is_ok_and(|all| all.iter().any(demands_test)),
        _ => false,
    }
}

/// Collects the paths in a file, each from the crate's root.
struct Paths {
    module: Module,
    found: BTreeSet<Module>,
}

impl Paths {
    fn add(&mut self, path: &[String]) {
        let (mut from_root, rest) = match path.first().map(String::as_str) {
            Some("crate") => (Module::new(), &path[1..]),
            Some("self") => (self.module.clone(), &path[1..]),
            Some("super") => (self.module.clone(), path),
            // `Target` is in `reloc`, but these functions of it are in a room above all others.
            Some("Target") if path.get(1).is_some_and(|name| name.starts_with("running")) => {
                (vec!["running".to_owned()], &path[2..])
            }
            _ => return,
        };
        let mut rest = rest.iter().peekable();
        while rest.next_if(|part| *part == "super").is_some() {
            from_root.pop();
        }
        from_root.extend(rest.cloned());
        self.found.insert(from_root);
    }

    fn tree(&mut self, before: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(before, &path.tree);
                before.pop();
            }
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                before.push(ident.to_string());
                self.add(before);
                before.pop();
            }
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(before, tree);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.add(&parts);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        visit::visit_macro(self, mac);
        // The contents of macros are not parsed; `crate::a::b` is seen all the same.
        let text = mac.tokens.to_string().replace(' ', "");
        for (at, _) in text.match_indices("crate::") {
            let path = text[at..].split(|c: char| c != '_' && c != ':' && !c.is_alphanumeric());
            let parts = path.into_iter().next().unwrap_or_default().split("::");
            let parts: Vec<String> = parts.map(str::to_owned).collect();
            self.add(&parts);
        }
    }
}

/// Which modules the files of the crate mention.
struct House {
    /// For each module, the paths in it.
    mentions: BTreeMap<Module, BTreeSet<Module>>,
    /// What the crate's root re-exports: `OpenObject` is in `open`.
    root: BTreeMap<String, String>,
}

impl House {
    fn read() -> Self {
        let mut mentions = BTreeMap::new();
        let mut test_files = BTreeSet::new();
        let mut root = BTreeMap::new();
        for (path, module) in files() {
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            for item in &file.items {
                match item {
                    syn::Item::Mod(item) if item.content.is_none() && is_test(&item.attrs) => {
                        let mut inner = module.clone();
                        inner.push(item.ident.to_string());
                        test_files.insert(inner);
                    }
                    syn::Item::Use(item) if module.is_empty() => {
                        let syn::UseTree::Path(from) = &item.tree else {
                            continue;
                        };
                        let mut names = Paths {
                            module: Module::new(),
                            found: BTreeSet::new(),
                        };
                        names.tree(&mut vec!["crate".into()], &from.tree);
                        for name in names.found {
                            root.insert(name.concat(), from.ident.to_string());
                        }
                    }
                    _ => {}
                }
            }
            let mut paths = Paths {
                module: module.clone(),
                found: BTreeSet::new(),
            };
            paths.visit_file(&file);
            mentions.insert(module, paths.found);
        }
        mentions.retain(|module, _| !test_files.iter().any(|test| module.starts_with(test)));
        Self { mentions, root }
    }

    /// The room that a path leads to.
    fn room_of(&self, path: &Module) -> Option<String> {
        let first = path.first()?;
        Some(self.root.get(first).unwrap_or(first).clone())
    }

    /// Which rooms each room mentions, and where.
    fn rooms(&self) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
        let mut rooms: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for (module, paths) in self.mentions.iter().filter(|(m, _)| !m.is_empty()) {
            for path in paths {
                let Some(other) = self.room_of(path).filter(|other| *other != module[0]) else {
                    continue;
                };
                let is_room = self.mentions.keys().any(|m| m.first() == Some(&other));
                if is_room {
                    let places = rooms.entry(module[0].clone()).or_default();
                    places.entry(other).or_default().push(format!(
                        "{}: {}",
                        module.join("::"),
                        path.join("::")
                    ));
                }
            }
        }
        rooms
    }

    /// Which files of a room mention which others in it.
    fn inside(&self, room: &str) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
        let mut files: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        let known: BTreeSet<&Module> = self.mentions.keys().collect();
        for (module, paths) in &self.mentions {
            // A room's `mod.rs` names all of its files.
            let is_door = known
                .iter()
                .any(|m| m.len() > module.len() && m.starts_with(module));
            if module.first().is_none_or(|first| first != room) || is_door {
                continue;
            }
            for path in paths {
                let file = (1..=path.len()).rev().map(|n| &path[..n]);
                let mut file = file.filter(|part| known.contains(&part.to_vec()));
                let Some(other) = file
                    .next()
                    .filter(|other| other[0] == room && *other != &module[..])
                else {
                    continue;
                };
                let is_door = known
                    .iter()
                    .any(|m| m.len() > other.len() && m.starts_with(other));
                if !is_door {
                    let places = files.entry(module.join("::")).or_default();
                    places
                        .entry(other.join("::"))
                        .or_default()
                        .push(path.join("::"));
                }
            }
        }
        files
    }
}

/// Sets of two or more nodes that all lead to each other.
fn circles(graph: &BTreeMap<String, BTreeMap<String, Vec<String>>>) -> Vec<BTreeSet<String>> {
    let reach = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut todo = vec![from.clone()];
        while let Some(node) = todo.pop() {
            for next in graph.get(&node).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(next.clone()) {
                    todo.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> =
        graph.keys().map(|node| (node, reach(node))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (node, beyond) in &reached {
        if found.iter().any(|circle| circle.contains(*node)) {
            continue;
        }
        let back = beyond
            .iter()
            .filter(|other| reached.get(other).is_some_and(|r| r.contains(*node)));
        let circle: BTreeSet<String> = back.cloned().collect();
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}

#[test]
fn stages_import_only_to_the_left() {
    let rooms = House::read().rooms();
    // The linker puts objects together before any of them is opened, and reads what maps are as opening does.
    let stages = ["open", "linker", "reloc", "load", "attach"];
    let mut wrong = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        for later in &stages[index + 1..] {
            let places = rooms.get(*stage).and_then(|to| to.get(*later));
            wrong.extend(places.into_iter().flatten());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Loading and attaching build on `map` and `program`.
#[test]
fn handles_know_neither_loading_nor_attaching() {
    let rooms = House::read().rooms();
    for room in ["map", "program"] {
        for later in ["load", "attach"] {
            let places = rooms.get(room).and_then(|to| to.get(later));
            assert!(places.is_none(), "{places:#?}");
        }
    }
}

#[test]
fn rooms_form_no_circle() {
    let rooms = House::read().rooms();
    let found = circles(&rooms);
    for circle in &found {
        for from in circle {
            for (to, places) in rooms[from].iter().filter(|(to, _)| circle.contains(*to)) {
                println!("{from} -> {to}: {places:#?}");
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn inside_a_room_no_circle_is_larger_than_two_files() {
    let house = House::read();
    let rooms: BTreeSet<&String> = house.mentions.keys().filter_map(|m| m.first()).collect();
    let mut wrong = Vec::new();
    for room in rooms {
        let files = house.inside(room);
        wrong.extend(
            circles(&files)
                .into_iter()
                .filter(|circle| circle.len() > 2),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What `mod.rs` says about its files: the words in its picture, and those in backticks below it.
fn told(notes: &str) -> BTreeSet<String> {
    let (_, rest) = notes.split_once("```text").unwrap_or_default();
    let (picture, below) = rest.split_once("```").unwrap_or_default();
    let words = picture.split(|c: char| c != '_' && !c.is_alphanumeric());
    let quoted = below.split('`').skip(1).step_by(2);
    words.chain(quoted).map(str::to_owned).collect()
}

/// A room that cannot be taken in at a glance has to say where to start and what every file is for.
#[test]
fn large_rooms_have_a_picture_of_all_their_files() {
    const MANY: usize = 8;
    let house = House::read();
    let mut wrong = Vec::new();
    for room in house.mentions.keys().filter(|module| !module.is_empty()) {
        let inside = house.mentions.keys();
        let inside = inside.filter(|m| m.len() == room.len() + 1 && m.starts_with(room));
        let inside: BTreeSet<&String> = inside.filter_map(|module| module.last()).collect();
        // With `mod.rs` itself.
        if inside.len() < MANY {
            continue;
        }
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let door = src.join(room.join("/")).join("mod.rs");
        let text = fs::read_to_string(door).unwrap();
        let notes: Vec<&str> = text.lines().filter(|l| l.starts_with("//!")).collect();
        let told = told(&notes.join("\n"));
        let untold = inside.into_iter().filter(|file| !told.contains(*file));
        wrong.extend(untold.map(|file| format!("{}::{file}", room.join("::"))));
    }
    assert!(wrong.is_empty(), "not in the picture: {wrong:#?}");
}

/// The lint `unsafe_code` is denied, except in files that say otherwise.
#[test]
fn only_sys_is_unsafe() {
    for (path, module) in files() {
        let text = fs::read_to_string(&path).unwrap();
        let allowed = text.contains("#![allow(unsafe_code)]");
        assert!(
            !allowed || module.first().is_some_and(|room| room == "sys"),
            "{}",
            path.display()
        );
    }
}
