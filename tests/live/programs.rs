//! All kinds of programs: linked objects, targets in other programs, tags, overrides, and what old kernels get instead.

use crate::attach::{alone, call_getppid, number, own_process};
use crate::load::load_fixture;
use crate::support::{Need, check, fixture};
use rawbpf::feature::Feature;
use rawbpf::insn::{Insn, class};
use rawbpf::load::Object;
use rawbpf::open::{AutoAttach, OpenObject, SectionDef, SectionFlags};
use rawbpf::reloc::Target;
use rawbpf::sys::bpf;
use rawbpf::{AttachType, ErrorKind, KernelVersion, OpenOptions, ProgramType};
use std::os::fd::AsFd;

/// What a program returns for a packet of 64 bytes, each of which is its own offset.
fn run(object: &Object, program: &str) -> u32 {
    let packet: Vec<u8> = (0..64).collect();
    let mut run = bpf::TestRun {
        data_in: &packet,
        ..bpf::TestRun::default()
    };
    let program = object.program(program).unwrap();
    let result = bpf::prog_test_run(program.as_fd(), &mut run).unwrap();
    result.return_value
}

#[test]
fn a_linked_object_runs_without_its_dead_code() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let object = load_fixture("linked", own_process).unwrap();
    let links = object.attach().unwrap();
    assert_eq!(links.len(), 2, "both programs of the section");
    call_getppid(1);
    let results = object.map("results").unwrap();
    for (key, expected) in [(0u32, 128u64), (1, 129)] {
        let value = results.get(&key.to_ne_bytes()).unwrap().unwrap();
        assert_eq!(value, expected.to_ne_bytes(), "result {key}");
    }
}

#[test]
fn a_function_of_a_loaded_program_is_replaced() {
    require!(Need::Bpf, Need::Btf, Need::Fentry);
    let target = load_fixture("type_kinds", |_| Ok(())).unwrap();
    assert_eq!(run(&target, "run"), 39 + 1 + 2);
    let replacement = load_fixture("freplace", |object| {
        let program = object.program_mut("doubled")?;
        program.set_attach_program(target.program("run")?)?;
        Ok(())
    });
    let replacement = replacement.unwrap();
    let links = replacement.attach().unwrap();
    assert_eq!(run(&target, "run"), 39 * 2 + 2);
    assert_eq!(number(&replacement, "calls"), 1);
    drop(links);
    assert_eq!(run(&target, "run"), 39 + 1 + 2);
}

#[test]
fn what_a_replacement_needs_is_said() {
    require!(Need::Bpf, Need::Btf);
    let error = load_fixture("freplace", |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error.hint().unwrap().contains("set_attach_program"),
        "{error}"
    );
    let target = load_fixture("type_kinds", |_| Ok(())).unwrap();
    let error = load_fixture("freplace", |object| {
        let program = object.program_mut("doubled")?;
        program.set_attach_target("global_functions")?;
        program.set_attach_program(target.program("run")?)?;
        Ok(())
    });
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains(
            "program `run` has no function `global_functions`; did you mean `global_function`?"
        ),
        "{text}"
    );
}

#[test]
fn a_loaded_program_is_traced() {
    require!(Need::Bpf, Need::Btf, Need::Fentry);
    let _alone = alone();
    let target = load_fixture("subprogs", own_process).unwrap();
    let tracer = load_fixture("trace_program", |object| {
        own_process(object)?;
        for program in object.programs_mut() {
            program.set_attach_program(target.program("two")?)?;
        }
        Ok(())
    });
    let tracer = tracer.unwrap();
    let links = tracer.attach().unwrap();
    assert_eq!(links.len(), 2);
    let _running = target.attach().unwrap();
    call_getppid(3);
    assert!(number(&tracer, "entries") >= 3);
    assert_eq!(number(&tracer, "last_left"), 20);
    assert_eq!(number(&tracer, "last_sum"), 23);
}

#[test]
fn a_function_of_a_module_is_a_target() {
    require!(Need::Bpf, Need::Btf, Need::Fentry, Need::ModuleBtf);
    let written = |target: &str| {
        load_fixture("trace_program", |object| {
            object.program_mut("sum_exit")?.set_autoload(false);
            let program = object.program_mut("program_entry")?;
            program.set_attach_target(target)?;
            Ok(())
        })
    };
    for target in ["veth:veth_open", "veth_open"] {
        let object = written(target).unwrap();
        let info = object.program("program_entry").unwrap().info().unwrap();
        let module = bpf::fd_by_id(bpf::ObjectKind::Btf, info.attach_btf_obj_id).unwrap();
        assert_eq!(bpf::btf_info(module.as_fd()).unwrap().name, "veth");
        let _links = object.attach().unwrap();
    }
    let text = written("veth:veth_opens").unwrap_err().to_string();
    assert!(
        text.contains("`veth_opens` is not in the BTF of module `veth`"),
        "{text}"
    );
}

#[test]
fn what_is_thrown_is_caught_by_the_callback_that_a_tag_names() {
    require!(Need::Bpf, Need::Btf);
    let loaded = load_fixture("exception_callback", |_| Ok(()));
    let object = match loaded {
        Ok(object) => object,
        Err(error) => {
            assert!(check(&[Need::Linux(6, 7)]).is_err(), "{error}");
            return assert!(error.to_string().contains("bpf_throw"), "{error}");
        }
    };
    assert_eq!(run(&object, "throws"), 1064);
    assert_eq!(number(&object, "seen"), 64);
    assert_eq!(run(&object, "throws_plainly"), 64);
}

/// Kernels before 6.8 know the context only by its type, which the loader inserts.
#[test]
fn a_tagged_argument_is_the_context_on_every_kernel() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("arg_ctx", |object| {
        let with_cookies = check(&[Need::Linux(5, 15)]).is_ok();
        for name in ["with_cookie", "with_cookie_too"] {
            object.program_mut(name)?.set_autoload(with_cookies);
        }
        Ok(())
    });
    let object = object.unwrap();
    assert!(object.warnings().is_empty(), "{:?}", object.warnings());
    assert_eq!(run(&object, "first_byte"), 14);
    assert_eq!(run(&object, "two_bytes"), 14 + 15);
}

#[test]
fn patterns_of_kernel_functions_are_attached_by_their_section() {
    require!(Need::Bpf, Need::Btf, Need::KprobeMulti);
    let sessions = check(&[Need::Linux(6, 10)]).is_ok();
    let object = load_fixture("kprobe_multi", |object| {
        object.program_mut("both")?.set_autoload(sessions);
        own_process(object)
    });
    let object = object.unwrap();
    let _links = object.attach().unwrap();
    let _ = std::fs::read("/proc/self/stat").unwrap();
    let seen = ["entries", "returns"].map(|name| number(&object, name));
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    assert_eq!(number(&object, "sessions") > 0, sessions);
}

/// 5.10 knows neither floats nor tags nor wide enumerations nor that section's name, 6.1 not the latter.
#[test]
fn types_of_every_kind_are_uploaded_to_every_kernel() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("type_kinds", |_| Ok(())).unwrap();
    assert!(object.warnings().is_empty(), "{:?}", object.warnings());
    let info = object.program("run").unwrap().info().unwrap();
    assert_ne!(info.btf_id, 0, "the program has its types");
    assert_eq!(run(&object, "run"), 42);
    let error = object.map("unused_ops").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

fn asked(name: &str, edit: impl FnOnce(&mut OpenObject)) -> Vec<Feature> {
    let target = Target::running();
    let mut object = OpenObject::from_file(fixture(&format!("{name}.bpf.o"))).unwrap();
    edit(&mut object);
    object
        .load_into(&target, &rawbpf::load::LoadOptions::default())
        .unwrap();
    target
        .known_features()
        .map(|(feature, _)| feature)
        .collect()
}

#[test]
fn only_features_that_a_load_needs_are_probed() {
    use Feature::{
        ArgCtxTag, ArrayMmap, Btf, BtfDatasec, BtfFunc, BtfGlobalFunc, GlobalData, MemcgAccount,
        ProbeReadKern, ProgName,
    };
    require!(Need::Bpf, Need::Btf);
    assert_eq!(asked("no_btf", |_| ()), [ProgName, MemcgAccount]);
    let types = [Btf, BtfFunc, BtfGlobalFunc, BtfDatasec];
    let data = [ArrayMmap, MemcgAccount];
    let expected = [&[ProgName, GlobalData][..], &types, &data].concat();
    assert_eq!(asked("count_raw_tp", |_| ()), expected);
    // It reads kernel memory, and keeps nothing in variables that user space could map.
    let found = asked("opensnoop", |_| ());
    assert!(found.contains(&ProbeReadKern), "{found:?}");
    let tags = asked("arg_ctx", |_| ());
    assert!(tags.contains(&ArgCtxTag), "{tags:?}");
    // With every program off, nothing needs to be known about instructions.
    let off = asked("opensnoop", |object| {
        for program in object.programs_mut() {
            program.set_autoload(false);
        }
    });
    assert!(!off.contains(&ProbeReadKern), "{off:?}");
}

/// The counterpart of `features_are_seen_where_mainline_has_them`: a probe that says "yes" too early would send old kernels
/// what they do not accept. Stable releases take over features, but not from the next major version.
#[test]
fn features_are_not_seen_before_mainline_has_them() {
    require!(Need::Bpf, Need::Guest);
    let target = Target::running();
    let running = target.version().unwrap();
    let major = |version: KernelVersion| version.0 >> 16;
    let early: Vec<_> = Feature::ALL
        .iter()
        .filter(|feature| major(running) < major(feature.since()))
        .filter(|feature| target.supports(**feature))
        .collect();
    assert!(
        early.is_empty(),
        "Linux {running} should not have {early:?}"
    );
}

static FROBNICATE: SectionDef = SectionDef {
    pattern: "frobnicate/",
    kind: ProgramType::SOCKET_FILTER,
    attach_type: AttachType(0),
    flags: SectionFlags::empty(),
    auto_attach: None,
};

static WATCH: SectionDef = SectionDef {
    pattern: "raw_tp+",
    kind: ProgramType::RAW_TRACEPOINT,
    auto_attach: Some(AutoAttach::RawTracepoint),
    ..FROBNICATE
};

#[test]
fn programs_of_a_callers_section_are_loaded_and_attached() {
    require!(Need::Bpf, Need::Btf);
    let open = |options: OpenOptions, name: &str| {
        options
            .open_file(fixture(&format!("{name}.bpf.o")))
            .unwrap()
    };
    let options = OpenOptions::new().section(&FROBNICATE);
    let object = open(options, "unknown_section").load().unwrap();
    let kind = object.program("frobnicate").unwrap().kind();
    assert_eq!(kind, ProgramType::SOCKET_FILTER);
    // The caller's names take precedence over libbpf's.
    let object = open(OpenOptions::new().section(&WATCH), "count_raw_tp");
    assert_eq!(object.programs()[0].def(), Some(&WATCH));
    assert_eq!(object.load().unwrap().attach().unwrap().len(), 1);
}

#[test]
fn instructions_of_a_plan_can_be_replaced() {
    require!(Need::Bpf, Need::Btf);
    let object = OpenObject::from_file(fixture("type_kinds.bpf.o")).unwrap();
    let target = Target::running();
    let mut plan = object.relocate(&target).unwrap();
    let insns = vec![
        Insn::new(class::ALU64 | 0xb0, 0, 0, 0, 7),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    let program = plan.program_mut("run").unwrap();
    program.set_instructions(insns);
    assert!(program.refs.is_empty() && program.func_info.is_empty());
    assert_eq!(run(&plan.load(&target).unwrap(), "run"), 7);
    let mut plan = object.relocate(&target).unwrap();
    let program = plan.program_mut("run").unwrap();
    let before = (program.refs.len(), program.line_info.len());
    let same = program.insns.clone();
    program.set_instructions(same);
    assert_eq!((program.refs.len(), program.line_info.len()), before);
    assert_eq!(run(&plan.load(&target).unwrap(), "run"), 42);
    let mut plan = object.relocate(&target).unwrap();
    let text = plan.program_mut("rum").unwrap_err().to_string();
    assert!(text.contains("did you mean `run`?"), "{text}");
}

#[test]
fn members_of_a_struct_ops_map_can_be_changed() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 6));
    let named = load_fixture("struct_ops", |object| {
        let mut map = object.map_mut("rawbpf_cc")?;
        map.set_field_from_text("name", "rawbpf_cc2")?;
        Ok(())
    });
    let links = named.as_ref().unwrap().attach().unwrap();
    let available =
        std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap();
    assert!(available.contains("rawbpf_cc2"), "{available}");
    drop(links);

    // Nothing uses the program any more, so it is not loaded; the kernel insists on the member when it is registered.
    let without = load_fixture("struct_ops", |object| {
        let mut map = object.map_mut("rawbpf_cc")?;
        map.set_member("undo_cwnd", None)?;
        Ok(())
    });
    let object = without.unwrap();
    let loaded: Vec<_> = object
        .programs()
        .iter()
        .map(rawbpf::program::Program::name)
        .collect();
    assert_eq!(loaded, ["ssthresh", "cong_avoid"]);
    assert!(object.attach().is_err());
    let both = load_fixture("struct_ops", |object| {
        let mut map = object.map_mut("rawbpf_cc")?;
        map.set_member("undo_cwnd", Some("ssthresh"))?;
        Ok(())
    });
    let text = both.unwrap_err().to_string();
    assert!(text.contains("already is another member"), "{text}");
}

/// An attach type given by the caller that the kernel refuses for this program, and one that it accepts.
#[test]
fn type_and_attach_type_can_be_overridden() {
    require!(Need::Bpf, Need::Btf);
    let load = |kind: ProgramType, attach_type: AttachType| {
        load_fixture("unknown_section", |object| {
            let program = object.program_mut("frobnicate")?;
            program.set_kind(kind).set_attach_type(attach_type);
            Ok(())
        })
    };
    let object = load(ProgramType::CGROUP_SOCK, AttachType::CGROUP_INET4_POST_BIND).unwrap();
    let program = object.program("frobnicate").unwrap();
    assert_eq!(
        program.attach_type(),
        Some(AttachType::CGROUP_INET4_POST_BIND)
    );
    assert!(load(ProgramType::CGROUP_SOCK, AttachType::XDP).is_err());
}
