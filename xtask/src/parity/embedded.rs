//! Finds BPF objects: files, folders of files, and objects embedded whole in executables, as in the skeletons of libbpf's
//! tools.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// An object to compare.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Its name in the table.
    pub(crate) name: String,
    /// A file that contains only the object.
    pub(crate) path: PathBuf,
}

/// All objects in `files`; those inside executables are written to `work` first.
pub(crate) fn collect(files: &[PathBuf], work: &Path) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for file in files {
        if file.is_dir() {
            for entry in sorted_entries(file)? {
                if entry.is_file() && !entry.is_symlink() {
                    collect_file(&entry, work, &mut objects)?;
                }
            }
        } else {
            collect_file(file, work, &mut objects)?;
        }
    }
    Ok(objects)
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("list {}", folder.display());
    let entries = fs::read_dir(folder).with_context(context)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn collect_file(file: &Path, work: &Path, objects: &mut Vec<Object>) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    // A file that is not an executable is passed to both loaders as it is, however broken it may be.
    if file.extension().is_some_and(|extension| extension == "o")
        || Elf::at(&bytes, 0).is_some_and(|elf| elf.is_bpf())
    {
        objects.push(Object {
            name,
            path: file.to_owned(),
        });
        return Ok(());
    }
    for (index, object) in embedded(&bytes).into_iter().enumerate() {
        let number = if index == 0 {
            String::new()
        } else {
            format!(".{}", index + 1)
        };
        // The name up to the first dot names the maps of global data.
        let object_name = format!("{name}{number}.bpf.o");
        let path = work.join(&object_name);
        fs::write(&path, object).with_context(|| format!("write {}", path.display()))?;
        objects.push(Object {
            name: object_name,
            path,
        });
    }
    Ok(())
}

/// The objects contained whole in `bytes`.
fn embedded(bytes: &[u8]) -> Vec<&[u8]> {
    const MAGIC: &[u8] = b"\x7fELF";
    let mut found = Vec::new();
    let mut from = 1;
    while let Some(rest) = bytes.get(from..) {
        let Some(distance) = rest.windows(MAGIC.len()).position(|window| window == MAGIC) else {
            break;
        };
        let start = from + distance;
        let object = Elf::at(bytes, start)
            .filter(Elf::is_bpf)
            .and_then(|elf| elf.whole());
        from = start + object.map_or(1, |object| object.len().max(1));
        found.extend(object);
    }
    found
}

/// Enough of a little-endian 64-bit ELF file to know what it is and where it ends.
#[derive(Debug)]
struct Elf<'a>(&'a [u8]);

impl<'a> Elf<'a> {
    const MACHINE_BPF: u16 = 247;
    const NOBITS: u32 = 8;

    fn at(bytes: &'a [u8], start: usize) -> Option<Self> {
        let bytes = bytes.get(start..)?;
        bytes.starts_with(b"\x7fELF\x02\x01").then_some(Self(bytes))
    }

    fn is_bpf(&self) -> bool {
        self.u16(18) == Some(Self::MACHINE_BPF)
    }

    /// The file from its header to the end of whatever comes last: a section, or the section header table.
    fn whole(&self) -> Option<&'a [u8]> {
        let table = self.offset(0x28)?;
        let entry = usize::from(self.u16(0x3a)?);
        let count = usize::from(self.u16(0x3c)?);
        let mut end = table.checked_add(entry.checked_mul(count)?)?;
        for index in 0..count {
            let header = table.checked_add(index.checked_mul(entry)?)?;
            if self.u32(header.checked_add(4)?)? == Self::NOBITS {
                continue;
            }
            let offset = self.offset(header.checked_add(0x18)?)?;
            let size = self.offset(header.checked_add(0x20)?)?;
            end = end.max(offset.checked_add(size)?);
        }
        self.0.get(..end)
    }

    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes(at)?))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(at)?))
    }

    fn offset(&self, at: usize) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.bytes(at)?)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Vec<u8> {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/opensnoop.bpf.o")).unwrap()
    }

    #[test]
    fn objects_are_cut_out_of_executables() {
        let object = object();
        let other = b"\x7fELF\x02\x01 is not an object";
        let file = [
            &b"\x7fELFhead"[..],
            other,
            &object,
            b"between",
            &object,
            b"tail",
        ]
        .concat();
        assert_eq!(embedded(&file), [&object[..], &object[..]]);
    }

    #[test]
    fn a_truncated_object_is_not_one() {
        let object = object();
        let file = [b"x", &object[..object.len() - 1]].concat();
        assert!(embedded(&file).is_empty());
        assert!(embedded(&[]).is_empty());
    }

    #[test]
    fn folders_are_searched_and_names_kept() {
        let folder = tempfile::tempdir().unwrap();
        let work = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), [b"head", &object()[..]].concat()).unwrap();
        fs::write(folder.path().join("a.o"), b"broken").unwrap();
        fs::write(folder.path().join("c.txt"), b"text").unwrap();
        let objects = collect(&[folder.path().to_owned()], work.path()).unwrap();
        let names: Vec<_> = objects.iter().map(|object| &object.name[..]).collect();
        assert_eq!(names, ["a.o", "b.bpf.o"]);
    }
}
