//! Type information in files: raw BTF, or a section of an ELF file.

use crate::btf::Btf;
use crate::files::{Limit, open_regular, read_opened};
use crate::{Error, ErrorKind, Result};
use object::{Object as _, ObjectSection as _, ReadCache};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

impl Btf<'static> {
    /// Reads the types in a file: raw BTF, as in `/sys/kernel/btf`, or the section `.BTF` of an ELF file such as an object or a
    /// `vmlinux`, of which nothing else is read.
    ///
    /// Split BTF needs its base: see [`Btf::from_file_split`]. An ELF file may contain a distilled base in `.BTF.base` (kernel
    /// modules do), which is enough to read it.
    ///
    /// # Errors
    /// `NotFound` if an ELF file has no types; [`ErrorKind::Btf`] or [`ErrorKind::Elf`] if the file is neither, or damaged; any
    /// error of opening and reading it.
    #[doc(alias("btf__parse", "btf__parse_elf", "btf__parse_raw"))]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = open_regular(path, Limit::KERNEL_IMAGE)?;
        from_image(file, path, None).map_err(|e| explain(e, path))
    }

    /// [`Btf::from_file`] for split BTF over `base`: for example a module's file in `/sys/kernel/btf`, whose base is
    /// `vmlinux`.
    ///
    /// # Errors
    /// Those of [`Btf::from_file`]. If an ELF file has a distilled base (`.BTF.base`), its types are fitted to this base as by
    /// [`Btf::relocate`], with its errors.
    #[doc(alias("btf__parse_split", "btf__parse_elf_split", "btf__parse_raw_split"))]
    pub fn from_file_split(path: impl AsRef<Path>, base: &Arc<Self>) -> Result<Self> {
        let path = path.as_ref();
        let file = open_regular(path, Limit::KERNEL_IMAGE)?;
        from_image(file, path, Some(base)).map_err(|e| explain(e, path))
    }
}

fn explain(error: Error, path: &Path) -> Error {
    let error = error.context(path.display().to_string());
    if error.hint().is_some() {
        return error;
    }
    error.with_hint(
        "wanted is a kernel's BTF, such as a copy of its /sys/kernel/btf/vmlinux, or an ELF file with a section `.BTF`; a module's types are read over those of vmlinux (`Btf::from_file_split`)",
    )
}

/// The types in an opened file.
pub(super) fn from_image(
    file: File,
    path: &Path,
    base: Option<&Arc<Btf<'static>>>,
) -> Result<Btf<'static>> {
    let mut magic = [0; 4];
    if file.read_exact_at(&mut magic, 0).is_err() || magic != *b"\x7fELF" {
        return parse(read_opened(file, path, Limit::BTF)?, base.cloned());
    }
    let parts = ReadCache::new(file);
    let file = object::File::parse(&parts).map_err(elf_error)?;
    let types = section(&file, ".BTF", path)?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "it is an ELF file without a section `.BTF`",
        )
    })?;
    let Some(distilled) = section(&file, ".BTF.base", path)? else {
        return parse(types, base.cloned());
    };
    let distilled = parse(distilled, None).map_err(|e| e.context("section `.BTF.base`"))?;
    let types = parse(types, Some(Arc::new(distilled)))?;
    match base {
        Some(base) => types.relocate(base),
        None => Ok(types),
    }
}

fn parse(blob: Vec<u8>, base: Option<Arc<Btf<'static>>>) -> Result<Btf<'static>> {
    let btf = match base {
        Some(base) => Btf::from_shared_split(Arc::new(blob), base),
        None => Btf::from_vec(blob),
    };
    btf.map_err(Error::from)
}

type Image<'f> = object::File<'f, &'f ReadCache<File>>;

/// The contents of a section; `None` if there is none of this name.
fn section(file: &Image<'_>, name: &str, path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(section) = file.section_by_name(name) else {
        return Ok(None);
    };
    if section.size() > Limit::BTF.bytes() {
        return Err(Limit::BTF
            .exceeded(path, Some(section.size()))
            .context(format!("section `{name}`")));
    }
    Ok(Some(section.data().map_err(elf_error)?.to_vec()))
}

fn elf_error(error: object::Error) -> Error {
    Error::new(ErrorKind::Elf, error.to_string()).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;
    use crate::btf::{BtfBuilder, Kind};

    #[test]
    fn images_without_types_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vmlinux");
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("a file");
            Btf::from_file(&path).expect_err("no image")
        };
        assert_eq!(refused(b"\x7fELF").kind(), ErrorKind::Elf);
        assert_eq!(refused(b"nonsense").kind(), ErrorKind::Btf);
        assert_eq!(refused(b"").kind(), ErrorKind::Btf);
    }

    #[test]
    fn of_an_image_only_the_types_are_read() {
        let object = std::fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fixtures/opensnoop.bpf.o"
        ));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vmlinux");
        std::fs::write(&path, object.expect("a fixture")).expect("a file");
        // As large as an image may be, and nothing there.
        let file = File::options().write(true).open(&path).expect("the file");
        file.set_len(Limit::KERNEL_IMAGE.bytes()).expect("a length");
        let types = Btf::from_file(&path).expect("types");
        assert!(types.find("event", Kind::Struct).is_some());
        file.set_len(Limit::KERNEL_IMAGE.bytes() + 1)
            .expect("a length");
        let error = Btf::from_file(&path).expect_err("too large");
        assert_eq!(error.errno(), Some(Errno::EFBIG), "{error}");
        // Neither ELF nor type information of a size that is read.
        std::fs::write(&path, "nonsense").expect("a file");
        let file = File::options().write(true).open(&path).expect("the file");
        file.set_len(Limit::BTF.bytes() + 1).expect("a length");
        let error = Btf::from_file(&path).expect_err("too large");
        assert!(
            error.message().contains("type information may have"),
            "{error}"
        );
    }

    /// `int`, and what continues it: `typedef int own`.
    fn base_and_split() -> (Vec<u8>, Vec<u8>) {
        let mut editor = BtfBuilder::new();
        editor.add_int("int", 4, 1);
        let base = editor.finish().expect("types");
        let string_len = u32::from_ne_bytes(base[20..24].try_into().expect("four bytes"));
        let words = [24, 0, 12, 12, 5, string_len + 1, 8 << 24, 1];
        let words = words.iter().flat_map(|word: &u32| word.to_ne_bytes());
        let mut split = 0xeb9f_u16.to_ne_bytes().to_vec();
        split.extend([1, 0]);
        split.extend(words);
        split.extend(b"\0own\0");
        (base, split)
    }

    fn elf_with(sections: &[(&str, &[u8])]) -> Vec<u8> {
        use object::{Architecture, BinaryFormat, Endianness, SectionKind, write::Object};
        let mut file = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        for (name, bytes) in sections {
            let section =
                file.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::Other);
            file.append_section_data(section, bytes, 1);
        }
        file.write().expect("an ELF file")
    }

    #[test]
    fn types_that_continue_others_are_read_with_those() {
        let folder = tempfile::tempdir().expect("a folder");
        let (base, split) = base_and_split();
        let make = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            path
        };
        let base = Arc::new(Btf::from_file(make("base", &base)).expect("the base"));
        let elf = elf_with(&[(".BTF", &split)]);
        for path in [make("raw", &split), make("elf", &elf)] {
            let btf = Btf::from_file_split(&path, &base).expect("types");
            let own = btf.find("own", Kind::Typedef).expect("its own type");
            assert_eq!(btf.type_name(own), "own");
            assert_eq!(btf.size_of(own).expect("a size"), 4);
            // Without the base, its names are missing.
            let alone = Btf::from_file(&path);
            assert!(
                alone.is_err() || alone.is_ok_and(|btf| btf.find("own", Kind::Typedef).is_none())
            );
        }
    }

    #[test]
    fn a_distilled_base_stands_for_the_base_and_is_fitted_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("module.ko");
        let (base, split) = base_and_split();
        let elf = elf_with(&[(".BTF", &split), (".BTF.base", &base)]);
        std::fs::write(&path, elf).expect("a file");
        let btf = Btf::from_file(&path).expect("types");
        let own = btf.find("own", Kind::Typedef).expect("its own type");
        assert_eq!(btf.size_of(own).expect("a size"), 4);
        // The kernel has it under another id.
        let mut kernel = BtfBuilder::new();
        kernel.add_int("long", 8, 1);
        let int = kernel.add_int("int", 4, 1);
        let kernel = Arc::new(kernel.build().expect("a kernel's types"));
        let fitted = Btf::from_file_split(&path, &kernel).expect("fitted types");
        let own = fitted.find("own", Kind::Typedef).expect("its own type");
        assert_eq!(fitted.get(own).expect("a type").target(), Some(int));
        // A kernel without it is another kernel.
        let other = Arc::new(BtfBuilder::new().build().expect("no types"));
        let error = Btf::from_file_split(&path, &other).expect_err("no `int`");
        assert_eq!(error.kind(), ErrorKind::Btf, "{error}");
        assert!(
            error.to_string().contains("no int `int` of 4 bytes"),
            "{error}"
        );
    }

    #[test]
    fn an_elf_file_without_types_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("stripped");
        std::fs::write(&path, elf_with(&[(".text", &[0; 8])])).expect("a file");
        let error = Btf::from_file(&path).expect_err("no types");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("section `.BTF`"), "{error}");
        assert!(error.to_string().contains("stripped"), "{error}");
    }
}
