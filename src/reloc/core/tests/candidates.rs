//! Which of the kernel's types a local type may mean.

use super::{Question, blob, int, kernel, kind, nothing, question, structure, uint};
use crate::btf::{Btf, BtfBuilder, CoreRelo, Enumerator, FwdKind, Member, Signedness};
use crate::feature::Feature;
use crate::insn::{Insn, class, source};
use crate::reloc::core::CoreResolver;
use crate::reloc::{CoreOutcome, KernelSource, ModuleBtf, OfflineKernel, Target};
use crate::symbols::{Addresses, KernelSymbol};
use crate::{Error, ErrorKind, KernelVersion, Result, TypeId};
use std::sync::Arc;

fn named(name: &'static str) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| structure(b, name, 4, &[])
}

/// Edge case 29: a flavour is what follows the last `___` between two other characters.
#[test]
fn names_are_compared_up_to_their_flavour_on_both_sides() {
    for (local, target, same) in [
        ("a", "a", true),
        ("a___x", "a", true),
        ("a", "a___y", true),
        ("a___x", "a___y", true),
        ("a___b___x", "a___b", false),
        ("a___b___x", "a___b___y", true),
        ("a____b", "a", false),
        ("a____b", "a____b", true),
        ("___a", "a", false),
        ("a", "ab", false),
        ("ab", "a", false),
    ] {
        let found = question(kind::TYPE_EXISTS, "0", named(local)).value(named(target));
        assert_eq!(found, Some(same.into()), "{local} in {target}");
    }
}

#[test]
fn kinds_must_agree() {
    type Build<'a> = &'a dyn Fn(&mut BtfBuilder) -> TypeId;
    fn exists(local: Build<'_>, target: Build<'_>) -> bool {
        question(kind::TYPE_EXISTS, "0", local).value(target) == Some(1)
    }
    let union = |b: &mut BtfBuilder| b.add_union("a", 4, Member::NONE);
    let forward = |b: &mut BtfBuilder| b.add_fwd("a", FwdKind::Struct);
    let narrow = |b: &mut BtfBuilder| b.add_enum("a", 4, Signedness::Unsigned, Enumerator::NONE);
    let wide = |b: &mut BtfBuilder| b.add_enum64("a", 8, Signedness::Unsigned, Enumerator::NONE);
    let alias = |b: &mut BtfBuilder| {
        let inner = structure(b, "inner", 4, &[]);
        b.add_typedef("a", inner)
    };
    assert!(!exists(&named("a"), &union));
    assert!(!exists(&named("a"), &forward));
    assert!(!exists(&named("a"), &alias));
    assert!(!exists(&alias, &named("a")));
    assert!(exists(&forward, &forward));
    assert!(exists(&alias, &alias));
    assert!(exists(&narrow, &wide));
    assert!(exists(&wide, &narrow));
}

#[test]
fn types_without_a_name_cannot_be_looked_for() {
    let failure = question(kind::TYPE_EXISTS, "0", named("")).failure(named(""));
    assert!(failure.contains("without a name"), "{failure}");
    // Their own number is no search.
    assert_eq!(
        question(kind::TYPE_ID_LOCAL, "0", named("")).value(nothing),
        Some(1)
    );
}

/// A `struct s` that has `x` of this type at this byte.
fn with_x(name: &'static str, offset: u32, signed: bool) -> impl Fn(&mut BtfBuilder) -> TypeId {
    move |b| {
        let ty = if signed { int(b) } else { uint(b, 4) };
        structure(b, name, 64, &[("x", ty, offset * 8)])
    }
}

#[test]
fn all_that_match_must_agree() {
    let offset = question(kind::BYTE_OFFSET, "0:0", with_x("s", 0, true));
    let twice = |first, second| {
        move |b: &mut BtfBuilder| {
            with_x("s", first, true)(b);
            with_x("s___other", second, true)(b);
        }
    };
    assert_eq!(offset.value(twice(8, 8)), Some(8));
    let failure = offset.failure(twice(8, 12));
    assert!(
        failure.contains("[2] struct s.x (0:0 @ offset 8) gives 8")
            && failure.contains("[4] struct s___other.x (0:0 @ offset 12) gives 12")
            && failure.contains("hint: "),
        "{failure}"
    );
    // Where the field lies counts, even if the answer is the same.
    let exists = question(kind::FIELD_EXISTS, "0:0", with_x("s", 0, true));
    assert!(exists.ask(twice(8, 8)).is_ok());
    assert!(exists.failure(twice(8, 12)).contains("disagree"));
    let signed = question(kind::SIGNED, "0:0", with_x("s", 0, true));
    let mixed = |b: &mut BtfBuilder| {
        with_x("s", 8, true)(b);
        with_x("s", 8, false)(b);
    };
    assert!(signed.failure(mixed).contains("disagree"));
}

#[test]
fn what_does_not_match_has_no_say() {
    let offset = question(kind::BYTE_OFFSET, "0:0", with_x("s", 0, true));
    let other = |b: &mut BtfBuilder| {
        let ptr = b.add_ptr(TypeId::VOID);
        structure(b, "s", 64, &[("x", ptr, 0)]);
        structure(b, "s", 64, &[("y", ptr, 0)]);
        with_x("s", 20, true)(b);
    };
    assert_eq!(offset.value(other), Some(20));
}

/// Edge case 38.
#[test]
fn several_types_of_a_name_have_several_numbers() {
    let twice = |b: &mut BtfBuilder| {
        structure(b, "s", 8, &[]);
        structure(b, "s", 8, &[]);
    };
    let failure = question(kind::TYPE_ID_TARGET, "0", named("s")).failure(twice);
    assert!(
        failure.contains("gives 1") && failure.contains("gives 2"),
        "{failure}"
    );
    for kind in [kind::TYPE_SIZE, kind::TYPE_EXISTS, kind::TYPE_MATCHES] {
        assert!(question(kind, "0", named("s")).ask(twice).is_ok());
    }
}

/// Two records about one local type `struct s { int x; int y; }`.
fn two_records() -> (Btf<'static>, [CoreRelo; 2]) {
    let Question { btf, record } = question(kind::BYTE_OFFSET, "0:0", |b| {
        b.add_string("0:1");
        let int = int(b);
        structure(b, "s", 8, &[("x", int, 0), ("y", int, 32)])
    });
    let second = CoreRelo {
        access_str_off: 1,
        ..record
    };
    (btf, [record, second])
}

fn move_immediate(imm: i32) -> Insn {
    Insn::new(class::ALU64 | source::K | 0xb0, 1, 0, 0, imm)
}

/// Edge case 31: a candidate that failed where another matched is out for good.
#[test]
fn an_early_relocation_narrows_later_ones() {
    let target = kernel(|b| {
        let int = int(b);
        structure(b, "s", 64, &[("x", int, 64), ("y", int, 96)]);
        structure(b, "s", 64, &[("y", int, 128)]);
    });
    let (btf, [x, y]) = two_records();
    let mut insns = [move_immediate(0), move_immediate(4)];

    let mut resolver = CoreResolver::new(&btf, &target);
    resolver.prepare([&x, &y], |_| None).unwrap();
    let mut unnarrowed = resolver.clone();
    let ambiguous = unnarrowed.apply(&mut insns, 1, &y).unwrap_err();
    assert_eq!(ambiguous.kind(), ErrorKind::Core);
    assert_eq!(insns[1].imm, 4, "left as it was");

    resolver.apply(&mut insns, 0, &x).unwrap();
    let step = resolver.apply(&mut insns, 1, &y).unwrap();
    assert_eq!(step.candidates.len(), 1);
    assert_eq!((insns[0].imm, insns[1].imm), (8, 12));
}

#[test]
fn a_relocation_without_any_match_narrows_nothing() {
    let target = kernel(|b| {
        let int = int(b);
        structure(b, "s", 64, &[("y", int, 96)]);
        structure(b, "s", 64, &[("y", int, 96)]);
    });
    let (btf, [x, y]) = two_records();
    let mut insns = [move_immediate(0), move_immediate(4)];
    let mut resolver = CoreResolver::new(&btf, &target);
    let step = resolver.apply(&mut insns, 0, &x).unwrap();
    assert_eq!(step.outcome, CoreOutcome::Poisoned);
    assert_eq!(
        step.mismatches,
        [
            "[2] struct s has no member `x`",
            "[3] struct s has no member `x`"
        ]
    );
    let step = resolver.apply(&mut insns, 1, &y).unwrap();
    assert_eq!(step.candidates.len(), 2);
    assert_eq!(insns[1].imm, 12);
}

type Build = dyn Fn(&mut BtfBuilder);

/// A kernel without any type or string, so that those of its modules are numbered as if they stood alone.
fn with_modules(modules: &[(&str, &Build)]) -> Target {
    let mut header = blob(nothing);
    header.truncate(24);
    header[20..].fill(0);
    let modules = modules.iter();
    Target::offline(OfflineKernel {
        name: "test kernel".to_string(),
        btf: Some(header),
        modules: modules
            .map(|(name, build)| ((*name).to_string(), blob(build)))
            .collect(),
        ..OfflineKernel::default()
    })
}

#[test]
fn modules_are_asked_if_the_kernel_has_no_such_type() {
    let target = with_modules(&[
        ("ext4", &|b| {
            named("other")(b);
        }),
        ("xfs", &|b| {
            with_x("s", 16, true)(b);
        }),
    ]);
    let offset = question(kind::BYTE_OFFSET, "0:0", with_x("s", 0, true));
    let mut resolver = CoreResolver::new(&offset.btf, &target);
    let mut insns = [move_immediate(0)];
    let step = resolver.apply(&mut insns, 0, &offset.record).unwrap();
    assert_eq!(insns[0].imm, 16);
    assert!(
        step.candidates[0].ends_with("(0:0 @ offset 16) of module xfs"),
        "{step:?}"
    );
    let gone = question(kind::BYTE_OFFSET, "0:0", with_x("gone", 0, true));
    assert_eq!(gone.ask_kernel(&target).unwrap().after, None);
}

/// Edge case 30: any type of the right name and kind in the kernel keeps modules out, even if it does not match.
#[test]
fn modules_are_left_out_if_the_kernel_has_such_a_type() {
    let unread = Target::new(Arc::new(Strict {
        btf: Some(blob(|b| {
            structure(b, "s", 4, &[]);
        })),
    }));
    let offset = question(kind::BYTE_OFFSET, "0:0", with_x("s", 0, true));
    assert_eq!(offset.ask_kernel(&unread).unwrap().after, None);
    // A type of that name, but of another kind, is no such type.
    let alias = question(kind::TYPE_EXISTS, "0", |b| b.add_typedef("s", TypeId::VOID));
    let error = alias.ask_kernel(&unread).unwrap_err();
    assert_eq!(error.to_string(), "modules were read");
}

#[test]
fn given_types_keep_modules_out() {
    let custom = Btf::from_vec(blob(with_x("s", 40, true))).unwrap();
    let target = Target::new(Arc::new(Strict { btf: None })).with_core_btf(custom);
    for (name, expected) in [("s", Some(40)), ("gone", None)] {
        let offset = question(kind::BYTE_OFFSET, "0:0", with_x(name, 0, true));
        let mut resolver = CoreResolver::new(&offset.btf, &target);
        resolver.prepare([&offset.record], |_| None).unwrap();
        let local = resolver.question(&offset.record).unwrap();
        assert_eq!(resolver.answer(&local).unwrap().verdict.after, expected);
    }
}

#[test]
fn the_kernels_types_are_left_alone_if_nothing_is_asked_of_them() {
    let target = Target::new(Arc::new(Strict { btf: None }));
    let own = question(kind::TYPE_ID_LOCAL, "0", named("s"));
    let mut resolver = CoreResolver::new(&own.btf, &target);
    resolver.prepare([], |_| None).unwrap();
    resolver.prepare([&own.record], |_| None).unwrap();
    let mut insns = [move_immediate(77)];
    let step = resolver.apply(&mut insns, 0, &own.record).unwrap();
    assert_eq!((step.value_before, step.value_after), (Some(77), Some(1)));
    assert_eq!(insns[0].imm, 1);
}

#[test]
fn a_kernel_without_types_is_told_of_with_advice() {
    let target = Target::new(Arc::new(Strict { btf: None }));
    let offset = question(kind::BYTE_OFFSET, "0:0", with_x("s", 0, true));
    let error = offset.ask_kernel(&target).unwrap_err().to_string();
    for part in [
        "`s`",
        "no BTF here",
        "CONFIG_DEBUG_INFO_BTF",
        "/sys/kernel/btf/vmlinux",
        "--btf",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// A kernel whose modules must not be read, and whose types neither, unless there are some.
#[derive(Debug)]
struct Strict {
    btf: Option<Vec<u8>>,
}

impl KernelSource for Strict {
    fn name(&self) -> String {
        "strict".to_string()
    }

    fn vmlinux_btf(&self) -> Result<Btf<'static>> {
        match &self.btf {
            Some(blob) => Ok(Btf::from_vec(blob.clone())?),
            None => Err(Error::new(ErrorKind::NotFound, "no BTF here")),
        }
    }

    fn module_btfs(&self, _: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>> {
        Err(Error::new(ErrorKind::Corrupt, "modules were read"))
    }

    fn version(&self) -> Result<KernelVersion> {
        Ok(KernelVersion::new(6, 12, 0))
    }

    fn kconfig(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn kallsyms(&self, _: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
        Ok(Addresses::Told)
    }

    fn possible_cpus(&self) -> Result<u32> {
        Ok(1)
    }

    fn page_size(&self) -> u32 {
        4096
    }

    fn supports(&self, _: Feature) -> bool {
        true
    }
}
