//! The kernel that runs this process as a [`Target`], and an object loaded into it in one step.
//!
//! This is above all other rooms: some facts about a [`Target`] are found by attaching, and attaching depends on loading and on
//! `kernel`. The rooms below ask `kernel::target` for facts, or use the target that they are given.

use crate::Result;
use crate::attach::possible;
use crate::btf::Btf;
use crate::kernel;
use crate::load::{LoadOptions, LoadedEach, Object, PreparedObject};
use crate::open::{OpenObject, TokenSource};
use crate::reloc::Target;

impl Target {
    /// The kernel that is running. Asks it nothing yet.
    ///
    /// Features are probed; before the first probe, the limit on locked memory is raised if this kernel still charges BPF
    /// memory against it.
    pub fn running() -> Self {
        Self::running_with_token(TokenSource::default())
    }

    /// The kernel that is running, asked with the rights of a BPF token.
    pub fn running_with_token(source: TokenSource) -> Self {
        kernel::target_with(source, possible::refusal)
    }
}

impl OpenObject {
    /// Relocates the object for the running kernel, and loads it: all or nothing.
    ///
    /// # Errors
    /// What relocation could not resolve, or the first item that the kernel refused.
    #[doc(alias = "bpf_object__load")]
    pub fn load(self) -> Result<Object> {
        let target = self.running_target()?;
        self.load_into(&target, &LoadOptions::default())
    }

    /// Relocates the object for the running kernel, and loads every program (whose autoload is on) that the kernel accepts;
    /// see [`LoadPlan::load_each`](crate::reloc::LoadPlan::load_each).
    ///
    /// # Errors
    /// Only what concerns the object as a whole.
    pub fn load_each(self) -> Result<LoadedEach> {
        let target = self.running_target()?;
        self.load_each_into(&target)
    }

    /// Relocates the object for the running kernel, and creates its maps, but loads no program yet.
    ///
    /// # Errors
    /// What relocation could not resolve, a program that is known to be impossible to load, or a map that the kernel
    /// refused.
    #[doc(alias = "bpf_object__prepare")]
    pub fn prepare(self) -> Result<PreparedObject> {
        let target = self.running_target()?;
        self.prepare_for(&target)
    }

    /// The running kernel as this object is loaded into it: with the types and the token that its
    /// [`OpenOptions`](crate::OpenOptions) name.
    ///
    /// # Errors
    /// The file with the types cannot be read, or holds none.
    pub fn running_target(&self) -> Result<Target> {
        let target = Target::running_with_token(self.token.clone());
        match &self.btf_path {
            Some(path) => {
                let types = Btf::from_file(path).map_err(|e| self.blame(e))?;
                Ok(target.with_core_btf(types))
            }
            None => Ok(target),
        }
    }
}
