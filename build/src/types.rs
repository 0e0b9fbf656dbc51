//! The types that `vmlinux.h` is made of.

use crate::includes::Included;
use crate::vmlinux;
use rawbpf::Result;
use rawbpf::btf::Btf;
use std::cell::OnceCell;
use std::path::Path;

/// Where a kernel has its types.
const RUNNING: &str = "/sys/kernel/btf/vmlinux";

/// The types of a kernel, read when they are first needed.
pub(crate) struct Types<'b> {
    file: Option<&'b Path>,
    btf: OnceCell<Btf<'static>>,
    all: OnceCell<String>,
}

impl<'b> Types<'b> {
    pub(crate) fn new(file: Option<&'b Path>) -> Self {
        Self {
            file,
            btf: OnceCell::new(),
            all: OnceCell::new(),
        }
    }

    /// The file that has them.
    #[cfg(target_os = "linux")]
    pub(crate) fn path(&self) -> &'b Path {
        self.file.unwrap_or(Path::new(RUNNING))
    }

    /// The `vmlinux.h` of a source, if it wants one.
    pub(crate) fn of(&self, included: &Included) -> Result<Option<String>> {
        if !included.wants_vmlinux {
            return Ok(None);
        }
        let text = vmlinux::naming(self.btf()?, &included.words)?;
        Ok(Some(text))
    }

    /// The `vmlinux.h` with everything.
    pub(crate) fn all(&self) -> Result<&str> {
        if let Some(text) = self.all.get() {
            return Ok(text);
        }
        let text = vmlinux::whole(self.btf()?)?;
        Ok(self.all.get_or_init(|| text))
    }

    fn btf(&self) -> Result<&Btf<'static>> {
        if let Some(btf) = self.btf.get() {
            return Ok(btf);
        }
        let btf = match self.file {
            Some(file) => Btf::from_file(file),
            None => Btf::from_file(RUNNING).map_err(|e| {
                e.with_hint(
                    "vmlinux.h is made of a kernel's types, and this one shows none: name a file with some \
                     (a copy of /sys/kernel/btf/vmlinux of another machine), or put a vmlinux.h beside the source",
                )
            }),
        };
        let btf = btf.map_err(|e| e.context("types for vmlinux.h"))?;
        Ok(self.btf.get_or_init(|| btf))
    }
}
