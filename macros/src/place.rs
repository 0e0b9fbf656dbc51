//! Where the object is.

use crate::options::Literal;
use proc_macro::Span;
use std::env;
use std::path::{Path, PathBuf};

/// The object's path: as it is, beside the file with the call, or in the package.
///
/// # Errors
/// Where it was looked for.
pub(crate) fn find(path: &Literal) -> Result<PathBuf, String> {
    let given = Path::new(&path.text);
    let tried: Vec<PathBuf> = if given.is_absolute() {
        vec![given.to_path_buf()]
    } else {
        let beside = folder(path.span);
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let folders = [beside, package].into_iter().flatten();
        folders.map(|folder| folder.join(given)).collect()
    };
    let is_there = |path: &&PathBuf| path.is_file();
    let whole = |path: &PathBuf| std::path::absolute(path).ok();
    if let Some(found) = tried.iter().find(is_there).and_then(whole) {
        return Ok(found);
    }
    let mut places: Vec<String> = tried
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    places.dedup();
    Err(format!(
        "there is no object `{}`: looked for it at {}",
        path.text,
        places.join(" and ")
    ))
}

/// The folder of the file with the call; `None` if no file has it.
fn folder(span: Span) -> Option<PathBuf> {
    // A literal that a macro passed on is in the file of the macro's caller all the same.
    let file = span
        .local_file()
        .or_else(|| Span::call_site().local_file())?;
    file.parent().map(Path::to_path_buf)
}
