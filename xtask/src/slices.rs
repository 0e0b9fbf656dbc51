//! `cargo xtask slices DIR`: cuts what the fixtures need out of whole kernels' BTF.
//!
//! For every `DIR/KERNEL.btf` (a copy of that kernel's /sys/kernel/btf/vmlinux) it writes `fixtures/btf/KERNEL.btf`,
//! `KERNEL.relocs` and `KERNEL.insns`. The reference makes them: `bpftool gen min_core_btf` keeps what CO-RE relocations
//! look at, and a load with that BTF reports the result of each relocation and shows the instructions. To bpftool, attach
//! targets and functions called by name are not relocations, so this module adds them: then the slices can stand for their
//! kernels in a whole plan.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use rawbpf::TypeId;
use rawbpf::btf::{Btf, BtfBuilder, FwdKind, Kind, Type};

/// Arguments of `cargo xtask slices`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with the whole BTF of each kernel, as KERNEL.btf.
    dir: PathBuf,
    /// The reference: bpftool 7.8 or newer.
    #[arg(long, default_value = "bpftool")]
    bpftool: PathBuf,
}

/// The fixtures whose CO-RE relocations are resolved.
const OBJECTS: [&str; 11] = [
    "core_fail",
    "core_kinds",
    "count_tp_btf",
    "execsnoop",
    "iter_task",
    "kfunc",
    "ksyms_typed",
    "opensnoop",
    "struct_ops",
    "tcpstates",
    "uprobe",
];

/// The fixtures whose instructions are the same on every kernel.
const PLAIN: [&str; 16] = [
    "arg_ctx",
    "callbacks",
    "count_raw_tp",
    "fentry",
    "globals",
    "kconfig",
    "kprobe_latency",
    "kprobe_multi",
    "linked",
    "loop",
    "maps",
    "maps_newer",
    "perf_output",
    "reject",
    "subprogs",
    "type_kinds",
];

/// What fixtures attach to, call or refer to by name; a kernel need not have all.
const NAMES: [(&str, Kind); 14] = [
    ("btf_trace_inet_sock_set_state", Kind::Typedef),
    ("btf_trace_sched_process_exec", Kind::Typedef),
    ("btf_trace_sched_switch", Kind::Typedef),
    ("btf_trace_sys_enter", Kind::Typedef),
    ("bpf_iter_task", Kind::Func),
    ("vfs_read", Kind::Func),
    ("bpf_task_acquire", Kind::Func),
    ("bpf_task_release", Kind::Func),
    ("bpf_rcu_read_lock", Kind::Func),
    ("bpf_rcu_read_unlock", Kind::Func),
    ("bpf_prog_active", Kind::Var),
    ("runqueues", Kind::Var),
    ("tcp_congestion_ops", Kind::Struct),
    ("bpf_struct_ops_tcp_congestion_ops", Kind::Struct),
];

/// Where the reference pins what it loads, temporarily.
const PINS: &str = "/sys/fs/bpf/rawbpf-slices";

/// Writes the slice and the answers of every kernel in the folder.
pub(crate) fn run(args: &Args) -> Result<()> {
    let fixtures = crate::fixtures::fixtures_dir()?;
    let mut kernels = 0;
    for entry in fs::read_dir(&args.dir).with_context(|| format!("{}", args.dir.display()))? {
        let whole = entry?.path();
        if whole.extension().is_none_or(|extension| extension != "btf") {
            continue;
        }
        let kernel = whole
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let slice = fixtures.join("btf").join(format!("{kernel}.btf"));
        cut(&args.bpftool, &fixtures, &whole, &slice)?;
        let extended = extend(&fs::read(&whole)?, &fs::read(&slice)?)?;
        fs::write(&slice, extended).with_context(|| format!("writing {}", slice.display()))?;
        let answers = answers(&args.bpftool, &fixtures, &kernel, &slice)?;
        fs::write(slice.with_extension("relocs"), answers)?;
        let streams = streams(&args.bpftool, &fixtures, &OBJECTS, &slice)?;
        fs::write(slice.with_extension("insns"), streams)?;
        kernels += 1;
    }
    ensure!(kernels > 0, "no KERNEL.btf in {}", args.dir.display());
    let plain = streams(
        &args.bpftool,
        &fixtures,
        &PLAIN,
        Path::new("/sys/kernel/btf/vmlinux"),
    )?;
    fs::write(fixtures.join("btf/any.insns"), plain)?;
    println!("{kernels} kernels written to fixtures/btf");
    Ok(())
}

fn object(fixtures: &Path, name: &str) -> PathBuf {
    fixtures.join(format!("{name}.bpf.o"))
}

/// What the objects' relocations need from a whole BTF, according to the reference.
fn cut(bpftool: &Path, fixtures: &Path, whole: &Path, slice: &Path) -> Result<()> {
    let objects = OBJECTS.map(|name| object(fixtures, name));
    let mut command = Command::new(bpftool);
    command
        .args(["gen", "min_core_btf"])
        .args([whole, slice])
        .args(objects);
    let status = command
        .status()
        .with_context(|| format!("running {}", bpftool.display()))?;
    ensure!(
        status.success(),
        "bpftool gen min_core_btf failed for {}",
        whole.display()
    );
    Ok(())
}

/// The reference's result for each relocation, one per line.
fn answers(bpftool: &Path, fixtures: &Path, kernel: &str, slice: &Path) -> Result<String> {
    let mut lines = vec![
        format!("# What libbpf 1.8 makes of the fixtures' CO-RE relocations with {kernel}.btf."),
        "# object program instruction imm|off|width old new, or: object program instruction poison"
            .to_owned(),
    ];
    for name in OBJECTS {
        let mut command = Command::new(bpftool);
        command
            .args(["-d", "prog", "loadall"])
            .arg(object(fixtures, name));
        let output = command.args([PINS, "kernel_btf"]).arg(slice).output()?;
        // A refused program leaves no pins.
        let _ = fs::remove_dir_all(PINS);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = lines.len();
        lines.extend(
            said.lines()
                .filter_map(answer)
                .map(|answer| format!("{name} {answer}")),
        );
        ensure!(
            lines.len() > told,
            "bpftool answered no relocation of {name}: {said}"
        );
    }
    Ok(lines.join("\n") + "\n")
}

/// The instructions that the reference passes to the kernel, a line for each program.
///
/// Without objects whose instructions contain type ids of the running kernel.
fn streams(bpftool: &Path, fixtures: &Path, objects: &[&str], slice: &Path) -> Result<String> {
    let mut lines = vec![
        "# object, program (the 15 characters the kernel keeps), instructions in hex with descriptors zero: by libbpf 1.8."
            .to_owned(),
    ];
    for name in objects
        .iter()
        .filter(|name| !["kfunc", "ksyms_typed"].contains(name))
    {
        let programs = crate::streams::of_object(&load(bpftool, &object(fixtures, name), slice))?;
        unpin();
        ensure!(!programs.is_empty(), "bpftool loaded no program of {name}");
        lines.extend(programs.iter().map(|program| format!("{name} {program}")));
    }
    Ok(lines.join("\n") + "\n")
}

/// Makes the reference load an object against a slice, and report what it does.
fn load(bpftool: &Path, object: &Path, slice: &Path) -> Command {
    let mut command = Command::new(bpftool);
    command.args(["-d", "prog", "loadall"]).arg(object);
    command.args([PINS, "kernel_btf"]).arg(slice);
    command
}

/// Removes the pins of a load; a refused program leaves none.
fn unpin() {
    let _ = fs::remove_dir_all(PINS);
}

/// The answer in a line of the reference's debug output, if there is one.
///
/// `libbpf: prog 'ask': relo #0: patched insn #8 (ALU/ALU64) imm 12 -> 1268`, or
/// `libbpf: prog 'ask': relo #34: substituting insn #153 w/ invalid insn`.
fn answer(line: &str) -> Option<String> {
    let (program, rest) = line.split_once("prog '")?.1.split_once("': relo #")?;
    let (_, what) = rest.split_once(": ")?;
    let words: Vec<&str> = what.split(' ').collect();
    match words[..] {
        ["patched", "insn", at, _, field, old, "->", new] => {
            let field = match field {
                "imm64" => "imm",
                "mem_sz" => "width",
                other => other,
            };
            Some(format!(
                "{program} {} {field} {old} {new}",
                at.strip_prefix('#')?
            ))
        }
        ["substituting", "insn", at, ..] => {
            Some(format!("{program} {} poison", at.strip_prefix('#')?))
        }
        _ => None,
    }
}

/// Adds the wanted names to a slice; its types keep their ids.
fn extend(whole: &[u8], slice: &[u8]) -> Result<Vec<u8>> {
    let (whole, slice) = (Btf::parse(whole)?, Btf::parse(slice)?);
    let mut copier = Copier {
        whole: &whole,
        slice: &slice,
        editor: BtfBuilder::copy_of(&slice),
        copied: HashMap::new(),
    };
    for (name, kind) in NAMES {
        if let Some(id) = whole.find(name, kind) {
            copier.copy(id, Depth::Whole)?;
        }
    }
    Ok(copier.editor.finish()?)
}

/// How much of a struct is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Depth {
    /// With its members.
    Whole,
    /// Behind a pointer: a forward declaration will do.
    Name,
}

/// Copies types from a whole BTF into a slice of it.
struct Copier<'b> {
    whole: &'b Btf<'b>,
    slice: &'b Btf<'b>,
    editor: BtfBuilder,
    copied: HashMap<(TypeId, Depth), TypeId>,
}

impl<'b> Copier<'b> {
    /// The id of this type in the slice, to which it is added unless it is there.
    fn copy(&mut self, id: TypeId, depth: Depth) -> Result<TypeId> {
        if id.is_void() {
            return Ok(id);
        }
        if let Some(copied) = self.copied.get(&(id, depth)) {
            return Ok(*copied);
        }
        let ty = self.whole.get(id)?;
        let copied = match self.there(&ty) {
            Some(there) => there,
            None => self.add(&ty, depth)?,
        };
        self.copied.insert((id, depth), copied);
        Ok(copied)
    }

    /// The type of the slice that has this one's kind, name and size.
    fn there(&self, ty: &Type<'b>) -> Option<TypeId> {
        if ty.name().is_empty() || matches!(ty.kind(), Kind::TypeTag) {
            return None;
        }
        let id = self.slice.find(ty.name(), ty.kind())?;
        let sized = ty.kind() == Kind::Int;
        let found = self.slice.get(id).ok()?;
        (!sized || found.size_field() == ty.size_field()).then_some(id)
    }

    fn add(&mut self, ty: &Type<'b>, depth: Depth) -> Result<TypeId> {
        let depth = match ty.kind() {
            Kind::Struct | Kind::Union if depth == Depth::Name && !ty.name().is_empty() => {
                let of = if ty.kind() == Kind::Union {
                    FwdKind::Union
                } else {
                    FwdKind::Struct
                };
                return Ok(self.editor.add_fwd(ty.name(), of));
            }
            Kind::Ptr => Depth::Name,
            Kind::Typedef | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag => depth,
            kind @ (Kind::Datasec | Kind::DeclTag) => {
                bail!("{ty:?} of kind {kind} cannot be part of a type")
            }
            _ => Depth::Whole,
        };
        let mut copied = HashMap::new();
        for id in ty.referenced() {
            copied.insert(id, self.copy(id, depth)?);
        }
        let there = |id| copied.get(&id).copied().unwrap_or(TypeId::VOID);
        Ok(self.editor.add_type_with(ty, there))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_references_words_become_answers() {
        let patched = "libbpf: prog 'ask': relo #0: patched insn #8 (ALU/ALU64) imm 12 -> 1268";
        assert_eq!(answer(patched).as_deref(), Some("ask 8 imm 12 1268"));
        let width = "libbpf: prog 'p': relo #4: patched insn #10 (LDX/ST/STX) mem_sz 8 -> 4";
        assert_eq!(answer(width).as_deref(), Some("p 10 width 8 4"));
        let poison = "libbpf: prog 'ask': relo #34: substituting insn #153 w/ invalid insn";
        assert_eq!(answer(poison).as_deref(), Some("ask 153 poison"));
        assert_eq!(
            answer("libbpf: prog 'ask': relo #0: <byte_off> [5] struct x.y"),
            None
        );
    }

    #[test]
    fn a_slice_gets_what_is_attached_to_and_keeps_its_numbers() {
        let mut whole = BtfBuilder::new();
        let task = whole.add_struct("task_struct", 8, rawbpf::btf::Member::NONE);
        let pointer = whole.add_ptr(task);
        let proto = whole.add_func_proto(TypeId::VOID, &[("task", pointer)]);
        let proto = whole.add_ptr(proto);
        whole.add_typedef("btf_trace_sched_switch", proto);
        let mut slice = BtfBuilder::new();
        slice.add_int("int", 4, 1);

        let extended = extend(&whole.finish().unwrap(), &slice.finish().unwrap()).unwrap();
        let extended = Btf::parse(&extended).unwrap();
        assert_eq!(extended.find("int", Kind::Int), Some(TypeId(1)));
        assert!(
            extended
                .find("btf_trace_sched_switch", Kind::Typedef)
                .is_some()
        );
        assert!(
            extended.find("task_struct", Kind::Fwd).is_some(),
            "only its name is needed"
        );
    }
}
