//! What is generated, whatever the names are. `tests/bindings.rs` compiles the bindings of every fixture.

use super::{ObjectBytes, Rust};
use crate::ErrorKind;
use crate::btf::{BtfBuilder, FwdKind, IntEncoding};
use crate::open::{OpenObject, OpenOptions};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use syn::visit::{self, Visit};

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures", name]
        .iter()
        .collect()
}

fn fixture(name: &str) -> OpenObject {
    OpenObject::from_file(path(name)).unwrap()
}

/// The identifiers of a text, and what items its module has. Fails if it is not one module.
#[derive(Default)]
struct Parsed {
    identifiers: BTreeSet<String>,
    items: Vec<&'static str>,
}

impl Parsed {
    fn of(text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let [syn::Item::Mod(module)] = file.items.as_slice() else {
            panic!("not one module: {text}");
        };
        let mut parsed = Self::default();
        parsed.visit_item_mod(module);
        parsed
    }
}

impl Visit<'_> for Parsed {
    fn visit_ident(&mut self, name: &syn::Ident) {
        self.identifiers.insert(name.to_string());
    }

    fn visit_item(&mut self, item: &syn::Item) {
        self.items.push(match item {
            syn::Item::Struct(_) => "struct",
            syn::Item::Impl(_) => "impl",
            syn::Item::Fn(_) => "fn",
            syn::Item::Const(_) => "const",
            syn::Item::Use(_) => "use",
            syn::Item::Macro(_) => "macro",
            syn::Item::Type(_) => "type",
            syn::Item::Enum(_) => "enum",
            _ => "other",
        });
        visit::visit_item(self, item);
    }
}

#[test]
fn types_are_those_that_something_reaches() {
    let open = fixture("opensnoop.bpf.o");
    let text = Rust::new(&open).write().unwrap();
    for part in [
        "pub mod opensnoop {",
        "pub start: ::rawbpf::map::Map<u32, args>,",
        "pub events: ::rawbpf::ring::RingMap<event>,",
        "pub comm: ::rawbpf::btf::CharArray<16>,",
        "impl ::rawbpf::ring::PlainEvent for event {}",
        "impl ::rawbpf::btf::Layout for args {}",
        "/// `const volatile u32`\n        pub targ_tgid: u32,",
        "pub lost: ::rawbpf::load::Live<u64>,",
        "pub exit_open: ::rawbpf::bound::Bound<::rawbpf::bound::how::Said>,",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    // A pointer, and what the programs alone use.
    assert!(!text.contains("PlainEvent for args"), "{text}");
    assert!(!text.contains("trace_event_raw_sys_enter"), "{text}");
    // Without the bytes there is nothing to open.
    assert!(
        !text.contains("OBJECT") && !text.contains("fn open("),
        "{text}"
    );
    let text = Rust::new(&open)
        .module("snoop")
        .private()
        .types(["trace_event_raw_sys_enter"])
        .object(ObjectBytes::Include("/a \"b\"/c".into()))
        .write()
        .unwrap();
    assert!(
        text.contains("\nmod snoop {") && text.contains("pub struct trace_event_raw_sys_enter {")
    );
    assert!(text.contains(r#"include_bytes!("/a \"b\"/c")"#), "{text}");
}

#[test]
fn what_is_named_must_exist() {
    let open = fixture("opensnoop.bpf.o");
    let rust = || Rust::new(&open);
    for (rust, kind, words) in [
        (
            rust().types(["evnt"]),
            ErrorKind::NotFound,
            "did you mean `event`?",
        ),
        (
            rust().event("evens", "event"),
            ErrorKind::NotFound,
            "did you mean `events`?",
        ),
        (
            rust().event("events", "evnt"),
            ErrorKind::NotFound,
            "did you mean `event`?",
        ),
        (
            rust().event("start", "event"),
            ErrorKind::InvalidArgument,
            "those that do: events",
        ),
        (
            rust().optional("strat"),
            ErrorKind::NotFound,
            "did you mean `start`?",
        ),
    ] {
        let error = rust.write().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(words) && text.contains("opensnoop"), "{text}");
    }
}

/// Two maps send events, and one type is called `event`: nobody guesses.
#[test]
fn events_are_not_guessed() {
    let mut open = fixture("opensnoop.bpf.o");
    let mut second = open.maps[1].clone();
    second.name = "more".into();
    open.maps.push(second);
    let text = Rust::new(&open).write().unwrap();
    assert!(
        text.contains("pub events: ::rawbpf::ring::RingMap<[u8]>,"),
        "{text}"
    );
    assert!(
        text.contains("nothing says of which type its events are"),
        "{text}"
    );
    let text = Rust::new(&open).event("more", "args").write().unwrap();
    assert!(
        text.contains("pub more: ::rawbpf::ring::RingMap<args>,"),
        "{text}"
    );
}

#[test]
fn derives_are_added_once() {
    let open = fixture("globals.bpf.o");
    let rust = Rust::new(&open)
        .derive("Debug")
        .derive("std::cmp::PartialEq");
    let text = rust.write().unwrap();
    let structs = "#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, std::cmp::PartialEq)]";
    let enums = "PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]";
    assert!(text.contains(structs) && text.contains(enums), "{text}");
    Parsed::of(&text);
}

/// Ends every kind of place that a name can stand in, and then adds a function.
const HOSTILE: &str = "x\n}\"]`*/);r#type'\\\u{2028}\u{202e} fn injected() {} //";

/// Maps, programs, sections, variables and types whose names would be code, if they could.
fn with_hostile_names() -> OpenObject {
    let mut open = fixture("opensnoop.bpf.o");
    open.name = HOSTILE.into();
    for map in &mut open.maps {
        map.name.push_str(HOSTILE);
    }
    for program in &mut open.programs {
        program.name = HOSTILE.into();
        program.section.push_str(HOSTILE);
    }
    for variable in Arc::make_mut(&mut open.variables) {
        variable.name = HOSTILE.into();
    }
    let mut types = BtfBuilder::new();
    let int = types.add_int(HOSTILE, 4, IntEncoding::SIGNED);
    let choice = types.add_enum(HOSTILE, 4, crate::btf::Signedness::Unsigned, [(HOSTILE, 1)]);
    let far = types.add_fwd(HOSTILE, FwdKind::Struct);
    let pointer = types.add_ptr(far);
    let members = [
        (HOSTILE, int, 0),
        (HOSTILE, choice, 32),
        (HOSTILE, pointer, 64),
        (HOSTILE, int, 100),
    ];
    let inner = types.add_struct(HOSTILE, 16, members);
    let value = types.add_typedef(HOSTILE, inner);
    open.btf = Some(Arc::new(types.build().unwrap()));
    for map in &mut open.maps {
        (map.value_type, map.value_size) = (value, 16);
    }
    open
}

#[test]
fn no_name_becomes_code() {
    let open = with_hostile_names();
    let bytes = ObjectBytes::Include(PathBuf::from(format!("/{HOSTILE}")));
    let text = Rust::new(&open).object(bytes).write().unwrap();
    let parsed = Parsed::of(&text);
    assert!(!parsed.identifiers.contains("injected"), "{text}");
    let functions = parsed.items.iter().filter(|item| **item == "fn").count();
    // Those for bitfields and unions, and `open`.
    assert_eq!(functions, 7, "{text}");
    let has_no_order = |c: char| c == '\n' || c.is_ascii_graphic() || c == ' ';
    assert!(text.chars().all(has_no_order), "{text}");
}

/// What the kernel's C calls something may mean something else here.
#[test]
fn names_that_are_taken_give_way() {
    let mut open = fixture("opensnoop.bpf.o");
    for (program, name) in open
        .programs
        .iter_mut()
        .zip(["type", "self", "Self", "0", "a-b", "a_b"])
    {
        program.name = name.into();
    }
    let mut types = BtfBuilder::new();
    let int = types.add_int("int", 4, IntEncoding::SIGNED);
    let loaded = types.add_struct("Loaded", 4, [("object", int, 0)]);
    types.add_struct("Result", 4, [("Ok", int, 0)]);
    open.btf = Some(Arc::new(types.build().unwrap()));
    let start = &mut open.maps[0];
    (start.key_type, start.value_type, start.value_size) = (int, loaded, 4);
    let text = Rust::new(&open).types(["Result"]).write().unwrap();
    Parsed::of(&text);
    for part in [
        "pub start: ::rawbpf::map::Map<i32, Loaded___2>,",
        "pub r#type: ::rawbpf::bound::Bound",
        "pub self_: ::rawbpf::bound::Bound",
        "pub Self_: ::rawbpf::bound::Bound",
        "pub _0: ::rawbpf::bound::Bound",
        "pub a_b: ::rawbpf::bound::Bound",
        "pub a_b___2: ::rawbpf::bound::Bound",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

/// How programs of all kinds of sections are attached.
#[test]
fn programs_take_what_their_section_does_not_say() {
    let mut open = fixture("opensnoop.bpf.o");
    for (section, expected) in [
        ("kprobe/vfs_read", "Said"),
        ("kprobe", "Kprobe"),
        ("kretprobe/", "Kprobe"),
        ("kprobe.session", "KprobeMulti"),
        ("uprobe.s", "Uprobe"),
        ("uretprobe.multi", "UprobeMulti"),
        ("ksyscall", "Ksyscall"),
        ("kretsyscall", "Kretsyscall"),
        ("usdt/a:b:c", "Said"),
        ("usdt.s/a:b:c", "Usdt"),
        ("tp", "Tracepoint"),
        ("raw_tp", "RawTracepoint"),
        ("fentry", "Said"),
        ("fexit.multi", "TracingMulti"),
        ("lsm/file_open", "Said"),
        ("lsm_cgroup/socket_bind", "Cgroup"),
        ("iter/task", "Said"),
        ("xdp.frags", "Xdp"),
        ("xdp/devmap", "Unattached"),
        ("tc", "Tc"),
        ("tcx/egress", "Tc"),
        ("netkit/peer", "Netkit"),
        ("cgroup/connect4", "Cgroup"),
        ("sockops", "Cgroup"),
        ("sk_msg", "Sockmap"),
        ("sk_lookup", "Netns"),
        ("netfilter", "Netfilter"),
        ("socket", "Socket"),
        ("sk_reuseport", "Reuseport"),
        ("perf_event", "PerfEvent"),
        ("syscall", "Unattached"),
        ("struct_ops/x", "Unattached"),
    ] {
        let def = crate::open::SectionDef::find(section).unwrap();
        let program = &mut open.programs[0];
        program.section = section.into();
        program.def = Some(def);
        (program.kind, program.attach_type) = (def.kind, def.attach_type);
        assert_eq!(super::programs::how(program), expected, "{section}");
    }
}

/// The names of kinds here are those there.
#[test]
fn all_ways_to_attach_exist() {
    let there = include_str!("../bound/program.rs");
    let here = include_str!("programs.rs");
    let named = here.split('"').skip(1).step_by(2);
    for how in named.filter(|name| name.starts_with(char::is_uppercase)) {
        assert!(there.contains(&format!("        {how},\n")), "{how}");
    }
}

/// Without type information, sizes are all that is known.
#[test]
fn objects_without_types_have_bytes() {
    let open = fixture("no_btf.bpf.o");
    Parsed::of(&Rust::new(&open).write().unwrap());
}

/// Damage that opening does not notice must not make bad Rust, or much of it.
fn check_damaged(bytes: &[u8]) {
    let Ok(open) = OpenOptions::new().open_bytes(bytes) else {
        return;
    };
    if let Ok(text) = Rust::new(&open).write() {
        assert!(text.len() < 128 * bytes.len() + (1 << 20));
        Parsed::of(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn damaged_objects_end_in_rust_or_an_error(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = std::fs::read(path("rich.bpf.o")).unwrap();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        check_damaged(&bytes);
    }
}
