//! Netlink: how the kernel is asked about network interfaces and their traffic control.
//!
//! In: a [`Request`] of attributes. Out: the payloads that answer it, or a [`Refusal`] with the kernel's own message.
//! `message` builds and parses the bytes and is pure; only `socket` makes system calls. Not here: what the attributes of
//! interfaces and filters mean (see `attach`).

mod message;
mod socket;

pub use message::{Attributes, Malformed, Message, Messages, Refusal, Request};
pub use socket::{Family, Netlink};
