//! The kernel that runs this process, as a [`Target`]: facts are fetched when they are first needed.

use super::places::Unmounted;
use super::probe::AttachTrial;
use super::{btf, files, memlock, probe, token};
use crate::btf::Btf;
use crate::feature::Feature;
use crate::insn::Helper;
use crate::kinds::{AttachType, ProbeKind, ProbePmu};
use crate::open::TokenSource;
use crate::reloc::{KernelSource, ModuleBtf, ProgramPlan, Target};
use crate::symbols::{Addresses, KernelSymbol};
use crate::sys::perf_event::find_probe_pmu;
use crate::sys::{bpf, system};
use crate::{Error, KernelVersion, Result};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The running kernel, for facts that can be found out without attaching anything.
pub(crate) fn target() -> Target {
    Target::new(Arc::new(RunningKernel::default()))
}

/// The running kernel, queried with the rights of a BPF token. `trial` finds out what can be attached.
pub(crate) fn target_with(token: TokenSource, trial: AttachTrial) -> Target {
    Target::new(Arc::new(RunningKernel {
        token_source: token,
        trial: Some(trial),
        ..RunningKernel::default()
    }))
}

#[derive(Debug, Default)]
struct RunningKernel {
    token_source: TokenSource,
    trial: Option<AttachTrial>,
    /// The token, once requested; `None` inside if there is none.
    token: OnceLock<Option<OwnedFd>>,
    /// Whether BPF memory is charged to control groups, found out before anything else is created.
    memcg: OnceLock<bool>,
}

impl RunningKernel {
    fn has_memcg_accounting(&self) -> bool {
        *self.memcg.get_or_init(|| {
            let has = self.has(Feature::MemcgAccount);
            if !has {
                memlock::raise();
            }
            has
        })
    }

    /// Failing to get a token is an error of the load, not of a probe.
    fn has(&self, feature: Feature) -> bool {
        probe::has(feature, self.token().ok().flatten())
    }
}

impl KernelSource for RunningKernel {
    fn name(&self) -> String {
        let release = files::release();
        release.map_or_else(
            |_| "the running kernel".into(),
            |release| format!("Linux {release}"),
        )
    }

    fn vmlinux_btf(&self) -> Result<Btf<'static>> {
        btf::vmlinux()
    }

    fn module_btfs(&self, vmlinux: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>> {
        if !self.supports(Feature::ModuleBtf) {
            return Ok(Vec::new());
        }
        btf::modules(vmlinux)
    }

    fn version(&self) -> Result<KernelVersion> {
        files::version()
    }

    fn kconfig(&self) -> Result<Vec<u8>> {
        files::kconfig()
    }

    fn kallsyms(&self, visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
        files::kallsyms(visit)
    }

    fn possible_cpus(&self) -> Result<u32> {
        system::possible_cpus().map_err(|errno| {
            let list = "/sys/devices/system/cpu/possible";
            let message = format!("cannot read the list of CPUs in {list}");
            Unmounted::explain(Error::from_errno(errno, message), Path::new(list))
        })
    }

    fn page_size(&self) -> u32 {
        u32::try_from(system::page_size()).unwrap_or(4096)
    }

    fn supports(&self, feature: Feature) -> bool {
        let memcg = self.has_memcg_accounting();
        match feature {
            Feature::MemcgAccount => memcg,
            other => self.has(other),
        }
    }

    fn obstacle(
        &self,
        target: &Target,
        program: &ProgramPlan,
        helpers: &BTreeSet<Helper>,
    ) -> Option<Error> {
        // First lifts the memory limit, if there is one.
        self.has_memcg_accounting();
        let place = self
            .trial
            .and_then(|trial| probe::no_place(program, |section| trial(target, section)));
        match self.token() {
            Ok(None) => place.or_else(|| probe::obstacle(program, helpers)),
            // What else a token allows only shows when it is used.
            _ => place,
        }
    }

    fn probe_pmu(&self, kind: ProbeKind) -> Result<Option<ProbePmu>> {
        match find_probe_pmu(kind) {
            Ok(pmu) => Ok(Some(pmu)),
            Err(errno) if errno.is_shortage() => {
                Err(Error::from_errno(errno, "cannot look for a PMU of probes"))
            }
            Err(_) => Ok(None),
        }
    }

    fn knows_attach_type(&self, attach_type: AttachType, flags: u32) -> Option<bool> {
        bpf::prog_attach_is_known(attach_type, flags).ok()
    }

    fn has_links(&self, program: BorrowedFd<'_>, attach_type: AttachType) -> Option<bool> {
        probe::has_links(program, attach_type)
    }

    fn token(&self) -> Result<Option<BorrowedFd<'_>>> {
        let known = if let Some(known) = self.token.get() {
            known
        } else {
            let made = token::obtain(&self.token_source)?;
            self.token.get_or_init(|| made)
        };
        Ok(known.as_ref().map(AsFd::as_fd))
    }
}
