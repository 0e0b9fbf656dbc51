//! Descriptors of modules' BTF, opened when something refers to them.

use crate::kernel::rights;
use crate::reloc::Module;
use crate::sys::bpf::{self, ObjectKind};
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The modules opened so far, each once.
#[derive(Debug, Default)]
pub(super) struct ModuleFds(Vec<(u32, OwnedFd)>);

impl ModuleFds {
    /// Opens the module's BTF, unless it is already open.
    pub(super) fn open(&mut self, module: &Module) -> Result<()> {
        if self.get(module).is_some() {
            return Ok(());
        }
        if module.btf_id == 0 {
            let message = format!(
                "the plan refers to module {} of a kernel that was described by files",
                module.name
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .with_hint("to load, relocate for the running kernel"));
        }
        let fd = bpf::fd_by_id(ObjectKind::Btf, module.btf_id).map_err(|errno| {
            let message = format!("cannot open the types of module {}", module.name);
            let error = Error::from_errno(errno, message);
            match errno {
                Errno::EPERM => error.with_hint(rights::for_ids()),
                Errno::ENOENT => error.with_hint("the module was unloaded meanwhile"),
                _ => error,
            }
        })?;
        self.0.push((module.btf_id, fd));
        Ok(())
    }

    /// The descriptor, if the module was opened.
    pub(super) fn get(&self, module: &Module) -> Option<BorrowedFd<'_>> {
        let mut open = self.0.iter();
        open.find(|(id, _)| *id == module.btf_id)
            .map(|(_, fd)| fd.as_fd())
    }
}
