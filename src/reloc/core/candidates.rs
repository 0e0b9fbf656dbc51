//! The kernel's types that a local type may refer to: those of the same kind and the same name, ignoring the flavour.
//!
//! All wanted names are looked up in one pass over the kernel's types. Modules are read only if vmlinux has no
//! type of some name; their types are then searched for all wanted names at once.

use super::budget::Budget;
use super::error::CoreError;
use super::kind::{kind_word, kinds_agree};
use crate::btf::{Btf, NameMatch, Type, essential_name};
use crate::reloc::Target;
use crate::{Error, ErrorKind, Result, TypeId};
use std::collections::HashMap;
use std::rc::Rc;

/// What a candidate costs in addition to being compared: space in lists and in the plan.
const CANDIDATE_STEPS: u64 = 8;

/// A type of the kernel or of a module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) ty: Type<'a>,
    /// The module that defines it; `None` for vmlinux.
    pub(super) module: Option<&'a str>,
}

/// Finds candidates, and remembers them by local type.
#[derive(Clone)]
pub(super) struct Candidates<'a> {
    target: &'a Target,
    /// By essential name.
    kernel: HashMap<&'a str, Rc<[TypeId]>>,
    /// By essential name; filled only after vmlinux had no answer for one of them.
    modules: HashMap<&'a str, Rc<[Candidate<'a>]>>,
    /// By local type id. Relocations narrow these lists: once a candidate has failed where another has
    /// matched, it is dropped for all relocations of that local type.
    by_local_type: HashMap<TypeId, Vec<Candidate<'a>>>,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(target: &'a Target) -> Self {
        Self {
            target,
            kernel: HashMap::new(),
            modules: HashMap::new(),
            by_local_type: HashMap::new(),
        }
    }

    fn kernel_btf(&self, wanted: &str) -> Result<&'a Btf<'static>> {
        if let Some(custom) = self.target.core_btf() {
            return Ok(custom);
        }
        match self.target.vmlinux_btf() {
            Ok(btf) => Ok(btf),
            Err(error) => Err(explain_missing_btf(error, wanted)),
        }
    }

    /// Adds the kernel's types with this essential name, which were looked up elsewhere.
    pub(super) fn know(&mut self, essential: &'a str, types: &[TypeId]) {
        self.kernel.insert(essential, Rc::from(types));
    }

    /// Looks up all names that have not been looked up yet.
    pub(super) fn look_up(&mut self, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let mut wanted: Vec<&'a str> = names
            .into_iter()
            .map(essential_name)
            .filter(|name| !name.is_empty() && !self.kernel.contains_key(name))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let Some(first) = wanted.first() else {
            return Ok(());
        };
        let btf = self.kernel_btf(first)?;
        let mut found: Vec<Vec<TypeId>> = vec![Vec::new(); wanted.len()];
        for hit in btf.find_all(&wanted, NameMatch::Essential) {
            if let Some(list) = found.get_mut(hit.name) {
                list.push(hit.id);
            }
        }
        let lists = found.into_iter().map(Rc::from);
        self.kernel.extend(wanted.into_iter().zip(lists));
        Ok(())
    }

    /// The candidates that earlier relocations have left for this local type.
    #[doc(alias = "bpf_core_find_cands")]
    pub(super) fn of(
        &mut self,
        local: &Type<'a>,
        budget: &mut Budget,
    ) -> Result<Vec<Candidate<'a>>> {
        if let Some(list) = self.by_local_type.get(&local.id()) {
            return Ok(list.clone());
        }
        let list = self.find(local, budget)?;
        self.by_local_type.insert(local.id(), list.clone());
        Ok(list)
    }

    /// Keeps only these candidates.
    pub(super) fn narrow(&mut self, local: &Type<'a>, kept: Vec<Candidate<'a>>) {
        self.by_local_type.insert(local.id(), kept);
    }

    fn find(&mut self, local: &Type<'a>, budget: &mut Budget) -> Result<Vec<Candidate<'a>>> {
        if local.name().is_empty() {
            // Its name may be unreadable.
            local.btf().string_bytes_at(local.name_offset())?;
            return Err(CoreError::Anonymous.into());
        }
        self.look_up([local.name()])?;
        let name = essential_name(local.name());
        let btf = self.kernel_btf(name)?;
        let ids = self.kernel.get(name).cloned().unwrap_or_default();
        let mut list = Vec::new();
        for id in ids.iter() {
            budget.spend(CANDIDATE_STEPS)?;
            // A type whose kind is newer than this library cannot be of the local type's kind.
            if let Ok(ty) = btf.get(*id)
                && kinds_agree(local.kind(), ty.kind())
            {
                list.push(Candidate { ty, module: None });
            }
        }
        if !list.is_empty() || self.target.core_btf().is_some() {
            return Ok(list);
        }
        let of_modules = self.in_modules(name, budget)?;
        for candidate in of_modules.iter() {
            budget.spend(CANDIDATE_STEPS)?;
            if kinds_agree(local.kind(), candidate.ty.kind()) {
                list.push(*candidate);
            }
        }
        Ok(list)
    }

    fn in_modules(&mut self, name: &'a str, budget: &mut Budget) -> Result<Rc<[Candidate<'a>]>> {
        if !self.modules.contains_key(name) {
            self.search_modules(budget)?;
        }
        Ok(self.modules.get(name).cloned().unwrap_or_default())
    }

    /// Searches the modules' own types for all names that have been wanted so far.
    fn search_modules(&mut self, budget: &mut Budget) -> Result<()> {
        let mut found: HashMap<&'a str, Vec<Candidate<'a>>> = self
            .kernel
            .keys()
            .filter(|name| !self.modules.contains_key(*name))
            .map(|name| (*name, Vec::new()))
            .collect();
        // Most names do not even start like any of the wanted ones.
        let mut starts = [false; 256];
        for first in found.keys().filter_map(|name| name.bytes().next()) {
            if let Some(slot) = starts.get_mut(usize::from(first)) {
                *slot = true;
            }
        }
        for module in self.target.module_btfs()? {
            for ty in module.btf.types() {
                budget.spend(1)?;
                let name = ty.name();
                let first = name.bytes().next().map(usize::from);
                if first.is_none_or(|first| starts.get(first) != Some(&true)) {
                    continue;
                }
                if let Some(list) = found.get_mut(essential_name(name)) {
                    let module = Some(module.module.name.as_str());
                    list.push(Candidate { ty, module });
                }
            }
        }
        let lists = found.into_iter().map(|(name, list)| (name, list.into()));
        self.modules.extend(lists);
        Ok(())
    }
}

/// The error for a kernel without type information, which nothing can be adapted to: it says where the types would be.
pub(crate) fn explain_missing_btf(error: Error, wanted: &str) -> Error {
    let error = error.context(format!("looking for the kernel's type `{wanted:.200}`"));
    match error.kind() {
        // The code that looked for the types knows more, for instance what has to be mounted.
        _ if error.hint().is_some() => error,
        ErrorKind::NotFound | ErrorKind::Io | ErrorKind::Unsupported => error.with_hint(
            "the program adapts itself to the kernel's types, which a kernel built with \
             CONFIG_DEBUG_INFO_BTF=y keeps in /sys/kernel/btf/vmlinux; for a kernel without it, name a file \
             with its BTF: `--btf FILE`, or OpenOptions::btf_path",
        ),
        _ => error,
    }
}

impl std::fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidates")
            .field("names", &self.kernel.len())
            .field("local_types", &self.by_local_type.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (id, kind) = (self.ty.id(), kind_word(self.ty.kind()));
        write!(f, "[{id}] {kind} {:.200}", self.ty.name())?;
        match self.module {
            Some(module) => write!(f, " of module {module}"),
            None => Ok(()),
        }
    }
}
