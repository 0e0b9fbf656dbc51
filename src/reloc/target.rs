//! A kernel, as data: what relocation has to know about it.

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

/// Where the facts about a kernel come from. The running kernel implements it in `kernel`; files do in [`OfflineKernel`](super::OfflineKernel).
///
/// Each method is asked at most once for each fact; [`Target`] keeps the answers. What can be otherwise a moment later is asked
/// every time: symbols, since modules come and go.
pub trait KernelSource: Send + Sync + fmt::Debug {
    /// What to call this kernel in messages: a release, or a file name.
    fn name(&self) -> String;

    /// The types of the kernel proper.
    fn vmlinux_btf(&self) -> Result<Btf<'static>>;

    /// The types of its modules, each split from `vmlinux`.
    fn module_btfs(&self, vmlinux: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>>;

    /// Its version.
    fn version(&self) -> Result<KernelVersion>;

    /// Its configuration: lines such as `CONFIG_HZ=250`.
    fn kconfig(&self) -> Result<Vec<u8>>;

    /// Calls `visit` with each of its symbols, as in `/proc/kallsyms`, and says whether it tells their addresses.
    fn kallsyms(&self, visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses>;

    /// Whether [`KernelSource::kallsyms`] knows addresses at all. They are made up when a kernel boots, so files do not.
    fn tells_addresses(&self) -> bool {
        true
    }

    /// How many CPUs it may ever have.
    fn possible_cpus(&self) -> Result<u32>;

    /// Bytes of a page.
    fn page_size(&self) -> u32;

    /// Whether it has the feature.
    fn supports(&self, feature: Feature) -> bool;

    /// What keeps it from loading or attaching a program like this, which calls these helper functions; `None` if nothing is
    /// known. Asked only of programs that have alternatives ([`OpenObject::prefer`](crate::OpenObject::prefer)), by `target`.
    fn obstacle(
        &self,
        _target: &Target,
        _program: &ProgramPlan,
        _helpers: &BTreeSet<Helper>,
    ) -> Option<Error> {
        None
    }

    /// The numbers of its PMU that makes probes of this kind; `None` if it has none.
    ///
    /// # Errors
    /// That cannot be found out now.
    fn probe_pmu(&self, _kind: ProbeKind) -> Result<Option<ProbePmu>> {
        Ok(None)
    }

    /// Whether it has an attach type, and these flags (`BPF_F_*`) with it; `None` if it does not say.
    fn knows_attach_type(&self, _attach_type: AttachType, _flags: u32) -> Option<bool> {
        None
    }

    /// Whether it has links that attach this program with this attach type; `None` if it does not say.
    fn has_links(&self, _program: BorrowedFd<'_>, _attach_type: AttachType) -> Option<bool> {
        None
    }

    /// The BPF token whose rights are used to find out about features, and to load; only kernels that run have one.
    fn token(&self) -> Result<Option<BorrowedFd<'_>>> {
        Ok(None)
    }
}

/// The types of one kernel module.
#[derive(Debug, Clone)]
pub struct ModuleBtf {
    /// Which module this is.
    pub module: Module,
    /// Its types, split from the kernel's.
    pub btf: Arc<Btf<'static>>,
}

/// A kernel to relocate for, to load into and to attach to: facts that are fetched when they are first needed, and kept.
///
/// Clones share what they know. An object keeps one of the target that it was loaded with, and attaching its programs asks that one:
/// no experiment is made twice, and all with the rights of the same token.
#[derive(Clone)]
pub struct Target {
    answers: Arc<Answers>,
    types: Arc<Types>,
    core_btf: Option<Arc<Btf<'static>>>,
    /// What the caller knows of it besides.
    given_kconfig: Option<Arc<[u8]>>,
    version: Option<KernelVersion>,
    suggestions: Searches,
}

/// What is large.
#[derive(Debug, Default)]
struct Types {
    vmlinux: OnceLock<Arc<Btf<'static>>>,
    modules: OnceLock<Vec<ModuleBtf>>,
    kconfig: OnceLock<Vec<u8>>,
    /// Somebody else who may have it.
    lender: Weak<Types>,
}

impl Types {
    /// What `cell` picks, or what the lender has there; `None` if neither does.
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

    /// What `cell` picks, here or at the lender's, or else what `make` gives, which is then kept.
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

/// How many more searches for names that resemble a wanted one are made. One goes through all of a kernel's types, and an object
/// may have any number of programs that want what is not there.
#[derive(Debug, Clone)]
pub(super) struct Searches(Arc<AtomicU32>);

impl Searches {
    /// More than anybody reads.
    const MOST: u32 = 8;

    /// Whether another one may be made.
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

    /// The same kernel without its types, for those who may ask for them once more, much later: other modules may be loaded then.
    pub(crate) fn afresh(&self) -> Self {
        Self {
            types: Arc::default(),
            suggestions: Searches::default(),
            ..self.clone()
        }
    }

    /// The same kernel for those who attach to it, maybe much later. It holds no types, which take megabytes, before it is asked
    /// for them, and takes them from this one then, if that still has them.
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

    /// How many searches for names that were meant its types are still gone through for.
    pub(super) fn suggestions(&self) -> &Searches {
        &self.suggestions
    }

    /// The same kernel, but CO-RE relocations are answered from these types, and its modules are not searched: for kernels
    /// without BTF whose types are known from elsewhere.
    #[doc(alias = "btf_custom_path")]
    #[must_use]
    pub fn with_core_btf(mut self, btf: Btf<'static>) -> Self {
        self.core_btf = Some(Arc::new(btf));
        self
    }

    /// The same kernel, but what this configuration says (lines such as `CONFIG_HZ=250`) comes before what the kernel says
    /// itself, which then need not say anything.
    #[must_use]
    pub fn with_kconfig(mut self, text: Vec<u8>) -> Self {
        self.given_kconfig = Some(text.into());
        self
    }

    /// The configuration that comes before the kernel's own.
    pub fn given_kconfig(&self) -> Option<&[u8]> {
        self.given_kconfig.as_deref()
    }

    /// The same kernel, but programs are told that it has this version. What it can do is still found out by asking it.
    #[must_use]
    pub fn with_version(mut self, version: KernelVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// The types that CO-RE relocations are answered from, if they are not the kernel's own.
    pub fn core_btf(&self) -> Option<&Arc<Btf<'static>>> {
        self.core_btf.as_ref()
    }

    /// What to call this kernel in messages.
    pub fn name(&self) -> String {
        self.answers.source.name()
    }

    /// The types of the kernel proper.
    pub fn vmlinux_btf(&self) -> Result<&Arc<Btf<'static>>> {
        let read = || self.answers.source.vmlinux_btf().map(Arc::new);
        self.types.keep(|types| &types.vmlinux, read)
    }

    /// The types of its modules; none if it is too old to tell.
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

    /// Calls `visit` with each of its symbols, and says whether it tells their addresses.
    pub fn kallsyms(&self, visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
        self.answers.source.kallsyms(visit)
    }

    /// Whether it knows the addresses of its symbols: only a kernel that runs does.
    pub fn tells_addresses(&self) -> bool {
        self.answers.source.tells_addresses()
    }

    /// How many CPUs it may ever have.
    #[doc(alias = "libbpf_num_possible_cpus")]
    pub fn possible_cpus(&self) -> Result<u32> {
        self.answers.source.possible_cpus()
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u32 {
        self.answers.source.page_size()
    }

    /// The features that were asked for so far, and the answers. Each question may have been an experiment with the kernel.
    pub fn known_features(&self) -> impl Iterator<Item = (Feature, bool)> {
        self.answers.known_features()
    }

    /// Whether it has the feature; asked (or probed) once.
    pub fn supports(&self, feature: Feature) -> bool {
        self.answers.supports(feature)
    }

    /// The numbers of its PMU that makes probes of this kind; `None` if it has none. Found out once.
    pub fn probe_pmu(&self, kind: ProbeKind) -> Option<ProbePmu> {
        self.answers.probe_pmu(kind)
    }

    /// Whether it has an attach type, and these flags (`BPF_F_*`) with it; found out once. Where it does not say, for want of
    /// rights, it is taken to have them.
    pub fn knows_attach_type(&self, attach_type: AttachType, flags: u32) -> bool {
        self.answers.knows_attach_type(attach_type, flags)
    }

    /// Whether it has links that attach this program, which was loaded so, with this attach type; found out once. Where it does
    /// not say, it is taken to have them.
    pub(crate) fn has_links(
        &self,
        program: BorrowedFd<'_>,
        loaded: LoadedFor,
        attach_type: AttachType,
    ) -> bool {
        self.answers.has_links(program, loaded, attach_type)
    }

    /// What keeps it from loading or attaching this program, beyond what its types and symbols tell.
    pub(super) fn obstacle(
        &self,
        program: &ProgramPlan,
        helpers: &BTreeSet<Helper>,
    ) -> Option<Error> {
        self.answers.source.obstacle(self, program, helpers)
    }

    /// The BPF token whose rights loading uses, if there is one.
    ///
    /// # Errors
    /// It was asked for, and cannot be had.
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
        // What it can do stays as it is.
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

        // Those that are gone are read again, when they are wanted.
        let attaching = old_kernel().for_attaching();
        assert!(attaching.types.vmlinux.get().is_none());
        assert_eq!(attaching.vmlinux_btf().unwrap().types().count(), 0);
    }
}
