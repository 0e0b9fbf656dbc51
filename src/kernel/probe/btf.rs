//! What type information the kernel understands: each probe uploads a blob of a few types.

use super::Token;
use super::answer::{Answer, unless_refused};
use crate::btf::{BtfBuilder, Enumerator, IntEncoding, Linkage, Signedness, VarSecinfo};
use crate::sys::bpf;
use crate::{Errno, TypeId};
use std::os::fd::{AsFd, OwnedFd};

/// Uploads types. The types of probes can always be encoded.
pub(super) fn upload(types: &BtfBuilder, token: Token<'_>) -> Result<OwnedFd, Errno> {
    let blob = types.finish().map_err(|_| Errno::EINVAL)?;
    bpf::btf_load(&blob, token, None)
}

fn load(types: &BtfBuilder, token: Token<'_>) -> Result<Option<OwnedFd>, Errno> {
    unless_refused(upload(types, token))
}

fn loads(types: &BtfBuilder, token: Token<'_>) -> Answer {
    Ok(load(types, token)?.is_some())
}

/// A blob that starts with an `int`, as type 1.
fn with_int() -> (BtfBuilder, TypeId) {
    let mut types = BtfBuilder::new();
    let int = types.add_int("int", 4, IntEncoding::SIGNED);
    (types, int)
}

pub(super) fn has_btf(token: Token<'_>) -> Answer {
    loads(&with_int().0, token)
}

fn has_function(linkage: Linkage, token: Token<'_>) -> Answer {
    let (mut types, int) = with_int();
    let proto = types.add_func_proto(TypeId::VOID, &[("a", int)]);
    types.add_func("x", linkage, proto);
    loads(&types, token)
}

pub(super) fn has_functions(token: Token<'_>) -> Answer {
    has_function(Linkage::Static, token)
}

pub(super) fn has_global_functions(token: Token<'_>) -> Answer {
    has_function(Linkage::Global, token)
}

fn has_section_called(name: &str, token: Token<'_>) -> Answer {
    let (mut types, int) = with_int();
    let variable = types.add_var("x", Linkage::Static, int);
    let place = VarSecinfo {
        type_id: variable,
        offset: 0,
        size: 4,
    };
    types.add_datasec(name, 4, &[place]);
    loads(&types, token)
}

pub(super) fn has_sections(token: Token<'_>) -> Answer {
    has_section_called(".data", token)
}

pub(super) fn has_question_mark_sections(token: Token<'_>) -> Answer {
    has_section_called("?.data", token)
}

pub(super) fn has_floats(token: Token<'_>) -> Answer {
    let mut types = BtfBuilder::new();
    types.add_float("float", 4);
    loads(&types, token)
}

pub(super) fn has_declaration_tags(token: Token<'_>) -> Answer {
    let (mut types, int) = with_int();
    let variable = types.add_var("x", Linkage::Global, int);
    types.add_decl_tag("tag", variable, None);
    loads(&types, token)
}

pub(super) fn has_type_tags(token: Token<'_>) -> Answer {
    let (mut types, int) = with_int();
    let tag = types.add_type_tag("tag", int);
    types.add_ptr(tag);
    loads(&types, token)
}

pub(super) fn has_wide_enums(token: Token<'_>) -> Answer {
    let mut types = BtfBuilder::new();
    types.add_enum64("enum64", 8, Signedness::Unsigned, Enumerator::NONE);
    loads(&types, token)
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

/// Kernels with module BTF can report a BTF's name.
pub(super) fn has_module_btf(token: Token<'_>) -> Answer {
    let Some(btf) = load(&with_int().0, token)? else {
        return Ok(false);
    };
    Ok(unless_refused(bpf::btf_info(btf.as_fd()))?.is_some())
}
