//! Real objects against real kernels' types, with libbpf's answers as the second opinion.
//!
//! `fixtures/btf/*.relocs` says for each kernel what libbpf makes of each relocation, instruction by instruction.

use crate::btf::{Btf, BtfExt, CoreRelo};
use crate::insn::{INSN_SIZE, Insn, class, from_bytes, size};
use crate::reloc::core::CoreResolver;
use crate::reloc::{OfflineKernel, Poison, Target};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A function of an object, with its relocations.
struct Function {
    name: String,
    insns: Vec<Insn>,
    relos: Vec<(usize, CoreRelo)>,
}

/// A BPF object, read with nothing but what this test needs.
struct Fixture {
    btf: Btf<'static>,
    functions: Vec<Function>,
}

impl Fixture {
    fn read(name: &str) -> Self {
        let bytes = fs::read(folder().join(format!("{name}.bpf.o"))).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let section = |name| file.section_by_name(name).unwrap().data().unwrap();
        let btf = Btf::from_vec(section(".BTF").to_vec()).unwrap();
        let ext = BtfExt::parse(section(".BTF.ext")).unwrap();
        let mut functions = Vec::new();
        for symbol in file.symbols().filter(|s| s.kind() == SymbolKind::Text) {
            let Some(index) = symbol.section_index() else {
                continue;
            };
            let code = file.section_by_index(index).unwrap();
            let range = symbol.address()..symbol.address() + symbol.size();
            let place = |offset: u64| usize::try_from(offset).unwrap();
            let bytes = &code.data().unwrap()[place(range.start)..place(range.end)];
            let records = ext
                .core_relo()
                .filter(|s| btf.str_at(s.section_name_off) == code.name().ok())
                .flat_map(|s| s.core_relos().collect::<Vec<_>>())
                .filter(|r| range.contains(&r.insn_off.into()));
            let relos = records
                .map(|r| (place(u64::from(r.insn_off) - range.start) / INSN_SIZE, r))
                .collect();
            functions.push(Function {
                name: symbol.name().unwrap().to_string(),
                insns: from_bytes(bytes).unwrap(),
                relos,
            });
        }
        Self { btf, functions }
    }
}

/// What happened to the instructions from `before` to `after`, in the words of the `.relocs` files.
fn changes(at: usize, before: &[Insn], after: &[Insn], lines: &mut BTreeSet<String>, head: &str) {
    let poisoned = |insn: &Insn| *insn == Poison::Core.insn();
    let (old, new) = (before[at], after[at]);
    if poisoned(&new) {
        lines.insert(format!("{head} {at} poison"));
        if old.is_ldimm64() {
            assert!(poisoned(&after[at + 1]));
            lines.insert(format!("{head} {} poison", at + 1));
        }
        return;
    }
    let wide = |insns: &[Insn]| {
        let half = |insn: Insn| u64::from(insn.imm.cast_unsigned());
        half(insns[at + 1]) << 32 | half(insns[at])
    };
    let line = match old.class() {
        class::ALU | class::ALU64 => format!("imm {} {}", old.imm, new.imm),
        class::LD => format!("imm {} {}", wide(before), wide(after)),
        _ => format!("off {} {}", old.off, new.off),
    };
    lines.insert(format!("{head} {at} {line}"));
    if old.code != new.code {
        let bytes = |insn: Insn| match insn.code & size::MASK {
            size::B => 1,
            size::H => 2,
            size::W => 4,
            _ => 8,
        };
        assert_eq!(old.code & !size::MASK, new.code & !size::MASK);
        lines.insert(format!("{head} {at} width {} {}", bytes(old), bytes(new)));
    }
}

/// What becomes of an object's relocations.
fn relocate(name: &str, target: &Target, lines: &mut BTreeSet<String>) {
    let Fixture { btf, functions } = Fixture::read(name);
    let mut resolver = CoreResolver::new(&btf, target);
    let records = functions
        .iter()
        .flat_map(|f| f.relos.iter().map(|(_, r)| r));
    resolver.prepare(records, |_| None).unwrap();
    for function in &functions {
        let mut insns = function.insns.clone();
        let head = format!("{name} {}", function.name);
        for (at, relo) in &function.relos {
            let step = resolver.apply(&mut insns, *at, relo);
            let step = step.unwrap_or_else(|e| panic!("{head}: {e}"));
            assert_eq!(step.insn, *at);
            changes(*at, &function.insns, &insns, lines, &head);
        }
    }
}

#[test]
fn fixtures_are_relocated_as_libbpf_does() {
    let mut kernels = 0;
    for entry in fs::read_dir(folder().join("btf")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "relocs") {
            continue;
        }
        kernels += 1;
        let text = fs::read_to_string(&path).unwrap();
        let expected: BTreeSet<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
        let objects: BTreeSet<&str> = expected
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        let target = Target::offline(OfflineKernel {
            name: path.display().to_string(),
            btf: Some(fs::read(path.with_extension("btf")).unwrap()),
            ..OfflineKernel::default()
        });
        let mut found = BTreeSet::new();
        for object in objects {
            relocate(object, &target, &mut found);
        }
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        let surplus: Vec<_> = found.difference(&expected).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{}: libbpf: {missing:#?}, here: {surplus:#?}",
            path.display()
        );
    }
    assert!(kernels >= 5, "only {kernels} kernels");
}
