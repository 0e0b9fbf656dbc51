//! `rawbpf gen rust`: bindings, as the macro makes them.

use crate::cannot_print;
use clap::Args;
use rawbpf::bindings::{ObjectBytes, Rust};
use rawbpf::{Error, OpenObject, Result};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "The output is one module, for a crate that depends on `rawbpf`: in a build script, write it to OUT_DIR and `include!` it."
)]
pub(super) struct RustArgs {
    /// The object (.bpf.o)
    #[arg(value_name = "OBJECT")]
    object: PathBuf,
    /// The module's name [default: that of the object]
    #[arg(long = "mod", value_name = "NAME")]
    module: Option<String>,
    /// More types to write, by their names in C
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// More traits to derive for all types, such as serde::Serialize
    #[arg(long, value_name = "TRAIT", value_delimiter = ',')]
    derive: Vec<String>,
    /// The type of a map's events
    #[arg(long, value_name = "MAP=TYPE", value_parser = map_and_type)]
    event: Vec<(String, String)>,
    /// A map whose autocreate may be turned off: an Option
    #[arg(long, value_name = "MAP")]
    optional: Vec<String>,
}

fn map_and_type(text: &str) -> Result<(String, String), String> {
    let (map, type_name) = text.split_once('=').ok_or("it takes MAP=TYPE")?;
    Ok((map.to_owned(), type_name.to_owned()))
}

/// Writes the bindings, with the whole path of the object: the compiler would look for another one beside the output.
pub(super) fn rust(args: &RustArgs, out: &mut impl Write) -> Result<()> {
    let path = &args.object;
    let open = OpenObject::from_file(path)?;
    let whole = fs::canonicalize(path).map_err(|error| Error::from_io(error, "find", path))?;
    let mut bindings = Rust::new(&open)
        .types(&args.types)
        .object(ObjectBytes::Include(whole));
    if let Some(name) = &args.module {
        bindings = bindings.module(name);
    }
    for path in &args.derive {
        bindings = bindings.derive(path);
    }
    for (map, type_name) in &args.event {
        bindings = bindings.event(map, type_name);
    }
    for map in &args.optional {
        bindings = bindings.optional(map);
    }
    out.write_all(bindings.write()?.as_bytes())
        .map_err(cannot_print)
}
