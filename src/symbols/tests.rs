//! Call stacks in programs built by the machine's C compiler, and in this one.

use super::{StackEntry, Symbolizer, Symbols};
use crate::frame::Frame;
use object::{Object, ObjectSymbol};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const SOURCE: &str = r#"#include <stdio.h>
#include <unistd.h>
volatile int sink;
static inline __attribute__((always_inline)) void inner(int n)
{
    sink = n * 3;
}
__attribute__((noinline)) void outer(int n)
{
    inner(n);
    sink++;
}
int main(void)
{
    outer(1);
    printf("%lx\n", (unsigned long)outer);
    fflush(stdout);
    return getchar();
}
"#;

struct Built {
    folder: TempDir,
    path: PathBuf,
}

fn build(options: &[&str]) -> Built {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sample.c"), SOURCE).unwrap();
    let path = folder.path().join("sample");
    run(Command::new("cc")
        .current_dir(folder.path())
        .args(["-O2", "-g", "sample.c", "-o", "sample", "-Wl,--build-id"])
        .args(options));
    Built { folder, path }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

impl Built {
    /// Moves the debug information to a separate debug file, which the program then refers to.
    fn split(&self) {
        let path = self.path.to_str().unwrap();
        let debug = self.folder.path().join("sample.debug");
        let link = format!("--add-gnu-debuglink={}", debug.display());
        run(Command::new("objcopy")
            .arg("--only-keep-debug")
            .arg(path)
            .arg(&debug));
        run(Command::new("objcopy").args(["--strip-all", &link, path]));
    }

    /// Address and size of a function, from the program's headers.
    fn function(&self, name: &str) -> (u64, u64) {
        let bytes = std::fs::read(&self.path).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let symbol = file.symbols().find(|s| s.name() == Ok(name)).expect(name);
        (symbol.address(), symbol.size())
    }

    fn build_id(&self) -> [u8; 20] {
        let bytes = std::fs::read(&self.path).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        file.build_id().unwrap().unwrap().try_into().unwrap()
    }
}

fn shown(frame: &Frame) -> String {
    let shown = frame.to_string();
    let (name, place) = shown.split_once(' ').unwrap_or((&shown, ""));
    let place = place.rsplit('/').next().unwrap();
    format!("{name} {place}")
}

/// The inlined call and its caller, for any instruction of the inlined function.
#[track_caller]
fn check(names: impl FnMut(u64) -> Vec<Frame>, len: u64) {
    let frames: Vec<Vec<String>> = (0..len)
        .map(names)
        .map(|frames| frames.iter().map(shown).collect())
        .collect();
    let inlined = ["inner sample.c:6 (inlined)", "outer sample.c:10"];
    assert!(frames.iter().any(|frames| frames == &inlined), "{frames:?}");
}

#[test]
fn a_process_has_places_with_lines() {
    for is_split in [false, true] {
        let built = build(&[]);
        let (_, len) = built.function("outer");
        if is_split {
            built.split();
        }
        let mut child = Command::new(&built.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let start = u64::from_str_radix(line.trim(), 16).unwrap();
        let mut names = Symbolizer::default();
        check(|at| names.process(child.id(), &[start + at]), len);
        let nothing = names.process(child.id(), &[0x10]);
        assert_eq!(nothing.len(), 1);
        assert_eq!(nothing[0].to_string(), "0x10");
        // Now it ends; the files that were seen in it can still be symbolized by build ID.
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(names.process(child.id(), &[start]).len(), 1);
        let offset = start & 0xfff | 0x1000;
        let in_file = |at| StackEntry::InFile {
            build_id: built.build_id(),
            offset: offset + at,
        };
        check(|at| names.build_ids(&[in_file(at)]), len);
    }
}

#[test]
fn an_ended_process_has_places_by_build_id() {
    let built = build(&["-no-pie"]);
    let (address, len) = built.function("outer");
    built.split();
    let in_file = |offset| StackEntry::InFile {
        build_id: built.build_id(),
        offset,
    };
    // The first segment of a non-PIE program is at this address.
    let start = address - 0x40_0000;
    let mut unknown = Symbolizer::default();
    let frames = unknown.build_ids(&[in_file(start), StackEntry::Address(7)]);
    let frames: Vec<_> = frames.iter().map(ToString::to_string).collect();
    assert_eq!(frames, [format!("{start:#x}"), "0x7".to_owned()]);
    let mut names = Symbolizer::default();
    names.add_program(&built.path).unwrap();
    check(|at| names.build_ids(&[in_file(start + at)]), len);
    // A return address follows its call: at the first instruction of the function it still belongs to the function before.
    let frames = names.build_ids(&[in_file(start + 1), in_file(start + len)]);
    assert_eq!(frames.last().unwrap().function.as_deref(), Some("outer"));
    assert_eq!(frames.last().unwrap().offset, Some(len));
}

#[inline(never)]
fn known() -> u64 {
    std::hint::black_box(7)
}

#[test]
fn this_process_has_places() {
    let address = known as fn() -> u64 as usize as u64;
    let mut names = Symbolizer::default();
    let frames = names.process(std::process::id(), &[address]);
    let frame = frames.last().unwrap();
    assert!(
        frame.function.as_ref().unwrap().contains("known"),
        "{frame}"
    );
    assert_eq!(frame.offset, Some(0));
    assert!(frame.file.as_ref().unwrap().ends_with("symbols/tests.rs"));
}

#[test]
fn a_kernel_is_where_it_was_booted() {
    let folder = tempfile::tempdir().unwrap();
    let source = "__asm__(\".text\\n.globl _stext\\n_stext:\");int vfs_read(int n) { return n + 1; }\nint vfs_write(int n) { return n + 2; }\n";
    std::fs::write(folder.path().join("vmlinux.c"), source).unwrap();
    run(Command::new("cc").current_dir(folder.path()).args([
        "-g",
        "-O1",
        "-nostdlib",
        "-static",
        "-fno-pie",
        "-no-pie",
        "-Wl,-Ttext=0xffffffff81000000",
        "-mcmodel=kernel",
        "-Wl,-e,vfs_read",
        "-o",
        "vmlinux",
        "vmlinux.c",
    ]));
    let path = folder.path().join("vmlinux");
    let file = std::fs::read(&path).unwrap();
    let file = object::File::parse(&*file).unwrap();
    let at = |name: &str| {
        let symbol = file.symbols().find(|s| s.name() == Ok(name)).unwrap();
        symbol.address() + 0x0c00_0000
    };
    let (read, write) = (at("vfs_read"), at("vfs_write"));
    let list = format!(
        "ffffffff8d000000 T startup_64\nffffffff8d000000 T _stext\n{read:x} T vfs_read\n{write:x} T vfs_write\nffffffffc0000000 t f [m]\n"
    );
    let mut names = Symbolizer::new(Symbols::from_kallsyms(list.as_bytes()));
    names.use_vmlinux(&path).unwrap();
    let frames = names.kernel(&[read, write + 1, 0xffff_ffff_c000_0010, 5]);
    let frames: Vec<_> = frames.iter().map(shown).collect();
    assert_eq!(
        frames[..2],
        ["vfs_read vmlinux.c:1", "vfs_write vmlinux.c:2"]
    );
    assert_eq!(frames[2..], ["f+0x10 ", "0x5 "]);
    assert!(names.use_vmlinux(Path::new("/proc/self/status")).is_err());
}
