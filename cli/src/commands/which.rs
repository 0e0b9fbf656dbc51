//! Programs, maps and links in the kernel, as they are named on the command line: `id N`, `name X`, `tag T`, `pinned PATH`.

use rawbpf::attach::{Link, LinkInfo};
use rawbpf::map::{Map, MapInfo, OpenAccess};
use rawbpf::program::{Program, ProgramInfo};
use rawbpf::{Error, ErrorKind, Result};
use std::path::Path;

/// The number of bytes of a name that the kernel keeps.
pub(crate) const LONGEST_NAME: usize = 15;

/// Which objects of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Which<'a> {
    Id(u32),
    Pinned(&'a Path),
    Name(&'a str),
    /// The kernel's hash of a program's instructions.
    Tag([u8; 8]),
}

/// A kind of object that the kernel lists by ids.
pub(crate) trait Listed: Sized {
    /// What it is called in messages.
    const WHAT: &'static str;
    /// The word for it on the command line.
    const NOUN: &'static str;
    /// How one is named on the command line.
    const FORMS: &'static str;
    /// What the kernel tells about it.
    type Info;

    fn ids() -> impl Iterator<Item = Result<u32>>;
    fn by_id(id: u32) -> Result<Self>;
    fn by_pin(path: &Path) -> Result<Self>;
    fn ask(&self) -> Result<Self::Info>;
    fn id_of(info: &Self::Info) -> u32;
    /// Its name, for kinds that have one.
    fn name_of(info: &Self::Info) -> Option<&str>;
    /// Its tag, for kinds that have one.
    fn tag_of(info: &Self::Info) -> Option<[u8; 8]>;
}

impl Listed for Program {
    const WHAT: &'static str = "program";
    const NOUN: &'static str = "prog";
    const FORMS: &'static str = "`id N`, `name NAME`, `tag TAG` or `pinned PATH`";
    type Info = ProgramInfo;

    fn ids() -> impl Iterator<Item = Result<u32>> {
        Self::ids()
    }
    fn by_id(id: u32) -> Result<Self> {
        Self::from_id(id)
    }
    fn by_pin(path: &Path) -> Result<Self> {
        Self::from_pin(path)
    }
    fn ask(&self) -> Result<ProgramInfo> {
        self.info()
    }
    fn id_of(info: &ProgramInfo) -> u32 {
        info.id
    }
    fn name_of(info: &ProgramInfo) -> Option<&str> {
        Some(&info.name)
    }
    fn tag_of(info: &ProgramInfo) -> Option<[u8; 8]> {
        Some(info.tag)
    }
}

/// Opened for reading: who looks at a map needs no right to change it.
impl Listed for Map {
    const WHAT: &'static str = "map";
    const NOUN: &'static str = "map";
    const FORMS: &'static str = "`id N`, `name NAME` or `pinned PATH`";
    type Info = MapInfo;

    fn ids() -> impl Iterator<Item = Result<u32>> {
        Self::ids()
    }
    fn by_id(id: u32) -> Result<Self> {
        Self::from_id_with(id, OpenAccess::ReadOnly)
    }
    fn by_pin(path: &Path) -> Result<Self> {
        Self::from_pin_with(path, OpenAccess::ReadOnly)
    }
    fn ask(&self) -> Result<MapInfo> {
        self.info()
    }
    fn id_of(info: &MapInfo) -> u32 {
        info.id
    }
    fn name_of(info: &MapInfo) -> Option<&str> {
        Some(&info.name)
    }
    fn tag_of(_: &MapInfo) -> Option<[u8; 8]> {
        None
    }
}

impl Listed for Link {
    const WHAT: &'static str = "link";
    const NOUN: &'static str = "link";
    const FORMS: &'static str = "`id N` or `pinned PATH`";
    type Info = LinkInfo;

    fn ids() -> impl Iterator<Item = Result<u32>> {
        Self::ids()
    }
    fn by_id(id: u32) -> Result<Self> {
        Self::from_id(id)
    }
    fn by_pin(path: &Path) -> Result<Self> {
        Self::from_pin(path)
    }
    fn ask(&self) -> Result<LinkInfo> {
        self.info()
    }
    fn id_of(info: &LinkInfo) -> u32 {
        info.id
    }
    fn name_of(_: &LinkInfo) -> Option<&str> {
        None
    }
    fn tag_of(_: &LinkInfo) -> Option<[u8; 8]> {
        None
    }
}

impl<'a> Which<'a> {
    /// Reads the two words that name an object.
    pub(crate) fn of(by: &str, which: &'a str) -> Option<Self> {
        match by {
            "id" => which.parse().ok().map(Self::Id),
            "pinned" => Some(Self::Pinned(Path::new(which))),
            "name" if !which.is_empty() => Some(Self::Name(which)),
            "tag" => tag(which).map(Self::Tag),
            _ => None,
        }
    }

    /// Reads the words that name objects of a kind, at the start of an argument list, and returns the other words.
    pub(crate) fn take<'w, K: Listed>(words: &'w [&'a str]) -> Result<(Self, &'w [&'a str])> {
        let named = match words {
            [by, which, rest @ ..] => Self::of(by, which).map(|which| (which, rest)),
            _ => None,
        };
        let is_possible = |which: &Self| match which {
            Self::Tag(_) => K::NOUN == Program::NOUN,
            Self::Name(_) => K::NOUN != Link::NOUN,
            Self::Id(_) | Self::Pinned(_) => true,
        };
        named
            .filter(|(which, _)| is_possible(which))
            .ok_or_else(|| {
                let message = match words {
                    [] => format!("which {}?", K::WHAT),
                    _ => format!("`{}` names no {}", words.join(" "), K::WHAT),
                };
                Error::new(ErrorKind::InvalidArgument, message)
                    .with_hint(format!("expected {}", K::FORMS))
            })
    }

    /// Reads an argument list that names objects of a kind; `None` if it is empty.
    pub(crate) fn of_all<K: Listed>(words: &'a [String]) -> Result<Option<Self>> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => Ok(None),
            words => Self::take::<K>(words).map(|(which, _)| Some(which)),
        }
    }

    /// The error's words for it.
    fn words(self) -> String {
        match self {
            Self::Name(name) => format!("named `{name}`"),
            Self::Tag(tag) => format!("with the tag {:016x}", u64::from_be_bytes(tag)),
            Self::Id(id) => format!("with id {id}"),
            Self::Pinned(path) => format!("pinned at {}", path.display()),
        }
    }
}

/// Every object of a kind that the kernel has now or, if some are wanted, those. What is gone by the time that it is asked
/// about is left out.
pub(crate) fn each<K: Listed>(
    which: Option<Which<'_>>,
) -> impl Iterator<Item = Result<(K, K::Info)>> {
    let one = match which {
        Some(Which::Id(id)) => Some(K::by_id(id)),
        Some(Which::Pinned(path)) => Some(K::by_pin(path)),
        Some(Which::Name(_) | Which::Tag(_)) | None => None,
    };
    let is_one = one.is_some();
    let one = one
        .into_iter()
        .map(|object| object.and_then(|object| Ok((object.ask()?, object))))
        .map(|found| found.map(|(info, object)| (object, info)));
    let ids = (!is_one).then(K::ids).into_iter().flatten();
    let listed = ids.filter_map(move |id| {
        let found =
            id.and_then(|id| present(K::by_id(id).and_then(|object| Ok((object.ask()?, object)))));
        match found.transpose()? {
            Ok((info, object)) => fits::<K>(which, &info).then_some(Ok((object, info))),
            Err(error) => Some(Err(error)),
        }
    });
    one.chain(listed)
}

/// Whether an object has the wanted name or tag.
fn fits<K: Listed>(which: Option<Which<'_>>, info: &K::Info) -> bool {
    match which {
        Some(Which::Name(wanted)) => K::name_of(info).is_some_and(|name| is_name(name, wanted)),
        Some(Which::Tag(tag)) => K::tag_of(info) == Some(tag),
        Some(Which::Id(_) | Which::Pinned(_)) | None => true,
    }
}

/// The objects of a kind that are meant, at least one.
pub(crate) fn some<K: Listed>(which: Which<'_>) -> Result<Vec<(K, K::Info)>> {
    let found: Vec<_> = each::<K>(Some(which)).collect::<Result<_>>()?;
    expect_some::<K>(Some(which), found.len())?;
    Ok(found)
}

/// An error if objects were asked for and none was found.
pub(crate) fn expect_some<K: Listed>(which: Option<Which<'_>>, found: usize) -> Result<()> {
    match which {
        Some(which) if found == 0 => {
            let message = format!("the kernel has no {} {}", K::WHAT, which.words());
            Err(Error::new(ErrorKind::NotFound, message))
        }
        _ => Ok(()),
    }
}

/// The only object of a kind that is meant.
pub(crate) fn one<K: Listed>(which: Which<'_>) -> Result<(K, K::Info)> {
    let mut found = some::<K>(which)?;
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            let ids = found.iter().chain(&last).map(|(_, info)| K::id_of(info));
            Err(several::<K>(which, ids))
        }
    }
}

/// The error for a name or tag that several objects share.
pub(crate) fn several<K: Listed>(which: Which<'_>, ids: impl Iterator<Item = u32>) -> Error {
    let ids: Vec<_> = ids.map(|id| id.to_string()).collect();
    let message = format!(
        "the kernel has several {}s {}: {}",
        K::WHAT,
        which.words(),
        ids.join(", ")
    );
    let hint = format!("ask for one of them: `{} id N`", K::NOUN);
    Error::new(ErrorKind::InvalidArgument, message).with_hint(hint)
}

/// `None` if it does not exist any more.
pub(crate) fn present<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this is the kernel's name of something; the kernel keeps only the start of names.
fn is_name(kernels: &str, wanted: &str) -> bool {
    kernels == wanted || kernels.len() == LONGEST_NAME && wanted.starts_with(kernels)
}

/// Sixteen hexadecimal digits.
fn tag(text: &str) -> Option<[u8; 8]> {
    let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u64::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_by_two_words() {
        let words = ["tag", "0123456789abcdef", "opcodes"];
        let (which, rest) = Which::take::<Program>(&words).unwrap();
        let tag = Which::Tag([1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        assert_eq!((which, rest), (tag, &["opcodes"][..]));
        for words in [
            &["tag", "+123456789abcdef"][..],
            &["id"],
            &["id", "-1"],
            &["x", "y"],
            &[],
        ] {
            let error = Which::take::<Program>(words).unwrap_err().to_string();
            assert!(error.contains("`tag TAG`"), "{error}");
        }
    }

    #[test]
    fn only_programs_have_tags_and_links_have_no_names() {
        let tag = ["tag", "0123456789abcdef"];
        assert!(Which::take::<Map>(&tag).is_err() && Which::take::<Link>(&tag).is_err());
        let name = ["name", "x"];
        assert!(Which::take::<Map>(&name).is_ok() && Which::take::<Link>(&name).is_err());
    }

    #[test]
    fn the_kernel_keeps_the_start_of_a_name() {
        assert!(is_name("short", "short") && !is_name("short", "shorter"));
        assert!(is_name("handle_sched_ex", "handle_sched_exec"));
    }
}
