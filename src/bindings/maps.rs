//! What a map is after loading.

use super::rust::Rust;
use crate::Result;
use crate::TypeId;
use crate::btf::rust::Definitions;
use crate::kinds::MapType;
use crate::open::{EventType, EventTypes, OpenMap};

/// The type of a map's field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Handle {
    /// A map of bytes.
    Plain,
    /// A map of keys and values.
    Typed { key: String, value: String },
    /// A ring buffer of events.
    Ring(String),
    /// A perf event array through which events are sent.
    Perf(String),
}

/// What says of which types events are.
#[derive(Debug)]
pub(super) struct Events<'o> {
    pub(super) options: &'o Rust<'o>,
    types: EventTypes,
    /// Whether a single map leaves it to the usual name.
    is_only: bool,
}

impl<'o> Events<'o> {
    pub(super) fn of(options: &'o Rust<'o>) -> Self {
        let types = EventTypes::of(options.open);
        let senders = options.open.maps().iter().filter(|map| map.sends_events());
        let unsaid = senders.filter(|map| !matches!(types.get(map), EventType::Stated(_)));
        Self {
            options,
            types,
            is_only: unsaid.count() == 1,
        }
    }

    /// Of the events of a map: the type that the caller named, that the map states, or that usually has them. The latter only if
    /// the object sends no events that it could confuse them with. And why it is this one.
    fn find(&self, map: &OpenMap) -> Result<Option<(TypeId, &'static str)>> {
        let asked = self.options.events.iter().find(|(of, _)| of == map.name());
        if let Some((_, type_name)) = asked {
            return Ok(Some((
                self.options.open.find_type(type_name)?,
                "as asked for",
            )));
        }
        Ok(match self.types.get(map) {
            EventType::Stated(id) => Some((id, "as the map states")),
            EventType::Usual(id) if self.is_only => Some((
                id,
                "because there is a type of this name, and no other map that it could be for; another one can be named for this map \
                 (`events(MAP = \"TYPE\")`)",
            )),
            _ => None,
        })
    }
}

/// Of a map that is no section, with a note for its comment.
pub(super) fn handle(
    events: &Events<'_>,
    definitions: &mut Definitions<'_>,
    map: &OpenMap,
) -> Result<(Handle, String)> {
    let kind = map.kind();
    if map.sends_events() {
        return sender(events, definitions, map);
    }
    let handle = match kind {
        MapType::USER_RINGBUF | MapType::ARENA | MapType::STRUCT_OPS | MapType::INSN_ARRAY => {
            Handle::Plain
        }
        _ => Handle::Typed {
            key: key(definitions, map)?,
            value: value(definitions, map)?,
        },
    };
    let note = match &handle {
        Handle::Typed { .. } => format!("{kind}, at most {} elements", map.max_entries()),
        _ => kind.to_string(),
    };
    Ok((handle, note))
}

/// The name of a type, once it has been written.
fn named(definitions: &mut Definitions<'_>, id: TypeId, size: u32) -> Result<String> {
    definitions.add(id)?;
    Ok(definitions.used(id, size).ty.into_owned())
}

fn key(definitions: &mut Definitions<'_>, map: &OpenMap) -> Result<String> {
    let (kind, size) = (map.kind(), map.key_size());
    if kind.is_local_storage() {
        return Ok(FD.to_owned());
    }
    if size == 0 {
        return Ok("()".to_owned());
    }
    if map.key_type().is_void() && size == 4 && is_numbered(kind) {
        return Ok("u32".to_owned());
    }
    named(definitions, map.key_type(), size)
}

fn value(definitions: &mut Definitions<'_>, map: &OpenMap) -> Result<String> {
    let (kind, size) = (map.kind(), map.value_size());
    let takes_descriptors = kind.is_fd_map() || kind.holds_sockets();
    if takes_descriptors && matches!(size, 4 | 8) {
        return Ok(FD.to_owned());
    }
    if kind == MapType::STACK_TRACE && map.value_type().is_void() && size.is_multiple_of(8) {
        return Ok(format!("[u64; {}]", size / 8));
    }
    let value = named(definitions, map.value_type(), size)?;
    Ok(if kind.is_per_cpu() {
        format!("::rawbpf::map::PerCpu<{value}>")
    } else {
        value
    })
}

const FD: &str = "::rawbpf::map::Fd";

/// Whether the keys are the numbers of the elements, even if the definition does not say of which type.
fn is_numbered(kind: MapType) -> bool {
    matches!(
        kind,
        MapType::ARRAY
            | MapType::PERCPU_ARRAY
            | MapType::PROG_ARRAY
            | MapType::ARRAY_OF_MAPS
            | MapType::CGROUP_ARRAY
            | MapType::STACK_TRACE
            | MapType::DEVMAP
            | MapType::CPUMAP
            | MapType::XSKMAP
            | MapType::SOCKMAP
            | MapType::REUSEPORT_SOCKARRAY
    )
}

/// Of a map that sends events.
fn sender(
    events: &Events<'_>,
    definitions: &mut Definitions<'_>,
    map: &OpenMap,
) -> Result<(Handle, String)> {
    let is_perf = map.kind() == MapType::PERF_EVENT_ARRAY;
    let Some((id, why)) = events.find(map)? else {
        let handle = if is_perf {
            Handle::Plain
        } else {
            Handle::Ring("[u8]".to_owned())
        };
        let note = "a buffer of bytes, because nothing says of which type its events are: name it (`events(MAP = \"TYPE\")`)";
        return Ok((handle, note.to_owned()));
    };
    let size = events
        .options
        .open
        .btf()
        .and_then(|btf| btf.size_of(id).ok());
    let event = named(definitions, id, size.unwrap_or_default())?;
    let note = format!("a buffer of `{event}`, {why}");
    let handle = if is_perf {
        Handle::Perf(event)
    } else {
        Handle::Ring(event)
    };
    Ok((handle, note))
}
