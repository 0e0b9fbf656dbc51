//! Sources of types: files, and the kernel.

use crate::commands::which::{self, Which};
use rawbpf::btf::Btf;
use rawbpf::map::Map;
use rawbpf::program::Program;
use rawbpf::reloc::Target;
use rawbpf::{Error, ErrorKind, Result, TypeId, near_names};
use std::path::Path;
use std::sync::Arc;

/// The valid forms of a source.
const EXPECTED: &str = "expected FILE, `id N`, `prog id N|pinned PATH|name NAME|tag TAG`, or `map id N|pinned PATH|name NAME [key|value|kv|all]`";

/// A source of types.
#[derive(Debug, PartialEq)]
pub(super) enum Source<'a> {
    File(&'a Path),
    Id(u32),
    Program(Which<'a>),
    Map(Which<'a>, MapPart),
}

/// The types of a map that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MapPart {
    Key,
    Value,
    KeyAndValue,
    All,
}

/// Types, and the selected ones unless all are.
type Types = (Arc<Btf<'static>>, Vec<TypeId>);

impl<'a> Source<'a> {
    pub(super) fn of(words: &'a [String]) -> Result<Self> {
        let words: Vec<&'a str> = words.iter().map(String::as_str).collect();
        let map = |by, which, part| {
            let which = Which::of(by, which).filter(|which| !matches!(which, Which::Tag(_)));
            which.map(|which| Self::Map(which, part))
        };
        let source = match words.as_slice() {
            ["id", id] => id.parse().ok().map(Self::Id),
            ["prog", by, which] => Which::of(by, which).map(Self::Program),
            ["map", by, which] => map(by, which, MapPart::KeyAndValue),
            ["map", by, which, part] => MapPart::of(part).and_then(|part| map(by, which, part)),
            ["file", path] | [path] => Some(Self::File(Path::new(*path))),
            _ => None,
        };
        source.ok_or_else(|| {
            let message = format!("`{}` is no source of types", words.join(" "));
            Error::new(ErrorKind::InvalidArgument, message).with_hint(EXPECTED)
        })
    }

    /// Its types, and the selected ones unless all are.
    pub(super) fn read(&self, base: Option<&Path>) -> Result<Types> {
        if base.is_some() && !matches!(self, Self::File(_)) {
            let message =
                "a base can only be given for a file: what types in the kernel continue is known";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        match self {
            Self::File(path) => Ok((file(path, base)?, Vec::new())),
            Self::Id(id) => Ok((of_id(*id)?, Vec::new())),
            Self::Program(which) => Ok((of_program(*which)?, Vec::new())),
            Self::Map(which, part) => of_map(*which, *part),
        }
    }
}

impl MapPart {
    fn of(word: &str) -> Option<Self> {
        match word {
            "key" => Some(Self::Key),
            "value" => Some(Self::Value),
            "kv" => Some(Self::KeyAndValue),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// The base of a file in /sys/kernel/btf: the types of vmlinux, for those of a module.
pub(super) fn base_of(path: &Path) -> Option<&'static Path> {
    let is_module = path.parent() == Some(Path::new("/sys/kernel/btf"))
        && path.file_name() != Some("vmlinux".as_ref());
    is_module.then_some(Path::new("/sys/kernel/btf/vmlinux"))
}

/// The types in a file. The base of a module's types are the kernel's.
pub(crate) fn file(path: &Path, base: Option<&Path>) -> Result<Arc<Btf<'static>>> {
    let btf = match base.or(base_of(path)) {
        Some(base) => Btf::from_file_split(path, &Arc::new(Btf::from_file(base)?))?,
        None => Btf::from_file(path)?,
    };
    Ok(Arc::new(btf))
}

/// The types with this BTF id in the kernel.
fn of_id(id: u32) -> Result<Arc<Btf<'static>>> {
    let info = Btf::info(id)?;
    let target = Target::running();
    // Kernels before 5.11 report no names, and have no modules' types either.
    let base = if info.is_kernel && !matches!(info.name.as_str(), "" | "vmlinux") {
        Some(target.vmlinux_btf()?)
    } else {
        None
    };
    Ok(Arc::new(Btf::from_id(id, base)?))
}

/// Programs of one object share their types; those of several objects are not shown at once.
fn of_program(which: Which<'_>) -> Result<Arc<Btf<'static>>> {
    let found = which::some::<Program>(which)?;
    let mut ids = found.iter().map(|(_, info)| info.btf_id);
    let first = ids.next().unwrap_or_default();
    if ids.any(|other| other != first) {
        let ids = found.iter().map(|(_, info)| info.id);
        return Err(which::several::<Program>(which, ids));
    }
    match (first, found.first()) {
        (0, Some((program, _))) => Err(no_types(&format!("program {}", program.name()))),
        _ => of_id(first),
    }
}

fn of_map(which: Which<'_>, part: MapPart) -> Result<Types> {
    let (_, info) = which::one::<Map>(which)?;
    let (btf, key, value) = if info.btf_vmlinux_value_type.is_void() {
        if info.btf_id == 0 {
            return Err(no_types(&format!("map {}", info.name)));
        }
        (of_id(info.btf_id)?, info.btf_key_type, info.btf_value_type)
    } else {
        let btf = match info.btf_vmlinux_id {
            0 => Arc::clone(Target::running().vmlinux_btf()?),
            id => of_id(id)?,
        };
        (btf, TypeId::VOID, info.btf_vmlinux_value_type)
    };
    let roots = match part {
        MapPart::Key => vec![key],
        MapPart::Value => vec![value],
        MapPart::KeyAndValue => vec![key, value],
        MapPart::All => return Ok((btf, Vec::new())),
    };
    let roots: Vec<_> = roots.into_iter().filter(|id| !id.is_void()).collect();
    if roots.is_empty() {
        let error = no_types(&format!("what was asked for of map {}", info.name));
        return Err(error.with_hint("`all` shows the types that it was loaded with"));
    }
    Ok((btf, roots))
}

fn no_types(what: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("{what} was loaded without types"),
    )
}

/// The types with this name, of any kind.
pub(super) fn named(btf: &Btf<'_>, name: &str) -> Result<Vec<TypeId>> {
    let types = || {
        btf.types()
            .chain(btf.base().into_iter().flat_map(|base| base.types()))
    };
    let found: Vec<_> = types()
        .filter(|ty| ty.name() == name)
        .map(|ty| ty.id())
        .collect();
    if !name.is_empty() && !found.is_empty() {
        return Ok(found);
    }
    let near = near_names(
        name,
        types().map(|ty| ty.name()).filter(|name| !name.is_empty()),
    );
    let error = Error::new(ErrorKind::NotFound, format!("there is no type `{name}`"));
    Err(if near.is_empty() {
        error
    } else {
        error.with_hint(format!("there is: {}", near.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_words() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let pin = Which::Pinned(Path::new("/sys/fs/bpf/x"));
        for (text, source) in [
            ("vmlinux", Source::File(Path::new("vmlinux"))),
            ("file id", Source::File(Path::new("id"))),
            ("id 7", Source::Id(7)),
            ("prog id 8", Source::Program(Which::Id(8))),
            ("prog pinned /sys/fs/bpf/x", Source::Program(pin)),
            ("prog name id", Source::Program(Which::Name("id"))),
            (
                "prog tag 0123456789abcdef",
                Source::Program(Which::Tag([1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef])),
            ),
            ("map id 9", Source::Map(Which::Id(9), MapPart::KeyAndValue)),
            ("map id 9 key", Source::Map(Which::Id(9), MapPart::Key)),
            (
                "map name m all",
                Source::Map(Which::Name("m"), MapPart::All),
            ),
            (
                "map pinned /sys/fs/bpf/x value",
                Source::Map(pin, MapPart::Value),
            ),
        ] {
            assert_eq!(Source::of(&words(text)).unwrap(), source);
        }
        for text in [
            "id x",
            "prog 7",
            "map id 9 keys",
            "a b",
            "prog tag 12",
            "prog tag +123456789abcdef",
            "map tag 0123456789abcdef",
            "prog name x key",
        ] {
            let error = Source::of(&words(text)).unwrap_err();
            assert!(error.to_string().contains("expected FILE"), "{error}");
        }
        let error = Source::Id(1).read(Some(Path::new("base"))).unwrap_err();
        assert!(
            error.to_string().contains("only be given for a file"),
            "{error}"
        );
    }
}
