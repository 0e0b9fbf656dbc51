//! Requests to the kernel about interfaces and their traffic control (rtnetlink).

use super::refusal;
use crate::sys::netlink::{Attributes, Family, Netlink, Refusal, Request};
use crate::{Errno, Error, Result};
use std::sync::{Mutex, PoisonError};

/// A connection, which stays in the network namespace that its thread had when it was opened.
#[derive(Debug)]
pub(super) struct Route(Mutex<Netlink>);

impl Route {
    pub(super) fn open() -> Result<Self> {
        Self::open_family(Family::Route)
    }

    pub(super) fn open_family(family: Family) -> Result<Self> {
        let netlink = Netlink::open(family);
        let netlink =
            netlink.map_err(|errno| Error::from_errno(errno, "cannot open a netlink socket"))?;
        Ok(Self(Mutex::new(netlink)))
    }

    pub(super) fn ask(&self, request: &Request) -> Result<Vec<Vec<u8>>, Refusal> {
        let mut netlink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        netlink.ask(request)
    }
}

/// An error with the kernel's own message, if it has one.
pub(super) fn error(refusal: &Refusal, message: impl Into<String>) -> Error {
    let message = message.into();
    let message = match &refusal.words {
        Some(words) => format!(
            "{message}: the kernel says: {}",
            words.trim_end_matches('.')
        ),
        None => message,
    };
    Error::from_errno(refusal.errno, message)
}

/// [`error`] with a hint about missing permissions and the like.
pub(super) fn explained(refusal: &Refusal, message: impl Into<String>) -> Error {
    let error = error(refusal, message);
    match refusal.errno {
        Errno::EPERM => refusal::explain(Errno::EPERM, error),
        _ => error,
    }
}

/// `struct ifinfomsg`
pub(super) fn link_body(index: u32) -> [u8; 16] {
    let mut body = [0; 16];
    for (to, from) in body.iter_mut().skip(4).zip(index.to_ne_bytes()) {
        *to = from;
    }
    body
}

/// `RTM_GETLINK`
const GET_LINK: u16 = 18;
/// `IFLA_IFNAME`, `IFLA_MTU`
const NAME: u16 = 3;
const MTU: u16 = 4;

/// What the kernel reports about an interface.
#[derive(Debug)]
pub(super) struct LinkFacts(Vec<u8>);

impl LinkFacts {
    /// Of the interface with this index.
    pub(super) fn of(route: &Route, index: u32) -> Result<Self, Refusal> {
        let request = Request::new(GET_LINK, 0, &link_body(index));
        Self::first(route.ask(&request)?)
    }

    /// Of the interface with this name.
    pub(super) fn named(route: &Route, name: &str) -> Result<Self, Refusal> {
        let request = Request::new(GET_LINK, 0, &link_body(0)).text(NAME, name);
        Self::first(route.ask(&request)?)
    }

    fn first(answer: Vec<Vec<u8>>) -> Result<Self, Refusal> {
        let first = answer.into_iter().next();
        first.map(Self).ok_or(Errno::ENODEV.into())
    }

    /// Of all interfaces.
    pub(super) fn all(route: &Route) -> Result<Vec<Self>, Refusal> {
        let request = Request::new(GET_LINK, Request::DUMP, &link_body(0));
        Ok(route.ask(&request)?.into_iter().map(Self).collect())
    }

    pub(super) fn index(&self) -> u32 {
        let field = self.0.get(4..8).and_then(|bytes| bytes.first_chunk());
        field.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    }

    pub(super) fn attributes(&self) -> Attributes<'_> {
        Attributes::after(16, &self.0)
    }

    pub(super) fn name(&self) -> String {
        self.attributes().text(NAME).unwrap_or_default()
    }

    pub(super) fn mtu(&self) -> Option<u32> {
        self.attributes().number(MTU)
    }
}
