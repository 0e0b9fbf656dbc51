//! Converts rustdoc's JSON to the lines of the listing.

use super::text::Text;
use anyhow::{Result, bail};
use rustdoc_types::{
    Crate, Id, Impl, Item, ItemEnum, ItemKind, ItemSummary, Struct, StructKind, Trait, Type,
    Variant, VariantKind,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// The documented path of each item that has one; the shortest if there are several.
pub(super) type Paths = HashMap<Id, String>;

/// The lines of the listing, sorted.
///
/// # Errors
/// If a documented item uses, or its documentation links to, an item of the crate without a documented path.
pub(super) fn of(krate: &Crate) -> Result<Vec<String>> {
    let (paths, aliases) = paths(krate);
    let mut listing = Listing {
        krate,
        text: Text::new(krate, &paths),
        lines: BTreeSet::new(),
        broken: BTreeSet::new(),
    };
    for (alias, of) in aliases {
        listing.line(&alias, format!("pub use {of} as {alias}"));
    }
    for (id, path) in &paths {
        if let Some(item) = krate.index.get(id) {
            listing.links(item, path, &paths);
            listing.item(item, path);
        }
    }
    let unknown = listing.text.unknown();
    let broken: Vec<_> = listing.broken.into_iter().chain(unknown).collect();
    if !broken.is_empty() {
        bail!("not documented themselves:\n{}", broken.join("\n"));
    }
    Ok(listing.lines.into_iter().map(|(_, line)| line).collect())
}

/// Whether the documentation omits it.
fn is_hidden(item: &Item) -> bool {
    item.attrs.iter().any(|attr| attr.contains("doc(hidden)"))
}

/// Walks the modules, those near the root first, and gives each item its shortest path. Other paths of an item are aliases.
fn paths(krate: &Crate) -> (Paths, BTreeMap<String, String>) {
    let mut paths = Paths::new();
    let mut aliases = BTreeMap::new();
    let mut queue = VecDeque::from([(krate.root, "rawbpf".to_owned())]);
    while let Some((id, path)) = queue.pop_front() {
        let Some(item) = krate.index.get(&id).filter(|item| !is_hidden(item)) else {
            continue;
        };
        if let ItemEnum::Use(used) = &item.inner {
            let local = |target: &Id| krate.paths.get(target).is_none_or(|p| p.crate_id == 0);
            match used.id.filter(local) {
                Some(target) => queue.push_back((target, path)),
                None => drop(aliases.insert(path, used.source.clone())),
            }
            continue;
        }
        if let Some(first) = paths.get(&id) {
            aliases.insert(path, first.clone());
            continue;
        }
        if let ItemEnum::Module(module) = &item.inner {
            let mut named: Vec<_> = module
                .items
                .iter()
                .filter_map(|id| Some((name(krate, *id)?, *id)))
                .collect();
            named.sort_by(|a, b| a.0.cmp(&b.0));
            queue.extend(
                named
                    .into_iter()
                    .map(|(name, id)| (id, format!("{path}::{name}"))),
            );
        }
        paths.insert(id, path);
    }
    (paths, aliases)
}

/// The name of an item in a module.
fn name(krate: &Crate, id: Id) -> Option<String> {
    let item = krate.index.get(&id)?;
    match &item.inner {
        ItemEnum::Use(used) => Some(used.name.clone()),
        _ => item.name.clone(),
    }
}

struct Listing<'k> {
    krate: &'k Crate,
    text: Text<'k>,
    /// Sorted by path, then by line.
    lines: BTreeSet<(String, String)>,
    broken: BTreeSet<String>,
}

impl<'k> Listing<'k> {
    fn line(&mut self, path: &str, line: String) {
        self.lines.insert((path.to_owned(), line));
    }

    fn get(&self, id: Id) -> Option<&'k Item> {
        self.krate.index.get(&id).filter(|item| !is_hidden(item))
    }

    /// Documentation must not link to undocumented items.
    fn links(&mut self, item: &Item, path: &str, paths: &Paths) {
        for (link, id) in &item.links {
            // Variants are documented with their enum.
            let own = |of: &ItemSummary| of.crate_id == 0 && of.kind != ItemKind::Variant;
            if self.krate.paths.get(id).is_some_and(own) && !paths.contains_key(id) {
                self.broken
                    .insert(format!("{link}, in the documentation of {path}"));
            }
        }
    }

    fn item(&mut self, item: &'k Item, path: &str) {
        let open = if item
            .attrs
            .iter()
            .any(|attr| attr.contains("non_exhaustive"))
        {
            "#[non_exhaustive] "
        } else {
            ""
        };
        self.text.enter(path);
        let line = match &item.inner {
            ItemEnum::Module(_) => format!("pub mod {path}"),
            ItemEnum::Struct(of) => {
                self.members(&of.impls, path);
                self.fields(of, path);
                let (generics, bounds) = self.text.generics(&of.generics);
                format!("{open}pub struct {path}{generics}{bounds}")
            }
            ItemEnum::Enum(of) => {
                self.members(&of.impls, path);
                for id in &of.variants {
                    self.variant(*id, path);
                }
                let (generics, bounds) = self.text.generics(&of.generics);
                format!("{open}pub enum {path}{generics}{bounds}")
            }
            ItemEnum::Trait(of) => {
                self.trait_items(of, path);
                let (generics, bounds) = self.text.generics(&of.generics);
                let supers = self.text.bounds(&of.bounds);
                format!("pub trait {path}{generics}{supers}{bounds}")
            }
            ItemEnum::TypeAlias(of) => {
                let (generics, bounds) = self.text.generics(&of.generics);
                format!(
                    "pub type {path}{generics}{bounds} = {}",
                    self.text.ty(&of.type_)
                )
            }
            ItemEnum::Function(of) => self.text.function("pub ", path, of),
            ItemEnum::Constant { type_, .. } => {
                format!("pub const {path}: {}", self.text.ty(type_))
            }
            ItemEnum::Static(of) => format!("pub static {path}: {}", self.text.ty(&of.type_)),
            ItemEnum::Macro(_) => format!("pub macro {path}!"),
            _ => format!("pub {path}"),
        };
        self.line(path, line);
    }

    fn fields(&mut self, of: &Struct, path: &str) {
        match &of.kind {
            StructKind::Unit => {}
            StructKind::Tuple(fields) => {
                for id in fields.iter().flatten() {
                    self.field(*id, path);
                }
            }
            StructKind::Plain { fields, .. } => {
                for id in fields {
                    self.field(*id, path);
                }
            }
        }
    }

    fn field(&mut self, id: Id, of: &str) {
        let Some(item) = self.get(id) else { return };
        if let (ItemEnum::StructField(ty), Some(name)) = (&item.inner, &item.name) {
            let path = format!("{of}::{name}");
            self.text.enter(&path);
            let line = format!("pub {path}: {}", self.text.ty(ty));
            self.line(&path, line);
        }
    }

    fn variant(&mut self, id: Id, of: &str) {
        let Some(item) = self.get(id) else { return };
        let (ItemEnum::Variant(variant), Some(name)) = (&item.inner, &item.name) else {
            return;
        };
        let path = format!("{of}::{name}");
        self.text.enter(&path);
        let Variant { kind, discriminant } = variant;
        let types = match kind {
            VariantKind::Plain => String::new(),
            VariantKind::Tuple(fields) => {
                let types: Vec<_> = fields
                    .iter()
                    .flatten()
                    .map(|id| self.type_of(*id))
                    .collect();
                format!("({})", types.join(", "))
            }
            VariantKind::Struct { fields, .. } => {
                for id in fields {
                    self.field(*id, &path);
                }
                " { .. }".to_owned()
            }
        };
        let number = discriminant
            .as_ref()
            .map(|number| format!(" = {}", number.value))
            .unwrap_or_default();
        self.line(&path, format!("pub {path}{types}{number}"));
    }

    fn type_of(&self, field: Id) -> String {
        match self.krate.index.get(&field).map(|item| &item.inner) {
            Some(ItemEnum::StructField(ty)) => self.text.ty(ty),
            _ => "_".to_owned(),
        }
    }

    /// A type's own members, and the traits that it implements.
    fn members(&mut self, impls: &[Id], path: &str) {
        for id in impls {
            let Some(item) = self.get(*id) else { continue };
            let ItemEnum::Impl(of) = &item.inner else {
                continue;
            };
            match &of.trait_ {
                None => self.inherent(of, path),
                Some(trait_) if is_told(of, &trait_.path) && self.text.all_known(of) => {
                    self.text.enter(path);
                    let line = self.text.implementation(of);
                    self.line(&format!("{path} "), line);
                }
                Some(_) => {}
            }
        }
    }

    fn inherent(&mut self, of: &'k Impl, path: &str) {
        // Methods of `Map` and of `Map<K, PerCpu<V>>` are not the same.
        let owner = match &of.for_ {
            Type::ResolvedPath(_) => self.text.ty(&of.for_),
            _ => path.to_owned(),
        };
        for (path, item) in self.named(&of.items, path) {
            let name = path.rsplit("::").next().unwrap_or_default();
            self.text.enter(&path);
            let line = match &item.inner {
                ItemEnum::Function(function) => {
                    let (_, bounds) = self.text.generics(&of.generics);
                    self.text
                        .function("pub ", &format!("{owner}::{name}"), function)
                        + &bounds
                }
                ItemEnum::AssocConst { type_, .. } => {
                    format!("pub const {owner}::{name}: {}", self.text.ty(type_))
                }
                _ => continue,
            };
            self.line(&path, line);
        }
    }

    /// The items among these that have a name and are listed, each with its path.
    fn named(&self, items: &[Id], path: &str) -> Vec<(String, &'k Item)> {
        let listed = items.iter().filter_map(|id| self.get(*id));
        let named =
            listed.filter_map(|item| Some((format!("{path}::{}", item.name.as_ref()?), item)));
        named.collect()
    }

    fn trait_items(&mut self, of: &Trait, path: &str) {
        for (path, item) in self.named(&of.items, path) {
            self.text.enter(&path);
            let line = match &item.inner {
                ItemEnum::Function(function) => {
                    let given = if function.has_body { " { .. }" } else { "" };
                    self.text.function("", &path, function) + given
                }
                ItemEnum::AssocType { bounds, .. } => {
                    format!("type {path}{}", self.text.bounds(bounds))
                }
                ItemEnum::AssocConst { type_, .. } => {
                    format!("const {path}: {}", self.text.ty(type_))
                }
                _ => continue,
            };
            self.line(&path, line);
        }
    }
}

/// Whether an implementation is listed. Blanket implementations apply to any type. Of the auto traits, only those are listed
/// that matter for threads.
fn is_told(of: &Impl, trait_: &str) -> bool {
    let of_threads = matches!(trait_, "Send" | "Sync");
    of.blanket_impl.is_none()
        && (!of.is_synthetic || of_threads)
        && !trait_.ends_with("StructuralPartialEq")
}
