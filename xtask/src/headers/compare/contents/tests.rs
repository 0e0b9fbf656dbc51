use super::*;
use crate::fixtures::fixtures_dir;

fn differences(ours: &str, theirs: &str) -> Vec<String> {
    let of = |name: &str| Contents::of_file(&fixtures_dir().unwrap().join(name)).unwrap();
    of(ours).differences(&of(theirs))
}

#[test]
fn an_object_equals_itself() {
    for name in [
        "usdt.bpf.o",
        "core_kinds.bpf.o",
        "maps.bpf.o",
        "big_endian.bpf.o",
    ] {
        assert_eq!(differences(name, name), Vec::<String>::new());
    }
}

#[test]
fn another_layout_of_a_type_is_a_difference() {
    let found = differences("usdt.bpf.o", "usdt_first.bpf.o");
    let about: Vec<_> = found
        .iter()
        .filter_map(|text| text.split(':').next())
        .collect();
    for what in ["type STRUCT __bpf_usdt_arg_spec", "section usdt"] {
        assert!(about.contains(&what), "{about:?}");
    }
    // Equal in both.
    assert!(!about.contains(&"symbol __bpf_usdt_specs"), "{about:?}");
    assert!(
        found
            .iter()
            .any(|text| text.contains("idx_reg_off") && text.contains("theirs"))
    );
}
