//! What the commands print: events as they come ([`sources`] says which, [`readers`] waits for them, [`events`] prints them), maps
//! ([`maps`], of [`elements`], [`histogram`]s and stacks), streams, tables and JSON. All of it leaves by [`outlet`], through
//! [`escape`].

pub(crate) mod elements;
pub(crate) mod escape;
pub(crate) mod events;
pub(crate) mod histogram;
pub(crate) mod json;
pub(crate) mod maps;
pub(crate) mod outlet;
pub(crate) mod readers;
pub(crate) mod sources;
pub(crate) mod streams;
pub(crate) mod table;
