use super::*;
use rawbpf::insn::Helper as Known;

#[test]
fn the_committed_header_is_what_the_table_says() {
    let committed = include_str!("../../../../build/include/bpf/bpf_helper_defs.h");
    assert!(
        committed == header().unwrap(),
        "out of date: run `cargo xtask headers`"
    );
}

#[test]
fn numbers_and_names_are_those_that_the_library_knows() {
    let table: Vec<_> = all().unwrap();
    let ours = table
        .iter()
        .map(|helper| (helper.number, Some(helper.name)));
    // Without number 0, which is no function.
    let known = Known::ALL.iter().map(|helper| (helper.0, helper.name()));
    assert!(ours.eq(known.skip(1)));
}

/// The versions that the library states in messages: the first helper of each, in lines such as `(156, v(5, 11)),`.
#[test]
fn versions_are_those_that_the_library_states() {
    let version = |text: &str| -> (u32, u32) {
        let (major, minor) = text.split_once('.').unwrap();
        (major.parse().unwrap(), minor.parse().unwrap())
    };
    let table = all().unwrap();
    let versions: Vec<_> = table.iter().map(|helper| version(helper.since)).collect();
    assert!(
        versions.is_sorted(),
        "numbers are given out in order of time"
    );
    let mut compared = 0;
    for line in include_str!("../../../../src/since.rs").lines() {
        let Some((number, since)) = line.trim().split_once(", v(") else {
            continue;
        };
        let Some(number) = number.strip_prefix('(') else {
            continue;
        };
        let (since, _) = since.split_once("))").unwrap();
        let first: usize = number.parse().unwrap();
        let since = version(&since.replace(", ", "."));
        let around = versions.get(first - 2..first).unwrap();
        assert!(
            around[0] < since && around[1] == since,
            "{line}: {around:?}"
        );
        compared += 1;
    }
    assert_eq!(compared, 12);
}

#[test]
fn a_row_becomes_a_declaration() {
    let helper =
        Helper::parse("7 | 4.1 | struct a_struct *bpf_x(struct b_struct *b, __u32 n) | Text.")
            .unwrap();
    assert_eq!(
        helper.declaration(),
        "static struct a_struct *(*const bpf_x)(struct b_struct *b, __u32 n) = (void *)7;\n"
    );
    assert!(helper.structs().eq(["a_struct", "b_struct"]));
    for row in [
        "1 | 4.1 | long bpf_x(void)",
        "1 | 4.1 | long bpf_x(void) | Text. | more",
        "1 | 4.1 | long bpf_x | Text.",
        "1 | 4.1 | long other(void) | Text.",
        "1 | 4.1 | long bpf_x(void | Text.",
        "1 | 4.1 | long bpf_x(void) | Text */",
        "x | 4.1 | long bpf_x(void) | Text.",
    ] {
        assert!(Helper::parse(row).is_err(), "{row}");
    }
}

#[test]
fn long_comments_are_wrapped() {
    let mut text = String::new();
    push_comment(&mut text, &"word ".repeat(60));
    assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    assert!(text.starts_with("/*\n * word word") && text.ends_with("\n */\n"));
    let mut text = String::new();
    push_comment(&mut text, "word");
    assert_eq!(text, "/* word */\n");
}
