//! Which maps send events, and of which type.

use super::{OpenMap, OpenObject};
use crate::btf::{Btf, Kind};
use crate::kinds::MapType;
use crate::{Error, ErrorKind, Result, TypeId, did_you_mean};

/// How the type of the events of a map is known. Returned by [`OpenObject::event_type`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventType {
    /// The definition of the map states it.
    Stated(TypeId),
    /// The object has a `struct event`, as most objects that send events.
    Usual(TypeId),
    /// Nothing says it.
    Unknown,
}

impl OpenMap {
    /// Whether programs send events through it: it is a ring buffer or a perf event array.
    pub fn sends_events(&self) -> bool {
        matches!(self.kind, MapType::RINGBUF | MapType::PERF_EVENT_ARRAY)
    }
}

/// The types of events, for many maps of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventTypes {
    usual: Option<TypeId>,
}

impl EventTypes {
    pub(crate) fn of(open: &OpenObject) -> Self {
        Self {
            usual: open.btf().and_then(|btf| btf.find("event", Kind::Struct)),
        }
    }

    pub(crate) fn get(self, map: &OpenMap) -> EventType {
        // A perf event array's values are descriptors.
        if map.kind == MapType::RINGBUF && !map.value_type.is_void() {
            return EventType::Stated(map.value_type);
        }
        match self.usual {
            Some(id) if map.sends_events() => EventType::Usual(id),
            _ => EventType::Unknown,
        }
    }
}

impl OpenObject {
    /// The type of the events of a map: the one that it states (`__type(value, struct sample)`), else `struct event`.
    pub fn event_type(&self, map: &OpenMap) -> EventType {
        EventTypes::of(self).get(map)
    }

    /// The structure, union or typedef with this name.
    ///
    /// # Errors
    /// `NotFound` if there is none, or the object has no types; the message lists similar names.
    pub fn find_type(&self, name: &str) -> Result<TypeId> {
        let no_type = |why: &str| {
            let message = format!("the object has no structure `{name}`{why}");
            Error::new(ErrorKind::NotFound, message)
        };
        let Some(btf) = self.btf() else {
            return Err(no_type("; it has no type information"));
        };
        let mut found = [
            Kind::Struct,
            Kind::Typedef,
            Kind::Union,
            Kind::Enum,
            Kind::Enum64,
        ]
        .into_iter()
        .filter_map(|kind| btf.find(name, kind));
        if let Some(id) = found.next() {
            return Ok(id);
        }
        let near = did_you_mean(name, structures(btf));
        let error = no_type(&near);
        Err(if near.is_empty() {
            error.with_hint(
                "a structure that only local variables have is left out by the compiler: a global \
                 `const struct NAME *unused __attribute__((unused))` keeps it",
            )
        } else {
            error
        })
    }
}

fn structures<'b>(btf: &'b Btf<'_>) -> impl Iterator<Item = &'b str> {
    let named = btf.types().filter(|ty| ty.kind() == Kind::Struct);
    named.map(|ty| ty.name()).filter(|name| !name.is_empty())
}
