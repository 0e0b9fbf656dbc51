//! A kernel, as data: what relocation has to know about it.

use super::plan::ProgramPlan;
use crate::btf::Btf;
use crate::feature::Feature;
use crate::insn::Helper;
use crate::{Error, ErrorKind, KernelVersion, Result};
use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// Where the facts about a kernel come from. The running kernel implements it in `kernel`; files do in [`OfflineKernel`].
///
/// Each method is asked at most once for each fact; [`Target`] keeps the answers.
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

    /// Calls `visit` with the address, type letter and name of each of its symbols, as in `/proc/kallsyms`.
    fn kallsyms(&self, visit: &mut dyn FnMut(u64, char, &str)) -> Result<()>;

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
    /// known. Asked only of programs that have alternatives ([`OpenObject::prefer`](crate::OpenObject::prefer)).
    fn obstacle(&self, _program: &ProgramPlan, _helpers: &BTreeSet<Helper>) -> Option<Error> {
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

/// A kernel module that an instruction or an attach target refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The number of its BTF object in the running kernel; 0 if it comes from a file.
    pub btf_id: u32,
}

/// A kernel to relocate for: facts that are fetched when they are first needed, and kept.
pub struct Target {
    source: Arc<dyn KernelSource>,
    vmlinux: OnceLock<Arc<Btf<'static>>>,
    modules: OnceLock<Vec<ModuleBtf>>,
    core_btf: Option<Arc<Btf<'static>>>,
    kconfig: OnceLock<Vec<u8>>,
    /// What the caller knows of it besides.
    given_kconfig: Option<Vec<u8>>,
    version: Option<KernelVersion>,
    features: [OnceLock<bool>; Feature::ALL.len()],
    suggestions: Searches,
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
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// The kernel that `source` describes.
    pub fn new(source: Arc<dyn KernelSource>) -> Self {
        Self {
            source,
            vmlinux: OnceLock::new(),
            modules: OnceLock::new(),
            core_btf: None,
            kconfig: OnceLock::new(),
            given_kconfig: None,
            version: None,
            features: [const { OnceLock::new() }; Feature::ALL.len()],
            suggestions: Searches::default(),
        }
    }

    /// The same kernel without the answers that are kept, for those who may ask once more, much later.
    pub(crate) fn afresh(&self) -> Self {
        Self {
            core_btf: self.core_btf.clone(),
            given_kconfig: self.given_kconfig.clone(),
            version: self.version,
            ..Self::new(Arc::clone(&self.source))
        }
    }

    /// How many searches for names that were meant its types are still gone through for.
    pub(super) fn suggestions(&self) -> &Searches {
        &self.suggestions
    }

    /// Any kernel, described by files.
    pub fn offline(kernel: OfflineKernel) -> Self {
        Self::new(Arc::new(kernel))
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
        self.given_kconfig = Some(text);
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
        self.source.name()
    }

    /// The types of the kernel proper.
    pub fn vmlinux_btf(&self) -> Result<&Arc<Btf<'static>>> {
        keep(&self.vmlinux, || self.source.vmlinux_btf().map(Arc::new))
    }

    /// The types of its modules; none if it is too old to tell.
    pub fn module_btfs(&self) -> Result<&[ModuleBtf]> {
        let vmlinux = self.vmlinux_btf()?;
        if !self.supports(Feature::ModuleBtf) {
            return Ok(&[]);
        }
        keep(&self.modules, || self.source.module_btfs(vmlinux)).map(Vec::as_slice)
    }

    /// Its version.
    pub fn version(&self) -> Result<KernelVersion> {
        self.version.map_or_else(|| self.source.version(), Ok)
    }

    /// Its configuration.
    pub fn kconfig(&self) -> Result<&[u8]> {
        keep(&self.kconfig, || self.source.kconfig()).map(Vec::as_slice)
    }

    /// Calls `visit` with each of its symbols.
    pub fn kallsyms(&self, visit: &mut dyn FnMut(u64, char, &str)) -> Result<()> {
        self.source.kallsyms(visit)
    }

    /// Whether it knows the addresses of its symbols: only a kernel that runs does.
    pub fn tells_addresses(&self) -> bool {
        self.source.tells_addresses()
    }

    /// How many CPUs it may ever have.
    #[doc(alias = "libbpf_num_possible_cpus")]
    pub fn possible_cpus(&self) -> Result<u32> {
        self.source.possible_cpus()
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u32 {
        self.source.page_size()
    }

    /// The features that were asked for so far, and the answers. Each question may have been an experiment with the kernel.
    pub fn known_features(&self) -> impl Iterator<Item = (Feature, bool)> {
        let known = Feature::ALL.iter().zip(&self.features);
        known.filter_map(|(feature, cell)| Some((*feature, *cell.get()?)))
    }

    /// Whether it has the feature; asked (or probed) once.
    pub fn supports(&self, feature: Feature) -> bool {
        match self.features.get(feature as usize) {
            Some(cell) => *cell.get_or_init(|| self.source.supports(feature)),
            None => self.source.supports(feature),
        }
    }

    /// What keeps it from loading or attaching this program, beyond what its types and symbols tell.
    pub(super) fn obstacle(
        &self,
        program: &ProgramPlan,
        helpers: &BTreeSet<Helper>,
    ) -> Option<Error> {
        self.source.obstacle(program, helpers)
    }

    /// The BPF token whose rights loading uses, if there is one.
    ///
    /// # Errors
    /// It was asked for, and cannot be had.
    #[doc(alias = "bpf_object__token_fd")]
    pub fn token(&self) -> Result<Option<BorrowedFd<'_>>> {
        self.source.token()
    }
}

/// The value of `cell`, or what `make` gives, which is then kept.
fn keep<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}

/// A kernel that is described by files instead of running here.
#[derive(Debug, Default)]
pub struct OfflineKernel {
    /// What to call it in messages.
    pub name: String,
    /// Its types, as raw BTF; without them CO-RE relocations and BTF attach targets fail.
    pub btf: Option<Vec<u8>>,
    /// Modules: name and raw split BTF.
    pub modules: Vec<(String, Vec<u8>)>,
    /// Its version; without it the newest is assumed, with every [`Feature`].
    pub version: Option<KernelVersion>,
    /// Its configuration as text.
    pub kconfig: Option<Vec<u8>>,
    /// How many CPUs it may have; 1 if not given.
    pub possible_cpus: Option<u32>,
    /// Bytes of a page; 4096 if not given.
    pub page_size: Option<u32>,
}

impl OfflineKernel {
    fn lacks(&self, what: &str, hint: &str) -> Error {
        Error::new(
            ErrorKind::NotFound,
            format!("kernel {}: no {what} was given", self.name),
        )
        .with_hint(hint)
    }
}

impl KernelSource for OfflineKernel {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn vmlinux_btf(&self) -> Result<Btf<'static>> {
        let blob = self
            .btf
            .clone()
            .ok_or_else(|| self.lacks("BTF", "name a BTF file"))?;
        Btf::from_vec(blob).map_err(|e| Error::from(e).context(format!("BTF of {}", self.name)))
    }

    fn module_btfs(&self, vmlinux: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>> {
        let read = |(name, blob): &(String, Vec<u8>)| {
            let btf = Btf::from_shared_split(Arc::new(blob.clone()), Arc::clone(vmlinux))
                .map_err(|e| Error::from(e).context(format!("BTF of module {name}")))?;
            let module = Module {
                name: name.clone(),
                btf_id: 0,
            };
            Ok(ModuleBtf {
                module,
                btf: Arc::new(btf),
            })
        };
        self.modules.iter().map(read).collect()
    }

    fn version(&self) -> Result<KernelVersion> {
        Ok(self.version.unwrap_or(KernelVersion::new(255, 0, 0)))
    }

    fn kconfig(&self) -> Result<Vec<u8>> {
        self.kconfig.clone().ok_or_else(|| {
            self.lacks(
                "configuration",
                "name its configuration file (often /boot/config-RELEASE)",
            )
        })
    }

    fn kallsyms(&self, _visit: &mut dyn FnMut(u64, char, &str)) -> Result<()> {
        Ok(())
    }

    fn tells_addresses(&self) -> bool {
        false
    }

    fn possible_cpus(&self) -> Result<u32> {
        Ok(self.possible_cpus.unwrap_or(1))
    }

    fn page_size(&self) -> u32 {
        self.page_size.unwrap_or(4096)
    }

    fn supports(&self, feature: Feature) -> bool {
        self.version
            .is_none_or(|version| version >= feature.since())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_afresh_it_is_the_same_kernel_without_answers() {
        let version = KernelVersion::new(5, 4, 0);
        let kernel = OfflineKernel {
            name: "old".to_owned(),
            ..OfflineKernel::default()
        };
        let types = crate::btf::BtfBuilder::new().build().unwrap();
        let target = Target::offline(kernel)
            .with_version(version)
            .with_kconfig(b"CONFIG_HZ=250".to_vec())
            .with_core_btf(types);
        target.supports(Feature::Btf);
        let again = target.afresh();
        assert_eq!(
            (again.name(), again.version().unwrap()),
            ("old".into(), version)
        );
        assert_eq!(again.given_kconfig(), target.given_kconfig());
        let types = [&again, &target].map(|one| Arc::as_ptr(one.core_btf().unwrap()));
        assert_eq!(types[0], types[1]);
        assert_eq!(target.known_features().count(), 1);
        assert_eq!(again.known_features().count(), 0);
    }
}
