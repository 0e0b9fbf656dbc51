//! The kernel that runs this process, as a [`Target`]: facts are fetched when they are first needed.

use super::{kernel_btf, kernel_files, memlock};
use crate::btf::Btf;
use crate::feature::Feature;
use crate::reloc::{KernelSource, ModuleBtf, Target};
use crate::sys::system;
use crate::{Error, KernelVersion, Result, probe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

impl Target {
    /// The kernel that is running. Asks it nothing yet.
    ///
    /// Features are found out by trying; before the first try, the limit of locked memory is raised if this kernel still
    /// counts BPF memory against it.
    pub fn running() -> Self {
        Self::new(Arc::new(RunningKernel::default()))
    }

    /// The running kernel, whose types are in a file (raw BTF, or an ELF image with a section `.BTF`), because it does not
    /// carry them itself. Its modules then have none.
    #[doc(alias = "btf_custom_path")]
    pub fn running_with_btf(path: impl AsRef<Path>) -> Self {
        Self::new(Arc::new(RunningKernel {
            btf_path: Some(path.as_ref().to_owned()),
            ..RunningKernel::default()
        }))
    }
}

#[derive(Debug, Default)]
struct RunningKernel {
    /// A file with its types, for kernels that do not carry them.
    btf_path: Option<PathBuf>,
    /// Whether memory is charged to control groups, found out before anything else is created.
    memcg: OnceLock<bool>,
}

impl RunningKernel {
    fn has_memcg_accounting(&self) -> bool {
        *self.memcg.get_or_init(|| {
            let has = probe::has(Feature::MemcgAccount);
            if !has {
                memlock::raise();
            }
            has
        })
    }
}

impl KernelSource for RunningKernel {
    fn name(&self) -> String {
        let release = kernel_files::release();
        release.map_or_else(
            |_| "the running kernel".into(),
            |release| format!("Linux {release}"),
        )
    }

    fn vmlinux_btf(&self) -> Result<Btf<'static>> {
        match &self.btf_path {
            Some(path) => kernel_btf::from_file(path),
            None => kernel_btf::vmlinux(),
        }
    }

    fn module_btfs(&self, vmlinux: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>> {
        if self.btf_path.is_some() || !self.supports(Feature::ModuleBtf) {
            return Ok(Vec::new());
        }
        kernel_btf::modules(vmlinux)
    }

    fn version(&self) -> Result<KernelVersion> {
        kernel_files::version()
    }

    fn kconfig(&self) -> Result<Vec<u8>> {
        kernel_files::kconfig()
    }

    fn kallsyms(&self, visit: &mut dyn FnMut(u64, char, &str)) -> Result<()> {
        kernel_files::kallsyms(visit)
    }

    fn possible_cpus(&self) -> Result<u32> {
        system::possible_cpus().map_err(|errno| {
            let message = "cannot read the list of CPUs in /sys/devices/system/cpu/possible";
            Error::from_errno(errno, message).with_hint("mount -t sysfs sysfs /sys")
        })
    }

    fn page_size(&self) -> u32 {
        u32::try_from(system::page_size()).unwrap_or(4096)
    }

    fn supports(&self, feature: Feature) -> bool {
        let memcg = self.has_memcg_accounting();
        match feature {
            Feature::MemcgAccount => memcg,
            other => probe::has(other),
        }
    }
}
