//! Network interfaces by index or name.

use super::rtnetlink::{self, LinkFacts, Route};
use crate::kinds::AttachType;
use crate::{Errno, Error, ErrorKind, Result, did_you_mean};

/// A network interface, by its index or its name, in the network namespace of the thread that attaches.
///
/// ```
/// use rawbpf::attach::Interface;
/// let by_name = Interface::from("eth0");
/// let by_number = Interface::from(2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface(Which);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    Index(u32),
    Name(String),
}

impl From<u32> for Interface {
    fn from(index: u32) -> Self {
        Self(Which::Index(index))
    }
}

impl From<&str> for Interface {
    fn from(name: &str) -> Self {
        Self(Which::Name(name.to_owned()))
    }
}

impl From<String> for Interface {
    fn from(name: String) -> Self {
        Self(Which::Name(name))
    }
}

impl std::fmt::Display for Interface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Which::Index(index) => write!(f, "interface {index}"),
            Which::Name(name) => write!(f, "interface {name}"),
        }
    }
}

impl Interface {
    /// Its index. A name is looked up.
    ///
    /// # Errors
    /// `NotFound` if there is no interface with this name; the message lists the existing ones.
    #[doc(alias = "if_nametoindex")]
    pub fn index(&self) -> Result<u32> {
        match &self.0 {
            Which::Index(0) => Err(self.absent()),
            Which::Index(index) => Ok(*index),
            Which::Name(name) => match LinkFacts::named(&Route::open()?, name) {
                Ok(facts) => Ok(facts.index()),
                // A name that is too long is rejected with a different error number.
                Err(refusal)
                    if matches!(refusal.errno, Errno::ENODEV | Errno::ERANGE | Errno::EINVAL) =>
                {
                    Err(self.absent())
                }
                Err(refusal) => Err(rtnetlink::explained(
                    &refusal,
                    format!("cannot look {self} up"),
                )),
            },
        }
    }

    /// The error for an interface that does not exist, with those that do.
    pub(super) fn absent(&self) -> Error {
        let all = Route::open().and_then(|route| {
            LinkFacts::all(&route)
                .map_err(|refusal| rtnetlink::error(&refusal, "cannot list the interfaces"))
        });
        let names: Vec<_> = all
            .unwrap_or_default()
            .iter()
            .map(|one| (one.index(), one.name()))
            .collect();
        let near = match &self.0 {
            Which::Name(name) => did_you_mean(name, names.iter().map(|(_, name)| name.as_str())),
            Which::Index(_) => String::new(),
        };
        let error = Error::new(ErrorKind::NotFound, format!("there is no {self}{near}"))
            .with_errno(Errno::ENODEV);
        let list: Vec<_> = names
            .iter()
            .take(MOST_NAMES)
            .map(|(index, name)| format!("{name} ({index})"))
            .collect();
        let more = if names.len() > MOST_NAMES {
            " and more"
        } else {
            ""
        };
        error.with_hint(format!(
            "this network namespace has {}{more}",
            list.join(", ")
        ))
    }
}

/// How many names a message lists at most.
const MOST_NAMES: usize = 12;

/// The direction of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Incoming.
    Ingress,
    /// Outgoing.
    Egress,
}

impl Direction {
    pub(super) fn tcx(self) -> AttachType {
        match self {
            Self::Ingress => AttachType::TCX_INGRESS,
            Self::Egress => AttachType::TCX_EGRESS,
        }
    }

    pub(super) fn of(attach_type: AttachType) -> Option<Self> {
        match attach_type {
            AttachType::TCX_INGRESS => Some(Self::Ingress),
            AttachType::TCX_EGRESS => Some(Self::Egress),
            _ => None,
        }
    }
}
