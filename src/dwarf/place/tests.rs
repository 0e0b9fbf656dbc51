//! Source locations in programs built by the machine's C compiler, in every version and form of debug information that it
//! supports.

use super::Places;
use crate::ErrorKind;
use crate::frame::Frame;
use object::{Object, ObjectSymbol};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// `innermost` is inlined into `middle`, and that into `outer`.
const SOURCE: &str = r"volatile int sink;
static inline __attribute__((always_inline)) void innermost(int n)
{
    sink = n * 3;
}
static inline __attribute__((always_inline)) void middle(int n)
{
    sink = n;
    innermost(n + 1);
}
__attribute__((noinline)) void plain(int n)
{
    sink = n;
}
__attribute__((noinline)) void outer(int n)
{
    sink = 2;
    middle(n);
    plain(n);
}
int main(void)
{
    outer(sink);
    return 0;
}
";

/// A second unit, whose functions follow.
const OTHER: &str = r"extern volatile int sink;
void unused(void) { sink = 9; }
int elsewhere(int n)
{
    sink = n;
    return n + 1;
}
";

struct Built {
    folder: TempDir,
    path: PathBuf,
}

fn build(options: &[&str]) -> Built {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("inlined.c"), SOURCE).unwrap();
    std::fs::write(folder.path().join("other.c"), OTHER).unwrap();
    let path = folder.path().join("program");
    let done = Command::new("cc")
        .current_dir(folder.path())
        .args(["-O2", "-ffunction-sections", "-Wl,--gc-sections"])
        .args([
            "-Wl,--undefined=elsewhere",
            "inlined.c",
            "other.c",
            "-o",
            "program",
        ])
        .args(options)
        .status()
        .unwrap();
    assert!(done.success(), "{options:?}");
    Built { folder, path }
}

/// The addresses of a function.
fn function(path: &Path, name: &str) -> std::ops::Range<u64> {
    let bytes = std::fs::read(path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let symbol = file.symbols().find(|s| s.name() == Ok(name)).expect(name);
    symbol.address()..symbol.address() + symbol.size()
}

fn shown(frame: &Frame) -> String {
    let file = frame.file.as_deref().unwrap_or("?");
    let file = file.rsplit('/').next().unwrap();
    let name = frame.function.as_deref().unwrap_or("?");
    let inlined = if frame.is_inlined { " (inlined)" } else { "" };
    format!("{name} {file}:{}{inlined}", frame.line.unwrap_or(0))
}

fn check(built: &Built) {
    let mut places = Places::open_file(&built.path).unwrap();
    let mut seen = Vec::new();
    for address in function(&built.path, "outer") {
        let frames = places.frames(address).unwrap();
        let frames: Vec<_> = frames.iter().map(shown).collect();
        if !seen.contains(&frames) {
            seen.push(frames);
        }
    }
    let deepest = [
        "innermost inlined.c:4 (inlined)",
        "middle inlined.c:9 (inlined)",
        "outer inlined.c:18",
    ];
    assert!(seen.iter().any(|frames| frames == &deepest), "{seen:?}");
    let start = function(&built.path, "plain").start;
    let frames = places.frames(start).unwrap();
    assert_eq!(frames.len(), 1);
    // The start of the body is possible, too.
    assert!(["plain inlined.c:12", "plain inlined.c:13"].contains(&&*shown(&frames[0])));
    let folder = built.folder.path().canonicalize().unwrap();
    let file = folder.join("inlined.c");
    assert_eq!(Path::new(frames[0].file.as_ref().unwrap()), file);
    let start = function(&built.path, "elsewhere").start;
    let frames = places.frames(start).unwrap();
    assert!(["elsewhere other.c:4", "elsewhere other.c:5"].contains(&&*shown(&frames[0])));
    // In the debug information, discarded code is at address zero.
    for address in [0, 1, 8, u64::MAX] {
        assert_eq!(places.frames(address).unwrap(), []);
    }
}

#[test]
fn every_version_of_dwarf_names_functions_and_lines() {
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
        check(&build(&[version]));
        check(&build(&[version, "-gno-strict-dwarf", "-no-pie"]));
    }
}

#[test]
fn every_form_of_dwarf_names_functions_and_lines() {
    for options in [
        &["-g", "-gz=zlib"] as &[&str],
        &["-g", "-fdebug-types-section"],
        &["-g", "-flto"],
        &["-g", "-gdwarf64"],
        &["-g", "-gno-column-info", "-static-pie"],
    ] {
        check(&build(options));
    }
}

#[test]
fn files_without_a_list_of_addresses_are_searched() {
    let built = build(&["-g"]);
    let removed = Command::new("objcopy")
        .arg("--remove-section=.debug_aranges")
        .arg(&built.path)
        .status()
        .unwrap();
    assert!(removed.success());
    check(&built);
}

#[test]
fn without_units_of_their_own_lines_are_named_alone() {
    let built = build(&["-g", "-gsplit-dwarf"]);
    let mut places = Places::open_file(&built.path).unwrap();
    let start = function(&built.path, "plain").start;
    let frames = places.frames(start).unwrap();
    assert!(["? inlined.c:12", "? inlined.c:13"].contains(&&*shown(&frames[0])));
}

#[test]
fn a_program_without_debug_information_is_refused() {
    let built = build(&["-s"]);
    let error = Places::open_file(&built.path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint().unwrap().contains("-g"), "{error}");
}

/// Compares with `addr2line` of binutils: every address of some functions, and each frame of it.
#[test]
fn addr2line_says_the_same() {
    for options in [&["-g"] as &[&str], &["-gdwarf-4"], &["-gdwarf-2"]] {
        let built = build(options);
        let addresses: Vec<u64> = ["outer", "plain", "main", "elsewhere"]
            .into_iter()
            .flat_map(|name| function(&built.path, name))
            .collect();
        let Some(theirs) = addr2line(&built.path, &addresses) else {
            return;
        };
        let mut places = Places::open_file(&built.path).unwrap();
        for (address, theirs) in addresses.iter().zip(theirs) {
            let frames = places.frames(*address).unwrap();
            let ours: Vec<_> = frames
                .iter()
                .map(|f| shown(f).replace(" (inlined)", ""))
                .collect();
            assert_eq!(ours, theirs, "{options:?} {address:#x}");
        }
    }
}

/// `function file:line` of each frame; `None` if the tool is not installed.
fn addr2line(path: &Path, addresses: &[u64]) -> Option<Vec<Vec<String>>> {
    let addresses = addresses.iter().map(|a| format!("{a:#x}"));
    let mut command = Command::new("addr2line");
    command
        .args(["-a", "-i", "-f", "-e"])
        .arg(path)
        .args(addresses);
    let output = command.output().ok()?;
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            all.push(Vec::new());
            continue;
        }
        let place = lines.next().unwrap();
        let place = place.split(" (discriminator").next().unwrap();
        let file = place.rsplit('/').next().unwrap();
        let file = file.replace(":?", ":0").replace("??", "?");
        all.last_mut().unwrap().push(format!("{line} {file}"));
    }
    Some(all)
}

#[test]
fn functions_of_this_program_are_found() {
    let mut places = Places::open_file("/proc/self/exe").unwrap();
    let exe = Path::new("/proc/self/exe");
    let bytes = std::fs::read(exe).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let symbol = file.symbols().find(|s| {
        s.name()
            .is_ok_and(|name| name.contains("functions_of_this_program_are_found"))
            && s.size() > 0
    });
    let frames = places.frames(symbol.unwrap().address()).unwrap();
    // With `line-tables-only` the only functions are those that others are inlined into.
    let last = frames.last().unwrap();
    assert!(
        last.file
            .as_ref()
            .unwrap()
            .ends_with(file!().rsplit('/').next().unwrap())
    );
    assert!(last.line.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_do_harm(
        at in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        version in 0..3_usize,
        from in any::<prop::sample::Index>(),
    ) {
        let bytes = &samples()[version];
        let mut damaged = bytes.clone();
        // After the code, where the debug information is.
        let start = bytes.len() / 4;
        for (index, value) in at {
            let index = start + index.index(bytes.len() - start);
            damaged[index] = value;
        }
        if let Ok(mut places) = Places::open(Box::new(damaged)) {
            for address in [0x1000, 0x1040, 0x1139, from.index(0x2000) as u64] {
                let _ = places.frames(address);
            }
        }
    }
}

fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    SAMPLES.get_or_init(|| {
        let of = |option| std::fs::read(build(&[option]).path).unwrap();
        ["-gdwarf-2", "-gdwarf-4", "-gdwarf-5"].map(of).to_vec()
    })
}
