//! Programs by id, pin and descriptor: what the kernel reports about them, and how they are attached without their object.

use crate::attach::{alone, call_getppid, number, own_process};
use crate::load::load_fixture;
use crate::support::{Need, PinFolder, fixture};
use rawbpf::btf::Kind;
use rawbpf::insn::INSN_SIZE;
use rawbpf::load::{CloneOptions, LoadOptions};
use rawbpf::map::Map;
use rawbpf::program::{Program, TestRun};
use rawbpf::{AttachType, ErrorKind, OpenObject, ProgramType};
use std::os::fd::{AsFd, OwnedFd};

/// Asserts an error of this kind, in words that name the program.
fn refused<T: std::fmt::Debug>(result: rawbpf::Result<T>, kind: ErrorKind, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{word}` in: {error}");
    }
}

#[test]
fn a_program_is_the_same_by_every_way() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let object = load_fixture("subprogs", |_| Ok(())).unwrap();
    let own = object.program("one").unwrap();
    let folder = PinFolder::new();
    let path = folder.path().join("program");
    own.pin(&path).unwrap();
    let copy: OwnedFd = own.as_fd().try_clone_to_owned().unwrap();
    let id = own.id().unwrap();
    assert!(Program::ids().any(|one| one.unwrap() == id));
    for program in [
        Program::from_id(id).unwrap(),
        Program::from_pin(&path).unwrap(),
        Program::from_fd(copy).unwrap(),
    ] {
        assert_eq!(program.info().unwrap(), own.info().unwrap());
        assert_eq!(program.name(), "one");
        assert_eq!(program.kind(), ProgramType::RAW_TRACEPOINT);
        assert_eq!(program.section(), None);
        assert_eq!(program.attach_type(), None);
        assert!(!program.autoattach() && program.attach_target().is_none());
    }
    own.unpin(&path).unwrap();
    assert!(!path.exists());
    // Handles live longer than their object, and the program as long as they do.
    let handle = Program::from_id(id).unwrap();
    drop(object);
    assert_eq!(handle.id().unwrap(), id);
    drop(handle);
}

#[test]
fn handles_of_programs_go_to_other_threads() {
    fn anywhere<T: Clone + Send + Sync + 'static>() {}
    anywhere::<Program>();
    anywhere::<Map>();
}

#[test]
fn what_is_no_program_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs, Need::Linux(5, 10));
    let object = load_fixture("maps", |_| Ok(())).unwrap();
    let map = object.map("hash").unwrap();
    let copy = map.as_fd().try_clone_to_owned().unwrap();
    let invalid = ErrorKind::InvalidArgument;
    refused(
        Program::from_fd(copy),
        invalid,
        &["is a map, not a program"],
    );
    let folder = PinFolder::new();
    let path = folder.path().join("map");
    map.pin(&path).unwrap();
    let text = path.display().to_string();
    refused(
        Program::from_pin(&path),
        invalid,
        &[&text, "is a map, not a program"],
    );
    let file = std::fs::File::open("/dev/null").unwrap();
    refused(
        Program::from_fd(file.into()),
        invalid,
        &["is not a BPF program"],
    );
    refused(
        Program::from_id(u32::MAX),
        ErrorKind::NotFound,
        &["no program with id 4294967295"],
    );
    refused(
        Map::from_id(u32::MAX),
        ErrorKind::NotFound,
        &["no map with id"],
    );
}

#[test]
fn the_parts_of_a_program_fit_its_numbers() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("subprogs", |_| Ok(())).unwrap();
    let program = Program::from_id(object.program("one").unwrap().id().unwrap()).unwrap();
    let info = program.info().unwrap();
    assert!(info.gpl_compatible && info.ifindex == 0 && !info.load_time.is_zero());
    assert_eq!(info.created_by_uid, 0);

    let insns = program.translated().unwrap();
    assert_eq!(insns.len() * INSN_SIZE, info.translated_len as usize);
    assert!(!insns.is_empty());

    let maps = program.map_ids().unwrap();
    assert_eq!(maps.len(), info.map_count as usize);
    assert!(maps.contains(&object.map(".data").unwrap().id().unwrap()));

    let btf = program.btf().unwrap().unwrap();
    let functions = program.func_info().unwrap();
    let names = functions
        .iter()
        .map(|f| btf.get(f.type_id).unwrap().name().to_owned());
    let names: Vec<_> = names.collect();
    assert_eq!(names[0], "one");
    assert!(names.contains(&"twice".to_owned()), "{names:?}");
    assert!(functions.iter().all(|f| (f.insn as usize) < insns.len()));
    assert!(functions.is_sorted_by_key(|f| f.insn));

    let lines = program.line_info().unwrap();
    assert_eq!(lines.len(), info.line_infos as usize);
    let texts = lines.iter().filter_map(|line| line.text(&btf));
    assert!(
        texts
            .clone()
            .any(|text| text.contains("return value * 2 + (input ? 0 : 1);")),
        "{:?}",
        texts.collect::<Vec<_>>()
    );
    let files = lines.iter().filter_map(|line| line.file_name(&btf));
    assert!(files.last().unwrap().ends_with("subprogs.bpf.c"));
    assert!(lines.iter().all(|line| line.line > 0));

    let tags = program.function_tags().unwrap();
    assert_eq!(tags.len(), functions.len());
    assert!(program.memlock().unwrap() >= 4096);
    assert!(object.map(".data").unwrap().state().unwrap().memlock > 0);

    // Without a JIT there is no machine code, and some kernels show it to nobody.
    let jited = program.jited().unwrap();
    if !jited.is_empty() {
        assert_eq!(jited.len(), functions.len());
        let code: usize = jited.iter().map(|function| function.code.len()).sum();
        assert_eq!(code, info.jited_len as usize);
        assert!(jited.iter().all(|function| function.address != 0));
        let addresses = program.jited_line_info().unwrap();
        assert_eq!(addresses.len(), lines.len());
        let first = &jited[0];
        let end = first.address + first.code.len() as u64;
        assert!((first.address..end).contains(&addresses[0]));
    }
}

#[test]
fn a_part_that_has_grown_is_read_whole() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 10));
    let object = load_fixture("maps", |_| Ok(())).unwrap();
    let program = object.program("first").unwrap();
    let before = program.map_ids().unwrap();
    let map = object.map("lru_hash").unwrap();
    assert!(!before.contains(&map.id().unwrap()));
    program.bind_map(map).unwrap();
    // The kernel has no flags for this yet.
    let refused = rawbpf::sys::bpf::prog_bind_map(program.as_fd(), map.as_fd(), 1);
    assert_eq!(refused, Err(rawbpf::Errno::EINVAL));
    let after = program.map_ids().unwrap();
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.contains(&map.id().unwrap()));
    // Read and bound at the same time.
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for _ in 0..200 {
                let ids = program.map_ids().unwrap();
                assert!(ids.len() >= after.len() && !ids.contains(&0), "{ids:?}");
            }
        });
        for map in object.maps() {
            program.bind_map(map).unwrap();
        }
        reader.join().unwrap();
    });
}

#[test]
fn a_raw_tracepoint_is_attached_by_the_name_of_its_place() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let object = load_fixture("count_raw_tp", |object| {
        own_process(object)?;
        object.variable_mut("targ_nr")?.set(&libc::SYS_getppid)
    });
    let object = object.unwrap();
    let own = object.program("count_sys_enter").unwrap();
    let program = Program::from_id(own.id().unwrap()).unwrap();
    refused(
        program.attach(),
        ErrorKind::Unsupported,
        &["an id, a pin or a descriptor", "by call"],
    );
    let link = program.attach_raw_tracepoint("sys_enter").unwrap();
    assert_eq!(link.info().unwrap().program_id, own.id().unwrap());
    call_getppid(10);
    link.detach().unwrap();
    let counts = object.map("counts").unwrap();
    let sum: u64 = counts
        .get_per_cpu(&[0; 4])
        .unwrap()
        .unwrap()
        .iter()
        .map(|value| u64::from_ne_bytes(value[..8].try_into().unwrap()))
        .sum();
    assert_eq!(sum, 10);
}

#[test]
fn a_tracing_program_is_attached_to_what_it_was_loaded_for() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let object = load_fixture("count_tp_btf", |object| {
        own_process(object)?;
        object.variable_mut("targ_nr")?.set(&libc::SYS_getppid)
    });
    let object = object.unwrap();
    let own = object.program("count_sys_enter").unwrap();
    let program = Program::from_id(own.id().unwrap()).unwrap();
    let link = program.attach_tracing().unwrap();
    call_getppid(7);
    drop(link);
    assert_eq!(number(&object, "sys_enters"), 7);
    // The caller can say what it was loaded with; then all ways of attaching are open.
    refused(
        program.attach_tracing_with_cookie(1),
        ErrorKind::InvalidArgument,
        &["attach type", "Program::with_attach_type"],
    );
    let program = program.with_attach_type(AttachType::TRACE_RAW_TP);
    assert_eq!(program.attach_type(), Some(AttachType::TRACE_RAW_TP));
    let link = program.attach_tracing().unwrap();
    call_getppid(3);
    drop(link);
    assert_eq!(number(&object, "sys_enters"), 10);
}

#[test]
fn a_handle_without_an_object_says_what_is_missing() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("globals", |_| Ok(())).unwrap();
    let program = object.program("add_up").unwrap();
    let program = Program::from_id(program.id().unwrap()).unwrap();
    refused(
        program.attach_usdt(&rawbpf::attach::Usdt::new("/proc/self/exe", "a", "b")),
        ErrorKind::Unsupported,
        &["add_up", "maps of its object"],
    );
    refused(
        program.attach_sockmap(object.map(".data").unwrap()),
        ErrorKind::InvalidArgument,
        &["add_up", "attach type"],
    );
    refused(
        program.assoc_struct_ops(object.map(".data").unwrap()),
        ErrorKind::InvalidArgument,
        &["add_up", "of type array, not struct_ops"],
    );
}

#[test]
fn a_program_opened_by_id_can_be_test_run() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 10));
    let object = load_fixture("globals", |_| Ok(())).unwrap();
    let program = object.program("add_up").unwrap();
    let program = Program::from_id(program.id().unwrap()).unwrap();
    let outcome = program.test_run(&TestRun::new().context(&[0; 16])).unwrap();
    assert_eq!(outcome.return_value, 0);
}

#[test]
fn a_program_is_associated_with_a_struct_ops_once() {
    require!(Need::Bpf, Need::Btf);
    let ops = load_fixture("struct_ops", |_| Ok(())).unwrap();
    let map = ops.map("rawbpf_cc").unwrap();
    let object = load_fixture("globals", |_| Ok(())).unwrap();
    let program = object.program("add_up").unwrap();
    let member = ops
        .programs()
        .iter()
        .find(|program| program.kind() == ProgramType::STRUCT_OPS);
    refused(
        member.unwrap().assoc_struct_ops(map),
        ErrorKind::InvalidArgument,
        &["already belongs to its map"],
    );
    match program.assoc_struct_ops(map) {
        Ok(()) => {
            program.assoc_struct_ops(map).unwrap();
            let other = load_fixture("struct_ops", |_| Ok(())).unwrap();
            let error = program.assoc_struct_ops(other.map("rawbpf_cc").unwrap());
            let error = error.unwrap_err();
            assert_eq!(error.errno(), Some(rawbpf::Errno::EBUSY), "{error}");
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("Linux 6.19"), "{error}");
            assert!(crate::support::check(&[Need::Linux(6, 19)]).is_err());
        }
    }
}

#[test]
fn the_types_of_a_program_are_those_of_its_object() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("globals", |_| Ok(())).unwrap();
    let program = object.program("add_up").unwrap();
    let types = program.btf().unwrap().unwrap();
    assert!(types.find("shape", Kind::Struct).is_some());
}

#[test]
fn one_program_is_loaded_for_several_tracepoints() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let mut open = OpenObject::from_file(fixture("count_tp_btf.bpf.o")).unwrap();
    own_process(&mut open).unwrap();
    let nr = libc::SYS_getppid;
    open.variable_mut("targ_nr").unwrap().set(&nr).unwrap();
    open.program_mut("count_switch")
        .unwrap()
        .set_autoload(false);
    let mut prepared = open.prepare().unwrap();
    let same = prepared.clone_program("count_sys_enter", &CloneOptions::new());
    let same = same.unwrap();
    let log = LoadOptions::new().log_level(1);
    let exit = CloneOptions::new()
        .attach_target("sched_switch")
        .load_options(log);
    let exit = prepared.clone_program("count_sys_enter", &exit).unwrap();
    assert!(exit.verifier_log().is_some() && same.verifier_log().is_none());
    assert_ne!(same.id().unwrap(), exit.id().unwrap());
    assert_eq!(same.tag().unwrap(), exit.tag().unwrap());
    let target = |program: &Program| program.attach_target().cloned();
    assert_ne!(target(&same), target(&exit));

    refused(
        prepared.clone_program("count_switch", &CloneOptions::new()),
        ErrorKind::InvalidArgument,
        &[
            "clone of program `count_switch`",
            "autoload was off",
            "skip_program",
        ],
    );
    refused(
        prepared.clone_program("count_sys_entr", &CloneOptions::new()),
        ErrorKind::NotFound,
        &["did you mean `count_sys_enter`"],
    );
    let nowhere = CloneOptions::new().attach_target("no_such_tracepoint");
    refused(
        prepared.clone_program("count_sys_enter", &nowhere),
        ErrorKind::NotFound,
        &["no_such_tracepoint"],
    );

    // The template itself is not loaded; its clones use the object's maps.
    prepared.skip_program("count_sys_enter").unwrap();
    let object = prepared.load().unwrap();
    assert!(object.programs().is_empty());
    let link = same.attach_tracing().unwrap();
    call_getppid(5);
    drop(link);
    assert_eq!(number(&object, "sys_enters"), 5);
    exit.attach_tracing().unwrap().detach().unwrap();
}
