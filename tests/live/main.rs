//! Live tests: what this machine's kernel does with what the library asks of it.
//!
//! Each test declares what it needs with `require!`, and is skipped with a printed line if that is missing; see `support`.
//! `cargo xtask vm` runs this program in virtual machines.

#[macro_use]
mod support;

mod alternatives;
mod archive;
#[cfg(feature = "tokio")]
mod asynchronous;
mod attach;
mod bindings;
mod by_hand;
mod globals;
mod handles;
mod jump_tables;
mod kinds;
mod liars;
mod library;
mod load;
mod logs;
mod machine;
mod map_definitions;
mod map_rules;
mod maps;
mod matrix;
mod misuse;
mod modules;
mod net;
mod perf_buffers;
mod perf_replacing;
mod pins;
mod plans;
mod programs;
mod reuse;
mod rings;
mod sections;
mod stacks;
mod streams;
mod struct_ops;
mod test_runs;
mod tokens;
mod typed;
mod user_rings;
mod workers;
