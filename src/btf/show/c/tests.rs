//! Exact definitions in C. `tests/c_definitions.rs` checks that compilers agree.

use super::*;
use crate::TypeId;
use crate::btf::{
    BtfBuilder, BtfError, Enumerator, FwdKind, IntEncoding, Linkage, Member, Signedness,
};

/// The output for all types of a blob, in the order of their ids.
fn written(make: impl FnOnce(&mut BtfBuilder)) -> String {
    let mut editor = BtfBuilder::new();
    make(&mut editor);
    let btf = editor.build().unwrap();
    let mut definitions = Definitions::new(&btf);
    for id in btf.own_ids() {
        definitions.add(TypeId(id)).unwrap();
    }
    definitions.take_text()
}

fn int(b: &mut BtfBuilder) -> TypeId {
    b.add_int("int", 4, IntEncoding::SIGNED)
}

/// A structure with bitfields: name, type, offset and width in bits.
fn bitfields(
    b: &mut BtfBuilder,
    name: &str,
    size: u32,
    members: &[(&'static str, TypeId, u32, u32)],
) -> TypeId {
    let bitfield = |(name, ty, offset, width): &(&'static str, TypeId, u32, u32)| {
        Member::new(name, *ty, *offset).bitfield(*width)
    };
    b.add_struct(name, size, members.iter().map(bitfield))
}

#[test]
fn complete_types_come_first_and_what_is_pointed_to_is_declared() {
    let text = written(|b| {
        let int = int(b);
        let outer = b.next_id();
        let [inner, ptr, back] = [1, 2, 3].map(|n| TypeId(outer.0 + n));
        b.add_struct("outer", 16, &[("inner", inner, 0), ("n", int, 64)]);
        b.add_struct("inner", 8, [("up", ptr, 0)]);
        b.add_ptr(back);
        b.add_typedef("outer_t", outer);
    });
    assert_eq!(
        text,
        "struct outer;\n\ntypedef struct outer outer_t;\n\n\
         struct inner {\n\touter_t *up;\n};\n\n\
         struct outer {\n\tstruct inner inner;\n\tint n;\n};\n\n"
    );
}

#[test]
fn an_array_behind_a_pointer_needs_its_element() {
    let text = written(|b| {
        let outer = b.next_id();
        let [ptr, array, element] = [1, 2, 3].map(|n| TypeId(outer.0 + n));
        b.add_struct("outer", 8, [("p", ptr, 0)]);
        b.add_ptr(array);
        b.add_array(element, element, 2);
        b.add_struct("element", 0, Member::NONE);
    });
    assert_eq!(
        text,
        "struct element {};\n\nstruct outer {\n\tstruct element (*p)[2];\n};\n\n"
    );
}

#[test]
fn one_name_is_given_once_in_each_space() {
    let text = written(|b| {
        let int = int(b);
        b.add_struct("s", 4, [("a", int, 0)]);
        b.add_fwd("s", FwdKind::Struct);
        b.add_union("s", 4, [("b", int, 0)]);
        b.add_typedef("s", int);
        b.add_enum("", 4, Signedness::Unsigned, [("s", 1), ("ONE", 1)]);
    });
    assert_eq!(
        text,
        "struct s {\n\tint a;\n};\n\nstruct s;\n\nunion s___2 {\n\tint b;\n};\n\n\
         typedef int s;\n\nenum {\n\ts___2 = 1,\n\tONE = 1,\n};\n\n"
    );
}

#[test]
fn gaps_and_packing_are_written_where_they_are_needed() {
    let text = written(|b| {
        let int = int(b);
        let long = b.add_int("long", 8, IntEncoding::SIGNED);
        b.add_struct("plain", 16, [("a", int, 0), ("b", long, 64)]);
        b.add_struct("gap", 12, [("a", int, 0), ("b", int, 64)]);
        b.add_struct("packed", 12, &[("a", int, 0), ("b", long, 32)]);
        b.add_struct("line", 24, [("a", int, 0)]);
        bitfields(
            b,
            "bits",
            8,
            &[("a", int, 3, 2), ("b", int, 10, 7), ("c", int, 32, 0)],
        );
    });
    assert_eq!(
        text,
        "struct plain {\n\tint a;\n\tlong b;\n};\n\n\
         struct gap {\n\tint a;\n\tlong: 0;\n\tint b;\n};\n\n\
         struct packed {\n\tint a;\n\tlong b;\n} __attribute__((packed));\n\n\
         struct line {\n\tint a;\n\tlong: 64;\n\tlong: 64;\n};\n\n\
         struct bits {\n\tchar: 3;\n\tint a: 2;\n\tchar: 3;\n\tchar: 2;\n\tint b: 7;\n\tint c;\n};\n\n"
    );
}

#[test]
fn a_named_structure_without_a_member_name_is_written_out() {
    let text = written(|b| {
        let int = int(b);
        let head = b.add_struct("head", 4, [("a", int, 0)]);
        let alias = b.add_typedef("head_t", head);
        b.add_struct("s", 8, [("", head, 0), ("", alias, 32)]);
    });
    let expected =
        "struct s {\n\tstruct {\n\t\tint a;\n\t};\n\tstruct {\n\t\tint a___2;\n\t};\n};\n\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn enumerations_have_their_size() {
    let text = written(|b| {
        b.add_enum("byte", 1, Signedness::Unsigned, [("A", 0)]);
        b.add_enum("half", 2, Signedness::Unsigned, [("B", 0)]);
        b.add_enum("none", 4, Signedness::Unsigned, Enumerator::NONE);
        b.add_enum("unsigned_", 4, Signedness::Unsigned, [("C", 4_294_967_295)]);
        b.add_enum64("word", 8, Signedness::Unsigned, [("D", 1)]);
        b.add_enum64("wide", 8, Signedness::Unsigned, [("E", 1 << 40)]);
        b.add_enum64("least", 8, Signedness::Signed, [("LEAST", i64::MIN)]);
        b.add_enum(
            "truth",
            4,
            Signedness::Unsigned,
            [("false", 0), ("true", 1)],
        );
    });
    assert_eq!(
        text,
        "enum byte {\n\tA = 0,\n} __attribute__((mode(byte)));\n\n\
         enum half {\n\tB = 0,\n} __attribute__((mode(HI)));\n\n\
         enum none;\n\n\
         enum unsigned_ {\n\tC = 4294967295,\n};\n\n\
         enum word {\n\tD = 1ULL,\n} __attribute__((mode(word)));\n\n\
         enum wide {\n\tE = 1099511627776ULL,\n};\n\n\
         enum least {\n\tLEAST = -9223372036854775807LL - 1,\n};\n\n\
         #if !defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L\n\
         enum truth {\n\tfalse = 0,\n\ttrue = 1,\n};\n#endif\n\n"
    );
}

#[test]
fn tags_become_attributes() {
    let text = written(|b| {
        let int = int(b);
        let user = b.add_type_tag("user", int);
        let ptr = b.add_ptr(user);
        let space = b.add_type_attr("address_space(1)", int);
        let arena = b.add_ptr(space);
        let evil = b.add_type_attr("packed)) evil((", int);
        let quoted = b.add_type_tag("\")) int x; //", evil);
        let both = b.add_ptr(quoted);
        let members = [("a", ptr, 0), ("b", arena, 64), ("c", both, 128)];
        let s = b.add_struct("s", 24, &members);
        b.add_decl_tag("all", s, None);
        b.add_decl_tag("second", s, Some(1));
    });
    assert_eq!(
        text,
        "struct s {\n\
         \tint __attribute__((btf_type_tag(\"user\"))) *a;\n\
         \tint __attribute__((address_space(1))) *b __attribute__((btf_decl_tag(\"second\")));\n\
         \tint __attribute__((btf_type_tag(\"_)) int x; //\"))) *c;\n\
         } __attribute__((btf_decl_tag(\"all\")));\n\n"
    );
}

#[test]
fn names_of_other_languages_become_names_of_c() {
    let text = written(|b| {
        let word = b.add_int("u32", 4, 0);
        let odd = b.add_int("int", 2, IntEncoding::SIGNED);
        let float = b.add_float("f64", 8);
        let members = [
            ("default", word, 0),
            ("1", odd, 32),
            ("a-b", float, 64),
            ("a.b", word, 128),
        ];
        b.add_struct("Option<&str>", 24, &members);
    });
    assert_eq!(
        text,
        "typedef unsigned int u32;\n\ntypedef double f64;\n\n\
         struct Option__str_ {\n\tu32 default_;\n\tshort _1;\n\tf64 a_b;\n\tu32 a_b___2;\n};\n\n"
    );
}

#[test]
fn what_holds_itself_becomes_bytes() {
    let text = written(|b| {
        let a = b.next_id();
        let other = TypeId(a.0 + 1);
        b.add_struct("a", 8, [("b", other, 0)]);
        b.add_struct("b", 8, [("a", a, 0)]);
        let later = b.add_fwd("later", FwdKind::Struct);
        b.add_struct("c", 4, [("later", later, 0)]);
    });
    assert_eq!(
        text,
        "struct a;\n\nstruct b {\n\tunsigned char a[8];\n};\n\nstruct a {\n\tstruct b b;\n};\n\n\
         struct later;\n\nstruct c {\n\tunsigned char later[0];\n\tint: 32;\n};\n\n"
    );
    // Without names there is no cycle, but no end either.
    let text = written(|b| {
        let anonymous = b.next_id();
        let ptr = TypeId(anonymous.0 + 1);
        b.add_struct("", 16, &[("value", anonymous, 0), ("ptr", ptr, 64)]);
        b.add_ptr(anonymous);
        b.add_typedef("t", anonymous);
    });
    assert!(text.contains("void *ptr;") && text.len() < 200, "{text}");
}

#[test]
fn a_header_declares_kernel_functions() {
    let mut b = BtfBuilder::new();
    let int = int(&mut b);
    let task = b.add_fwd("task_struct", FwdKind::Struct);
    let ptr = b.add_ptr(task);
    let proto = b.add_func_proto(int, &[("p", ptr), ("register", int)]);
    for name in ["bpf_b", "bpf_a", "not_one"] {
        let function = b.add_func(name, Linkage::Static, proto);
        if name != "not_one" {
            b.add_decl_tag("bpf_kfunc", function, None);
        }
        if name == "bpf_b" {
            b.add_decl_tag("bpf_fastcall", function, None);
        }
    }
    let btf = b.build().unwrap();
    let text = Header::new(&btf).write().unwrap().take_text();
    let functions = "extern int bpf_a(struct task_struct *p, int register_) __weak __ksym;\n\
                     __bpf_fastcall extern int bpf_b(struct task_struct *p, int register_) __weak __ksym;\n#endif\n";
    assert!(text.contains(functions), "{text}");
    assert!(!text.contains("not_one"));
    assert!(
        text.starts_with("#ifndef __VMLINUX_H__\n")
            && text.ends_with("#endif /* __VMLINUX_H__ */\n")
    );
    // For a subset of the types, nothing else.
    let text = Header::new(&btf).only([task]).write().unwrap().take_text();
    assert!(text.contains("\n\nstruct task_struct;\n\n#if") && !text.contains("bpf_a"));
    // Unless they are among them.
    let named = |name| btf.find(name, crate::btf::Kind::Func).unwrap();
    let some = Header::new(&btf).only([named("bpf_a"), named("not_one")]);
    let text = some.write().unwrap().take_text();
    assert!(
        text.contains("extern int bpf_a(struct task_struct *p"),
        "{text}"
    );
    assert!(!text.contains("bpf_b") && !text.contains("not_one"));
}

#[test]
fn types_are_sorted_by_name_unless_they_need_another() {
    let mut b = BtfBuilder::new();
    let int = int(&mut b);
    let late = b.add_struct("z", 4, [("a", int, 0)]);
    b.add_struct("b", 4, [("a", int, 0)]);
    b.add_struct("a", 4, [("z", late, 0)]);
    let btf = b.build().unwrap();
    let order = |order| {
        let text = Header::new(&btf).order(order).write().unwrap().take_text();
        let names = text.lines().filter_map(|line| line.strip_prefix("struct "));
        names.map(|name| name[..1].to_owned()).collect::<String>()
    };
    assert_eq!(order(Order::Names), "zab");
    assert_eq!(order(Order::Numbers), "zba");
}

#[test]
fn asserts_tell_sizes_and_offsets() {
    let mut b = BtfBuilder::new();
    let int = int(&mut b);
    let inner = b.add_struct("", 8, [("x", int, 0), ("y", int, 32)]);
    let va_list = b.add_typedef("__builtin_va_list", int);
    let with_list = b.add_struct("w", 24, [("list", va_list, 0)]);
    let s = b.add_struct(
        "s",
        20,
        &[("a", int, 0), ("", inner, 32), ("in", inner, 96)],
    );
    let btf = b.build().unwrap();
    let mut definitions = Definitions::new(&btf);
    for id in [s, with_list] {
        definitions.add(id).unwrap();
    }
    let asserts = definitions.asserts().unwrap();
    let lines: Vec<_> = asserts
        .lines()
        .filter(|line| line.starts_with(['S', 'M']))
        .collect();
    assert_eq!(
        lines,
        [
            "SIZE(struct s, 20ull)",
            "MEMBER(struct s, a, 0, 4ull)",
            "MEMBER(struct s, x, 4, 4ull)",
            "MEMBER(struct s, y, 8, 4ull)",
            "MEMBER(struct s, in, 12, 8ull)",
            "MEMBER(struct s, in.x, 12, 4ull)",
            "MEMBER(struct s, in.y, 16, 4ull)",
        ]
    );
    assert_eq!(
        asserts,
        definitions.asserts().unwrap(),
        "asking does not change anything"
    );
}

/// Found by fuzzing: anonymous structures that contain themselves and each other, which took unbounded time.
#[test]
fn what_holds_itself_many_times_is_asserted_in_bounded_time() {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, IntEncoding::SIGNED);
    let first = b.next_id();
    let second = TypeId(first.0 + 1);
    let members = |other: TypeId, own: TypeId| {
        [
            ("", other, 0),
            ("", own, 0),
            ("x", int, 0),
            ("y", other, 0),
            ("z", own, 32),
        ]
    };
    b.add_struct("", 64, members(second, first));
    b.add_struct("", 64, members(first, second));
    let named = b.add_struct("s", 64, [("", first, 0), ("in", second, 0)]);
    let btf = b.build().unwrap();
    let mut definitions = Definitions::new(&btf);
    let _ = definitions.add(named);
    if let Ok(asserts) = definitions.asserts() {
        assert!(asserts.contains("SIZE(struct s, 64ull)"), "{asserts}");
    }
    assert!(definitions.text().len() < 1 << 20);
}

/// Adds types, more for a larger number.
type Make<'m> = &'m dyn Fn(&mut BtfBuilder, u32);

/// The work for the types that `make` adds for this number.
fn work(make: impl Fn(&mut BtfBuilder, u32), n: u32) -> usize {
    let mut b = BtfBuilder::new();
    make(&mut b, n);
    let btf = b.build().unwrap();
    let mut definitions = Definitions::new(&btf);
    let before = definitions.work_left();
    for id in btf.own_ids() {
        definitions.add(TypeId(id)).unwrap();
    }
    before - definitions.work_left() + definitions.text().len()
}

#[test]
fn twice_the_types_are_twice_the_work() {
    let many_members = |b: &mut BtfBuilder, n: u32| {
        let int = int(b);
        let names: Vec<String> = (0..n).map(|i| format!("m{i}")).collect();
        let members: Vec<_> = (0..n)
            .zip(&names)
            .map(|(i, name)| (name.as_str(), int, i * 32))
            .collect();
        b.add_struct("s", n * 4, &members);
    };
    let same_names = |b: &mut BtfBuilder, n: u32| {
        let int = int(b);
        let members: Vec<_> = (0..n).map(|i| ("same", int, i * 32)).collect();
        b.add_struct("s", n * 4, &members);
        for _ in 0..n {
            b.add_struct("same", 4, [("a", int, 0)]);
        }
    };
    let nested = |b: &mut BtfBuilder, n: u32| {
        // The outermost first: the nesting is deep.
        let first = b.next_id();
        for i in 1..n {
            b.add_struct("s", 8, [("in", TypeId(first.0 + i), 0)]);
        }
        b.add_struct("s", 8, Member::NONE);
    };
    let upon_each_other = |b: &mut BtfBuilder, n: u32| {
        let int = int(b);
        let members: Vec<_> = (0..n).map(|i| ("m", int, i * 8)).collect();
        b.add_struct("s", n + 3, &members);
    };
    let typedefs = |b: &mut BtfBuilder, n: u32| {
        let first = b.next_id();
        for i in 0..n {
            let ptr = b.add_ptr(TypeId(first.0 + 3 * i + 3));
            let t = b.add_typedef("t", ptr);
            b.add_struct("s", 8, [("t", t, 0)]);
        }
        b.add_int("int", 4, 0);
    };
    let cases: [(&str, Make<'_>); 5] = [
        ("many members", &many_members),
        ("same names", &same_names),
        ("nested", &nested),
        ("upon each other", &upon_each_other),
        ("typedefs", &typedefs),
    ];
    for (name, make) in cases {
        let [once, twice] = [2000, 4000].map(|n| work(make, n));
        assert!(
            twice < once * 5 / 2,
            "{name}: {once} for 2000, {twice} for 4000"
        );
    }
}

#[test]
fn text_without_end_is_an_error() {
    // Each function takes the one before it twice: 2^40 words.
    let mut b = BtfBuilder::new();
    let mut inner = int(&mut b);
    for _ in 0..40 {
        let proto = b.add_func_proto(inner, &[("a", inner), ("b", inner)]);
        inner = b.add_ptr(proto);
    }
    let last = b.add_typedef("t", inner);
    let btf = b.build().unwrap();
    let mut definitions = Definitions::new(&btf);
    assert!(matches!(definitions.add(last), Err(BtfError::TooMuch(_))));
    assert!(definitions.text().len() < 1 << 22);
}
