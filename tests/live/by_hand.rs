//! What can be created without an object: maps, programs of a few instructions, type information, counters.

use crate::support::Need;
use rawbpf::attach::{Sampling, SoftwareEvent, task_fd};
use rawbpf::btf::{Btf, BtfBuilder};
use rawbpf::insn::{Insn, class, pseudo};
use rawbpf::map::{Fd, Map, MapTypes, NewMap, UpdateMode};
use rawbpf::program::TestRun;
use rawbpf::{Errno, ErrorKind, MapFlags, MapType, OpenObject, TypeId};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

const MOV64_IMM: u8 = class::ALU64 | 0xb0;
const EXIT: Insn = Insn::new(Insn::EXIT, 0, 0, 0, 0);

#[test]
fn maps_are_created_by_hand() {
    require!(Need::Bpf);
    let map = Map::create(&NewMap::new(MapType::HASH, 4, 8, 10).name("by_hand")).unwrap();
    let info = map.info().unwrap();
    assert_eq!((info.name.as_str(), info.max_entries), ("by_hand", 10));
    let view = map.typed::<u32, u64>().unwrap();
    view.insert(&1, &2, UpdateMode::NoExist).unwrap();
    assert_eq!(view.get(&1).unwrap(), Some(2));

    let new = NewMap::new(MapType::ARRAY_OF_MAPS, 4, 4, 2).inner(&view);
    let outer = Map::create(&new).unwrap().typed::<u32, Fd>().unwrap();
    outer.insert(&0, &map, UpdateMode::Any).unwrap();
    assert_eq!(outer.get(&0).unwrap(), Some(map.id().unwrap().into()));
}

#[test]
fn maps_with_types_are_created_by_hand() {
    require!(Need::Bpf, Need::Btf);
    let mut editor = BtfBuilder::new();
    let int = editor.add_int("int", 4, 1);
    let value = editor.add_struct("value", 4, &[("n", int, 0)]);
    let btf = Arc::new(editor.build().unwrap());
    let types = |value| MapTypes {
        btf: Arc::clone(&btf),
        key: int,
        value,
    };
    let new = NewMap::new(MapType::SK_STORAGE, 4, 4, 0).flags(MapFlags::NO_PREALLOC);
    let map = Map::create(&new.clone().types(types(value))).unwrap();
    assert_eq!(map.types().unwrap().unwrap().value, value);
    let error = Map::create(&new).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EINVAL), "{error}");
    let error = Map::create(&new.types(types(TypeId(99)))).unwrap_err();
    assert!(error.to_string().contains("sk_storage"), "{error}");
}

#[test]
fn refusals_of_maps_by_hand_name_the_rule() {
    require!(Need::Bpf);
    let refused = |new: NewMap| Map::create(&new).unwrap_err();
    let error = refused(NewMap::new(MapType::RINGBUF, 0, 8, 4096).name("ring"));
    let text = error.to_string();
    let rule = "a map of type ringbuf has no value: value_size must be 0, not 8";
    assert!(text.contains("map `ring`") && text.contains(rule), "{text}");
    let error = refused(NewMap::new(MapType::HASH, 4, 4, 0));
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("NewMap::new"), "{error:?}");
    let error = refused(NewMap::new(MapType::HASH, 4, 4, 1).name("with space"));
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("' '"), "{error}");
}

#[test]
fn a_frozen_array_has_a_hash() {
    require!(Need::Bpf, Need::Linux(6, 18));
    let map = Map::create(&NewMap::new(MapType::ARRAY, 4, 8, 1)).unwrap();
    map.insert(&[0; 4], b"8 bytes.", UpdateMode::Any).unwrap();
    let error = map.sha256().unwrap_err();
    assert!(
        error.hint().unwrap_or_default().contains("frozen"),
        "{error:?}"
    );
    map.freeze().unwrap();
    let expected: [u8; 32] = Sha256::digest(b"8 bytes.").into();
    assert_eq!(map.sha256().unwrap(), expected);
    let error = map.arena_memory(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
}

#[test]
fn an_arena_by_hand_is_memory() {
    require!(Need::Bpf, Need::Linux(6, 9));
    let new = NewMap::new(MapType::ARENA, 0, 0, 2).flags(MapFlags::MMAPABLE);
    let memory = Map::create(&new).unwrap().arena_memory(0).unwrap();
    memory.write(8, &[7]).unwrap();
    let mut byte = [0];
    memory.read(8, &mut byte).unwrap();
    assert_eq!(byte, [7]);
}

#[test]
fn programs_are_loaded_from_instructions() {
    require!(Need::Bpf);
    let map = Map::create(&NewMap::new(MapType::ARRAY, 4, 4, 1)).unwrap();
    map.insert(&[0; 4], &[9, 0, 0, 0], UpdateMode::Any).unwrap();
    let fd = map.as_fd().as_raw_fd();
    let load_word = class::LDX | rawbpf::insn::size::W | rawbpf::insn::mode::MEM;
    let insns = vec![
        Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_VALUE, 0, fd),
        Insn::default(),
        Insn::new(load_word, 0, 1, 0, 0),
        EXIT,
    ];
    let object = OpenObject::from_instructions("nine", "socket", insns);
    let object = object.load().unwrap();
    let program = object.program("nine").unwrap();
    let run = program.test_run(&TestRun::new().data(&[0; 64])).unwrap();
    assert_eq!(run.return_value, 9);

    let mut open = OpenObject::from_instructions("bad", "socket", vec![EXIT]);
    open.set_license("proprietary");
    let error = open.load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Verifier);
    assert!(error.to_string().contains("program `bad`"), "{error}");
    let insns = vec![Insn::new(MOV64_IMM, 0, 0, 0, 0), EXIT];
    let unknown = OpenObject::from_instructions("x", "no_such", insns).load();
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::InvalidObject);
}

#[test]
fn types_go_to_the_kernel_and_are_described() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 11));
    // Makes the kernel parse its own types, if nothing has before.
    let _modules = rawbpf::reloc::Target::running()
        .module_btfs()
        .map(<[_]>::len);
    let mut editor = BtfBuilder::new();
    editor.add_int("int", 4, 1);
    let btf = editor.build().unwrap();
    let before: Vec<_> = Btf::ids().map(Result::unwrap).collect();
    let fd = btf.load_into_kernel().unwrap();
    let of = |fd: &std::os::fd::OwnedFd| rawbpf::sys::bpf::btf_info(fd.as_fd()).unwrap().id;
    let info = Btf::info(of(&fd)).unwrap();
    assert!(!before.contains(&info.id) && !info.is_kernel);
    let infos = before.into_iter().filter_map(|id| Btf::info(id).ok());
    let mut of_kernel = infos.filter(|info| info.is_kernel);
    assert!(of_kernel.any(|info| info.name == "vmlinux"));
    assert_eq!(Btf::info(u32::MAX).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn counters_are_opened_without_a_program() {
    require!(Need::Bpf, Need::PerfWithoutSysAdmin);
    let clock = Sampling::software(SoftwareEvent::CpuClock);
    let counters = clock.open().unwrap();
    assert!(!counters.is_empty());
    let map = Map::create(&NewMap::new(MapType::PERF_EVENT_ARRAY, 4, 4, 1)).unwrap();
    let map = map.typed::<u32, Fd>().unwrap();
    map.insert(&0, &counters[0], UpdateMode::Any).unwrap();
}

#[test]
fn a_descriptor_tells_what_it_is_attached_to() {
    require!(Need::Bpf, Need::Tracefs);
    let insns = vec![Insn::new(MOV64_IMM, 0, 0, 0, 0), EXIT];
    let object = OpenObject::from_instructions("query", "raw_tp/sys_enter", insns);
    let object = object.load().unwrap();
    let program = object.program("query").unwrap();
    let link = program.attach().unwrap();
    let own = std::process::id();
    let fd = |fd: &dyn AsRawFd| u32::try_from(fd.as_raw_fd()).unwrap();
    let found = task_fd(own, fd(&link.fd().unwrap())).unwrap();
    assert_eq!(found.kind, rawbpf::TaskFdType::RAW_TRACEPOINT);
    assert_eq!(found.name, "sys_enter");
    assert_eq!(found.program_id, program.id().unwrap());

    let file = File::open("/dev/null").unwrap();
    let error = task_fd(own, fd(&file)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    let error = task_fd(own, 1_000_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
