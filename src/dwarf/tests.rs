//! Programs built by the machine's C compiler, with every version and form of debug information that it supports.

use super::Encoder;
use crate::btf::{Btf, Kind};
use crate::{ErrorKind, TypeId};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A unit with only a declaration of `struct later`.
const FIRST: &str = r"
struct later;
enum color { RED, GREEN = 7, BLUE = -3 };
enum wide { HUGE_VALUE = 1ULL << 40 };
typedef unsigned long ulong_t;
union either { int i; float f; };
struct list { struct list *next; const struct list *prev; };
struct all {
    struct list links;
    struct later *later;
    unsigned low : 3, high : 5;
    int after : 4;
    enum color color;
    enum wide wide;
    ulong_t number;
    char matrix[2][3];
    union { short a; volatile long b; };
    int (*call)(struct all *self, int, ...);
    double rest[];
};
struct all *global;
union either either;
static int same(struct list *list) { return list != 0; }
static int twice(int number) { return number + 1; }
int (*keep[])(struct list *) = { same };
int (*hold)(int) = twice;
int visible(struct all *all, ulong_t number, struct later *later) { return all && number && later; }
int main(void) { return 0; }
";

/// One that defines it, and functions with the same names as others.
const SECOND: &str = r"
struct list { struct list *next; const struct list *prev; };
struct later { struct list *list; struct { int inner; } deep; };
static int same(struct list *list) { return list == 0; }
static long twice(long number, int other) { return number + other; }
int (*keep2)(struct list *) = same;
long (*hold2)(long, int) = twice;
int use_later(struct later *later) { return later->deep.inner; }
";

struct Built {
    _folder: TempDir,
    path: PathBuf,
}

/// Compiles and links both units.
fn build(options: &[&str]) -> Built {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in [("first.c", FIRST), ("second.c", SECOND)] {
        std::fs::write(folder.path().join(name), source).unwrap();
    }
    let path = folder.path().join("program");
    let done = Command::new("cc")
        .current_dir(folder.path())
        .args([
            "-O0",
            "-fno-eliminate-unused-debug-types",
            "first.c",
            "second.c",
            "-o",
            "program",
        ])
        .args(options)
        .status()
        .unwrap();
    assert!(done.success(), "{options:?}");
    Built {
        _folder: folder,
        path,
    }
}

fn encode(path: &Path) -> Btf<'static> {
    let bytes = Encoder::new().encode_file(path).unwrap();
    let btf = Btf::from_vec(bytes).unwrap();
    btf.validate().unwrap();
    btf
}

/// Name, bit offset and width of each member.
fn members(btf: &Btf<'_>, name: &str, kind: Kind) -> Vec<(String, u32, u32)> {
    let ty = btf.get(btf.find(name, kind).expect(name)).unwrap();
    let members = ty.members();
    members
        .map(|m| (m.name.to_owned(), m.bit_offset, m.bitfield_size))
        .collect()
}

fn check(btf: &Btf<'_>) {
    let member = |name: &str, offset, width| (name.to_owned(), offset, width);
    assert_eq!(
        members(btf, "all", Kind::Struct),
        [
            member("links", 0, 0),
            member("later", 128, 0),
            member("low", 192, 3),
            member("high", 195, 5),
            member("after", 200, 4),
            member("color", 224, 0),
            member("wide", 256, 0),
            member("number", 320, 0),
            member("matrix", 384, 0),
            member("", 448, 0),
            member("call", 512, 0),
            member("rest", 576, 0),
        ]
    );
    let either = members(btf, "either", Kind::Union);
    assert_eq!(either, [member("i", 0, 0), member("f", 0, 0)]);
    let all = btf.get(btf.find("all", Kind::Struct).unwrap()).unwrap();
    assert_eq!(all.size_field(), 72);
    let matrix = all.members().find(|m| m.name == "matrix").unwrap();
    let outer = btf.get(matrix.type_id).unwrap().array().unwrap();
    let inner = btf.get(outer.element).unwrap().array().unwrap();
    assert_eq!((outer.len, inner.len), (2, 3));
    let color = btf.get(btf.find("color", Kind::Enum).unwrap()).unwrap();
    let values: Vec<_> = color
        .enumerators()
        .map(|e| (e.name.to_owned(), e.value))
        .collect();
    let value = |name: &str, value| (name.to_owned(), value);
    assert_eq!(
        values,
        [value("RED", 0), value("GREEN", 7), value("BLUE", -3)]
    );
    let wide = btf.get(btf.find("wide", Kind::Enum64).unwrap()).unwrap();
    assert_eq!(wide.enumerators().next().unwrap().value, 1 << 40);
    assert!(btf.find("double", Kind::Float).is_some());
    assert_eq!(
        btf.size_of(btf.find("ulong_t", Kind::Typedef).unwrap()),
        Ok(8)
    );
}

/// Checks what depends on both units.
fn check_merged(btf: &Btf<'_>) {
    let count = |name: &str, kind| {
        let types = (1..btf.end_id()).map(|id| btf.get(TypeId(id)).unwrap());
        types
            .filter(|ty| ty.kind() == kind && ty.name() == name)
            .count()
    };
    assert_eq!(count("list", Kind::Struct), 1);
    assert_eq!(
        (count("later", Kind::Struct), count("later", Kind::Fwd)),
        (1, 0)
    );
    for (function, times) in [
        ("same", 1),
        ("twice", 0),
        ("visible", 1),
        ("use_later", 1),
        ("main", 1),
    ] {
        assert_eq!(count(function, Kind::Func), times, "{function}");
    }
    let visible = btf.get(btf.find("visible", Kind::Func).unwrap()).unwrap();
    let proto = btf.get(visible.target().unwrap()).unwrap();
    let params: Vec<_> = proto.params().map(|p| p.name.to_owned()).collect();
    assert_eq!(params, ["all", "number", "later"]);
}

#[test]
fn every_version_of_dwarf_is_read() {
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
        let built = build(&[version, "-gstrict-dwarf"]);
        let btf = encode(&built.path);
        check(&btf);
        check_merged(&btf);
    }
}

#[test]
fn compressed_sections_and_type_units_are_read() {
    for options in [
        &["-g", "-gz=zlib"][..],
        &["-gdwarf-4", "-fdebug-types-section"],
        &["-gdwarf-5", "-fdebug-types-section"],
        &["-g", "-flto"],
    ] {
        let built = build(options);
        let btf = encode(&built.path);
        check(&btf);
        check_merged(&btf);
    }
}

#[test]
fn objects_are_relocated() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("first.c");
    std::fs::write(&source, FIRST).unwrap();
    for options in [&["-g"][..], &["-gdwarf-4", "-gz=zlib"]] {
        let object = folder.path().join("first.o");
        let done = Command::new("cc")
            .args(["-c", "-fno-eliminate-unused-debug-types", "-o"])
            .arg(&object)
            .arg(&source)
            .args(options)
            .status();
        assert!(done.unwrap().success());
        check(&encode(&object));
    }
}

#[test]
fn variables_of_each_cpu_are_in_a_section() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("cpu.c");
    let percpu = r#"__attribute__((section(".data..percpu")))"#;
    let text = format!(
        "int other = 1; {percpu} long first = 1; {percpu} static short second[3] = {{1}}; void *use(void) {{ return second; }}"
    );
    std::fs::write(&source, text).unwrap();
    let object = folder.path().join("cpu.o");
    let done = Command::new("cc")
        .args(["-c", "-g", "-O0", "-o"])
        .arg(&object)
        .arg(&source)
        .status();
    assert!(done.unwrap().success());
    let btf = encode(&object);
    let section = btf
        .get(btf.find(".data..percpu", Kind::Datasec).unwrap())
        .unwrap();
    let variables: Vec<_> = section
        .variables()
        .map(|v| (btf.get(v.type_id).unwrap().name(), v.offset, v.size))
        .collect();
    assert_eq!(variables, [("first", 0, 8), ("second", 8, 6)]);
    assert_eq!(btf.find("other", Kind::Var), None);
}

#[test]
fn threads_change_nothing() {
    let own = std::env::current_exe().unwrap();
    let with = |threads: usize| {
        let threads = NonZero::new(threads).unwrap();
        Encoder::new().threads(threads).encode_file(&own).unwrap()
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn what_cannot_be_read_is_told() {
    let built = build(&["-g0"]);
    let error = Encoder::new().encode_file(&built.path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("-g")),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("first.c");
    std::fs::write(&source, FIRST).unwrap();
    let object = folder.path().join("first.o");
    let done = Command::new("cc")
        .args(["-c", "-g", "-gsplit-dwarf", "-o"])
        .arg(&object)
        .arg(&source)
        .status();
    assert!(done.unwrap().success());
    let error = Encoder::new().encode_file(&object).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains(".dwo"), "{error}");
    assert!(error.hint().unwrap().contains("-gsplit-dwarf"), "{error}");
    // The other part is not enough by itself either, neither for types nor for source locations.
    let part = folder.path().join("first.dwo");
    for error in [
        Encoder::new().encode_file(&part).unwrap_err(),
        super::Places::open_file(&part).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.hint().unwrap().contains("the program"), "{error}");
    }
}

#[test]
fn a_part_that_other_files_share_is_refused() {
    let built = build(&["-g"]);
    let link = built.path.with_extension("link");
    std::fs::write(&link, b"/usr/lib/debug/.dwz/x\0id").unwrap();
    let section = format!("--add-section=.gnu_debugaltlink={}", link.display());
    let done = Command::new("objcopy")
        .arg(section)
        .arg(&built.path)
        .status();
    assert!(done.unwrap().success());
    let error = Encoder::new().encode_file(&built.path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.hint().unwrap().contains("`dwz`"), "{error}");
}

#[test]
fn damage_does_no_harm() {
    let built = build(&["-gdwarf-5"]);
    let whole = std::fs::read(&built.path).unwrap();
    let mut random = 7_u64;
    for _ in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..8 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = usize::try_from(random >> 33).unwrap() % damaged.len();
            damaged[at] ^= u8::try_from(random >> 25 & 0xff).unwrap();
        }
        if let Ok(types) = Encoder::new().encode(&damaged) {
            assert!(types.len() < 8 * whole.len());
            Btf::from_vec(types).unwrap();
        }
    }
}
