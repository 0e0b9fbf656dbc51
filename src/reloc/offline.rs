//! A kernel that is described by files.

use super::plan::Module;
use super::target::{KernelSource, ModuleBtf, Target};
use crate::btf::Btf;
use crate::feature::Feature;
use crate::symbols::{Addresses, KernelSymbol};
use crate::{Error, ErrorKind, KernelVersion, Result};
use std::sync::Arc;

/// A kernel that is described by files instead of running here.
#[derive(Debug, Default)]
pub struct OfflineKernel {
    /// Its name in messages.
    pub name: String,
    /// Its types, as raw BTF; without them CO-RE relocations and BTF attach targets fail.
    pub btf: Option<Vec<u8>>,
    /// Modules: name and raw split BTF.
    pub modules: Vec<(String, Vec<u8>)>,
    /// Its version; if not given, the newest is assumed, with every [`Feature`].
    pub version: Option<KernelVersion>,
    /// Its configuration as text.
    pub kconfig: Option<Vec<u8>>,
    /// The number of possible CPUs; 1 if not given.
    pub possible_cpus: Option<u32>,
    /// The page size in bytes; 4096 if not given.
    pub page_size: Option<u32>,
}

impl Target {
    /// Any kernel, described by files.
    pub fn offline(kernel: OfflineKernel) -> Self {
        Self::new(Arc::new(kernel))
    }
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

    fn kallsyms(&self, _visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
        Ok(Addresses::Told)
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
