//! Opening objects, looking at them and editing them, through the public interface, on the fixtures.

use rawbpf::open::{
    DataKind, ExternKind, KconfigType, MapOrigin, OpenProgram, SectionDef, SectionFlags, SlotTarget,
};
use rawbpf::{
    AttachType, ErrorKind, KernelVersion, MapFlags, MapType, OpenObject, OpenOptions, ProgramFlags,
    ProgramType, btf,
};
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{name}.bpf.o"))
}

fn open(name: &str) -> OpenObject {
    OpenObject::from_file(path(name)).unwrap_or_else(|error| panic!("{error}"))
}

fn names<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    items.into_iter().collect()
}

#[test]
fn an_object_is_named_after_its_file() {
    let object = open("count_raw_tp");
    assert_eq!(object.name(), "count_raw_tp");
    assert_eq!(object.path(), Some(path("count_raw_tp").as_path()));
    assert_eq!(object.license(), "GPL");
    assert_eq!(object.kernel_version(), None);

    let bytes = std::fs::read(path("count_raw_tp")).unwrap();
    let named = OpenOptions::new()
        .object_name("a name that is much too long")
        .open_bytes(&bytes)
        .unwrap();
    assert_eq!(named.name(), "a name that is ");
    let nameless = OpenObject::from_bytes(&bytes).unwrap();
    assert!(
        nameless.name().len() <= 15 && nameless.name().contains(|c: char| c.is_ascii_hexdigit())
    );
}

#[test]
fn programs_take_type_and_target_from_their_section() {
    let object = open("fentry");
    for program in object.programs() {
        assert_eq!(program.kind(), ProgramType::TRACING);
        assert!(program.autoload() && program.autoattach());
        assert!(program.def().unwrap().needs_attach_target());
        assert_eq!(
            program.section().split_once('/').map(|(_, t)| t),
            program.attach_target()
        );
        assert!(!object.instructions(program).is_empty());
    }
    let maps = open("maps");
    assert_eq!(
        names(maps.programs().iter().map(OpenProgram::name)),
        ["first", "second", "jump"]
    );
}

#[test]
fn an_unknown_section_sticks_to_its_program() {
    let object = open("unknown_section");
    let unknown = object.programs().iter().find(|p| p.def().is_none());
    assert_eq!(unknown.unwrap().kind(), ProgramType::UNSPEC);
    assert!(
        object
            .programs()
            .iter()
            .any(|p| p.kind() != ProgramType::UNSPEC)
    );
}

#[test]
fn programs_can_be_edited() {
    let mut object = open("count_tp_btf");
    let name = object.programs()[0].name().to_string();
    let program = object.program_mut(&name).unwrap();
    program.set_autoload(false).set_autoattach(false);
    program.set_flags(ProgramFlags::STRICT_ALIGNMENT);
    program.set_attach_target("module:function").unwrap();
    assert!(program.set_attach_target("").is_err());
    assert!(!program.autoload() && !program.autoattach());
    assert_eq!(program.flags(), ProgramFlags::STRICT_ALIGNMENT);
    assert_eq!(program.attach_target(), Some("module:function"));
    program.set_kind(ProgramType::TRACING);
    assert!(program.def().is_some(), "the same type changes nothing");
    program
        .set_kind(ProgramType::XDP)
        .set_attach_type(AttachType::XDP);
    assert!(
        program.def().is_none(),
        "another type voids the section's name"
    );
    assert_eq!(
        (program.kind(), program.attach_type()),
        (ProgramType::XDP, AttachType::XDP)
    );
}

#[test]
fn wrong_names_list_the_near_ones() {
    let mut object = open("globals");
    let error = object.program("add_upp").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.message().ends_with("did you mean `add_up`?"),
        "{error}"
    );
    let error = object.variable_mut("targ_tgdi").unwrap_err();
    assert!(error.message().contains("`targ_tgid`"), "{error}");
    let error = object.map("rodata").unwrap_err();
    assert!(error.message().contains("`.rodata`"), "{error}");
    let subprograms = open("subprogs");
    let error = subprograms.program("no_such_thing").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn map_definitions_are_read_in_full() {
    let object = open("maps");
    let map = |name: &str| object.map(name).unwrap();
    let hash = map("hash");
    assert_eq!(hash.kind(), MapType::HASH);
    assert_eq!(
        (hash.key_size(), hash.value_size(), hash.max_entries()),
        (8, 16, 100)
    );
    assert_eq!(hash.flags(), MapFlags::NO_PREALLOC);
    let types = object.btf().unwrap();
    assert_eq!(types.get(hash.key_type()).unwrap().name(), "key");
    assert_eq!(types.get(hash.value_type()).unwrap().name(), "value");
    assert_eq!(map("array_by_size").value_size(), 24);
    assert!(map("array_by_size").value_type().is_void());
    assert_eq!(map("on_node_0").flags(), MapFlags::NUMA_NODE);
    assert_eq!(
        map("ring").max_entries(),
        5000,
        "rounded when the kernel's page size is known"
    );

    let outer = map("array_of_maps");
    let inner = outer.inner().unwrap();
    assert_eq!(inner.name(), "array_of_maps.inner");
    assert_eq!((inner.kind(), inner.max_entries()), (MapType::ARRAY, 4));
    let slots = |name: &str| -> Vec<(u32, String)> {
        let slot = |slot: &rawbpf::open::MapSlot| match slot.target {
            SlotTarget::Map(map) => (slot.index, object.maps()[map].name().to_string()),
            SlotTarget::Program(program) => {
                (slot.index, object.programs()[program].name().to_string())
            }
            other => panic!("neither a map nor a program: {other:?}"),
        };
        map(name).slots().iter().map(slot).collect()
    };
    assert_eq!(
        slots("array_of_maps"),
        [(0, "inner_one".into()), (2, "inner_two".into())]
    );
    assert_eq!(slots("hash_of_maps"), [(5, "inner_two".into())]);
    assert_eq!(slots("jumps"), [(0, "first".into()), (3, "second".into())]);
}

#[test]
fn pinning_and_the_extra_parameter_are_read() {
    let object = open("maps_pinned");
    assert_eq!(object.maps()[0].pinning(), rawbpf::reloc::Pinning::ByName);
    let arena = open("arena");
    assert_eq!(arena.map("arena").unwrap().extra(), 1 << 44);
}

#[test]
fn maps_can_be_edited() {
    let mut object = open("maps");
    let mut map = object.map_mut("hash").unwrap();
    map.set_max_entries(7)
        .set_extra(8)
        .set_numa_node(1)
        .set_key_size(2);
    map.set_kind(MapType::LRU_HASH)
        .set_flags(MapFlags::empty())
        .set_autocreate(false);
    map.set_pin_path(Some("/sys/fs/bpf/hash".into()));
    map.set_value_size(32).unwrap();
    let map = object.map("hash").unwrap();
    assert_eq!((map.max_entries(), map.extra(), map.numa_node()), (7, 8, 1));
    assert_eq!(
        (map.kind(), map.key_size(), map.value_size()),
        (MapType::LRU_HASH, 2, 32)
    );
    assert!(map.flags().is_empty() && !map.autocreate());
    assert_eq!(map.pin_path(), Some(Path::new("/sys/fs/bpf/hash")));
    let mut map = object.map_mut("hash").unwrap();
    assert!(
        map.set_initial_value(&[0; 32]).is_err(),
        "a hash has no initial value"
    );
    assert!(map.set_exclusive_program("nobody").is_err());
    assert!(
        map.set_member("init", None).is_err(),
        "a hash has no members"
    );
    map.set_exclusive_program("second").unwrap();
}

#[test]
fn data_sections_become_maps() {
    let object = open("globals");
    let map = |name: &str| {
        let map = object.map(name).unwrap();
        assert_eq!(
            (map.kind(), map.key_size(), map.max_entries()),
            (MapType::ARRAY, 4, 1)
        );
        (map.kernel_name().to_string(), map.origin(), map.flags())
    };
    let (mmap, read_only) = (MapFlags::MMAPABLE, MapFlags::RDONLY_PROG);
    let data = |kind| MapOrigin::Data(kind);
    assert_eq!(
        map(".data"),
        ("globals.data".into(), data(DataKind::Data), mmap)
    );
    assert_eq!(
        map(".bss"),
        ("globals.bss".into(), data(DataKind::Bss), mmap)
    );
    let rodata = data(DataKind::Rodata);
    assert_eq!(
        map(".rodata"),
        ("globals.rodata".into(), rodata, mmap | read_only)
    );
    assert_eq!(
        map(".rodata.tuning"),
        (".rodata.tuning".into(), rodata, mmap | read_only)
    );
    assert_eq!(map(".bss.scratch").0, ".bss.scratch");
    assert_eq!(object.map("globals.bss").unwrap().name(), ".bss");
}

#[test]
fn variables_are_found_with_type_and_value() {
    let object = open("globals");
    let value = |name: &str| object.value_of(object.variable(name).unwrap());
    assert_eq!(value("counter"), 7u32.to_le_bytes());
    assert_eq!(value("large"), 0xfedc_ba98_7654_3210_u64.to_le_bytes());
    assert_eq!(value("small"), [248]);
    assert_eq!(value("byte"), [0xa5]);
    assert_eq!(value("text"), b"read only\0\0\0\0\0\0\0");
    assert_eq!(value("zero"), [0; 4]);
    assert_eq!(value("hidden"), 13u32.to_le_bytes());
    assert_eq!(value("local"), 11u32.to_le_bytes());
    assert_eq!(value("tuning"), 19u32.to_le_bytes());
    let shape = object.variable("shape").unwrap();
    let ty = object.btf().unwrap().get(shape.type_id()).unwrap();
    assert_eq!((ty.name(), shape.size()), ("shape", ty.size_field()));
}

#[test]
fn variables_can_be_set_by_value() {
    let mut object = open("globals");
    object
        .variable_mut("targ_tgid")
        .unwrap()
        .set(&42u32)
        .unwrap();
    object
        .variable_mut("table")
        .unwrap()
        .set(&[[6u16, 5, 4], [3, 2, 1]])
        .unwrap();
    object.variable_mut("flag").unwrap().set(&false).unwrap();
    let value = |name: &str| object.value_of(object.variable(name).unwrap()).to_vec();
    assert_eq!(value("targ_tgid"), 42u32.to_le_bytes());
    assert_eq!(value("table"), [6, 0, 5, 0, 4, 0, 3, 0, 2, 0, 1, 0]);
    assert_eq!(value("flag"), [0]);
    let error = object
        .variable_mut("targ_tgid")
        .unwrap()
        .set(&42u64)
        .unwrap_err();
    assert_eq!(error.message(), "it takes 4 bytes, the value has 8");
    assert!(error.to_string().contains("variable `targ_tgid`"));
    let mut refused = |name: &str, value: i32| {
        let error = object.variable_mut(name).unwrap().set(&value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        error.to_string()
    };
    let text = refused("targ_tgid", -1);
    assert!(
        text.contains("variable `targ_tgid`: `i32` as `") && text.contains("-1 does not fit"),
        "{text}"
    );
}

#[test]
fn variables_can_be_set_by_text() {
    let mut object = open("globals");
    let mut set = |name: &str, text: &str| -> Result<Vec<u8>, String> {
        let mut variable = object.variable_mut(name).unwrap();
        variable
            .set_from_text(text)
            .map(|()| variable.bytes().to_vec())
            .map_err(|error| error.to_string())
    };
    assert_eq!(set("half", "-300"), Ok((-300i16).to_le_bytes().to_vec()));
    assert_eq!(set("flag", "true"), Ok(vec![1]));
    assert_eq!(set("colour", "BLUE"), Ok((-1i32).to_le_bytes().to_vec()));
    assert_eq!(
        set("text", "hi"),
        Ok(b"hi\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec())
    );
    assert_eq!(
        set("wide", "-9223372036854775808"),
        Ok(i64::MIN.to_le_bytes().to_vec())
    );
    let error = set("byte", "256").unwrap_err();
    assert!(
        error.contains("`byte`") && error.contains("from 0 to 255"),
        "{error}"
    );
    assert!(set("origin", "1").unwrap_err().contains("STRUCT"));
    assert!(set("colour", "PINK").is_err());
}

#[test]
fn global_data_grows_with_its_last_array() {
    let mut object = open("globals");
    let old = object.map(".data.extra").unwrap().value_size();
    assert_eq!(old, 20);
    object
        .map_mut(".data.extra")
        .unwrap()
        .set_value_size(44)
        .unwrap();
    let grows = object.variable("grows").unwrap().clone();
    assert_eq!((grows.offset(), grows.size()), (4, 40));
    object
        .variable_mut("grows")
        .unwrap()
        .set(&[1u32; 10])
        .unwrap();
    let map = object.map(".data.extra").unwrap();
    assert_eq!(
        (map.value_size(), object.initial_value(map).len()),
        (44, 44)
    );
    let types = object.btf().unwrap();
    let section = types.get(map.value_type()).unwrap();
    assert_eq!(section.size_field(), 44);
    let last = section.variables().last().unwrap();
    assert_eq!((last.offset, last.size), (4, 40));
    let array = types.get(last.type_id).unwrap().target().unwrap();
    assert_eq!(types.get(array).unwrap().array().unwrap().len, 10);
    assert_eq!(types.size_of(last.type_id), Ok(40));
    assert_eq!(grows.type_id(), array);

    // A size that is not a multiple of the array's elements leaves the map without types.
    object
        .map_mut(".data.extra")
        .unwrap()
        .set_value_size(45)
        .unwrap();
    let map = object.map(".data.extra").unwrap();
    assert_eq!((map.value_size(), map.value_type().0), (45, 0));
    let grows = object.variable("grows").unwrap();
    assert_eq!((grows.size(), grows.type_id()), (40, array));
}

#[test]
fn variables_that_are_cut_lose_their_type() {
    let mut object = open("globals");
    let mut section = object.map_mut(".data.extra").unwrap();
    section.set_value_size(3).unwrap();
    let extra = object.variable("extra").unwrap();
    assert_eq!((extra.size(), extra.type_id().0), (3, 0));
    assert!(object.variable("grows").is_err());
}

#[test]
fn externs_are_sorted_and_laid_out() {
    let object = open("kconfig");
    let mut end = 0;
    let mut last_align = u32::MAX;
    for ext in object.externs() {
        let ExternKind::Kconfig {
            size,
            align,
            offset,
            ..
        } = ext.kind()
        else {
            panic!("{} is no kconfig value", ext.name());
        };
        assert!(align <= last_align, "{}", ext.name());
        assert!(offset >= end && offset % align == 0, "{}", ext.name());
        (end, last_align) = (offset + size, align);
    }
    let map = object.map(".kconfig").unwrap();
    assert_eq!(map.value_size(), end);
    let kind = |name: &str| {
        let ext = object.externs().iter().find(|e| e.name() == name).unwrap();
        match ext.kind() {
            ExternKind::Kconfig { kind, .. } => (kind, ext.is_weak()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(kind("CONFIG_BPF_SYSCALL"), (KconfigType::Bool, false));
    assert_eq!(kind("CONFIG_TUN"), (KconfigType::Tristate, false));
    assert_eq!(kind("CONFIG_VETH"), (KconfigType::Char, false));
    assert_eq!(
        kind("CONFIG_HZ"),
        (KconfigType::Int { signed: false }, false)
    );
    assert_eq!(
        kind("CONFIG_PANIC_TIMEOUT"),
        (KconfigType::Int { signed: true }, false)
    );
    assert_eq!(
        kind("CONFIG_DEFAULT_HOSTNAME"),
        (KconfigType::String, false)
    );
    assert_eq!(
        kind("CONFIG_RAWBPF_NONE"),
        (KconfigType::Int { signed: false }, true)
    );

    let mut object = object;
    let error = object.variable_mut("CONFIG_HZ").unwrap_err();
    assert!(
        error.hint().is_some_and(|hint| hint.contains("kconfig")),
        "{error}"
    );
}

#[test]
fn kernel_symbols_become_variables_that_the_kernel_accepts() {
    for (name, kind) in [
        ("ksyms", ExternKind::KsymTypeless),
        ("ksyms_typed", ExternKind::KsymTyped),
        ("kfunc", ExternKind::Kfunc),
    ] {
        let object = open(name);
        assert!(object.externs().iter().all(|e| e.kind() == kind), "{name}");
        let types = object.btf().unwrap();
        let section = types.find(".ksyms", btf::Kind::Datasec).unwrap();
        let section = types.get(section).unwrap();
        for (index, place) in (0..).zip(section.variables()) {
            assert_eq!((place.offset, place.size), (index * 4, 4));
            let var = types.get(place.type_id).unwrap();
            assert_eq!(var.kind(), btf::Kind::Var);
            assert_eq!(var.linkage(), Some(btf::Linkage::Global));
            assert_eq!(types.size_of(place.type_id), Ok(4));
        }
    }
    let object = open("ksyms_typed");
    let declared: Vec<&str> = object
        .externs()
        .iter()
        .map(|e| object.btf().unwrap().get(e.declared_type()).unwrap().name())
        .collect();
    assert_eq!(declared, ["int", "int", "rq"]);
}

#[test]
fn struct_ops_variables_become_maps_of_programs() {
    let mut object = open("struct_ops");
    let map = object.map("rawbpf_cc").unwrap();
    assert_eq!(
        (map.kind(), map.origin()),
        (MapType::STRUCT_OPS, MapOrigin::StructOps)
    );
    assert!(map.flags().is_empty() && map.autoattach());
    let programs: Vec<(usize, &str)> = map
        .members()
        .iter()
        .map(|m| (m.member, object.programs()[m.program].name()))
        .collect();
    assert_eq!(
        programs,
        [(0, "ssthresh"), (1, "cong_avoid"), (2, "undo_cwnd")]
    );
    assert!(
        object
            .initial_value(map)
            .ends_with(b"rawbpf_cc\0\0\0\0\0\0\0")
    );

    let mut map = object.map_mut("rawbpf_cc").unwrap();
    map.set_member("undo_cwnd", Some("ssthresh")).unwrap();
    map.set_member("cong_avoid", None).unwrap();
    assert!(
        map.set_member("undo_cwn", None)
            .unwrap_err()
            .message()
            .contains("`undo_cwnd`")
    );
    assert!(map.set_value_size(1).is_err());
    let members: Vec<usize> = map.members().iter().map(|m| m.member).collect();
    assert_eq!(members, [0, 2]);
}

#[test]
fn data_of_struct_ops_variables_is_set_member_by_member() {
    let mut object = open("struct_ops");
    let mut map = object.map_mut("rawbpf_cc").unwrap();
    map.set_field_from_text("name", "other").unwrap();
    assert_eq!(map.field("name").unwrap(), b"other\0\0\0\0\0\0\0\0\0\0\0");
    map.set_field("name", b"sixteen bytes ..").unwrap();
    assert_eq!(map.field("name").unwrap(), b"sixteen bytes ..");
    let short = map.set_field("name", b"short").unwrap_err();
    assert!(short.message().contains("takes 16 bytes, the value has 5"));
    let function = map.set_field("ssthresh", &0u64).unwrap_err();
    assert!(function.hint().unwrap().contains("set_member"));
    assert!(map.field("nam").unwrap_err().message().contains("`name`"));
    let mut globals = open("globals");
    assert!(globals.map_mut(".data").unwrap().field("counter").is_err());
}

#[test]
fn a_program_is_set_only_where_a_function_is_called() {
    let mut object = open("struct_ops");
    let mut map = object.map_mut("rawbpf_cc").unwrap();
    let error = map.set_member("name", Some("ssthresh")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no pointer to a function"), "{text}");
}

static FROBNICATE: SectionDef = SectionDef {
    pattern: "frobnicate/",
    kind: ProgramType::SCHED_CLS,
    attach_type: AttachType(0),
    flags: SectionFlags::SLEEPABLE,
    auto_attach: None,
};

static ANYTHING: SectionDef = SectionDef {
    pattern: "",
    kind: ProgramType::XDP,
    attach_type: AttachType::XDP,
    flags: SectionFlags::empty(),
    auto_attach: None,
};

#[test]
fn callers_can_add_section_names() {
    let kinds = |options: OpenOptions| {
        let object = options.open_file(path("unknown_section")).unwrap();
        ["frobnicate", "fine"].map(|name| object.program(name).unwrap().kind())
    };
    let (none, filter) = (ProgramType::UNSPEC, ProgramType::SOCKET_FILTER);
    assert_eq!(kinds(OpenOptions::new()), [none, filter]);
    let own = OpenOptions::new().section(&FROBNICATE);
    assert_eq!(kinds(own.clone()), [ProgramType::SCHED_CLS, filter]);
    // The catch-all comes last.
    let rest = OpenOptions::new().other_sections(&ANYTHING);
    assert_eq!(kinds(rest), [ProgramType::XDP, filter]);
    assert_eq!(
        kinds(own.other_sections(&ANYTHING)),
        [ProgramType::SCHED_CLS, filter]
    );
}

#[test]
fn linked_objects_open_with_code_that_no_function_has() {
    let object = open("linked");
    let sections: Vec<_> = object.programs().iter().map(OpenProgram::section).collect();
    assert_eq!(sections, ["raw_tp/sys_enter"; 2]);
    let outside: Vec<_> = object
        .core_relocations()
        .filter(|r| r.function.is_none())
        .collect();
    assert_eq!(
        outside.len(),
        1,
        "the relocation of the weak function that lost"
    );
    assert_eq!(outside[0].type_name, "task_struct");
    assert_eq!(object.maps().len(), 3);
}

#[test]
fn arena_variables_are_set_in_the_arena() {
    let mut object = open("arena");
    let map = object.map("arena").unwrap();
    assert_eq!(object.initial_value(map).len(), 16);
    object.variable_mut("counter").unwrap().set(&9u64).unwrap();
    let counter = object.variable("counter").unwrap();
    assert_eq!(object.value_of(counter), 9u64.to_le_bytes());
    assert!(object.map_mut("arena").unwrap().set_value_size(8).is_err());
}

#[test]
fn core_relocations_are_listed_with_their_function() {
    let object = open("core_kinds");
    let relocations: Vec<_> = object.core_relocations().collect();
    for kind in 0..=12 {
        assert!(
            relocations.iter().any(|r| r.kind == kind),
            "no relocation of kind {kind}"
        );
    }
    for relocation in &relocations {
        let function = relocation
            .function
            .expect("every relocation is in a function");
        let program = object.program(function).unwrap();
        assert!(relocation.insn < object.instructions(program).len());
        assert!(!relocation.type_name.is_empty() && !relocation.access.is_empty());
    }
}

#[test]
fn objects_of_the_other_byte_order_can_be_looked_at() {
    let object = open("big_endian");
    assert_eq!(object.byte_order(), btf::ByteOrder::Foreign);
    let program = &object.programs()[0];
    assert_eq!(
        object.instructions(program).last().unwrap().code,
        rawbpf::insn::Insn::EXIT
    );
    assert_eq!(program.kind(), ProgramType::RAW_TRACEPOINT);
}

/// As with types that the compiler wrote itself.
#[cfg(feature = "dwarf")]
#[test]
fn objects_of_compilers_before_btf_have_the_types_of_their_debug_information() {
    let mut object = open("dwarf_only");
    let map = object.map("by_place").unwrap();
    assert_eq!(map.kind(), MapType::HASH);
    assert_eq!((map.key_size(), map.value_size()), (8, 32));
    assert_eq!(map.max_entries(), 64);
    let types = object.btf().unwrap();
    let event = types.find("event", btf::Kind::Struct).unwrap();
    let members: Vec<_> = types.get(event).unwrap().members().collect();
    let members: Vec<_> = members.iter().map(|m| (m.name, m.bit_offset)).collect();
    assert_eq!(members, [("number", 0), ("comm", 64), ("place", 192)]);
    object
        .variable_mut("targ_tgid")
        .unwrap()
        .set(&7_u32)
        .unwrap();
    let total = object.variable("total").unwrap().clone();
    assert_eq!(object.value_of(&total), 5_u64.to_ne_bytes());
    assert!(object.variable_mut("total").unwrap().set(&7_u32).is_err());
}

#[cfg(not(feature = "dwarf"))]
#[test]
fn objects_of_compilers_before_btf_need_a_feature() {
    let error = OpenObject::from_file(path("dwarf_only")).unwrap_err();
    assert!(error.hint().unwrap().contains("`dwarf`"), "{error}");
}

#[test]
fn objects_without_types_open_if_nothing_needs_them() {
    assert_eq!(open("no_btf").programs().len(), 1);
    assert!(open("no_btf").btf().is_none());
    let error = OpenObject::from_file(path("no_btf_maps")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Btf);
    let text = error.to_string();
    assert!(
        text.contains("no_btf_maps.bpf.o") && text.contains("-g"),
        "{text}"
    );
    assert_eq!(open("no_license").license(), "");
    assert_eq!(
        open("no_license")
            .kernel_version()
            .map(|v| v > KernelVersion(0)),
        None
    );
}

#[test]
fn objects_in_memory_have_the_same_name_in_every_run() {
    let bytes = std::fs::read(path("globals")).unwrap();
    let other = std::fs::read(path("maps")).unwrap();
    let hash = OpenObject::from_bytes(&bytes).unwrap();
    let copy = OpenObject::from_bytes(&bytes.clone()).unwrap();
    assert_eq!((hash.name().len(), hash.name()), (15, copy.name()));
    assert!(hash.name().bytes().all(|c| c.is_ascii_hexdigit()));
    assert_ne!(hash.name(), OpenObject::from_bytes(&other).unwrap().name());
    let named = OpenObject::from_bytes_named("a_name_of_20_letters", &bytes).unwrap();
    assert_eq!(named.name(), "a_name_of_20_le");
}

/// BTF and libbpf's map have 32 bits for the size, and so do ours.
#[test]
fn zeroes_past_4_gib_are_what_32_bits_hold() {
    let object = open("bss_past_4_gib");
    let map = object.map(".bss").unwrap();
    assert_eq!((map.value_size(), map.max_entries()), (4096, 1));
    assert!(object.variable("buffer").is_err(), "it does not fit");
}
