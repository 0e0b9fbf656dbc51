//! The stages of linking, in order.

use super::agree;
use super::declared::Declared;
use super::input::{Input, unsupported};
use super::layout::Layout;
use super::output::{self, Numbering};
use super::relocate;
use super::resolve::Resolved;
use super::types;
use crate::{Error, ErrorKind, Result};
use std::borrow::Cow;

/// A static linker for BPF objects: combines several objects into one.
///
/// Sections of the same name are merged. If a file declares a function, map or variable `extern`, it refers to the definition
/// in another file; `__weak` definitions give way to others, `__hidden` names are not visible to later links and loads, and
/// static ones stay local to their file. All files that mention a shared name must agree on its type, and on the definition if
/// it is a map. Names that no file defines stay unresolved, for the kernel or for another link. The output has the byte order
/// of its inputs.
///
/// Every file needs type information (`clang -g`) for the names that it shares. Types are merged and deduplicated, and
/// `.BTF.ext` is merged as well. Debug information (`.debug_*`) is dropped, since no loader reads it.
///
/// ```no_run
/// use rawbpf::OpenObject;
/// use rawbpf::linker::Linker;
///
/// # let (main, library) = (vec![], vec![]);
/// let linked = Linker::new()
///     .add("main.bpf.o", &main)
///     .add("library.bpf.o", &library)
///     .link()?;
/// let object = OpenObject::from_bytes(&linked)?;
/// # Ok::<(), rawbpf::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[doc(alias = "bpf_linker")]
pub struct Linker<'a> {
    inputs: Vec<(String, Cow<'a, [u8]>)>,
}

impl<'a> Linker<'a> {
    /// An empty linker.
    #[doc(alias("bpf_linker__new", "bpf_linker__new_fd"))]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object; `name` identifies it in errors. Of sections that may exist only once, the first one is kept.
    #[doc(alias("bpf_linker__add_buf", "bpf_linker__add_fd"))]
    pub fn add(&mut self, name: impl Into<String>, bytes: &'a [u8]) -> &mut Self {
        self.push(name.into(), Cow::Borrowed(bytes))
    }

    /// Adds an object, borrowed or owned.
    pub(crate) fn push(&mut self, name: String, bytes: Cow<'a, [u8]>) -> &mut Self {
        self.inputs.push((name, bytes));
        self
    }

    /// Links all objects, and returns the bytes of the output. The same objects in the same order give the same bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Elf`] or [`ErrorKind::Btf`] if an object is damaged or not a BPF object; [`ErrorKind::InvalidObject`] if
    /// objects contradict each other: two strong definitions of a name, different types or map definitions, sections of the
    /// same name but of different kinds, different licenses; [`ErrorKind::Unsupported`] if their byte orders differ, or if they
    /// contain something that cannot be linked. The message names the file and the symbol.
    #[doc(alias = "bpf_linker__finalize")]
    pub fn link(&self) -> Result<Vec<u8>> {
        let inputs = self.read()?;
        let Some(first) = inputs.first() else {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "there is nothing to link",
            ));
        };
        let order = first.byte_order();
        let lens = self.inputs.iter().map(|(_, bytes)| bytes.len());
        let bytes = u64::try_from(lens.sum::<usize>()).unwrap_or(u64::MAX);
        let mut layout = Layout::of(&inputs, bytes)?;
        let declared = inputs.iter().map(|input| {
            let declared = Declared::of(input);
            declared.map_err(|e| e.context(input.name.to_owned()))
        });
        let declared: Vec<Declared<'_>> = declared.collect::<Result<_>>()?;
        let resolved = Resolved::of(&inputs, &declared, &layout)?;
        agree::check(&inputs, &declared, &resolved)?;
        let numbering = Numbering::of_all(&layout, &resolved);
        relocate::relocate(&inputs, &resolved, &numbering, &mut layout)?;
        let types = types::merge(&inputs, order, &resolved, &mut layout)?;
        output::write(&inputs, order, &resolved, layout, types)
    }

    fn read(&self) -> Result<Vec<Input<'_>>> {
        let mut inputs: Vec<Input<'_>> = Vec::with_capacity(self.inputs.len());
        for (name, bytes) in &self.inputs {
            let input = Input::read(name, bytes).map_err(|e| e.context(name.clone()))?;
            if let Some(first) = inputs.first()
                && first.byte_order() != input.byte_order()
            {
                let (here, there) = (input.byte_order().name(), first.byte_order().name());
                let first = first.name;
                return Err(unsupported(format!(
                    "it is {here}, and {first} is {there}: an object has one byte order"
                ))
                .with_hint("compile all files with the same -target (bpfel or bpfeb)")
                .context(name.clone()));
            }
            inputs.push(input);
        }
        Ok(inputs)
    }
}
