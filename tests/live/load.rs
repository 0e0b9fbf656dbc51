//! What the kernel accepts and refuses: handmade plans, and the fixtures.

use crate::support::{Need, PinFolder, fixture};
use rawbpf::feature::Feature;
use rawbpf::insn::{Helper, Insn, class, mode, pseudo, size};
use rawbpf::load::Object;
use rawbpf::open::{DataKind, MapOrigin, OpenObject};
use rawbpf::probe::{self, Support};
use rawbpf::reloc::{
    LoadPlan, MapPlan, MapSlot, Pinning, ProgramPlan, Ref, RefKind, SlotTarget, Target,
};
use rawbpf::sys::bpf::{self, ObjectKind};
use rawbpf::{ErrorKind, KernelVersion, MapFlags, MapType, ProgramType};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const MOV64_IMM: u8 = class::ALU64 | 0xb0;
pub(crate) const RETURN_0: [Insn; 2] = [
    Insn::new(MOV64_IMM, 0, 0, 0, 0),
    Insn::new(Insn::EXIT, 0, 0, 0, 0),
];

pub(crate) fn plan(maps: Vec<MapPlan>, programs: Vec<ProgramPlan>) -> LoadPlan {
    LoadPlan {
        object_name: "handmade".into(),
        target_name: "here".into(),
        license: "GPL".into(),
        maps,
        programs,
        ..LoadPlan::default()
    }
}

pub(crate) fn hash(name: &str) -> MapPlan {
    MapPlan {
        name: name.into(),
        kernel_name: name.into(),
        kind: MapType::HASH,
        key_size: 4,
        value_size: 8,
        max_entries: 16,
        autocreate: true,
        ..MapPlan::default()
    }
}

fn constants(name: &str, contents: &[u8]) -> MapPlan {
    MapPlan {
        kind: MapType::ARRAY,
        value_size: u32::try_from(contents.len()).unwrap(),
        max_entries: 1,
        origin: MapOrigin::Data(DataKind::Rodata),
        flags: MapFlags::RDONLY_PROG.bits(),
        initial: Some(contents.to_vec()),
        freeze: true,
        ..hash(name)
    }
}

pub(crate) fn filter(name: &str, insns: &[Insn]) -> ProgramPlan {
    ProgramPlan {
        name: name.into(),
        section: "socket".into(),
        kind: ProgramType::SOCKET_FILTER,
        autoload: true,
        insns: insns.to_vec(),
        ..ProgramPlan::default()
    }
}

/// Reads the first eight bytes of a map's first value, and returns them.
fn reader(map: usize, map_name: &str) -> ProgramPlan {
    let insns = [
        Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_VALUE, 0, 0),
        Insn::default(),
        Insn::new(class::LDX | size::DW | mode::MEM, 0, 1, 0, 0),
        RETURN_0[1],
    ];
    ProgramPlan {
        refs: vec![Ref {
            insn: 0,
            kind: RefKind::MapValue { map },
            name: map_name.into(),
        }],
        ..filter("reader", &insns)
    }
}

/// Follows a pointer that may be null.
pub(crate) fn careless(map: usize) -> ProgramPlan {
    let insns = [
        Insn::new(class::ST | size::W | mode::MEM, 10, 0, -4, 0),
        Insn::new(class::ALU64 | 0xbf, 2, 10, 0, 0),
        Insn::new(class::ALU64 | 0x07, 2, 0, 0, -4),
        Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_FD, 0, 0),
        Insn::default(),
        Insn::new(Insn::CALL, 0, 0, 0, 1),
        Insn::new(class::LDX | size::DW | mode::MEM, 0, 0, 0, 0),
        RETURN_0[1],
    ];
    ProgramPlan {
        refs: vec![Ref {
            insn: 3,
            kind: RefKind::Map { map },
            name: "m".into(),
        }],
        ..filter("careless", &insns)
    }
}

/// A name that no other process uses: another run of this test may be active.
fn own_name(word: &str) -> String {
    format!("{word}_{}", std::process::id())
}

/// Whether the kernel's map of this name is soon gone. It frees maps asynchronously.
fn vanishes(name: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if !map_names().iter().any(|n| n == name) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn map_names() -> Vec<String> {
    let mut names = Vec::new();
    let mut last = 0;
    while let Ok(Some(id)) = bpf::next_id(ObjectKind::Map, last) {
        last = id;
        if let Ok(fd) = bpf::fd_by_id(ObjectKind::Map, id)
            && let Ok(info) = bpf::map_info(fd.as_fd())
        {
            names.push(info.name);
        }
    }
    names
}

#[test]
fn maps_and_programs_of_a_plan_are_made() {
    require!(Need::Bpf);
    let target = Target::running();
    let contents = 0x1122_3344_5566_7788_u64.to_ne_bytes();
    let plan = plan(
        vec![hash("rawbpf_t1_hash"), constants(".rodata", &contents)],
        vec![reader(1, ".rodata"), filter("second", &RETURN_0)],
    );
    let object = plan.load(&target).unwrap();
    assert_eq!(object.programs().len(), 2);
    let info = object.program("reader").unwrap().info().unwrap();
    assert_eq!(
        (info.kind, info.name.as_str(), info.map_count),
        (ProgramType::SOCKET_FILTER, "reader", 1)
    );
    let run = |name| {
        let mut run = bpf::TestRun {
            data_in: &[0; 64],
            ..bpf::TestRun::default()
        };
        let program = object.program(name).unwrap();
        bpf::prog_test_run(program.as_fd(), &mut run)
            .unwrap()
            .return_value
    };
    assert_eq!(run("reader"), 0x5566_7788);
    assert_eq!(run("second"), 0);

    let rodata = object.map(".rodata").unwrap();
    let key = 0u32.to_ne_bytes();
    assert_eq!(rodata.get(&key).unwrap().unwrap(), contents);
    let error = rodata
        .insert(&key, &[0; 8], rawbpf::map::UpdateMode::Any)
        .unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Permission,
        "frozen maps cannot be written: {error}"
    );
    let error = object.map(".rodatta").unwrap_err();
    assert!(
        error.to_string().contains("did you mean `.rodata`?"),
        "{error}"
    );
}

#[test]
fn a_map_that_no_instruction_names_is_kept_with_the_program() {
    require!(Need::Bpf, Need::Linux(5, 10));
    let plan = plan(
        vec![constants(".rodata", &[1; 8])],
        vec![filter("bystander", &RETURN_0)],
    );
    let object = plan.load(&Target::running()).unwrap();
    let info = object.program("bystander").unwrap().info().unwrap();
    assert_eq!(info.map_count, 1);
}

#[test]
fn a_refused_program_says_why_and_takes_everything_with_it() {
    require!(Need::Bpf, Need::Bpffs);
    let pins = PinFolder::new();
    let name = own_name("t2");
    let mut pinned = hash(&name);
    pinned.pinning = Pinning::ByName;
    pinned.pin_path = Some(pins.path().join("sub").join("pinned"));
    let plan = plan(vec![pinned], vec![filter("fine", &RETURN_0), careless(0)]);
    let error = plan.load(&Target::running()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Verifier);
    assert!(
        text.starts_with(
            "object handmade: program `careless`: the verifier refused it: R0 invalid mem access"
        ) && text.contains("at instruction 6: (79) r0 = *(u64 *)(r0 +0)"),
        "{text}"
    );
    let log = error.verifier_log().unwrap();
    assert!(log.full().contains("call bpf_map_lookup_elem#1"), "{log:?}");
    assert!(vanishes(&name), "the map is still there");
    assert!(
        !pins.path().join("sub").exists(),
        "the pin's folder is still there"
    );
}

#[test]
fn one_refused_program_does_not_hide_the_others() {
    require!(Need::Bpf);
    let mut off = filter("off", &RETURN_0);
    off.autoload = false;
    let mut bad_map = hash("rawbpf_t3_bad");
    bad_map.value_size = 0;
    let plan = plan(
        vec![hash("rawbpf_t3_hash"), bad_map],
        vec![careless(0), careless(1), off, filter("fine", &RETURN_0)],
    );
    let each = plan.load_each(&Target::running()).unwrap();
    let errors: Vec<_> = each.programs.iter().map(|p| p.error.as_ref()).collect();
    assert_eq!(
        errors.len(),
        3,
        "the program with autoload off is not tried"
    );
    assert_eq!(errors[0].unwrap().kind(), ErrorKind::Verifier);
    assert!(
        errors[1]
            .unwrap()
            .to_string()
            .contains("uses map `m`, which was not created")
    );
    assert!(errors[2].is_none());
    assert!(each.maps[0].error.is_none());
    let refused = each.maps[1].error.as_ref().unwrap().to_string();
    assert!(
        refused.contains("map `rawbpf_t3_bad`") && refused.contains("value of 0 bytes"),
        "{refused}"
    );
    let names: Vec<_> = each
        .object
        .programs()
        .iter()
        .map(rawbpf::program::Program::name)
        .collect();
    assert_eq!(names, ["fine"]);
    let error = each.object.program("off").unwrap_err();
    assert!(error.hint().unwrap().contains("autoload"));
}

#[test]
fn pinned_maps_are_found_again_if_they_are_alike() {
    require!(Need::Bpf, Need::Bpffs);
    let pins = PinFolder::new();
    let target = Target::running();
    let mut map = hash("rawbpf_t4_hash");
    map.pin_path = Some(pins.path().join("m"));
    let first = plan(vec![map.clone()], vec![]).load(&target).unwrap();
    let second = plan(vec![map.clone()], vec![]).load(&target).unwrap();
    let id = |object: &rawbpf::load::Object| object.map("rawbpf_t4_hash").unwrap().id().unwrap();
    assert_eq!(id(&first), id(&second));
    drop((first, second));
    map.max_entries = 17;
    let error = plan(vec![map], vec![])
        .load(&target)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("its max_entries is 16, the object's is 17"),
        "{error}"
    );
    assert!(
        pins.path().join("m").exists(),
        "a pin that was there before stays"
    );
}

#[test]
fn maps_and_programs_are_put_into_maps() {
    require!(Need::Bpf);
    let mut outer = hash("rawbpf_t5_outer");
    outer.kind = MapType::ARRAY_OF_MAPS;
    outer.value_size = 4;
    let template = own_name("t5");
    outer.inner = Some(Box::new(hash(&template)));
    let slot = |index, target| vec![MapSlot { index, target }];
    outer.slots = slot(3, SlotTarget::Map(0));
    let mut jumps = hash("rawbpf_t5_jumps");
    jumps.kind = MapType::PROG_ARRAY;
    jumps.value_size = 4;
    jumps.slots = slot(2, SlotTarget::Program(0));
    let plan = plan(
        vec![hash("rawbpf_t5_inner"), outer, jumps],
        vec![filter("jumped_to", &RETURN_0)],
    );
    let object = plan.load(&Target::running()).unwrap();
    let id_at = |map: &str, index: u32| {
        let value = object.map(map).unwrap().get(&index.to_ne_bytes()).unwrap();
        value.map(|v| u32::from_ne_bytes(v.try_into().unwrap()))
    };
    let inner = object.map("rawbpf_t5_inner").unwrap().id().unwrap();
    assert_eq!(id_at("rawbpf_t5_outer", 3), Some(inner));
    assert_eq!(id_at("rawbpf_t5_outer", 2), None);
    let program = object.program("jumped_to").unwrap().id().unwrap();
    assert_eq!(id_at("rawbpf_t5_jumps", 2), Some(program));
    assert!(vanishes(&template), "the template is not needed any more");
}

#[test]
fn a_helper_that_is_not_there_is_named() {
    require!(Need::Bpf);
    let insns = [Insn::new(Insn::CALL, 0, 0, 0, 195_896_080), RETURN_0[1]];
    let mut program = filter("poisoned", &insns);
    program.core = vec![rawbpf::reloc::CoreStep {
        insn: 0,
        kind: "field_byte_offset",
        spec: "struct task_struct.gone (0:1 @ offset 8)".into(),
        candidates: vec![],
        missing: Some("field `gone` of `struct task_struct`".into()),
        mismatches: vec![],
        value_before: Some(8),
        value_after: None,
        outcome: rawbpf::reloc::CoreOutcome::Poisoned,
    }];
    let error = plan(vec![], vec![program])
        .load(&Target::running())
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("it needs field `gone` of `struct task_struct`")
            && text.contains("field_byte_offset: struct task_struct.gone"),
        "{text}"
    );
    assert_eq!(Helper::PROBE_READ.0, 4);
}

/// Tail-calls the first entry of a program array.
fn calling(name: &str, kind: ProgramType, map: usize) -> ProgramPlan {
    let insns = [
        Insn::new(Insn::LD_IMM64, 2, pseudo::MAP_FD, 0, 0),
        Insn::default(),
        Insn::new(MOV64_IMM, 3, 0, 0, 0),
        Insn::new(Insn::CALL, 0, 0, 0, Helper::TAIL_CALL.immediate()),
        RETURN_0[0],
        RETURN_0[1],
    ];
    ProgramPlan {
        kind,
        refs: vec![Ref {
            insn: 0,
            kind: RefKind::Map { map },
            name: "calls".into(),
        }],
        ..filter(name, &insns)
    }
}

/// The kernel reserves a program array for the kind of program that uses it first.
#[test]
fn a_program_array_of_another_sort_does_not_refuse_a_program() {
    require!(Need::Bpf);
    let calls = MapPlan {
        kind: MapType::PROG_ARRAY,
        value_size: 4,
        ..hash("calls")
    };
    let programs = || {
        vec![
            calling("socket", ProgramType::SOCKET_FILTER, 0),
            calling("xdp", ProgramType::XDP, 0),
            calling("socket_too", ProgramType::SOCKET_FILTER, 0),
        ]
    };
    let whole = plan(vec![calls.clone()], programs()).load(&Target::running());
    assert!(whole.unwrap_err().to_string().contains("program `xdp`"));
    let each = plan(vec![calls], programs()).load_each(&Target::running());
    let each = each.unwrap();
    assert!(
        each.programs.iter().all(|program| program.error.is_none()),
        "{each:?}"
    );
    assert_eq!(each.object.programs().len(), 3);
    let error = each.maps[0].error.as_ref().unwrap().to_string();
    assert!(
        error.contains("map `calls`: programs of several sorts use it: `xdp`"),
        "{error}"
    );
}

#[test]
fn a_program_array_lacks_what_was_refused_and_holds_the_rest() {
    require!(Need::Bpf, Need::Btf);
    let open = OpenObject::from_file(fixture("slots.bpf.o")).unwrap();
    let each = open.load_each().unwrap();
    let failed = |outcomes: &[rawbpf::load::Outcome]| -> Vec<String> {
        let failed = outcomes.iter().filter(|outcome| outcome.error.is_some());
        failed.map(|outcome| outcome.name.clone()).collect()
    };
    assert_eq!(failed(&each.programs), ["careless"]);
    assert_eq!(failed(&each.maps), ["calls"]);
    let calls = each.object.map("calls").unwrap();
    let slot = |index: u32| calls.get(&index.to_ne_bytes()).unwrap();
    let fine = each.object.program("fine").unwrap().id().unwrap();
    assert_eq!(slot(0).unwrap(), fine.to_ne_bytes());
    assert!(slot(1).is_none());
}

/// A probe that says "no" where mainline has long had the feature would silently take another path everywhere.
#[test]
fn features_are_seen_where_mainline_has_them() {
    require!(Need::Bpf);
    let target = Target::running();
    let running = target.version().unwrap();
    let mut wrong = Vec::new();
    for feature in Feature::ALL {
        let needs_kprobes = *feature == Feature::SyscallWrapper;
        if needs_kprobes && crate::support::check(&[Need::Kprobes]).is_err() {
            continue;
        }
        // Later kernels answer EPROTO instead of ENXIO: they want a longer nop than the feature stands for.
        let machine_dependent = *feature == Feature::UprobeSyscall
            && (!cfg!(target_arch = "x86_64") || running >= KernelVersion::new(7, 0, 0));
        if running >= feature.since() && !machine_dependent && !target.supports(*feature) {
            wrong.push(*feature);
        }
    }
    assert!(wrong.is_empty(), "Linux {running} should have {wrong:?}");
}

#[test]
fn the_running_kernel_describes_itself() {
    require!(Need::Bpf, Need::Btf);
    let target = Target::running();
    assert!(target.name().starts_with("Linux "));
    assert!(target.version().unwrap() >= KernelVersion::new(4, 18, 0));
    assert!(target.possible_cpus().unwrap() >= 1);
    assert!(target.page_size() >= 4096);
    let mut symbols = 0;
    target.kallsyms(&mut |_| symbols += 1).unwrap();
    assert!(symbols > 1000);
    let btf = target.vmlinux_btf().unwrap();
    assert!(btf.find("task_struct", rawbpf::btf::Kind::Struct).is_some());
}

/// Opens a fixture, changes it, loads it.
pub(crate) fn load_fixture(
    name: &str,
    edit: impl FnOnce(&mut OpenObject) -> rawbpf::Result<()>,
) -> rawbpf::Result<Object> {
    let mut object = OpenObject::from_file(fixture(&format!("{name}.bpf.o")))?;
    edit(&mut object)?;
    object.load()
}

/// Fixtures that every kernel since 5.10 accepts.
#[test]
fn fixtures_for_all_kernels_load() {
    require!(Need::Bpf, Need::Btf);
    let mut refused = Vec::new();
    for name in [
        "core_kinds",
        "count_raw_tp",
        "count_tp_btf",
        "exec",
        "execsnoop",
        "globals",
        "iter_task",
        "kconfig",
        "kfunc",
        "kprobe_latency",
        "ksyms",
        "maps",
        "no_btf",
        "no_license",
        "opensnoop",
        "perf_output",
        "struct_ops",
        "subprogs",
        "tcpstates",
        "uprobe",
    ] {
        match load_fixture(name, |_| Ok(())) {
            Ok(object) if object.warnings().is_empty() => {}
            Ok(object) => refused.push(format!("{name}: {:?}", object.warnings())),
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// The kernel takes the types that were made of debug information, and the program runs.
#[cfg(feature = "dwarf")]
#[test]
fn an_object_with_debug_information_alone_loads_and_runs() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("dwarf_only", |open| {
        open.variable_mut("targ_tgid")?.set(&std::process::id())
    });
    let object = object.unwrap();
    assert!(object.warnings().is_empty(), "{:?}", object.warnings());
    let links = object.attach().unwrap();
    for _ in 0..10 {
        let _ = std::fs::metadata("/proc/self/comm");
    }
    drop(links);
    let counts = object.map("counts").unwrap().typed::<u32, u64>().unwrap();
    assert!(counts.get(&0).unwrap().unwrap() >= 10);
    let types = object.map("by_place").unwrap().types().unwrap().unwrap();
    let value = types.btf.get(types.value).unwrap();
    assert_eq!(value.name(), "event");
}

#[test]
fn fixtures_for_newer_kernels_load() {
    require!(Need::Bpf, Need::Btf);
    let mut refused = Vec::new();
    for (name, major, minor) in [("callbacks", 5, 13), ("loop", 5, 17), ("maps_newer", 6, 1)] {
        let result = load_fixture(name, |_| Ok(()));
        let new_enough = crate::support::check(&[Need::Linux(major, minor)]).is_ok();
        match result {
            Ok(_) => {}
            Err(error) if !new_enough => {
                let told = error.hint().is_some_and(|hint| hint.contains("need Linux"));
                assert!(told, "{name}: {error}");
            }
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn a_map_type_that_is_too_new_is_named_with_its_version() {
    require!(Need::Bpf, Need::Btf);
    if probe::map_kind(MapType::BLOOM_FILTER) == Support::Yes {
        return;
    }
    let error = load_fixture("maps_newer", |_| Ok(()))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("maps of type bloom_filter need Linux 5.16"),
        "{error}"
    );
}

#[test]
fn objects_that_must_be_refused_are() {
    require!(Need::Bpf, Need::Btf);
    for (name, words) in [
        (
            "reject",
            "program `forgets_the_null_check`: the verifier refused it: R0 invalid mem access",
        ),
        ("core_fail", "rawbpf_no_such_field"),
        ("unknown_section", "frobnicate/x"),
        ("big_endian", "other byte order"),
        ("kconfig_missing", "CONFIG_RAWBPF_NONE"),
        ("ksyms_missing", "rawbpf_no_such_symbol"),
        ("kfunc_missing", "rawbpf_no_such_kfunc"),
    ] {
        let text = load_fixture(name, |_| Ok(())).unwrap_err().to_string();
        let file = format!("{name}.bpf.o: ");
        assert!(
            text.starts_with("object ") && text.contains(&file),
            "{text}"
        );
        assert_eq!(text.matches(&file).count(), 1, "named once: {text}");
        assert!(text.contains(words), "{text}");
    }
}

// The arena's address is given in the object: one test at a time can have it.
#[test]
fn arena_variables_are_where_the_program_sees_them() {
    require!(Need::Bpf, Need::Btf);
    let loaded = load_fixture("arena", |_| Ok(()));
    let object = match loaded {
        Ok(object) => object,
        Err(error) => {
            let new_enough = crate::support::check(&[Need::Linux(6, 9)]).is_ok();
            assert!(!new_enough, "{error}");
            let told = error.to_string();
            return assert!(told.contains("maps of type arena need Linux 6.9"), "{told}");
        }
    };
    let arena = object.arena().expect("an arena");
    assert_eq!(arena.address(), 1 << 44);
    let program = object.program("count").unwrap();
    let counted = bpf::prog_test_run(program.as_fd(), &mut bpf::TestRun::default());
    assert_eq!(counted.unwrap().return_value, 6);
    // The variables are on the first page, or, on newer kernels, on the last one.
    let counter = [0, arena.len() - 4096].into_iter().any(|offset| {
        let mut value = [0; 8];
        arena.read(offset, &mut value).expect("inside");
        u64::from_ne_bytes(value) == 6
    });
    assert!(counter, "the counter is not in the arena");
}

/// Every type that mainline had at this version, as far as Debian's kernels (and this one) were built with it.
#[test]
fn types_are_seen_where_mainline_has_them() {
    require!(Need::Bpf);
    let optional = [
        ProgramType::LIRC_MODE2,
        ProgramType::LSM,
        ProgramType::NETFILTER,
    ];
    let mut wrong = Vec::new();
    for kind in ProgramType::ALL.iter().skip(1) {
        match probe::program_kind(*kind) {
            Support::Yes => {}
            Support::Unknown if crate::support::check(&[Need::Fentry]).is_err() => {}
            Support::No { since: Some(since) } if optional.contains(kind) || since > running() => {}
            other => wrong.push(format!("{kind}: {other:?}")),
        }
    }
    let optional = [
        MapType::XSKMAP,
        MapType::STACK_TRACE,
        MapType::INODE_STORAGE,
    ];
    for kind in MapType::ALL.iter().skip(1) {
        match probe::map_kind(*kind) {
            Support::Yes => {}
            Support::No { since: Some(since) } if optional.contains(kind) || since > running() => {}
            Support::No { since: None } if *kind == MapType::RHASH => {}
            other => wrong.push(format!("{kind}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn running() -> KernelVersion {
    Target::running().version().unwrap()
}

#[test]
fn helpers_are_seen_where_they_may_be_called() {
    require!(Need::Bpf);
    let of = |kind, name| probe::helper_in(kind, Helper::find(name).unwrap());
    let no = Support::No { since: None };
    for (kind, name, expected) in [
        (ProgramType::SOCKET_FILTER, "map_lookup_elem", Support::Yes),
        (ProgramType::TRACEPOINT, "get_current_task", Support::Yes),
        (ProgramType::XDP, "xdp_adjust_head", Support::Yes),
        (ProgramType::TRACEPOINT, "xdp_adjust_head", no),
        (ProgramType::EXT, "map_lookup_elem", Support::Unknown),
    ] {
        assert_eq!(of(kind, name), expected, "{kind}: {name}");
    }
    let beyond = probe::helper_in(ProgramType::SOCKET_FILTER, Helper(100_000));
    assert_eq!(beyond, no);
}

#[test]
fn helpers_of_tracing_are_seen_with_the_kernels_types() {
    require!(Need::Bpf, Need::Btf);
    let of = |name| probe::helper_in(ProgramType::TRACING, Helper::find(name).unwrap());
    assert_eq!(of("get_current_task_btf"), supported_since(5, 11));
    assert_eq!(of("xdp_adjust_head"), Support::No { since: None });
}

/// Supported in mainline since this version, and not left out of Debian's kernels.
fn supported_since(major: u8, minor: u8) -> Support {
    if running() >= KernelVersion::new(major, minor, 0) {
        Support::Yes
    } else {
        Support::No { since: None }
    }
}

#[test]
fn helpers_and_types_are_found_by_name() {
    require!(Need::Bpf);
    assert_eq!(probe::helper("probe_read_kernel").unwrap(), Support::Yes);
    assert_eq!(probe::helper("bpf_xdp_adjust_head").unwrap(), Support::Yes);
    assert_eq!(probe::helper("tcp_send_ack").unwrap(), Support::Unknown);
    let newest = probe::helper("bpf_cgrp_storage_get").unwrap();
    assert_eq!(newest, supported_since(6, 2));
    for (found, near) in [
        (
            probe::helper("probe_read_kernal"),
            "`bpf_probe_read_kernel`",
        ),
        (probe::map("ringbuff"), "`ringbuf`"),
        (probe::program("xpd"), "`xdp`"),
    ] {
        let error = found.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(near), "{error}");
    }
    for name in ["hash", "BPF_MAP_TYPE_HASH", "bpf_map_type_hash"] {
        assert_eq!(probe::map(name).unwrap(), Support::Yes);
    }
    assert_eq!(
        probe::map("ringbuf").unwrap(),
        probe::map_kind(MapType::RINGBUF)
    );
    assert_eq!(probe::program("BPF_PROG_TYPE_XDP").unwrap(), Support::Yes);
}
