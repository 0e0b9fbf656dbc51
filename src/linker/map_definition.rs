//! Whether two files define a map identically: a declaration must repeat the whole definition.

use super::input::invalid;
use crate::btf::Btf;
use crate::open::{OpenMap, map_definition};
use crate::{Pinning, Result, TypeId};

/// Compares two types, one from each file.
type SameType<'c> = &'c mut dyn FnMut(TypeId, TypeId) -> Result<()>;

/// Checks that two map variables have equal definitions.
#[doc(alias = "glob_map_defs_match")]
pub(super) fn check(
    (a, a_id): (&Btf<'_>, TypeId),
    (b, b_id): (&Btf<'_>, TypeId),
    same_type: SameType<'_>,
) -> Result<()> {
    let (a, b) = (map_definition(a, a_id)?, map_definition(b, b_id)?);
    same(&a, &b, same_type)
}

#[doc(alias = "map_defs_match")]
fn same(a: &OpenMap, b: &OpenMap, same_type: SameType<'_>) -> Result<()> {
    let numbers = |map: &OpenMap| {
        [
            ("type", u64::from(map.kind.0)),
            ("key_size", u64::from(map.key_size)),
            ("value_size", u64::from(map.value_size)),
            ("max_entries", u64::from(map.max_entries)),
            ("map_flags", u64::from(map.flags)),
            ("numa_node", u64::from(map.numa_node)),
            ("map_extra", map.extra),
            ("pinning", u64::from(map.pinning == Pinning::ByName)),
        ]
    };
    for ((what, here), (_, there)) in numbers(a).into_iter().zip(numbers(b)) {
        if here != there {
            return Err(differs(what, &format!("{here} here, and {there} there")));
        }
    }
    for (what, here, there) in [
        ("key", a.key_type, b.key_type),
        ("value", a.value_type, b.value_type),
    ] {
        match (here.is_void(), there.is_void()) {
            (true, true) => {}
            (false, false) => {
                same_type(here, there).map_err(|e| e.context(format!("attribute `{what}`")))?;
            }
            _ => return Err(differs(what, "stated as a type in one place only")),
        }
    }
    match (&a.inner, &b.inner) {
        (Some(a), Some(b)) => same(a, b, same_type).map_err(|e| e.context("its inner map")),
        (None, None) => Ok(()),
        _ => Err(differs("values", "stated in one place only")),
    }
}

#[cold]
fn differs(what: &str, how: &str) -> crate::Error {
    invalid(format!("attribute `{what}` of the map is {how}")).with_hint(
        "a declared map repeats the whole definition: write it once, as a macro or in a header",
    )
}
