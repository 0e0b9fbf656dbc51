//! Functions of a program or library by name, including symbols in separate debug files.

use super::binary::{Binary, Contents};
use super::glob;
use crate::debug_files::DebugFile;
use crate::elf::functions::Functions;
use crate::{Errno, Error, ErrorKind, Result};
use std::fmt::Write as _;

/// The offsets of the functions with these names in the program or library.
pub(super) fn offsets(binary: &Binary, contents: &Contents, names: &[&str]) -> Result<Vec<u64>> {
    let functions = Functions::open(contents)?;
    match functions.offsets(names) {
        Err(error) if functions.is_stripped() && error.kind() != ErrorKind::Elf => {}
        result => return result,
    }
    let found = separate(binary, &functions);
    add(&found, functions)?.offsets(names)
}

/// The offsets of the functions whose name matches a pattern, each of them once.
pub(super) fn matching(binary: &Binary, contents: &Contents, pattern: &str) -> Result<Vec<u64>> {
    let mut functions = Functions::open(contents)?;
    let found;
    if functions.is_stripped() {
        found = separate(binary, &functions);
        functions = add(&found, functions)?;
    }
    let mut offsets = Vec::new();
    functions.each(&|name| glob::matches(pattern, name), &mut |_, places| {
        offsets.extend(places.iter().map(|place| place.offset));
    })?;
    offsets.sort_unstable();
    offsets.dedup();
    if offsets.is_empty() {
        let message = format!("no function matches `{pattern}`");
        let error = Error::new(ErrorKind::NotFound, message).with_errno(Errno::ENOENT);
        return Err(match functions.advice() {
            Some(advice) => error.with_hint(advice),
            None => error,
        });
    }
    Ok(offsets)
}

/// The symbols of a stripped program, if they are to be found.
fn separate(binary: &Binary, functions: &Functions<'_>) -> DebugFile {
    let program = functions.executable();
    DebugFile::find(&binary.path, program).or_embedded(program)
}

/// Gives the symbols to the program, or the advice for want of them.
fn add<'r>(found: &'r DebugFile, functions: Functions<'r>) -> Result<Functions<'r>> {
    let Some(file) = &found.file else {
        return Ok(functions.with_advice(advice(found)));
    };
    functions
        .with_symbols_of(file.as_ref())
        .map_err(|e| e.context("its debug symbols"))
}

fn advice(found: &DebugFile) -> String {
    let mut advice = "the file is stripped".to_owned();
    if found.tried.is_empty() {
        advice.push_str(", and has no build ID or debug link to find its symbols by: use one that is not stripped");
    } else {
        let places = found.tried.join(", ");
        let _ = write!(advice, ": install its debug symbols (looked for {places})");
    }
    advice.push_str(", or give the offset in the file instead of the name");
    advice
}
