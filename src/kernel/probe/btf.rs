//! What type information the kernel understands: each probe uploads a blob of a few types.

use super::Token;
use super::answer::{Answer, unless_refused};
use crate::btf::{BtfEditor, Info, Kind, VarSecinfo};
use crate::sys::bpf;
use crate::{Errno, TypeId};
use std::os::fd::{AsFd, OwnedFd};

const INT_SIGNED: u8 = 1;
const STATIC: u32 = 0;
const GLOBAL: u32 = 1;

fn load(editor: &BtfEditor, token: Token<'_>) -> Result<Option<OwnedFd>, Errno> {
    unless_refused(bpf::btf_load(&editor.finish(), token, None))
}

fn loads(editor: &BtfEditor, token: Token<'_>) -> Answer {
    Ok(load(editor, token)?.is_some())
}

/// A blob that starts with an `int`, as number 1.
fn with_int() -> (BtfEditor, TypeId) {
    let mut editor = BtfEditor::new();
    let int = editor.add_int("int", 4, INT_SIGNED);
    (editor, int)
}

pub(super) fn has_btf(token: Token<'_>) -> Answer {
    loads(&with_int().0, token)
}

fn has_function(linkage: usize, token: Token<'_>) -> Answer {
    let (mut editor, int) = with_int();
    let proto = editor.add_func_proto(TypeId::VOID, &[("a", int)]);
    let info = Info::of(Kind::Func).with_vlen(linkage);
    editor.add_type("x", info, proto.0, &[]);
    loads(&editor, token)
}

pub(super) fn has_functions(token: Token<'_>) -> Answer {
    has_function(0, token)
}

pub(super) fn has_global_functions(token: Token<'_>) -> Answer {
    has_function(1, token)
}

fn has_section_called(name: &str, token: Token<'_>) -> Answer {
    let (mut editor, int) = with_int();
    let variable = editor.add_var("x", int, STATIC);
    let place = VarSecinfo {
        type_id: variable,
        offset: 0,
        size: 4,
    };
    editor.add_datasec(name, 4, &[place]);
    loads(&editor, token)
}

pub(super) fn has_sections(token: Token<'_>) -> Answer {
    has_section_called(".data", token)
}

pub(super) fn has_question_mark_sections(token: Token<'_>) -> Answer {
    has_section_called("?.data", token)
}

pub(super) fn has_floats(token: Token<'_>) -> Answer {
    let mut editor = BtfEditor::new();
    editor.add_type("float", Info::of(Kind::Float), 4, &[]);
    loads(&editor, token)
}

pub(super) fn has_declaration_tags(token: Token<'_>) -> Answer {
    const WHOLE_DECLARATION: u32 = u32::MAX;
    let (mut editor, int) = with_int();
    let variable = editor.add_var("x", int, GLOBAL);
    let info = Info::of(Kind::DeclTag);
    editor.add_type("tag", info, variable.0, &[WHOLE_DECLARATION]);
    loads(&editor, token)
}

pub(super) fn has_type_tags(token: Token<'_>) -> Answer {
    let (mut editor, int) = with_int();
    let tag = editor.add_reference(Kind::TypeTag, "tag", int);
    editor.add_reference(Kind::Ptr, "", tag);
    loads(&editor, token)
}

pub(super) fn has_wide_enums(token: Token<'_>) -> Answer {
    let mut editor = BtfEditor::new();
    editor.add_type("enum64", Info::of(Kind::Enum64), 8, &[]);
    loads(&editor, token)
}

/// A header of 32 bytes, one `int`, strings, and a layout section that describes kinds 0 (void) and 1 (integers).
pub(super) fn has_layout(token: Token<'_>) -> Answer {
    const MAGIC: u16 = 0xeb9f;
    const HEADER: u32 = 32;
    const TYPES: u32 = 16;
    const STRINGS: &[u8; 8] = b"\0int\0\0\0\0";
    let int: [u32; 4] = [1, 1 << 24, 4, 32 | 1 << 24];
    let layout: [[u8; 4]; 2] = [[0, 0, 0, 0], [4, 0, 0, 0]];
    let mut blob = MAGIC.to_ne_bytes().to_vec();
    blob.extend([1, 0]);
    // Lengths and offsets of types, strings, layout.
    for word in [HEADER, 0, TYPES, TYPES, 8, TYPES + 8, 8] {
        blob.extend(word.to_ne_bytes());
    }
    blob.extend(int.iter().flat_map(|word| word.to_ne_bytes()));
    blob.extend(STRINGS);
    blob.extend(layout.iter().flatten());
    Ok(unless_refused(bpf::btf_load(&blob, token, None))?.is_some())
}

/// Kernels with module BTF can say what a BTF is called.
pub(super) fn has_module_btf(token: Token<'_>) -> Answer {
    let Some(btf) = load(&with_int().0, token)? else {
        return Ok(false);
    };
    Ok(unless_refused(bpf::btf_info(btf.as_fd()))?.is_some())
}
