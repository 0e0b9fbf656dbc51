//! Reads any bytes as type information, adds it to itself, and keeps types that say the same once: what is left can be read, and is not
//! more than what is left of one copy, variables and sections aside.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::{Btf, BtfBuilder, Kind, Type};

/// Types that two files may have in common.
fn comparable(btf: &Btf<'_>) -> usize {
    let unique = |ty: &Type<'_>| matches!(ty.kind(), Kind::Var | Kind::Datasec);
    let refers_to_unique = |ty: &Type<'_>| {
        let mut targets = ty.referenced().filter_map(|id| btf.get(id).ok());
        targets.any(|target| unique(&target))
    };
    btf.types()
        .filter(|ty| !unique(ty) && !refers_to_unique(ty))
        .count()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(btf) = Btf::parse(bytes) else {
        return;
    };
    let deduped = |copies: u32| {
        let mut types = BtfBuilder::new();
        for _ in 0..copies {
            types.add_btf(&btf);
        }
        types.dedup();
        let once = types.build().ok()?;
        once.validate().ok();
        types.dedup();
        assert!(types.finish().is_ok_and(|again| again == once.bytes()));
        Some(once)
    };
    let Some(one) = deduped(1) else {
        return;
    };
    assert!(one.own_ids().len() <= btf.own_ids().len());
    let has_variables = one
        .types()
        .any(|ty| matches!(ty.kind(), Kind::Var | Kind::Datasec));
    let two = deduped(2).expect("twice what could be written");
    if !has_variables {
        assert_eq!(comparable(&one), comparable(&two));
    }
    let mut sorted = BtfBuilder::copy_of(&one);
    sorted.sort_by_name(None);
    let sorted = sorted.build().expect("as many types as before");
    assert_eq!(sorted.own_ids(), one.own_ids());
});
