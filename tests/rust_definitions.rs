//! Definitions in Rust, checked by the compiler: they compile without a warning, with `zerocopy` as the only dependency, and
//! read the output of BPF programs.

use rawbpf::btf::rust::{Definitions, Module, PRELUDE};
use rawbpf::btf::{Btf, BtfBuilder, IntEncoding, Kind, Member, Signedness};
use rawbpf::{ByteOrder, TypeId};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The compiler that this test was compiled with.
fn compiler() -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--edition", "2024", "-D", "warnings"]);
    command
}

/// `zerocopy` as built by cargo for this test, with its macros: next to this program. Of several builds (for build scripts,
/// without macros) it is the first that works.
fn zerocopy() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let program = std::env::current_exe().unwrap();
        let built = fs::read_dir(program.parent().unwrap()).unwrap();
        let built = built.map(|entry| entry.unwrap().path());
        let is_library = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("libzerocopy-") && name.ends_with(".rlib")
        };
        let source = "#[derive(::zerocopy::FromBytes)] #[repr(C)] pub struct S(u8);";
        let works = |library: &PathBuf| {
            compile(
                source,
                library,
                &["--crate-type=lib", "--emit=metadata"],
                None,
            )
            .is_ok()
        };
        built.filter(is_library).find(works)
    });
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "no zerocopy, or no rustc"
    );
    if found.is_none() {
        eprintln!("skipped: there is no build of zerocopy that rustc can use");
    }
    found.as_deref()
}

/// Compiles a text; returns the compiler's messages if that fails.
fn compile(
    source: &str,
    zerocopy: &Path,
    flags: &[&str],
    output: Option<&Path>,
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("types.rs");
    fs::write(&file, source).unwrap();
    let mut dependencies = std::ffi::OsString::from("dependency=");
    dependencies.push(zerocopy.parent().unwrap());
    let mut library = std::ffi::OsString::from("zerocopy=");
    library.push(zerocopy);
    let mut command = compiler();
    command
        .args(flags)
        .arg("-L")
        .arg(dependencies)
        .arg("--extern")
        .arg(library);
    command
        .arg("-o")
        .arg(output.unwrap_or(&folder.path().join("types")));
    let done = command
        .arg(&file)
        .output()
        .map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(said.chars().take(3000).collect())
}

fn check(what: &str, module: &str) {
    let Some(zerocopy) = zerocopy() else { return };
    if let Err(said) = compile(
        module,
        zerocopy,
        &["--crate-type=lib", "--emit=metadata"],
        None,
    ) {
        panic!("{what}: {said}");
    }
}

fn fixture(name: &str) -> Btf<'static> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    Btf::from_file(folder.join(name)).unwrap()
}

#[test]
fn kernels_types_compile() {
    for version in ["5.10", "6.1", "6.12", "6.18", "7.2"] {
        let btf = fixture(&format!("btf/{version}.btf"));
        check(version, Module::new(&btf).write().unwrap().text());
    }
}

#[test]
fn types_of_programs_compile() {
    for name in ["type_kinds", "values", "core_kinds", "tables", "globals"] {
        let btf = fixture(&format!("{name}.bpf.o"));
        check(name, Module::new(&btf).write().unwrap().text());
    }
}

/// Pseudorandom numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Names that are valid in C and not in Rust, that have a meaning in the output, or that are invalid in any language.
const NAMES: &[&str] = &[
    "type",
    "self",
    "Self",
    "crate",
    "_",
    "match",
    "u32",
    "bool",
    "str",
    "Option",
    "Some",
    "Clone",
    "Debug",
    "core",
    "zerocopy",
    "FromBytes",
    "get_bits",
    "set_bits",
    "value",
    "value_",
    "slf",
    "candidate",
    "bytes",
    "ptr",
    "meta",
    "f",
    "state",
    "other",
    "Vec<u8>",
    "a::b",
    "3d",
    "größe",
    "x\ny",
    "`",
    "_pad0",
    "_bits0",
    "_size",
    "anon_0",
    "set_m1",
    "s1_m1",
    "m1",
];

/// Structures, unions and enumerations that nobody would write: misaligned, overlapping, with bitfields across everything, with
/// names that have another meaning.
fn any_types(numbers: &mut Numbers) -> Vec<u8> {
    let mut b = BtfBuilder::new();
    let mut types: Vec<(TypeId, u32)> = Vec::new();
    for (name, size, flags) in [
        ("char", 1, IntEncoding::SIGNED),
        ("_Bool", 1, IntEncoding::BOOL),
        ("short", 2, IntEncoding::SIGNED),
        ("unsigned int", 4, 0),
        ("long", 8, IntEncoding::SIGNED),
        ("__int128", 16, IntEncoding::SIGNED),
    ] {
        types.push((b.add_int(name, size, flags), size));
    }
    let integers = u32::try_from(types.len()).unwrap();
    types.push((b.add_float("double", 8), 8));
    types.push((b.add_float("long double", 16), 16));
    let one_of = |numbers: &mut Numbers, count: usize| {
        usize::try_from(numbers.below(u32::try_from(count).unwrap())).unwrap()
    };
    for number in 0..120 {
        let name = match numbers.below(4) {
            0 => NAMES[one_of(numbers, NAMES.len())].to_owned(),
            _ => format!("s{number}"),
        };
        let (of, of_size) = types[one_of(numbers, types.len())];
        match numbers.below(10) {
            0 => {
                let wide = numbers.below(2) == 1;
                let constants = (0..numbers.below(4))
                    .map(|index| (NAMES[one_of(numbers, NAMES.len())], i64::from(index)));
                let constants: Vec<_> = constants.collect();
                let size = [1, 2, 4][one_of(numbers, 3)];
                let id = if wide {
                    b.add_enum64(&name, 8, Signedness::Signed, &constants)
                } else {
                    b.add_enum(&name, size, Signedness::Unsigned, &constants)
                };
                types.push((id, if wide { 8 } else { size }));
            }
            1 => types.push((b.add_typedef(&name, of), of_size)),
            2 => {
                let len = numbers.below(5);
                types.push((b.add_array(of, TypeId(4), len), of_size * len));
            }
            3 => types.push((b.add_ptr(of), 8)),
            kind => {
                let is_union = kind < 6;
                let (mut members, mut at, mut size) = (Vec::new(), 0, 0);
                for index in 0..numbers.below(7) {
                    let (mut ty, mut bytes) = types[one_of(numbers, types.len())];
                    let mut width = 0;
                    let mut offset = match numbers.below(8) {
                        0 => numbers.below(at + 64) / 8 * 8,
                        1 => at.next_multiple_of(8) + 8 * numbers.below(40),
                        2 => at.next_multiple_of(8),
                        _ => at.next_multiple_of(8 * bytes.next_power_of_two().clamp(1, 16)),
                    };
                    if numbers.below(3) == 0 {
                        (ty, bytes) = types[usize::try_from(numbers.below(integers)).unwrap()];
                        width = 1 + numbers.below(bytes * 8);
                        offset = at + numbers.below(3) * numbers.below(20);
                    }
                    if is_union && numbers.below(8) > 0 {
                        offset = 0;
                    }
                    at = offset + if width > 0 { width } else { bytes * 8 };
                    size = size.max(at.div_ceil(8));
                    let name = match numbers.below(6) {
                        0 => String::new(),
                        1 => NAMES[one_of(numbers, NAMES.len())].to_owned(),
                        _ => format!("m{index}"),
                    };
                    members.push((name, ty, offset, width));
                }
                size = match numbers.below(4) {
                    0 => size + numbers.below(100),
                    1 => size,
                    _ => size.next_multiple_of(8),
                };
                let members = members.iter().map(|(name, ty, offset, width)| {
                    Member::new(name, *ty, *offset).bitfield(*width)
                });
                let name = if numbers.below(4) == 0 { "" } else { &name };
                let id = if is_union {
                    b.add_union(name, size, members)
                } else {
                    b.add_struct(name, size, members)
                };
                if size < 4000 {
                    types.push((id, size));
                }
            }
        }
    }
    b.finish().unwrap()
}

#[test]
fn any_types_compile() {
    for seed in 1..=2 {
        let btf = Btf::from_vec(any_types(&mut Numbers(seed * 0x9e37_79b9))).unwrap();
        let module = Module::new(&btf).write().unwrap();
        let text = module.text();
        assert!(text.contains("packed") && text.contains("_bits0") && text.contains("___2"));
        check(&format!("seed {seed}"), module.text());
    }
}

/// Damage may change any numbers, names and references: the output compiles all the same.
#[test]
fn damaged_types_compile() {
    let blob = any_types(&mut Numbers(7));
    let mut numbers = Numbers(11);
    let mut written = 0;
    for _ in 0..200 {
        let mut damaged = blob.clone();
        for _ in 0..6 {
            let at = 24
                + usize::try_from(numbers.below(u32::try_from(blob.len()).unwrap() - 24)).unwrap();
            damaged[at] = u8::try_from(numbers.below(256)).unwrap();
        }
        let Ok(btf) = Btf::from_vec(damaged) else {
            continue;
        };
        let Ok(module) = Module::new(&btf).write() else {
            continue;
        };
        written += 1;
        if written <= 2 {
            check(&format!("damaged types {written}"), module.text());
        }
    }
    assert!(written > 20, "only {written} could be read");
}

/// Linux 6.18 has a union with the members `md` and `rnd`, in whose names `zerocopy` makes identifiers, which the compiler finds
/// to look alike.
#[test]
fn names_may_look_alike() {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, IntEncoding::SIGNED);
    let members = [Member::new("md", int, 0), Member::new("rnd", int, 0)];
    b.add_union("either", 4, members);
    let btf = b.build().unwrap();
    check(
        "names that look alike",
        Module::new(&btf).write().unwrap().text(),
    );
}

/// A program with definitions and a handwritten `main` reads bytes, and reports the result by its exit status.
#[test]
fn bytes_are_read_by_the_types() {
    let Some(zerocopy) = zerocopy() else { return };
    let btf = fixture("opensnoop.bpf.o");
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, IntEncoding::SIGNED);
    let bool = b.add_int("_Bool", 1, IntEncoding::BOOL);
    let choice = b.add_enum(
        "choice",
        4,
        Signedness::Unsigned,
        [("FIRST", 1), ("type", 5)],
    );
    let members = [
        Member::new("low", int, 0).bitfield(5),
        Member::new("yes", bool, 5).bitfield(1),
        Member::new("which", choice, 6).bitfield(11),
        Member::new("sure", bool, 32),
    ];
    b.add_struct("flags", 8, members);
    let flag = b.add_struct("flag", 1, [("sure", bool, 0)]);
    let long = b.add_int("long", 8, 0);
    let members = [
        Member::new("word", long, 0),
        Member::new("low", int, 0).bitfield(5),
        Member::new("number", int, 0),
        Member::new("choice", choice, 32),
        Member::new("flag", flag, 0),
    ];
    b.add_union("either", 8, members);
    let flags = b.build().unwrap();
    let mut source = format!(
        "#![allow(dead_code, unused_imports, non_camel_case_types, non_upper_case_globals)]\n{PRELUDE}\n"
    );
    let mut definitions = Definitions::new(&btf);
    definitions
        .add(btf.find("event", Kind::Struct).unwrap())
        .unwrap();
    source.push_str(definitions.text());
    let mut definitions = Definitions::new(&flags);
    for (name, kind) in [("flags", Kind::Struct), ("either", Kind::Union)] {
        definitions.add(flags.find(name, kind).unwrap()).unwrap();
    }
    source.push_str(definitions.text());
    assert_eq!(btf.byte_order(), ByteOrder::Native);
    source.push_str(MAIN);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    if let Err(said) = compile(&source, zerocopy, &["--crate-type=bin"], Some(&program)) {
        panic!("{said}");
    }
    let done = Command::new(&program).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Bytes as the programs on the other side write them.
const MAIN: &str = r#"
fn main() {
    use ::zerocopy::TryFromBytes;
    let mut bytes = vec![0u8; 304];
    bytes[..8].copy_from_slice(&0x1122334455667788u64.to_ne_bytes());
    bytes[8..12].copy_from_slice(&77u32.to_ne_bytes());
    bytes[20..24].copy_from_slice(&(-2i32).to_ne_bytes());
    bytes[32..36].copy_from_slice(b"cat\0");
    bytes[48..55].copy_from_slice(b"/a/file");
    let read = event::read_from_bytes(&bytes).unwrap();
    assert_eq!((read.ts, read.pid, read.ret), (0x1122334455667788, 77, -2));
    assert_eq!(&read.comm[..4], b"cat\0");
    assert_eq!(&read.fname[..7], b"/a/file");
    assert_eq!(read.as_bytes(), bytes);
    assert!(format!("{read:?}").contains("pid: 77"));

    // -3 in 5 bits, true, 5 in 11 bits.
    let word: u32 = if cfg!(target_endian = "big") {
        0b11101 << 27 | 1 << 26 | 5 << 15
    } else {
        0b11101 | 1 << 5 | 5 << 6
    };
    let mut bytes = [0u8; 8];
    bytes[..4].copy_from_slice(&word.to_ne_bytes());
    bytes[4] = 1;
    let mut read = flags::try_read_from_bytes(&bytes).unwrap();
    assert_eq!((read.low(), read.yes(), read.which(), read.sure), (-3, true, choice::r#type, true));
    read.set_low(7);
    read.set_yes(false);
    read.set_which(choice(2047));
    assert_eq!((read.low(), read.yes(), read.which()), (7, false, choice(2047)));
    read.set_which(choice::FIRST);
    assert_eq!((read.low(), read.yes(), read.which()), (7, false, choice::FIRST));
    // What is no truth value is refused.
    bytes[4] = 2;
    assert!(flags::try_read_from_bytes(&bytes).is_err());

    let mut either = either::read_from_bytes(&[0u8; 8]).unwrap();
    either.set_number(-3);
    either.set_choice(choice::r#type);
    assert_eq!((either.number(), either.choice()), (-3, choice::r#type));
    let (low, high) = (-3i32 as u32, 5u32);
    let bytes = [low.to_ne_bytes(), high.to_ne_bytes()].concat();
    assert_eq!((either.as_bytes(), either.word()), (&bytes[..], u64::from_ne_bytes(bytes[..].try_into().unwrap())));
    if cfg!(target_endian = "little") {
        assert_eq!(either.low(), -3);
    }
    assert!(either.flag().is_none());
    either.set_flag(flag { sure: true });
    assert!(either.flag().unwrap().sure);
    either.set_word(u64::MAX);
    assert_eq!((either.number(), either.choice()), (-1, choice(u32::MAX)));
}
"#;
