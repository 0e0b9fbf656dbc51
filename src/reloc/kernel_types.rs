//! Types of the kernel by name: the kernel itself first, then its modules.

use super::plan::Module;
use super::target::Target;
use crate::btf::{Btf, Kind, NameMatch, Wanted};
use crate::{Result, TypeId};
use std::collections::{BTreeSet, HashMap};

/// The kernel's types that relocation needs by name, all looked up in one pass over the kernel's BTF.
#[derive(Debug)]
pub(super) struct KernelTypes<'t> {
    target: &'t Target,
    found: HashMap<String, Vec<(Kind, TypeId)>>,
    /// By essential name.
    flavours: HashMap<String, Vec<TypeId>>,
}

/// A type of the kernel, and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct KernelType<'t> {
    pub(super) id: TypeId,
    pub(super) btf: &'t Btf<'static>,
    /// The module; `None` for the kernel itself.
    pub(super) module: Option<&'t Module>,
}

impl<'t> KernelTypes<'t> {
    /// Looks up all `names` in the kernel itself, and in the same pass the `essential` ones, which are compared without CO-RE
    /// flavours. Without `names`, the kernel's BTF is not even opened: CO-RE opens it if needed.
    pub(super) fn look_up(
        target: &'t Target,
        names: &BTreeSet<String>,
        essential: impl FnOnce() -> BTreeSet<&'t str>,
    ) -> Result<Self> {
        let mut found: HashMap<String, Vec<(Kind, TypeId)>> = HashMap::new();
        let mut flavours: HashMap<String, Vec<TypeId>> = HashMap::new();
        if !names.is_empty() {
            let btf = target.vmlinux_btf()?;
            let exact = names.iter().map(|name| (name.as_str(), NameMatch::Exact));
            let essential = essential();
            let essential = essential.iter().map(|name| (*name, NameMatch::Essential));
            let list: Vec<Wanted<'_>> = exact.chain(essential.clone()).collect();
            found.extend(names.iter().map(|name| (name.clone(), Vec::new())));
            flavours.extend(essential.map(|(name, _)| (name.to_string(), Vec::new())));
            for hit in btf.find_each(&list) {
                match list.get(hit.name) {
                    Some((name, NameMatch::Exact)) => {
                        if let (Some(hits), Ok(ty)) = (found.get_mut(*name), btf.get(hit.id)) {
                            hits.push((ty.kind(), hit.id));
                        }
                    }
                    Some((name, NameMatch::Essential)) => {
                        if let Some(hits) = flavours.get_mut(*name) {
                            hits.push(hit.id);
                        }
                    }
                    None => {}
                }
            }
        }
        Ok(Self {
            target,
            found,
            flavours,
        })
    }

    /// The types of the kernel itself with this essential name, if they were looked up.
    pub(super) fn flavours(&self, essential: &str) -> Option<&[TypeId]> {
        self.flavours.get(essential).map(Vec::as_slice)
    }

    /// The first type with this name and kind in the kernel itself.
    pub(super) fn find_in_vmlinux(&self, name: &str, kind: Kind) -> Result<Option<KernelType<'t>>> {
        let btf = self.target.vmlinux_btf()?;
        let id = match self.found.get(name) {
            Some(hits) => hits.iter().find(|hit| hit.0 == kind).map(|hit| hit.1),
            None => btf.find(name, kind),
        };
        Ok(id.map(|id| KernelType {
            id,
            btf,
            module: None,
        }))
    }

    /// The first type with this name and kind in a module's own types, among the modules that `admit` accepts.
    pub(super) fn find_in_modules(
        &self,
        name: &str,
        kind: Kind,
        admit: impl Fn(&Module) -> bool,
    ) -> Result<Option<KernelType<'t>>> {
        for module in self.target.module_btfs()? {
            if !admit(&module.module) {
                continue;
            }
            // Goes through the module's own types: a search by name would read the kernel's strings again each time.
            let mut types = module.btf.types();
            if let Some(ty) = types.find(|ty| ty.kind() == kind && ty.name() == name) {
                return Ok(Some(KernelType {
                    id: ty.id(),
                    btf: &module.btf,
                    module: Some(&module.module),
                }));
            }
        }
        Ok(None)
    }

    /// The first type with this name and kind, in the kernel itself or any module.
    pub(super) fn find(&self, name: &str, kind: Kind) -> Result<Option<KernelType<'t>>> {
        match self.find_in_vmlinux(name, kind)? {
            Some(found) => Ok(Some(found)),
            None => self.find_in_modules(name, kind, |_| true),
        }
    }
}
