//! The C headers in `build/include/bpf`: clang compiles programs that include them without a warning, for every machine and both
//! byte orders, and the objects are what the macros promise.

use rawbpf::insn::Helper;
use rawbpf::open::OpenObject;
use rawbpf::{MapType, Pinning};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The compilers to look for: the one that builds the fixtures first.
const COMPILERS: &[&str] = &["clang-19", "clang", "clang-14"];

const HEADERS: &[&str] = &[
    "bpf_helper_defs.h",
    "bpf_helpers.h",
    "bpf_endian.h",
    "bpf_core_read.h",
    "bpf_tracing.h",
    "usdt.bpf.h",
];

/// The first compiler that is installed; `None`, with a line that says so, if there is none.
fn compiler() -> Option<&'static str> {
    let answers = |name: &&&str| {
        let version = Command::new(**name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = COMPILERS.iter().find(answers).copied();
    let is_ci = std::env::var_os("CI").is_some();
    assert!(
        found.is_some() || !is_ci,
        "no compiler of {COMPILERS:?} is here"
    );
    if found.is_none() {
        eprintln!("skipped: no compiler of {COMPILERS:?} is here");
    }
    found
}

/// The result of compiling a source of `tests/headers`, without any headers of the system.
fn compile(compiler: &str, source: &str, target: &str, options: &[&str], object: &Path) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let flags = "-std=gnu11 -nostdinc -g -O2 -mcpu=v3 -Wall -Wextra -Werror -c";
    Command::new(compiler)
        .args(["-target", target, "-I"])
        .arg(root.join("build/include"))
        .args(flags.split(' '))
        .args(options)
        .arg(root.join("tests/headers").join(source))
        .arg("-o")
        .arg(object)
        .output()
        .unwrap()
}

/// The object of a source that must compile.
fn built(compiler: &str, source: &str, target: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let object: PathBuf = folder.path().join("out.o");
    let output = compile(compiler, source, target, options, &object);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{source} for {target} with {options:?}:\n{said}"
    );
    std::fs::read(object).unwrap()
}

const X86: &str = "-D__TARGET_ARCH_x86";
/// The types are defined as vmlinux.h defines them.
const VMLINUX: &str = "-DVMLINUX";

#[test]
fn every_header_can_be_included_alone() {
    let Some(compiler) = compiler() else { return };
    for header in HEADERS {
        let header = format!("-DHEADER=<bpf/{header}>");
        // The table of helpers is part of bpf_helpers.h, which has the integer types.
        let options: &[&str] = if header.contains("helper_defs") {
            &[&header, X86, VMLINUX]
        } else {
            &[&header, X86]
        };
        built(compiler, "alone.bpf.c", "bpfel", options);
    }
}

/// A machine, how many arguments are in registers, and where some registers are in `struct pt_regs`.
struct Machine {
    name: &'static str,
    args: u32,
    has_frame: bool,
    places: &'static [(&'static str, i16)],
}

const fn machine(name: &'static str, args: u32, places: &'static [(&'static str, i16)]) -> Machine {
    Machine {
        name,
        args,
        has_frame: true,
        places,
    }
}

const fn frameless(mut machine: Machine) -> Machine {
    machine.has_frame = false;
    machine
}

/// Of the calling conventions of each machine, and of its kernel's `struct pt_regs`.
#[rustfmt::skip]
const MACHINES: &[Machine] = &[
    machine("x86", 6, &[
        ("parm1", 112), ("parm2", 104), ("parm3", 96), ("parm4", 88), ("parm5", 72), ("parm6", 64), ("ret", 152), ("fp", 32),
        ("rc", 80), ("sp", 152), ("ip", 128), ("syscall2", 104), ("syscall4", 56), ("syscall6", 64),
    ]),
    machine("arm64", 8, &[
        ("parm1", 0), ("parm2", 8), ("parm8", 56), ("ret", 240), ("fp", 232), ("rc", 0), ("sp", 248), ("ip", 256),
        ("syscall2", 8), ("syscall6", 40),
    ]),
    machine("riscv", 8, &[
        ("parm1", 80), ("parm2", 88), ("parm8", 136), ("ret", 8), ("fp", 64), ("rc", 80), ("sp", 16), ("ip", 0),
        ("syscall2", 88), ("syscall6", 120),
    ]),
    machine("s390", 5, &[
        ("parm1", 40), ("parm2", 48), ("parm5", 72), ("ret", 136), ("fp", 112), ("rc", 40), ("sp", 144), ("ip", 16),
        ("syscall2", 48), ("syscall6", 80),
    ]),
    machine("arm", 4, &[("parm1", 0), ("parm4", 24), ("ret", 112), ("sp", 104), ("ip", 120), ("syscall5", 32)]),
    frameless(machine("powerpc", 8, &[("parm1", 24), ("parm8", 80), ("ret", 288), ("sp", 8), ("ip", 256)])),
    machine("mips", 8, &[("parm1", 32), ("parm8", 88), ("ret", 248), ("rc", 16), ("ip", 296)]),
    frameless(machine("sparc", 6, &[("parm1", 64), ("parm6", 104), ("ret", 120), ("sp", 112), ("ip", 136)])),
    machine("arc", 8, &[("parm1", 176), ("parm8", 120), ("ret", 56), ("fp", 64), ("sp", 184), ("ip", 48)]),
    machine("loongarch", 8, &[("parm1", 32), ("parm8", 88), ("ret", 8), ("fp", 176), ("sp", 24), ("ip", 264)]),
];

#[test]
fn registers_are_those_of_each_machine() {
    let Some(compiler) = compiler() else { return };
    for Machine {
        name,
        args,
        has_frame,
        places,
    } in MACHINES
    {
        let options = [format!("-D__TARGET_ARCH_{name}"), format!("-DARGS={args}")];
        let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
        if !has_frame {
            options.push("-DNO_FRAME");
        }
        check_registers(
            name,
            places,
            &built(compiler, "registers.bpf.c", "bpfel", &options),
        );
    }
    // Where the kernel's headers call the same registers otherwise.
    let x86 = &MACHINES[0];
    let options = [X86, "-DARGS=6", VMLINUX];
    let object = built(compiler, "registers.bpf.c", "bpfel", &options);
    check_registers("x86 with vmlinux.h", x86.places, &object);
    // As if its registers had 64 bits: without a machine that has 32, the compiler cannot know better.
    let places = [
        ("parm1", 48),
        ("parm2", 16),
        ("parm3", 8),
        ("ip", 96),
        ("sp", 120),
        ("syscall4", 24),
    ];
    for types in [VMLINUX, "-DNONE"] {
        let options = [X86, "-D__i386__", "-DARGS=3", types];
        check_registers(
            "i386",
            &places,
            &built(compiler, "registers.bpf.c", "bpfel", &options),
        );
    }
}

/// Each function `read_NAME` starts with a load from its context.
fn check_registers(machine: &str, places: &[(&str, i16)], object: &[u8]) {
    let object = OpenObject::from_bytes(object).unwrap();
    for (register, offset) in places {
        let program = object.program(&format!("read_{register}")).unwrap();
        let first = object.instructions(program)[0];
        // r0 = *(u64 *)(r1 + offset)
        assert_eq!(
            (first.code, first.dst(), first.src()),
            (0x79, 0, 1),
            "{machine} {register}"
        );
        assert_eq!(first.off, *offset, "{machine} {register}");
    }
}

#[test]
fn registers_of_an_unknown_machine_are_an_error() {
    let Some(compiler) = compiler() else { return };
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("out.o");
    let output = compile(compiler, "registers.bpf.c", "bpfel", &["-DARGS=4"], &object);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("define __TARGET_ARCH_x86"), "{said}");
    // Programs that use none compile.
    built(compiler, "programs.bpf.c", "bpfel", &[]);
}

#[test]
fn programs_compile_for_both_byte_orders_to_what_the_macros_say() {
    let Some(compiler) = compiler() else { return };
    for target in ["bpfel", "bpfeb"] {
        let bytes = built(compiler, "programs.bpf.c", target, &[X86, VMLINUX]);
        let object = OpenObject::from_bytes(&bytes).unwrap();
        let counts = object.map("counts").unwrap();
        assert_eq!((counts.kind(), counts.max_entries()), (MapType::HASH, 64));
        assert_eq!((counts.key_size(), counts.value_size()), (4, 8));
        assert_eq!(counts.pinning(), Pinning::ByName);
        assert_eq!(object.map("arena").unwrap().extra(), 1 << 44);
        assert_eq!(object.map("with_extra").unwrap().extra(), 1 << 45);
        let ext = |name: &str| object.externs().iter().find(|ext| ext.name() == name);
        assert!(ext("kernel_function").unwrap().is_weak());
        assert!(!ext("LINUX_KERNEL_VERSION").unwrap().is_weak());
        let text = helpers(&object, "text");
        let printed = [
            Helper::TRACE_PRINTK,
            Helper::TRACE_PRINTK,
            Helper::TRACE_VPRINTK,
        ];
        assert_eq!(
            text.get(..3),
            Some(&printed[..]),
            "by the number of arguments"
        );
        assert!(text.contains(&Helper::SNPRINTF) && text.contains(&Helper::SEQ_PRINTF));
        // One for each arrow.
        let reads = helpers(&object, "fields");
        assert_eq!(reads.first(), Some(&Helper::PROBE_READ_KERNEL));
        assert!(reads.contains(&Helper::PROBE_READ_USER_STR));
        assert!(helpers(&object, "loops").contains(&Helper::TAIL_CALL));
    }
}

/// The helpers that a program calls, in the order of its instructions.
fn helpers(object: &OpenObject, program: &str) -> Vec<Helper> {
    let program = object.program(program).unwrap();
    let instructions = object.instructions(program).iter();
    instructions.filter_map(|insn| insn.helper()).collect()
}

#[test]
fn usdt_programs_have_the_maps_that_attaching_fills() {
    let Some(compiler) = compiler() else { return };
    for (target, types) in [("bpfel", VMLINUX), ("bpfel", "-DNONE"), ("bpfeb", VMLINUX)] {
        let bytes = built(compiler, "usdt.bpf.c", target, &[X86, types]);
        let object = OpenObject::from_bytes(&bytes).unwrap();
        let specs = object.map("__bpf_usdt_specs").unwrap();
        assert_eq!((specs.kind(), specs.max_entries()), (MapType::ARRAY, 8));
        assert_eq!((specs.key_size(), specs.value_size()), (4, 304));
        let places = object.map("__bpf_usdt_ip_to_spec_id").unwrap();
        assert_eq!((places.kind(), places.max_entries()), (MapType::HASH, 32));
        assert_eq!((places.key_size(), places.value_size()), (8, 4));
        let btf = object.btf().unwrap();
        let spec = btf
            .find("__bpf_usdt_arg_spec", rawbpf::btf::Kind::Struct)
            .unwrap();
        let spec = btf.get(spec).unwrap();
        let fields: Vec<_> = spec
            .members()
            .map(|field| (field.name, field.bit_offset))
            .collect();
        let at = |name: &str| fields.iter().find(|(field, _)| *field == name).unwrap().1;
        let type_at = if target == "bpfel" { 64 } else { 96 };
        assert_eq!(
            [at("val_off"), at("arg_type"), at("idx_reg_off")],
            [0, type_at, 80]
        );
        assert_eq!(
            [at("reg_off"), at("arg_signed"), at("arg_bitshift")],
            [112, 128, 136]
        );
    }
}
