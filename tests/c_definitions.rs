//! Definitions in C, checked by compilers: they compile without a warning, and sizes, offsets and bitfields are those of the
//! types.

use rawbpf::TypeId;
use rawbpf::btf::c::{Definitions, Header};
use rawbpf::btf::{Btf, BtfBuilder, IntEncoding, Kind, Member, Signedness};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The compilers to look for.
const COMPILERS: &[&str] = &["gcc", "clang", "clang-14", "clang-19"];

/// A program that checks the offsets of bitfields, and reports the result by its exit status.
const PROGRAM_START: &str = r"
static int wrong;
static void look(const unsigned char *bytes, unsigned long size, unsigned long offset, unsigned long width) {
	for (unsigned long bit = 0; bit < size * 8; bit++)
		if (((bytes[bit / 8] >> bit % 8) & 1) != (bit >= offset && bit < offset + width))
			wrong = 1;
}
#define BITFIELD(type, member, offset, width) { \
	union { type t; unsigned char b[sizeof(type)]; } u = { .b = { 0 } }; \
	u.t.member = ~0ull; \
	look(u.b, sizeof(u.b), offset, width); \
}
int main(void) {
";

/// The compilers that are installed.
fn compilers() -> Vec<&'static str> {
    let answers = |name: &&&str| {
        let version = Command::new(**name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found: Vec<_> = COMPILERS.iter().filter(answers).copied().collect();
    let is_ci = std::env::var_os("CI").is_some();
    assert!(
        !found.is_empty() || !is_ci,
        "no compiler of {COMPILERS:?} is here"
    );
    if found.is_empty() {
        eprintln!("skipped: no compiler of {COMPILERS:?} is here");
    }
    found
}

/// Checks the header with all compilers, for this machine and for BPF, and the bitfields on this machine.
fn check(what: &str, definitions: &mut Definitions<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let header = folder.path().join("types.h");
    let program = folder.path().join("program.c");
    let asserts = folder.path().join("asserts.c");
    fs::write(&header, definitions.text()).unwrap();
    let all = definitions.asserts().unwrap();
    assert!(all.contains("\nSIZE("), "{what}: nothing is asserted");
    fs::write(&asserts, format!("#include \"types.h\"\n{all}")).unwrap();
    let (macros, lines) = all.split_at(all.find("#endif\n").unwrap() + 7);
    let body = format!("#include \"types.h\"\n{PROGRAM_START}{lines}return wrong;\n}}\n{macros}");
    let body = body.replace("int main(void) {", &format!("{macros}int main(void) {{"));
    fs::write(&program, body).unwrap();
    for compiler in compilers() {
        let targets: &[&[&str]] = match compiler {
            "gcc" => &[&[]],
            _ => &[&[], &["--target=bpf"]],
        };
        for target in targets {
            let flags = ["-Wall", "-Werror", "-fsyntax-only"];
            run(
                what,
                Command::new(compiler)
                    .args(flags)
                    .args(*target)
                    .arg(&asserts),
            );
        }
        let binary = folder.path().join(compiler);
        run(
            what,
            Command::new(compiler)
                .args(["-Wno-overflow", "-w", "-o"])
                .args([&binary, &program]),
        );
        run(what, &mut Command::new(&binary));
    }
}

fn run(what: &str, command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let start: String = said.chars().take(2000).collect();
    assert!(
        output.status.success(),
        "{what}: {command:?}: {}\n{start}",
        output.status
    );
}

#[test]
fn kernels_types_are_laid_out_as_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/btf");
    for version in ["5.10", "6.1", "6.12", "6.18", "7.2"] {
        let btf = Btf::from_file(folder.join(format!("{version}.btf"))).unwrap();
        check(version, &mut Header::new(&btf).write().unwrap());
    }
}

#[test]
fn types_of_programs_are_laid_out_as_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for name in ["type_kinds", "values", "core_kinds", "tables", "globals"] {
        let btf = Btf::from_file(folder.join(format!("{name}.bpf.o"))).unwrap();
        check(name, &mut Header::new(&btf).write().unwrap());
    }
}

/// The expected output in a source file of the kernel's libbpf selftests, between markers: without the stars of the comment,
/// and without its first and last lines.
fn expected(source: &str) -> String {
    let (mut expected, mut is_inside) = (String::new(), false);
    for line in source.lines() {
        let is_start = line.contains("START-EXPECTED-OUTPUT");
        is_inside = is_start || is_inside && !line.contains("END-EXPECTED-OUTPUT");
        if is_inside && !line.contains("/*") && !line.contains("*/") {
            let text = line.trim_start_matches([' ', '\t']).strip_prefix('*');
            expected.push_str(text.unwrap_or(line));
            expected.push('\n');
        }
    }
    expected
}

#[test]
fn definitions_are_those_that_the_kernels_tests_expect() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/btf_dump");
    for name in [
        "bitfields",
        "multidim",
        "namespacing",
        "ordering",
        "packing",
        "padding",
        "syntax",
    ] {
        let source = fs::read_to_string(folder.join(format!("{name}.c"))).unwrap();
        let btf = Btf::from_file(folder.join(format!("{name}.btf"))).unwrap();
        let mut definitions = Definitions::new(&btf);
        for id in btf.own_ids() {
            definitions.add(TypeId(id)).unwrap();
        }
        let expected = expected(&source);
        assert!(expected.len() > 100, "{name}: {expected}");
        assert_eq!(definitions.text(), expected, "{name}");
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

/// Structures and unions that nobody would write: misaligned, overlapping, unordered, with bitfields across everything.
fn any_types(numbers: &mut Numbers) -> Vec<u8> {
    let mut b = BtfBuilder::new();
    let mut types: Vec<(TypeId, u32)> = vec![
        (b.add_int("char", 1, IntEncoding::SIGNED), 1),
        (b.add_int("short", 2, IntEncoding::SIGNED), 2),
        (b.add_int("unsigned int", 4, 0), 4),
        (b.add_int("long", 8, IntEncoding::SIGNED), 8),
        (b.add_int("__int128", 16, IntEncoding::SIGNED), 16),
        (
            b.add_enum("byte", 1, Signedness::Unsigned, [("BYTE", 1)]),
            1,
        ),
        (
            b.add_enum64("wide", 8, Signedness::Unsigned, [("WIDE", 1 << 40)]),
            8,
        ),
    ];
    let integers = 4;
    for number in 0..300 {
        let kind = if numbers.below(4) == 0 {
            Kind::Union
        } else {
            Kind::Struct
        };
        let (mut members, mut at, mut size) = (Vec::new(), 0, 0);
        for index in 0..numbers.below(7) {
            let ty = usize::try_from(numbers.below(u32::try_from(types.len()).unwrap())).unwrap();
            let (mut ty, mut bytes) = types[ty];
            let mut width = 0;
            let mut offset = match numbers.below(8) {
                // Overlaps previous members, or precedes them.
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
            if kind == Kind::Union && numbers.below(8) > 0 {
                offset = 0;
            }
            let end = offset + if width > 0 { width } else { bytes * 8 };
            at = end;
            size = size.max(end.div_ceil(8));
            let name = if bytes > 16 && numbers.below(3) == 0 {
                String::new()
            } else {
                format!("m{index}")
            };
            members.push((name, ty, offset, width));
        }
        size = match numbers.below(4) {
            0 => size + numbers.below(100),
            1 => size,
            _ => size.next_multiple_of(8),
        };
        let name = if numbers.below(4) == 0 {
            String::new()
        } else {
            format!("s{number}")
        };
        let members = members
            .iter()
            .map(|(name, ty, offset, width)| Member::new(name, *ty, *offset).bitfield(*width));
        let id = match kind {
            Kind::Union => b.add_union(&name, size, members),
            _ => b.add_struct(&name, size, members),
        };
        if size > 0 && size < 4000 {
            types.push((id, size));
        }
    }
    b.finish().unwrap()
}

#[test]
fn any_types_are_laid_out_as_they_are() {
    for seed in 1..=2 {
        let btf = Btf::from_vec(any_types(&mut Numbers(seed * 0x9e37_79b9))).unwrap();
        let mut definitions = Header::new(&btf).write().unwrap();
        assert!(definitions.text().contains("packed"));
        check(&format!("seed {seed}"), &mut definitions);
    }
}

#[test]
fn damaged_types_end_in_text_or_an_error() {
    let blob = any_types(&mut Numbers(7));
    let mut numbers = Numbers(11);
    let mut written = 0;
    for _ in 0..40 {
        let mut damaged = blob.clone();
        for _ in 0..8 {
            let at = 24
                + usize::try_from(numbers.below(u32::try_from(blob.len()).unwrap() - 24)).unwrap();
            damaged[at] = u8::try_from(numbers.below(256)).unwrap();
        }
        let Ok(btf) = Btf::from_vec(damaged) else {
            continue;
        };
        if let Ok(mut definitions) = Header::new(&btf).write() {
            written += usize::from(definitions.asserts().is_ok());
        }
        let mut definitions = Definitions::new(&btf);
        for id in btf.own_ids() {
            let _ = definitions.add(TypeId(id));
        }
        assert!(definitions.text().len() < 64 * blob.len() + (1 << 20));
    }
    assert!(written > 5, "only {written} could be read");
}
