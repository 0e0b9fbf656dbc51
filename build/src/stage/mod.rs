//! Headers where clang can read them, under one folder that is named in `-I`.
//!
//! On Linux they are files in memory: nothing is written, so nothing is left behind, however the process ends. Elsewhere they are
//! files in a folder of their own, which is removed.

#[cfg(not(target_os = "linux"))]
mod folder;
#[cfg(target_os = "linux")]
mod memory;

#[cfg(not(target_os = "linux"))]
pub(crate) use folder::Staged;
#[cfg(target_os = "linux")]
pub(crate) use memory::Staged;

use std::borrow::Cow;

/// The name in `#include`, and the text.
pub(crate) type File<'a> = (&'a str, Cow<'a, str>);
