//! A kernel as data: what relocation needs to know about it.

use super::answers::{Answers, LoadedFor};
use super::plan::{Module, ProgramPlan};
use crate::btf::Btf;
use crate::feature::Feature;
use crate::insn::Helper;
use crate::kinds::{AttachType, ProbeKind, ProbePmu};
use crate::symbols::{Addresses, KernelSymbol};
use crate::{Error, KernelVersion, Result};
use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// The source of the facts about a kernel. `kernel` implements it for the running kernel,
/// [`OfflineKernel`](super::OfflineKernel) for files.
///
/// Each method is called at most once per fact; [`Target`] caches the answers. What can change at any time is asked every
/// time: symbols, since modules come and go.
pub trait KernelSource: Send + Sync + fmt::Debug {
    /// Its name in messages: a release, or a file name.
    fn name(&self) -> String;

    /// The types of vmlinux.
    fn vmlinux_btf(&self) -> Result<Btf<'static>>;

    /// The types of its modules, each split from `vmlinux`.
    fn module_btfs(&self, vmlinux: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>>;

    /// Its version.
    fn version(&self) -> Result<KernelVersion>;

    /// Its configuration: lines such as `CONFIG_HZ=250`.
    fn kconfig(&self) -> Result<Vec<u8>>;

    /// Calls `visit` with each of its symbols, as in `/proc/kallsyms`, and returns whether their addresses are known.
    fn kallsyms(&self, visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses>;

    /// Whether [`KernelSource::kallsyms`] knows addresses at all. They are chosen when a kernel boots, so files do not
    /// contain them.
    fn tells_addresses(&self) -> bool {
        true
    }

    /// The number of possible CPUs.
    fn possible_cpus(&self) -> Result<u32>;

    /// The page size in bytes.
    fn page_size(&self) -> u32;

    /// Whether it supports the feature.
    fn supports(&self, feature: Feature) -> bool;

    /// What prevents it from loading or attaching a program like this, which calls these helper functions; `None` if nothing
    /// is known. `target` asks only about programs that have alternatives
    /// ([`OpenObject::prefer`](crate::OpenObject::prefer)).
    fn obstacle(
        &self,
        _target: &Target,
        _program: &ProgramPlan,
        _helpers: &BTreeSet<Helper>,
    ) -> Option<Error> {
        None
    }

    /// The numbers of its PMU that creates probes of this kind; `None` if it has none.
    ///
    /// # Errors
    /// This cannot be determined now.
    fn probe_pmu(&self, _kind: ProbeKind) -> Result<Option<ProbePmu>> {
        Ok(None)
    }

    /// Whether it knows an attach type, along with these flags (`BPF_F_*`); `None` if it cannot tell.
    fn knows_attach_type(&self, _attach_type: AttachType, _flags: u32) -> Option<bool> {
        None
    }

    /// Whether it has links that attach this program with this attach type; `None` if it cannot tell.
    fn has_links(&self, _program: BorrowedFd<'_>, _attach_type: AttachType) -> Option<bool> {
        None
    }

    /// The BPF token whose permissions are used to probe features, and to load; only running kernels have one.
    fn token(&self) -> Result<Option<BorrowedFd<'_>>> {
        Ok(None)
    }
}

/// The types of one kernel module.
#[derive(Debug, Clone)]
pub struct ModuleBtf {
    /// The module.
    pub module: Module,
    /// Its types, split from the kernel's.
    pub btf: Arc<Btf<'static>>,
}

/// A kernel to relocate for, to load into and to attach to: facts that are determined on first use, and cached.
///
/// Clones share their facts. An object keeps a clone of the target that it was loaded with, and attaching its programs uses
/// that: no probe is repeated, and all of them use the permissions of the same token.
#[derive(Clone)]
pub struct Target {
    answers: Arc<Answers>,
    types: Arc<Types>,
    core_btf: Option<Arc<Btf<'static>>>,
    /// What the caller knows about it in addition.
    given_kconfig: Option<Arc<[u8]>>,
    version: Option<KernelVersion>,
    suggestions: Searches,
}

/// The large parts.
#[derive(Debug, Default)]
struct Types {
    vmlinux: OnceLock<Arc<Btf<'static>>>,
    modules: OnceLock<Vec<ModuleBtf>>,
    kconfig: OnceLock<Vec<u8>>,
    /// Another target that may have it.
    lender: Weak<Types>,
}

impl Types {
    /// What `cell` selects, here or in the lender; `None` if neither has it.
    fn known<T: Clone>(&self, cell: impl Fn(&Self) -> &OnceLock<T>) -> Option<&T> {
        let own = cell(self);
        if own.get().is_none()
            && let Some(lender) = self.lender.upgrade()
            && let Some(lent) = cell(&lender).get()
        {
            return Some(own.get_or_init(|| lent.clone()));
        }
        own.get()
    }

    /// What `cell` selects, here or in the lender, or otherwise the result of `make`, which is then kept.
    fn keep<T: Clone>(
        &self,
        cell: impl Fn(&Self) -> &OnceLock<T>,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<&T> {
        if let Some(known) = self.known(&cell) {
            return Ok(known);
        }
        let made = make()?;
        Ok(cell(self).get_or_init(|| made))
    }
}

/// How many more times similar names are searched for. A search goes through all of a kernel's types, and an object may have
/// any number of programs that refer to missing types.
#[derive(Debug, Clone)]
pub(super) struct Searches(Arc<AtomicU32>);

impl Searches {
    /// More than anybody reads.
    const MOST: u32 = 8;

    /// Whether another search is allowed.
    pub(super) fn take(&self) -> bool {
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        taken.is_ok()
    }
}

impl Default for Searches {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(Self::MOST)))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("source", &self.answers.source)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// The kernel that `source` describes.
    pub fn new(source: Arc<dyn KernelSource>) -> Self {
        Self {
            answers: Arc::new(Answers::of(source)),
            types: Arc::default(),
            core_btf: None,
            given_kconfig: None,
            version: None,
            suggestions: Searches::default(),
        }
    }

    /// The same kernel without its types, for when they are needed again much later: other modules may be loaded then.
    pub(crate) fn afresh(&self) -> Self {
        Self {
            types: Arc::default(),
            suggestions: Searches::default(),
            ..self.clone()
        }
    }

    /// The same kernel for attaching, maybe much later. It keeps no types, which take megabytes, until they are needed, and
    /// then takes them from this one if that still has them.
    pub(crate) fn for_attaching(&self) -> Self {
        let types = Types {
            lender: Arc::downgrade(&self.types),
            ..Types::default()
        };
        Self {
            answers: Arc::clone(&self.answers),
            types: Arc::new(types),
            core_btf: None,
            given_kconfig: None,
            version: self.version,
            suggestions: Searches::default(),
        }
    }

    /// How many more searches for similar names may go through its types.
    pub(super) fn suggestions(&self) -> &Searches {
        &self.suggestions
    }

    /// The same kernel, but CO-RE relocations use these types, and its modules are not searched: for kernels without BTF
    /// whose types come from elsewhere.
    #[doc(alias = "btf_custom_path")]
    #[must_use]
    pub fn with_core_btf(mut self, btf: Btf<'static>) -> Self {
        self.core_btf = Some(Arc::new(btf));
        self
    }

    /// The same kernel, but this configuration (lines such as `CONFIG_HZ=250`) takes precedence over the kernel's own, which
    /// need not exist.
    #[must_use]
    pub fn with_kconfig(mut self, text: Vec<u8>) -> Self {
        self.given_kconfig = Some(text.into());
        self
    }

    /// The configuration that takes precedence over the kernel's own.
    pub fn given_kconfig(&self) -> Option<&[u8]> {
        self.given_kconfig.as_deref()
    }

    /// The same kernel, but programs see this version. Its features are still determined by probing.
    #[must_use]
    pub fn with_version(mut self, version: KernelVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// The types that CO-RE relocations use, if they are not the kernel's own.
    pub fn core_btf(&self) -> Option<&Arc<Btf<'static>>> {
        self.core_btf.as_ref()
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        self.answers.source.name()
    }

    /// The types of vmlinux.
    pub fn vmlinux_btf(&self) -> Result<&Arc<Btf<'static>>> {
        let read = || self.answers.source.vmlinux_btf().map(Arc::new);
        self.types.keep(|types| &types.vmlinux, read)
    }

    /// The types of its modules; empty if it is too old to provide them.
    pub fn module_btfs(&self) -> Result<&[ModuleBtf]> {
        let vmlinux = self.vmlinux_btf()?;
        if !self.supports(Feature::ModuleBtf) {
            return Ok(&[]);
        }
        let read = || self.answers.source.module_btfs(vmlinux);
        let known = self.types.keep(|types| &types.modules, read);
        known.map(Vec::as_slice)
    }

    /// Its version.
    pub fn version(&self) -> Result<KernelVersion> {
        self.version
            .map_or_else(|| self.answers.source.version(), Ok)
    }

    /// Its configuration.
    pub fn kconfig(&self) -> Result<&[u8]> {
        let read = || self.answers.source.kconfig();
        let known = self.types.keep(|types| &types.kconfig, read);
        known.map(Vec::as_slice)
    }

    /// Calls `visit` with each of its symbols, and returns whether their addresses are known.
    pub fn kallsyms(&self, visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
        self.answers.source.kallsyms(visit)
    }

    /// Whether it knows the addresses of its symbols: only a running kernel does.
    pub fn tells_addresses(&self) -> bool {
        self.answers.source.tells_addresses()
    }

    /// The number of possible CPUs.
    #[doc(alias = "libbpf_num_possible_cpus")]
    pub fn possible_cpus(&self) -> Result<u32> {
        self.answers.source.possible_cpus()
    }

    /// The page size in bytes.
    pub fn page_size(&self) -> u32 {
        self.answers.source.page_size()
    }

    /// The features that have been asked about so far, and the answers. Each may have been determined by an experiment with
    /// the kernel.
    pub fn known_features(&self) -> impl Iterator<Item = (Feature, bool)> {
        self.answers.known_features()
    }

    /// Whether it supports the feature; asked (or probed) once.
    pub fn supports(&self, feature: Feature) -> bool {
        self.answers.supports(feature)
    }

    /// The numbers of its PMU that creates probes of this kind; `None` if it has none. Determined once.
    pub fn probe_pmu(&self, kind: ProbeKind) -> Option<ProbePmu> {
        self.answers.probe_pmu(kind)
    }

    /// Whether it knows an attach type, along with these flags (`BPF_F_*`); determined once. If it cannot tell, for lack of
    /// permissions, it is assumed to know them.
    pub fn knows_attach_type(&self, attach_type: AttachType, flags: u32) -> bool {
        self.answers.knows_attach_type(attach_type, flags)
    }

    /// Whether it has links that attach this program, which was loaded like this, with this attach type; determined once. If
    /// it cannot tell, it is assumed to have them.
    pub(crate) fn has_links(
        &self,
        program: BorrowedFd<'_>,
        loaded: LoadedFor,
        attach_type: AttachType,
    ) -> bool {
        self.answers.has_links(program, loaded, attach_type)
    }

    /// What prevents it from loading or attaching this program, beyond what its types and symbols tell.
    pub(super) fn obstacle(
        &self,
        program: &ProgramPlan,
        helpers: &BTreeSet<Helper>,
    ) -> Option<Error> {
        self.answers.source.obstacle(self, program, helpers)
    }

    /// The BPF token whose permissions loading uses, if there is one.
    ///
    /// # Errors
    /// It was requested, and is not available.
    #[doc(alias = "bpf_object__token_fd")]
    pub fn token(&self) -> Result<Option<BorrowedFd<'_>>> {
        self.answers.source.token()
    }
}

#[cfg(test)]
mod tests {
    use super::super::offline::OfflineKernel;
    use super::*;

    fn no_types() -> Btf<'static> {
        crate::btf::BtfBuilder::new().build().unwrap()
    }

    fn old_kernel() -> Target {
        Target::offline(OfflineKernel {
            name: "old".to_owned(),
            btf: Some(no_types().bytes().to_vec()),
            ..OfflineKernel::default()
        })
    }

    #[test]
    fn asked_afresh_it_is_the_same_kernel_without_types() {
        let version = KernelVersion::new(5, 4, 0);
        let target = old_kernel()
            .with_version(version)
            .with_kconfig(b"CONFIG_HZ=250".to_vec())
            .with_core_btf(no_types());
        target.supports(Feature::Btf);
        let before = Arc::as_ptr(target.vmlinux_btf().unwrap());
        let again = target.afresh();
        assert_eq!(
            (again.name(), again.version().unwrap()),
            ("old".into(), version)
        );
        assert_eq!(again.given_kconfig(), target.given_kconfig());
        let types = [&again, &target].map(|one| Arc::as_ptr(one.core_btf().unwrap()));
        assert_eq!(types[0], types[1]);
        assert_ne!(Arc::as_ptr(again.vmlinux_btf().unwrap()), before);
        // What is known about its features stays.
        assert_eq!(again.known_features().count(), 1);
    }

    #[test]
    fn who_attaches_borrows_the_types() {
        let target = old_kernel();
        let attaching = target.for_attaching();
        assert!(attaching.supports(Feature::Btf));
        assert_eq!(target.known_features().count(), 1);
        let types = Arc::clone(target.vmlinux_btf().unwrap());
        assert_eq!(Arc::strong_count(&types), 2);
        assert!(Arc::ptr_eq(attaching.vmlinux_btf().unwrap(), &types));

        // Types that are gone are read again when they are needed.
        let attaching = old_kernel().for_attaching();
        assert!(attaching.types.vmlinux.get().is_none());
        assert_eq!(attaching.vmlinux_btf().unwrap().types().count(), 0);
    }
}
