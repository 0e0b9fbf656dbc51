//! The types of the running kernel and its modules.

use super::files;
use super::places::first_usable;
use crate::btf::{Btf, SharedBytes};
use crate::btf_file::from_image;
use crate::files::{Limit, open_regular, read_opened};
use crate::kernel::by_id;
use crate::reloc::{Module, ModuleBtf};
use crate::sys::bpf::{self, BtfInfo, ObjectKind};
use crate::sys::file_system::FileSystem;
use crate::sys::mapping::KernelBtf;
use crate::{Errno, Error, ErrorKind, Result};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SYSFS: &str = "/sys/kernel/btf/vmlinux";

/// The types of the kernel proper: from the kernel itself, else from a `vmlinux` image that the distribution ships.
#[doc(alias = "btf__load_vmlinux_btf")]
pub(crate) fn vmlinux() -> Result<Btf<'static>> {
    let release = files::release()?;
    vmlinux_of(&release, &places_of(&release))
}

fn vmlinux_of(release: &str, places: &[PathBuf]) -> Result<Btf<'static>> {
    let missing = format!("the running kernel ({release}) has no usable type information");
    let advice = "the kernel may have been built without CONFIG_DEBUG_INFO_BTF; give a file with the BTF of this kernel: `--btf FILE`, or OpenOptions::btf_path";
    first_usable(places, &missing, advice, |path| {
        let file = open_regular(path, Limit::KERNEL_IMAGE)?;
        match FileSystem::of_file(file.as_fd()) {
            Ok(FileSystem::Sysfs) => from_sysfs(file, path),
            _ => from_image(file, path, None),
        }
    })
}

/// Maps the types into memory where the kernel allows that (since Linux 6.16), otherwise reads them in full.
fn from_sysfs(file: File, path: &Path) -> Result<Btf<'static>> {
    let bytes: SharedBytes = match KernelBtf::map() {
        Some(mapped) => Arc::new(mapped),
        None => Arc::new(read_opened(file, path, Limit::BTF)?),
    };
    Ok(Btf::from_trusted(bytes)?)
}

/// Where the kernel exposes its types, and where distributions keep kernel images with debug information.
fn places_of(release: &str) -> [PathBuf; 8] {
    [
        SYSFS.to_owned(),
        format!("/boot/vmlinux-{release}"),
        format!("/lib/modules/{release}/vmlinux-{release}"),
        format!("/lib/modules/{release}/build/vmlinux"),
        format!("/usr/lib/modules/{release}/kernel/vmlinux"),
        format!("/usr/lib/debug/boot/vmlinux-{release}"),
        format!("/usr/lib/debug/boot/vmlinux-{release}.debug"),
        format!("/usr/lib/debug/lib/modules/{release}/vmlinux"),
    ]
    .map(PathBuf::from)
}

/// The types of all loaded modules, each split from `vmlinux`; none if this process may not see them.
#[doc(alias = "load_module_btfs")]
pub(crate) fn modules(vmlinux: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>> {
    let mut found = Vec::new();
    let mut last = 0;
    loop {
        match bpf::next_id(ObjectKind::Btf, last) {
            Ok(Some(id)) => {
                last = id;
                found.extend(module(id, vmlinux)?);
            }
            // Without CAP_SYS_ADMIN modules are hidden, but much can be loaded all the same.
            Ok(None) | Err(Errno::EPERM) => return Ok(found),
            Err(errno) => return Err(cannot(errno, "list")),
        }
    }
}

impl Btf<'static> {
    /// The ids of all type information in the kernel, in ascending order: its own, its modules', and that of loaded programs
    /// and maps. Since Linux 5.4. Type information may be gone before its id is used: then [`Btf::from_id`] answers
    /// `NotFound`.
    ///
    /// # Errors
    /// `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_btf_get_next_id")]
    pub fn ids() -> impl Iterator<Item = Result<u32>> {
        by_id::all(ObjectKind::Btf)
    }

    /// The type information with this id. A module's extends the kernel's own, which must then be given as its `base`;
    /// programs' and the kernel's have no base. Since Linux 4.18.
    ///
    /// # Errors
    /// `NotFound` if there is none (any more), `Permission` without `CAP_SYS_ADMIN`, [`ErrorKind::Btf`] if it is
    /// inconsistent or does not fit this base.
    #[doc(alias("btf__load_from_kernel_by_id", "btf__load_from_kernel_by_id_split"))]
    pub fn from_id(id: u32, base: Option<&Arc<Self>>) -> Result<Self> {
        let fd = by_id::open(ObjectKind::Btf, id)?;
        let blob = bpf::btf_data(fd.as_fd()).map_err(|errno| cannot(errno, "read"))?;
        let btf = match base {
            Some(base) => Self::from_shared_split(Arc::new(blob), Arc::clone(base)),
            None => Self::from_vec(blob),
        };
        btf.map_err(|e| Error::from(e).context(format!("type information {id} of the kernel")))
    }
}

impl Btf<'static> {
    /// What the kernel reports about the type information with this id, besides the types: its name, and whether it is the
    /// kernel's (or a module's). Names since Linux 5.11.
    ///
    /// # Errors
    /// `NotFound` if there is none (any more), `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_btf_get_info_by_fd")]
    pub fn info(id: u32) -> Result<BtfInfo> {
        let fd = by_id::open(ObjectKind::Btf, id)?;
        info_of(fd.as_fd())
    }
}

fn info_of(btf: BorrowedFd<'_>) -> Result<BtfInfo> {
    let info = match bpf::btf_info(btf) {
        // Kernels before 5.11 have no names for type information.
        Err(Errno::E2BIG | Errno::EINVAL) => bpf::nameless_btf_info(btf),
        info => info,
    };
    info.map_err(|errno| cannot(errno, "ask about"))
}

/// The module whose types have this id; `None` if they are a program's, or gone by now.
fn module(id: u32, vmlinux: &Arc<Btf<'static>>) -> Result<Option<ModuleBtf>> {
    let fd = match by_id::open(ObjectKind::Btf, id) {
        Ok(fd) => fd,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let info = info_of(fd.as_fd())?;
    if !info.is_kernel || info.name == "vmlinux" {
        return Ok(None);
    }
    let blob = bpf::btf_data(fd.as_fd()).map_err(|e| cannot(e, "read"))?;
    let btf = Btf::from_shared_split(Arc::new(blob), Arc::clone(vmlinux))
        .map_err(|e| Error::from(e).context(format!("types of module {}", info.name)))?;
    Ok(Some(ModuleBtf {
        module: Module {
            name: info.name,
            btf_id: id,
        },
        btf: Arc::new(btf),
    }))
}

fn cannot(errno: Errno, what: &str) -> Error {
    by_id::explain(
        errno,
        format!("cannot {what} type information of the kernel"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::Kind;

    #[test]
    fn this_kernels_types_are_read() {
        if !Path::new(SYSFS).exists() {
            return;
        }
        let btf = vmlinux().expect("BTF");
        assert!(btf.find("task_struct", Kind::Struct).is_some());
    }

    #[test]
    fn unusable_places_are_skipped() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            path
        };
        let fixture = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fixtures")
                .join(name);
            std::fs::read(path).expect("a fixture")
        };
        let btf = fixture("btf/6.1.btf");
        let mut cut = btf.clone();
        cut.truncate(btf.len() / 2);
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.expect("mkfifo").success());
        let useless = [
            (folder.path().join("absent"), "No such file"),
            (folder.path().to_owned(), "it is a directory"),
            (fifo, "it is a FIFO"),
            (make("empty", b""), "0 bytes are too few"),
            (make("cut", &cut), "does not fit"),
            (make("elf", b"\x7fELF"), "Could not read file magic"),
            (
                make("image", &fixture("no_btf.bpf.o")),
                "without a section `.BTF`",
            ),
        ];
        let mut places: Vec<_> = useless.iter().map(|(path, _)| path.clone()).collect();
        let error = vmlinux_of("6.1.0", &places).expect_err("nothing of use");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let lines: Vec<_> = error.message().lines().skip(1).collect();
        assert_eq!(lines.len(), useless.len(), "{error}");
        for (line, (path, reason)) in lines.iter().zip(&useless) {
            let rest = line.strip_prefix(&format!("  {}: ", path.display()));
            assert!(rest.is_some_and(|rest| rest.contains(reason)), "{line}");
        }
        places.push(make("good", &btf));
        let found = vmlinux_of("6.1.0", &places).expect("the last is good");
        assert!(found.find("task_struct", Kind::Struct).is_some());
    }
}
