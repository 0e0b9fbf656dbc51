//! The sources of an object's events, the types of the events, and whether a record can be of that type.

use crate::commands::EventArg;
use rawbpf::btf::{Btf, BtfError, Kind, Type};
use rawbpf::open::{self, OpenMap, OpenObject};
use rawbpf::{Error, ErrorKind, MapType, Result, TypeId};

/// A buffer of events.
pub(crate) struct EventSource {
    /// The map's name.
    pub(crate) map: String,
    /// Ring buffer or perf event array.
    pub(crate) kind: MapType,
    /// The type of its events, or why it is unknown.
    pub(crate) type_of: Result<EventType, String>,
}

/// The type of events.
#[derive(Clone)]
pub(crate) struct EventType {
    pub(crate) id: TypeId,
    pub(crate) name: String,
    /// Whether the user named it. Then it is an error if the first record does not fit.
    pub(crate) asked: bool,
    size: Sizes,
}

/// The possible sizes of a type's values in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sizes {
    /// As determined by the compiler.
    whole: usize,
    /// The minimum, if only the filled part of an array at the end is sent.
    least: usize,
    /// Whether a flexible array at the end allows any length.
    is_open: bool,
}

/// How the kernel reports the length of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lengths {
    /// Exactly: ring buffers.
    Exact,
    /// Padded so that length field and record fill units of eight bytes: perf buffers.
    Padded,
}

impl Lengths {
    /// How lengths are reported for this kind of map.
    pub(crate) fn of(map: MapType) -> Self {
        if map == MapType::PERF_EVENT_ARRAY {
            Self::Padded
        } else {
            Self::Exact
        }
    }

    /// The reported length of a record with this many bytes.
    fn padded(self, len: usize) -> usize {
        const OF_LENGTH: usize = 4;
        match self {
            Self::Exact => len,
            Self::Padded => (len + OF_LENGTH).next_multiple_of(8) - OF_LENGTH,
        }
    }
}

/// The object's ring and perf buffers, each with the type of its events.
///
/// # Errors
/// If a map or type in `wanted` does not exist, or a map is given two types.
pub(crate) fn event_sources(object: &OpenObject, wanted: &[EventArg]) -> Result<Vec<EventSource>> {
    let maps = || object.maps().iter().filter(|map| map.sends_events());
    for (index, arg) in wanted.iter().enumerate() {
        check(object, arg)?;
        if wanted
            .iter()
            .take(index)
            .any(|before| before.map == arg.map)
        {
            let what = arg
                .map
                .as_ref()
                .map_or_else(|| "all maps".to_string(), |map| format!("map `{map}`"));
            let message = format!("--event is given twice for {what}");
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .with_hint("use --event MAP=TYPE to give the type for one map"));
        }
    }
    if maps().next().is_none()
        && let Some(arg) = wanted.first()
    {
        let message = format!("--event {}: the object sends no events", arg.type_name);
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .with_hint("events come through ring buffers and perf event arrays; `rawbpf inspect` lists the maps"));
    }
    let source = |map: &OpenMap| {
        let of_map = |arg: &&EventArg| arg.map.as_deref() == Some(map.name());
        let named = wanted.iter().find(of_map);
        let named = named.or_else(|| wanted.iter().find(|arg| arg.map.is_none()));
        Ok(EventSource {
            map: map.name().to_string(),
            kind: map.kind(),
            type_of: match named {
                Some(arg) => Ok(asked_for(object, &arg.type_name)?),
                None => usual(object, map),
            },
        })
    };
    maps().map(source).collect()
}

/// Checks that the map named by an option sends events.
fn check(object: &OpenObject, arg: &EventArg) -> Result<()> {
    let Some(name) = &arg.map else {
        return Ok(());
    };
    let map = object.map(name).map_err(|error| error.context("--event"))?;
    if map.sends_events() {
        return Ok(());
    }
    let senders = object.maps().iter().filter(|map| map.sends_events());
    let names: Vec<&str> = senders.map(OpenMap::name).collect();
    let message = format!(
        "--event: map `{name}` of type {} sends no events; those that do: {}",
        map.kind(),
        if names.is_empty() {
            "none".into()
        } else {
            names.join(", ")
        }
    );
    Err(Error::new(ErrorKind::InvalidArgument, message))
}

fn asked_for(object: &OpenObject, name: &str) -> Result<EventType> {
    let found = object.find_type(name);
    let id = found.map_err(|error| error.context("--event"))?;
    let btf = object.btf().ok_or_else(no_types)?;
    EventType::new(btf, id, Asked::Yes).map_err(Error::from)
}

fn no_types() -> Error {
    Error::new(ErrorKind::NotFound, "the object has no type information")
}

/// The type that the map states, else the one with the usual name.
fn usual(object: &OpenObject, map: &OpenMap) -> Result<EventType, String> {
    let btf = object.btf().ok_or("the object has no type information")?;
    let (open::EventType::Stated(id) | open::EventType::Usual(id)) = object.event_type(map) else {
        let name = map.name();
        return Err(format!(
            "the map does not state their type, and the object has no `struct event`; give it with --event {name}=TYPE"
        ));
    };
    EventType::new(btf, id, Asked::No).map_err(|error| error.to_string())
}

/// Whether the user named a type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Yes,
    No,
}

impl EventType {
    fn new(btf: &Btf<'_>, id: TypeId, asked: Asked) -> Result<Self, BtfError> {
        let ty = btf.get(id)?;
        let name = match ty.name() {
            "" => "(anonymous)".to_string(),
            name => name.to_string(),
        };
        Ok(Self {
            id,
            name,
            asked: asked == Asked::Yes,
            size: Sizes::of(btf, id)?,
        })
    }

    /// The type with this id, as if the user had named it.
    #[cfg(test)]
    pub(crate) fn asked(btf: &Btf<'_>, id: TypeId) -> Self {
        Self::new(btf, id, Asked::Yes).unwrap()
    }

    /// Why a record of this length does not fit this type; `None` if it may fit.
    pub(crate) fn misfit(&self, len: usize, lengths: Lengths) -> Option<String> {
        let Sizes {
            whole,
            least,
            is_open,
        } = self.size;
        let most = lengths.padded(whole);
        if len >= least && (is_open || len <= most) {
            return None;
        }
        let name = &self.name;
        Some(if least == whole && !is_open {
            format!("it sent a record of {len} bytes, and `{name}` has {whole}")
        } else if len < least {
            format!("it sent a record of {len} bytes, and `{name}` has at least {least}")
        } else {
            format!("it sent a record of {len} bytes, and `{name}` has at most {whole}")
        })
    }
}

impl Sizes {
    fn of(btf: &Btf<'_>, id: TypeId) -> Result<Self, BtfError> {
        // The depth to which libbpf follows them.
        const DEEPEST: u32 = 32;
        let whole = as_usize(btf.size_of(id)?);
        let (least, is_open) = end(&btf.get(id)?, DEEPEST)?;
        Ok(Self {
            whole,
            least: least.min(whole),
            is_open,
        })
    }
}

/// The minimum size of a value: without an array at its end, and without padding after its last member. And whether that
/// array is flexible.
fn end(ty: &Type<'_>, deepest: u32) -> Result<(usize, bool), BtfError> {
    let ty = ty.resolved()?;
    if let Some(array) = ty.array() {
        return Ok((0, array.len == 0));
    }
    let last = ty.members().next_back();
    let Some(last) = last.filter(|_| ty.kind() == Kind::Struct && deepest > 0) else {
        return Ok((as_usize(ty.btf().size_of(ty.id())?), false));
    };
    if last.bitfield_size != 0 {
        let bits = last.bit_offset.saturating_add(last.bitfield_size);
        return Ok((as_usize(bits.div_ceil(8)), false));
    }
    let (inner, is_open) = end(&ty.btf().get(last.type_id)?, deepest - 1)?;
    let start = as_usize(last.bit_offset / 8);
    Ok((start.saturating_add(inner), is_open))
}

/// The end of a message: which structures a record of this length could be.
pub(crate) fn structures_of(btf: &Btf<'_>, len: usize, lengths: Lengths) -> String {
    const MOST: usize = 3;
    let fits = |ty: &Type<'_>| {
        let of = EventType::new(btf, ty.id(), Asked::No).ok()?;
        let exact = of.size.whole > 0 && lengths.padded(of.size.whole) == len;
        exact.then(|| format!("`{}`", of.name))
    };
    let names: Vec<String> = structs(btf).filter_map(|ty| fits(&ty)).take(MOST).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; of that size: {}", names.join(", "))
    }
}

fn structs<'b>(btf: &'b Btf<'_>) -> impl Iterator<Item = Type<'b>> {
    btf.types()
        .filter(|ty| ty.kind() == Kind::Struct && !ty.name().is_empty())
}

fn as_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawbpf::btf::{BtfBuilder, IntEncoding};

    /// `called` has 20 bytes, `numbered` 16, `said` an array at its end, `open` a flexible one.
    fn types() -> Btf<'static> {
        let mut b = BtfBuilder::new();
        let int = b.add_int("int", 4, IntEncoding::SIGNED);
        let long = b.add_int("long", 8, IntEncoding::SIGNED);
        let letter = b.add_int("char", 1, IntEncoding::SIGNED);
        let text = b.add_array(letter, int, 16);
        let open = b.add_array(letter, int, 0);
        b.add_struct("pair", 8, &[("a", int, 0), ("b", int, 32)]);
        b.add_struct("padded", 16, &[("n", long, 0), ("m", int, 64)]);
        b.add_struct("numbered", 16, &[("n", long, 0), ("m", long, 64)]);
        b.add_struct("said", 20, &[("len", int, 0), ("text", text, 32)]);
        let inner = b.add_struct("open", 4, &[("len", int, 0), ("text", open, 32)]);
        b.add_struct("nested", 8, &[("n", int, 0), ("of", inner, 32)]);
        b.build().unwrap()
    }

    fn fits(name: &str, len: usize, lengths: Lengths) -> bool {
        let btf = types();
        let id = btf.find(name, Kind::Struct).unwrap();
        let ty = EventType::new(&btf, id, Asked::Yes).unwrap();
        ty.misfit(len, lengths).is_none()
    }

    #[test]
    fn records_have_the_size_of_their_type() {
        for (name, len, expected) in [
            ("pair", 8, true),
            ("pair", 7, false),
            ("pair", 9, false),
            ("numbered", 16, true),
            ("numbered", 20, false),
            ("padded", 16, true),
            ("padded", 12, true),
            ("padded", 11, false),
            // Only the filled part of the array is sent.
            ("said", 20, true),
            ("said", 6, true),
            ("said", 4, true),
            ("said", 3, false),
            ("said", 21, false),
            // A flexible array has any length.
            ("open", 4, true),
            ("open", 1000, true),
            ("open", 3, false),
            ("nested", 8, true),
            ("nested", 100, true),
            ("nested", 7, false),
        ] {
            assert_eq!(fits(name, len, Lengths::Exact), expected, "{name}, {len}");
        }
    }

    #[test]
    fn samples_of_perf_buffers_are_padded() {
        for (name, len, expected) in [
            ("pair", 12, true),
            ("pair", 8, true),
            ("pair", 16, false),
            ("pair", 20, false),
            ("numbered", 20, true),
            ("numbered", 28, false),
            ("said", 20, true),
            ("said", 28, false),
        ] {
            assert_eq!(fits(name, len, Lengths::Padded), expected, "{name}, {len}");
        }
    }

    #[test]
    fn structures_are_found_by_size() {
        let btf = types();
        assert_eq!(
            structures_of(&btf, 20, Lengths::Exact),
            "; of that size: `said`"
        );
        assert_eq!(
            structures_of(&btf, 20, Lengths::Padded),
            "; of that size: `padded`, `numbered`, `said`"
        );
        assert_eq!(structures_of(&btf, 999, Lengths::Exact), "");
    }
}
