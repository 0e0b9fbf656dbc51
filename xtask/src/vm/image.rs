//! Builds a guest's initramfs, which is all a guest has: busybox, an init script, the modules and the files to test. There
//! is no disk, so there is no driver to load and no image to make.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use object::read::elf::{ElfFile64, ProgramHeader};

use super::cpio::{Access, Archive};
use super::kernels::Kernel;
use super::modules;
use super::tools::BUSYBOX;

const INIT: &str = include_str!("init.sh");

/// What goes into an initramfs.
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    /// The kernel that will run it.
    pub(crate) kernel: &'a Kernel,
    /// The modules that are inserted before the command runs.
    pub(crate) modules: &'a [String],
    /// Files and folders of this machine, each with its path below `/files`.
    pub(crate) files: &'a [(PathBuf, String)],
    /// The shell script that the guest runs.
    pub(crate) command: &'a str,
}

/// Writes an initramfs to an unnamed file, so nothing is left behind whatever happens.
pub(crate) fn build(contents: &Contents) -> Result<(File, u64)> {
    let file = tempfile::tempfile().context("while making a temporary file for the guest")?;
    let mut archive = Archive::new(BufWriter::with_capacity(1 << 20, file));
    for folder in [
        "bin", "dev", "proc", "sys", "tmp", "run", "files", "modules", "root", "etc",
    ] {
        archive.directory(folder)?;
    }
    archive.symlink("usr", ".")?;
    archive.symlink("sbin", "bin")?;
    archive.file("init", Access::Execute, INIT.as_bytes())?;
    archive.file("command", Access::Read, contents.command.as_bytes())?;
    archive.file("bin/busybox", Access::Execute, &busybox()?)?;
    // Where programs look for it on kernels without /proc/config.gz.
    let config = format!("boot/config-{}", contents.kernel.release);
    archive.file(&config, Access::Read, &read(&contents.kernel.config)?)?;
    let mut order = String::new();
    for module in modules::in_order(&contents.kernel.modules, contents.modules)? {
        archive.file(
            &format!("modules/{}.ko", module.name),
            Access::Read,
            &module.data,
        )?;
        order.push_str(&module.name);
        order.push_str(".ko\n");
    }
    archive.file("modules/order", Access::Read, order.as_bytes())?;
    for (source, place) in contents.files {
        add(
            &mut archive,
            source,
            &format!("files/{}", place.trim_matches('/')),
        )
        .with_context(|| format!("while packing {} for the guest", source.display()))?;
    }
    let mut file = archive
        .finish()?
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    let size = file.stream_position()?;
    file.rewind()?;
    Ok((file, size))
}

/// A static busybox, since a guest has no libraries.
fn busybox() -> Result<Vec<u8>> {
    let path = BUSYBOX.path()?;
    let data = read(&path)?;
    let elf: ElfFile64 = ElfFile64::parse(&*data)
        .with_context(|| format!("{} is not a 64-bit ELF file", path.display()))?;
    let has_interpreter = elf
        .elf_program_headers()
        .iter()
        .any(|header| header.p_type(elf.endian()) == object::elf::PT_INTERP);
    if has_interpreter {
        return Err(BUSYBOX.missing("is linked dynamically, and a guest has no libraries"));
    }
    Ok(data)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("while reading {}", file.display()))
}

/// Adds a file, or a folder with everything in it. Symbolic links to files become files, as their targets may not be
/// included.
fn add(archive: &mut Archive<impl Write>, source: &Path, place: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(data) = fs::metadata(source) else {
        let target = fs::read_link(source)?;
        return Ok(archive.symlink(place, &target.to_string_lossy())?);
    };
    if data.is_dir() {
        archive.directory(place)?;
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            let name = entry.file_name();
            let place = format!("{}/{}", place.trim_end_matches('/'), name.to_string_lossy());
            if entry.file_type()?.is_symlink() && entry.path().is_dir() {
                let target = fs::read_link(entry.path())?;
                archive.symlink(&place, &target.to_string_lossy())?;
            } else {
                add(archive, &entry.path(), &place)?;
            }
        }
    } else if data.is_file() {
        let access = match data.permissions().mode() & 0o111 {
            0 => Access::Read,
            _ => Access::Execute,
        };
        archive.file_from(place, access, data.len(), File::open(source)?)?;
    }
    Ok(())
}
