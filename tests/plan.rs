//! Whole plans of the fixtures, for kernels that are only files: no root, no running kernel. `reference.rs` compares their
//! instructions with libbpf's.

use proptest::prelude::*;
use rawbpf::btf::Btf;
use rawbpf::open::OpenOptions;
use rawbpf::reloc::{AttachTarget, LoadPlan, OfflineKernel, SlotTarget, Target};
use rawbpf::{ErrorKind, KernelVersion, MapType, Result};
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn slice(kernel: &str) -> Vec<u8> {
    fs::read(folder().join(format!("btf/{kernel}.btf"))).unwrap()
}

/// A kernel with all features of Linux 6.18, and the types of this slice.
fn target(kernel: &str) -> Target {
    Target::offline(OfflineKernel {
        name: kernel.to_string(),
        btf: Some(slice(kernel)),
        version: Some(KernelVersion::new(6, 18, 0)),
        kconfig: Some(b"CONFIG_HZ=250\n".to_vec()),
        ..OfflineKernel::default()
    })
}

fn plan(name: &str, target: &Target) -> Result<LoadPlan> {
    let bytes = fs::read(folder().join(format!("{name}.bpf.o"))).unwrap();
    let object = OpenOptions::new().object_name(name).open_bytes(&bytes)?;
    object.relocate(target)
}

#[test]
fn a_struct_ops_map_takes_the_kernels_shape() {
    let plan = plan("struct_ops", &target("6.18")).unwrap();
    let mut maps = plan.maps.iter();
    let map = maps.find(|m| m.kind == MapType::STRUCT_OPS).unwrap();
    let btf = Btf::from_vec(slice("6.18")).unwrap();
    let value = btf.get(map.btf_vmlinux_value_type_id).unwrap();
    assert_eq!(value.name(), "bpf_struct_ops_tcp_congestion_ops");
    assert_eq!(map.value_size, value.size_field());
    let image = map.initial.as_ref().unwrap();
    assert_eq!(image.len(), map.value_size as usize);
    let name = b"rawbpf_cc\0";
    assert!(image.windows(name.len()).any(|bytes| bytes == name));
    assert!(!map.functions.is_empty());
    for function in &map.functions {
        let program = &plan.programs[function.program];
        let Some(AttachTarget::Btf { id, .. }) = &program.attach_target else {
            panic!("{} has no attach target", program.name)
        };
        let ops = btf.get(*id).unwrap();
        assert_eq!(ops.name(), "tcp_congestion_ops");
        let member = ops.member(program.expected_attach_type.0 as usize).unwrap();
        // The value starts with the kernel's own bookkeeping.
        assert!(function.offset >= member.bit_offset / 8);
        assert!(function.offset.is_multiple_of(8));
    }
    assert!(plan.btf_required);
}

/// As in libbpf: otherwise the structure would be registered without a function that the object relies on.
#[test]
fn a_program_in_a_member_that_the_kernel_lacks_is_refused_unless_it_is_taken_out() {
    let name = b"\0undo_cwnd\0";
    let mut types = slice("6.18");
    let at = types.windows(name.len()).position(|w| w == name).unwrap();
    types[at + 1] = b'_';
    let target = Target::offline(OfflineKernel {
        name: "without undo_cwnd".to_string(),
        btf: Some(types),
        version: Some(KernelVersion::new(6, 18, 0)),
        ..OfflineKernel::default()
    });
    let error = plan("struct_ops", &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let text = error.to_string();
    assert!(text.contains("member `undo_cwnd`"), "{text}");
    assert!(text.contains("set_member"), "{text}");

    let bytes = fs::read(folder().join("struct_ops.bpf.o")).unwrap();
    let mut object = OpenOptions::new().open_bytes(&bytes).unwrap();
    let mut map = object.map_mut("rawbpf_cc").unwrap();
    map.set_member("undo_cwnd", None).unwrap();
    let plan = object.relocate(&target).unwrap();
    let loaded = |name: &str| plan.programs.iter().any(|p| p.name == name && p.autoload);
    assert!(loaded("ssthresh") && !loaded("undo_cwnd"));
}

#[test]
fn maps_have_the_kernels_sizes_and_slots() {
    let plan = plan("maps", &target("6.18")).unwrap();
    let map = |name: &str| plan.maps.iter().find(|m| m.name == name).unwrap();
    assert_eq!(map("ring").max_entries % 4096, 0);
    assert_eq!(map("perf_events").max_entries, 1);
    assert!(map("array_of_maps").inner.is_some());
    let held = map("array_of_maps").slots.first().unwrap().target;
    assert!(matches!(held, SlotTarget::Map(index) if plan.maps[index].name.starts_with("inner")));
    let held = map("jumps").slots.first().unwrap().target;
    assert!(matches!(held, SlotTarget::Program(_)));
    let long = map("a_name_longer_than_the_kernels");
    assert_eq!(long.kernel_name, "a_name_longer_t");
}

#[test]
fn information_is_counted_in_instructions() {
    let plan = plan("subprogs", &target("6.18")).unwrap();
    for program in &plan.programs {
        let offsets = |bytes: &[u8], size: u32| -> Vec<usize> {
            let records = bytes.chunks(size as usize);
            records
                .map(|r| u32::from_ne_bytes(*r.first_chunk().unwrap()) as usize)
                .collect()
        };
        for info in [&program.func_info, &program.line_info] {
            assert!(!info.is_empty(), "{}", program.name);
            let offsets = offsets(&info.bytes, info.record_size);
            assert_eq!(offsets.first(), Some(&0));
            assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
            assert!(*offsets.last().unwrap() < program.insns.len());
        }
        let calls = program.insns.iter().filter(|i| i.is_subprog_call()).count();
        assert!(calls == 0 || program.func_info.len() > 1);
    }
}

#[test]
fn what_is_missing_is_named() {
    for (name, part) in [
        (
            "kconfig_missing",
            "`CONFIG_RAWBPF_NONE` (used by `copy`) not found",
        ),
        (
            "kfunc_missing",
            "`rawbpf_no_such_kfunc` (used by `call`) not found",
        ),
    ] {
        let error = plan(name, &target("6.18")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Extern);
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.hint().is_some());
    }
    let error = plan("big_endian", &target("6.18")).unwrap_err();
    assert!(error.to_string().contains("byte order"), "{error}");
    let no_types = Target::offline(OfflineKernel::default());
    let error = plan("opensnoop", &no_types).unwrap_err();
    assert!(error.to_string().contains("BTF"), "{error}");
}

#[test]
fn a_problem_sticks_to_its_program() {
    let target = target("6.18");
    let plan = plan("unknown_section", &target).unwrap();
    let error = |name: &str| {
        let mut programs = plan.programs.iter();
        programs.find(|p| p.name == name).unwrap().error.as_ref()
    };
    assert!(error("fine").is_none());
    assert!(error("frobnicate").unwrap().to_string().contains("type"));
}

#[test]
fn one_program_can_be_planned_alone() {
    let bytes = fs::read(folder().join("core_fail.bpf.o")).unwrap();
    let object = OpenOptions::new().open_bytes(&bytes).unwrap();
    let target = target("6.18");
    for index in 0..object.programs().len() {
        let plan = object.relocate_only(&target, index).unwrap();
        let chosen: Vec<usize> = (0..plan.programs.len())
            .filter(|i| plan.programs[*i].autoload)
            .collect();
        assert_eq!(chosen, [index]);
        let others = plan.programs.iter().filter(|p| !p.autoload);
        assert!(
            others
                .clone()
                .all(|p| p.refs.is_empty() && p.core.is_empty())
        );
    }
}

#[test]
fn old_kernels_get_old_helpers_and_old_types() {
    let old = Target::offline(OfflineKernel {
        name: "5.4".to_string(),
        btf: Some(slice("5.10")),
        version: Some(KernelVersion::new(5, 4, 0)),
        ..OfflineKernel::default()
    });
    let plan = plan("opensnoop", &old).unwrap();
    let modern = [112, 113, 114, 115];
    for program in &plan.programs {
        assert!(program.error.is_none(), "{:?}", program.error);
        let helpers = program.insns.iter().filter(|insn| insn.is_helper_call());
        let mut modern = helpers.filter(|insn| modern.contains(&insn.imm));
        assert!(modern.next().is_none(), "{}", program.name);
    }
    let blob = plan.btf.unwrap();
    Btf::parse(&blob).unwrap().validate().unwrap();
}

/// A fixture with some bytes changed.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "subprogs",
        "globals",
        "core_kinds",
        "struct_ops",
        "maps",
        "callbacks",
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12);
    (prop::sample::select(names.to_vec()), changes).prop_map(|(name, changes)| {
        let mut bytes = fs::read(folder().join(format!("{name}.bpf.o"))).unwrap();
        for (place, value) in changes {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A damaged object is refused or planned, but never crashes the planner.
    #[test]
    fn damaged_objects_are_planned_or_refused(bytes in damaged()) {
        let Ok(object) = OpenOptions::new().open_bytes(&bytes) else {
            return Ok(());
        };
        if let Ok(plan) = object.relocate(&target("6.18")) {
            for program in &plan.programs {
                for reference in &program.refs {
                    prop_assert!(reference.insn < program.insns.len());
                }
            }
        }
    }
}
