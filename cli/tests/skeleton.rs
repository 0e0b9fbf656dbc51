//! `gen skeleton` and `gen subskeleton`: C and C++ programs compile with the headers, link libbpf, and run. Not for guests, which have no
//! compiler.

mod common;

use common::{can_load, fixture};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The types of the fixture's variables.
const TYPES: &str = "\
#include <stdint.h>
#ifndef __cplusplus
#include <stdbool.h>
#else
typedef bool _Bool;
#endif
typedef uint8_t u8; typedef int8_t s8;
typedef uint16_t u16; typedef int16_t s16;
typedef uint32_t u32; typedef int32_t s32;
typedef unsigned long long u64; typedef long long s64;
enum colour { RED, GREEN = 5, BLUE = -1 };
struct point { s32 x; s32 y; };
struct shape { char name[8]; struct point corners[3]; enum colour colour; u64 area; };
";

const PROGRAM: &str = r#"
#include "types.h"
#include "globals.skel.h"
#include "globals.subskel.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHECK(what) do { if (!(what)) { printf("not so: %s\n", #what); return 1; } } while (0)

int main(void)
{
	struct globals_bpf *skel = globals_bpf__open();
	CHECK(skel);
	CHECK(skel->rodata->half == -2 && !strcmp(skel->rodata->text, "read only"));
	CHECK(skel->rodata->colour == GREEN && skel->rodata->origin.y == -4);
	CHECK(skel->data->counter == 7 && skel->data->table[1][2] == 6);
	CHECK(skel->data->shape.corners[2].y == 6 && skel->data_extra->grows[3] == 4);
	skel->rodata->targ_tgid = getpid();
	skel->data->counter = 100;
	CHECK(!globals_bpf__load(skel));
	CHECK(!globals_bpf__attach(skel));
	CHECK(skel->links.add_up && bpf_program__fd(skel->progs.add_up) >= 0);
	getppid();
	CHECK(skel->bss->runs > 0);

	struct library *library = library__open(skel->obj);
	CHECK(library);
	CHECK(library->data.counter == &skel->data->counter && *library->data.counter >= 100);
	CHECK(library->rodata.text == (void *)skel->rodata->text);
	CHECK(library->maps.bss == skel->maps.bss && library->progs.add_up == skel->progs.add_up);
	library__destroy(library);

	globals_bpf__detach(skel);
	size_t size;
	CHECK(!memcmp(globals_bpf__elf_bytes(&size), "\177ELF", 4));
	printf("%zu bytes\n", size);
	globals_bpf__destroy(skel);
	return 0;
}
"#;

const IN_CPP: &str = r#"
#include "types.h"
#include "globals.skel.h"
#include "globals.subskel.h"

int main()
{
	globals_bpf *skel = globals_bpf::open();
	if (!skel)
		return 1;
	library *part = library::open(skel->obj);
	library::destroy(part);
	globals_bpf::destroy(skel);
	return 0;
}
"#;

fn write_headers(folder: &Path) {
    let generate = |args: &[&str], output: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
        let object = fixture("globals.bpf.o");
        let output_of = command
            .args(["gen", args[0]])
            .arg(object)
            .args(&args[1..])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output_of.stderr);
        assert!(output_of.status.success(), "{said}");
        fs::write(folder.join(output), output_of.stdout).unwrap();
    };
    generate(&["skeleton"], "globals.skel.h");
    generate(&["subskeleton", "name", "library"], "globals.subskel.h");
    fs::write(folder.join("types.h"), TYPES).unwrap();
}

/// Whether there is a compiler and libbpf with its headers; CI has both.
fn has_libbpf(compiler: &str) -> bool {
    let found = Path::new("/usr/include/bpf/libbpf.h").exists()
        && Command::new(compiler).arg("--version").output().is_ok();
    assert!(
        found || std::env::var("CI").is_err(),
        "CI has {compiler} and libbpf-dev"
    );
    found
}

fn compile(compiler: &[&str], folder: &Path, source: &str) {
    let mut command = Command::new(compiler[0]);
    command.args(&compiler[1..]).args([
        "-Wall", "-Wextra", "-Werror", "-o", "program", source, "-lbpf",
    ]);
    let output = command.current_dir(folder).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_c_program_reads_and_writes_variables_through_its_skeleton() {
    if !has_libbpf("cc") || !can_load("a_c_program_reads_and_writes_variables_through_its_skeleton")
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_headers(folder.path());
    fs::write(folder.path().join("program.c"), PROGRAM).unwrap();
    compile(&["cc", "-std=gnu11"], folder.path(), "program.c");
    let output = Command::new(folder.path().join("program"))
        .output()
        .unwrap();
    let (printed, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{printed}{said}");
    let size = fs::metadata(fixture("globals.bpf.o")).unwrap().len();
    assert_eq!(printed, format!("{size} bytes\n"));
}

#[test]
fn a_cpp_program_has_a_class() {
    if !has_libbpf("c++") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_headers(folder.path());
    fs::write(folder.path().join("program.cpp"), IN_CPP).unwrap();
    compile(&["c++", "-std=c++17"], folder.path(), "program.cpp");
}
