//! Netlink: the kernel's interface to interfaces and their traffic control.
//!
//! In: a [`Request`] of attributes. Out: the payloads that answer it, or a [`Refusal`] with the kernel's own words. The
//! bytes are made and taken apart in `message`, which is pure; only `socket` makes system calls. Not here: what the
//! attributes of interfaces and filters mean (see `attach`).

mod message;
mod socket;

pub use message::{Attributes, Malformed, Message, Messages, Refusal, Request};
pub use socket::{Family, Netlink};
