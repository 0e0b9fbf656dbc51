//! Reads arbitrary bytes as type information and asks everything about every type.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::Btf;

fuzz_target!(|bytes: &[u8]| {
    let Ok(btf) = Btf::parse(bytes) else {
        return;
    };
    let valid = btf.validate().is_ok();
    for ty in btf.types() {
        let _ = (
            ty.name(),
            ty.kind(),
            ty.linkage(),
            ty.int_encoding(),
            ty.tag_component(),
        );
        let _ = (
            ty.members().count(),
            ty.enumerators().count(),
            ty.params().count(),
        );
        let _ = (ty.variables().count(), ty.array(), ty.resolved().is_ok());
        let _ = (btf.size_of(ty.id()), btf.align_of(ty.id()));
        if valid && let Some(target) = ty.target() {
            assert!(btf.get(target).is_ok());
        }
    }
    let _ = btf.find("task_struct", rawbpf::btf::Kind::Struct);
});
