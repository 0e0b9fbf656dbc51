//! The output of commands: events ([`sources`] finds their types, [`readers`] waits for them, [`events`] prints them), maps
//! ([`maps`], using [`elements`], [`histogram`]s and stacks), streams, types ([`types`], [`differences`]), tables and JSON; on
//! a terminal, the progress of long operations ([`progress`]). All output passes through [`escape`] and [`outlet`].

pub(crate) mod differences;
pub(crate) mod elements;
pub(crate) mod escape;
pub(crate) mod events;
pub(crate) mod histogram;
pub(crate) mod json;
pub(crate) mod maps;
pub(crate) mod outlet;
pub(crate) mod progress;
pub(crate) mod readers;
pub(crate) mod sources;
pub(crate) mod streams;
pub(crate) mod table;
pub(crate) mod types;
