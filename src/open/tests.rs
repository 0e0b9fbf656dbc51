//! Objects that no compiler produces, or none available here, and the results of relocations.

use super::{FunctionLinkage, OpenObject, OpenOptions, RelocKind, UnknownAttributes};
use crate::btf::{BtfBuilder, Kind, Linkage, Signedness, VarSecinfo};
use crate::insn::{Insn, pseudo};
use crate::{ErrorKind, Result, TypeId};
use ::object::elf;
use ::object::write::{Object, Relocation as Rel, SectionId, Symbol, SymbolId, SymbolSection};
use ::object::{Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind};
use ::object::{SymbolFlags, SymbolKind, SymbolScope};
use nix::time::{ClockId, clock_gettime};
use proptest::prelude::*;
use std::time::Duration;

const EXIT: Insn = Insn::new(Insn::EXIT, 0, 0, 0, 0);
const LOAD: Insn = Insn::new(Insn::LD_IMM64, 1, 0, 0, 0);
const HALF: Insn = Insn::new(0, 0, 0, 0, 0);
const CALL: Insn = Insn::new(Insn::CALL, 0, pseudo::CALL, 0, -1);

/// An object under construction.
struct Builder(Object<'static>);

impl Builder {
    fn new() -> Self {
        let order = if cfg!(target_endian = "little") {
            Endianness::Little
        } else {
            Endianness::Big
        };
        Self(Object::new(BinaryFormat::Elf, Architecture::Bpf, order))
    }

    fn section(&mut self, name: &str, kind: SectionKind, data: &[u8]) -> SectionId {
        let id = self
            .0
            .add_section(Vec::new(), name.as_bytes().to_vec(), kind);
        self.0.append_section_data(id, data, 8);
        id
    }

    fn code(&mut self, name: &str, insns: &[Insn]) -> SectionId {
        self.section(name, SectionKind::Text, &crate::insn::to_bytes(insns))
    }

    fn symbol(
        &mut self,
        name: &str,
        kind: SymbolKind,
        place: SymbolSection,
        at: (u64, u64),
    ) -> SymbolId {
        self.0.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: at.0,
            size: at.1,
            kind,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: place,
            flags: SymbolFlags::None,
        })
    }

    /// A section of one instruction, with a symbol of this kind for it.
    fn function_section(&mut self, name: &str, kind: SymbolKind) {
        let section = self.code(name, &[EXIT]);
        self.symbol(name, kind, SymbolSection::Section(section), (0, 8));
    }

    fn function(&mut self, name: &str, section: SectionId, at: (u64, u64)) -> SymbolId {
        self.symbol(name, SymbolKind::Text, SymbolSection::Section(section), at)
    }

    fn variable(&mut self, name: &str, section: SectionId, at: (u64, u64)) -> SymbolId {
        self.symbol(name, SymbolKind::Data, SymbolSection::Section(section), at)
    }

    fn make_static(&mut self, symbol: SymbolId) {
        self.0.symbol_mut(symbol).scope = SymbolScope::Compilation;
    }

    fn relocate(&mut self, section: SectionId, offset: u64, symbol: SymbolId) {
        let relocation = Rel {
            offset,
            symbol,
            addend: 0,
            flags: RelocationFlags::Elf {
                r_type: elf::R_BPF_64_64,
            },
        };
        self.0.add_relocation(section, relocation).unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.write().unwrap()
    }

    fn open(&self) -> Result<OpenObject> {
        OpenOptions::new()
            .object_name("test")
            .open_bytes(&self.bytes())
    }

    fn error(&self) -> String {
        self.open().unwrap_err().to_string()
    }
}

/// One program in `section` whose first instruction refers to the symbol that `target` adds.
fn referring(
    section: &str,
    insns: &[Insn],
    target: impl FnOnce(&mut Builder) -> SymbolId,
) -> Builder {
    let mut builder = Builder::new();
    let code = builder.code(section, insns);
    let size = u64::try_from(insns.len() * 8).unwrap();
    builder.function("f", code, (0, size));
    let symbol = target(&mut builder);
    builder.relocate(code, 0, symbol);
    builder
}

fn first_relocation(object: &OpenObject) -> RelocKind {
    let function = object.functions.iter().find(|f| f.name == "f").unwrap();
    function.relocations[0].kind
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/{name}.bpf.o", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

#[test]
fn functions_are_sorted_and_told_apart() {
    use FunctionLinkage::{Global, Hidden, Static};

    let mut b = Builder::new();
    let text = b.code(".text", &[EXIT, EXIT, EXIT]);
    let tc = b.code("?tc", &[EXIT, EXIT]);
    b.function("second", tc, (8, 8));
    b.function("first", tc, (0, 8));
    b.function("global", text, (8, 8));
    let local = b.function("local", text, (0, 8));
    b.make_static(local);
    let hidden = b.function("hidden", text, (16, 8));
    b.0.symbol_mut(hidden).flags = SymbolFlags::Elf {
        st_info: elf::SymbolInfo::new(elf::STB_GLOBAL, elf::STT_FUNC),
        st_other: elf::SymbolOther::from(elf::STV_HIDDEN),
    };
    let object = b.open().unwrap();
    let functions: Vec<_> = object
        .functions
        .iter()
        .map(|f| (f.name.as_str(), f.linkage))
        .collect();
    assert_eq!(
        functions,
        [
            ("local", Static),
            ("global", Global),
            ("hidden", Hidden),
            ("first", Global),
            ("second", Global)
        ]
    );
    // The question mark belongs to the section, and turns both off.
    for program in object.programs() {
        assert_eq!((program.section(), program.autoload()), ("tc", false));
    }
    assert!(
        object
            .program("local")
            .unwrap_err()
            .message()
            .contains("subprogram")
    );
}

#[test]
fn functions_must_be_whole_and_inside() {
    let with = |at: (u64, u64)| {
        let mut b = Builder::new();
        let code = b.code("tc", &[EXIT, EXIT]);
        b.function("f", code, at);
        b
    };
    assert!(with((0, 16)).open().is_ok());
    assert!(with((0, 24)).error().contains("cross the section's end"));
    assert!(
        with((u64::MAX, 8))
            .error()
            .contains("cross the section's end")
    );
    assert!(with((0, 4)).error().contains("no whole instructions"));
    assert!(with((4, 8)).error().contains("no whole instructions"));
    assert!(with((0, 0)).error().contains("no whole instructions"));
    let mut b = Builder::new();
    let code = b.code("tc", &[EXIT]);
    let f = b.function("f", code, (0, 8));
    b.make_static(f);
    assert!(b.error().contains("`f` is static"), "{}", b.error());
}

#[test]
fn functions_cannot_overlap_without_end() {
    let mut b = Builder::new();
    let code = b.code("tc", &[EXIT; 4]);
    for index in 0..100 {
        b.function(&format!("f{index}"), code, (0, 32));
    }
    assert!(b.error().contains("overlap"), "{}", b.error());
}

#[test]
fn special_sections_are_checked() {
    let section = |name: &str, data: &[u8]| {
        let mut b = Builder::new();
        b.section(name, SectionKind::Data, data);
        b
    };
    let error = section("maps", &[0; 20]).open().unwrap_err();
    assert!(error.hint().unwrap().contains(".maps"), "{error}");

    // An even older form: a section for each map.
    let mut b = Builder::new();
    let data = b.section("maps/counts", SectionKind::Data, &[0; 20]);
    let counts = b.variable("counts", data, (0, 20));
    let code = b.code("socket", &[LOAD, HALF, EXIT]);
    b.function("prog", code, (0, 24));
    b.relocate(code, 0, counts);
    let error = b.open().unwrap_err();
    assert!(error.hint().unwrap().contains(".maps"), "{error}");
    assert!(
        section("version", &[0; 3])
            .error()
            .contains("3 bytes instead of the 4")
    );
    let version = section("version", &0x0005_0a01_u32.to_ne_bytes())
        .open()
        .unwrap();
    assert_eq!(version.kernel_version().unwrap().to_string(), "5.10.1");
    assert!(
        section("license", &[])
            .error()
            .contains("`license` is empty")
    );
    let long = section("license", &[b'x'; 100]).open().unwrap();
    assert_eq!(long.license().len(), 63);
    assert_eq!(
        section("license", b"GPL\0junk").open().unwrap().license(),
        "GPL"
    );
}

#[test]
fn calls_reach_text_only() {
    let text = |b: &mut Builder| {
        let text = b.code(".text", &[EXIT, EXIT]);
        b.function("g", text, (8, 8))
    };
    let object = referring("tc", &[CALL, EXIT], text).open().unwrap();
    assert_eq!(
        first_relocation(&object),
        RelocKind::Call { symbol_value: 8 }
    );
    let object = referring("tc", &[LOAD, HALF, EXIT], text).open().unwrap();
    assert_eq!(
        first_relocation(&object),
        RelocKind::SubprogAddress { symbol_value: 8 }
    );

    let elsewhere = referring("tc", &[CALL, EXIT], |b| {
        let other = b.code("xdp", &[EXIT]);
        b.function("g", other, (0, 8))
    });
    assert!(
        elsewhere.error().contains("this one is in `xdp`"),
        "{}",
        elsewhere.error()
    );
    let amid = referring("tc", &[CALL, EXIT], |b| {
        let text = b.code(".text", &[EXIT]);
        b.variable("g", text, (4, 0))
    });
    assert!(
        amid.error().contains("amid an instruction"),
        "{}",
        amid.error()
    );
    let helper = Insn::new(Insn::CALL, 0, 0, 0, 1);
    let no_pseudo = referring("tc", &[helper, EXIT], text);
    assert!(
        no_pseudo.error().contains("source register is 0"),
        "{}",
        no_pseudo.error()
    );
    let exit = referring("tc", &[EXIT], text);
    assert!(
        exit.error().contains("only calls and 64-bit loads"),
        "{}",
        exit.error()
    );
}

#[test]
fn loads_reach_variables_and_jump_tables() {
    let in_section = |name: &'static str, kind| {
        referring("tc", &[LOAD, HALF, EXIT], move |b| {
            let section = b.section(name, kind, &[7; 24]);
            b.variable("x", section, (8, 16))
        })
    };
    let object = in_section(".data.x", SectionKind::Data).open().unwrap();
    let data = RelocKind::Data {
        map: 0,
        symbol_value: 8,
    };
    assert_eq!(first_relocation(&object), data);
    assert_eq!(object.maps()[0].name(), ".data.x");
    assert!(
        object.maps()[0].flags().is_empty(),
        "not mapped without types"
    );
    let x = object.variable("x").unwrap();
    assert_eq!(object.value_of(x), [7; 16]);

    let object = in_section(".jumptables", SectionKind::Data).open().unwrap();
    let table = RelocKind::InsnArray {
        symbol_value: 8,
        symbol_size: 16,
    };
    assert_eq!(first_relocation(&object), table);
    assert_eq!(object.jump_tables, [7; 24]);
    assert!(object.maps().is_empty());

    let error = in_section("elsewhere", SectionKind::Data).error();
    assert!(
        error.contains("`elsewhere` holds neither maps nor variables"),
        "{error}"
    );
    let error = in_section(".addr_space.1", SectionKind::Data).error();
    assert!(error.contains("there is no arena map"), "{error}");
}

#[test]
fn undefined_symbols_need_a_declaration() {
    let undefined = referring("tc", &[LOAD, HALF, EXIT], |b| {
        b.symbol("x", SymbolKind::Unknown, SymbolSection::Undefined, (0, 0))
    });
    let error = undefined.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Btf);
    assert!(error.to_string().contains("extern `x`"), "{error}");
}

#[test]
fn relocations_in_dead_code_are_passed_over() {
    let mut b = Builder::new();
    let code = b.code("tc", &[EXIT, EXIT]);
    b.function("f", code, (0, 8));
    let other = b.section("elsewhere", SectionKind::Data, &[0; 8]);
    let symbol = b.variable("x", other, (0, 8));
    b.relocate(code, 8, symbol);
    assert!(b.open().unwrap().functions[0].relocations.is_empty());
    b.relocate(code, 16, symbol);
    assert!(b.error().contains("not at an instruction"), "{}", b.error());
}

/// Names and types of the members of a map's definition.
type Members = Vec<(&'static str, TypeId, u32)>;

/// An object with one map, whose definition has the members that `members` makes.
fn with_map(linkage: Linkage, members: impl FnOnce(&mut BtfBuilder) -> Members) -> Vec<u8> {
    let mut types = BtfBuilder::new();
    let members = members(&mut types);
    let definition = types.add_struct("", 64, &members);
    let var = types.add_var("m", linkage, definition);
    let place = VarSecinfo {
        type_id: var,
        offset: 0,
        size: 64,
    };
    types.add_datasec(".maps", 0, &[place]);
    let mut b = Builder::new();
    let maps = b.section(".maps", SectionKind::Data, &[0; 64]);
    b.variable("m", maps, (0, 64));
    b.section(".BTF", SectionKind::Other, &types.finish().unwrap());
    b.bytes()
}

fn map_error(members: impl FnOnce(&mut BtfBuilder) -> Members) -> String {
    OpenObject::from_bytes(&with_map(Linkage::Global, members))
        .unwrap_err()
        .to_string()
}

/// `int (*)[n]`
fn number(types: &mut BtfBuilder, n: u32) -> TypeId {
    let int = types.add_int("int", 4, 1);
    let array = types.add_array(int, int, n);
    types.add_ptr(array)
}

#[test]
fn map_attributes_are_checked() {
    let hash = |types: &mut BtfBuilder| ("type", number(types, 1), 0);
    assert!(OpenObject::from_bytes(&with_map(Linkage::Global, |t| vec![hash(t)])).is_ok());
    assert!(map_error(|_| vec![]).contains("it has no type"));
    let error = map_error(|t| vec![hash(t), ("max_entriez", number(t, 1), 64)]);
    assert!(error.contains("did you mean `max_entries`"), "{error}");
    let relaxed = with_map(Linkage::Global, |t| {
        vec![hash(t), ("max_entriez", number(t, 1), 64)]
    });
    let relaxed = OpenOptions::new()
        .unknown_attributes(UnknownAttributes::Ignore)
        .open_bytes(&relaxed);
    assert!(relaxed.is_ok());
    let error = map_error(|t| {
        let key = t.add_int("long", 8, 0);
        let key = t.add_ptr(key);
        vec![hash(t), ("key_size", number(t, 4), 64), ("key", key, 128)]
    });
    assert!(error.contains("as 4 and as 8 bytes"), "{error}");
    let error = map_error(|t| vec![hash(t), ("pinning", number(t, 2), 64)]);
    assert!(error.contains("2 is neither"), "{error}");
    let error = map_error(|t| vec![("type", t.add_int("int", 4, 0), 0)]);
    assert!(error.contains("attribute `type`"), "{error}");
    let static_map =
        OpenObject::from_bytes(&with_map(Linkage::Static, |t| vec![hash(t)])).unwrap_err();
    assert_eq!(static_map.kind(), ErrorKind::Unsupported);
}

#[test]
fn the_extra_parameter_may_be_wide() {
    let wide = with_map(Linkage::Global, |t| {
        let value = t.add_enum64("", 8, Signedness::Unsigned, &[("__unique", 1 << 44)]);
        vec![("type", number(t, 33), 0), ("map_extra", value, 64)]
    });
    let object = OpenObject::from_bytes(&wide).unwrap();
    assert_eq!(object.map("m").unwrap().extra(), 1 << 44);
    assert_eq!(object.arena_map, Some(0));
    let negative = with_map(Linkage::Global, |t| {
        let value = t.add_enum("", 4, Signedness::Unsigned, &[("__unique", 0xffff_ffff)]);
        vec![("type", number(t, 33), 0), ("map_extra", value, 64)]
    });
    let object = OpenObject::from_bytes(&negative).unwrap();
    assert_eq!(
        object.map("m").unwrap().extra(),
        u64::MAX,
        "32 bits are sign-extended"
    );
}

#[test]
fn values_stand_last_and_fit_the_type() {
    let values = |t: &mut BtfBuilder, target: TypeId| {
        let pointer = t.add_ptr(target);
        t.add_array(pointer, pointer, 0)
    };
    let inner = |t: &mut BtfBuilder| {
        let hash = number(t, 1);
        t.add_struct("inner", 8, &[("type", hash, 0)])
    };
    let ok = with_map(Linkage::Global, |t| {
        let inner = inner(t);
        vec![("type", number(t, 12), 0), ("values", values(t, inner), 64)]
    });
    let object = OpenObject::from_bytes(&ok).unwrap();
    assert_eq!(object.map("m").unwrap().value_size(), 4);
    let error = map_error(|t| {
        let inner = inner(t);
        vec![
            ("type", number(t, 12), 0),
            ("values", values(t, inner), 64),
            ("max_entries", number(t, 1), 64),
        ]
    });
    assert!(error.contains("must be the last"), "{error}");
    let error = map_error(|t| {
        let inner = inner(t);
        vec![("type", number(t, 1), 0), ("values", values(t, inner), 64)]
    });
    assert!(error.contains("not a map of type hash"), "{error}");
    let error = map_error(|t| {
        let inner = inner(t);
        vec![("type", number(t, 3), 0), ("values", values(t, inner), 64)]
    });
    assert!(error.contains("FUNC_PROTO"), "{error}");
}

#[test]
fn only_the_first_variable_of_a_question_mark_section_is_off() {
    let mut types = BtfBuilder::new();
    let int = types.add_int("int", 4, 1);
    let ops = types.add_struct("some_ops", 4, &[("x", int, 0)]);
    let place = |types: &mut BtfBuilder, name: &str, offset| VarSecinfo {
        type_id: types.add_var(name, Linkage::Global, ops),
        offset,
        size: 4,
    };
    let places = [place(&mut types, "a", 0), place(&mut types, "b", 4)];
    types.add_datasec("?.struct_ops.link", 8, &places);
    let mut b = Builder::new();
    let section = b.section(
        "?.struct_ops.link",
        SectionKind::Data,
        &[1, 0, 0, 0, 2, 0, 0, 0],
    );
    b.variable("a", section, (0, 4));
    b.variable("b", section, (4, 4));
    b.section(".BTF", SectionKind::Other, &types.finish().unwrap());
    let object = b.open().unwrap();
    let maps: Vec<_> = object
        .maps()
        .iter()
        .map(|map| {
            (
                map.name(),
                map.autocreate(),
                map.flags(),
                map.image.bytes()[0],
            )
        })
        .collect();
    let link = crate::MapFlags::LINK;
    assert_eq!(maps, [("a", false, link, 1), ("b", true, link, 2)]);
}

#[test]
fn sizes_that_a_linker_filled_in_are_kept() {
    let mut types = BtfBuilder::new();
    let int = types.add_int("int", 4, 1);
    let hidden = types.add_var("hidden", Linkage::Global, int);
    let seen = types.add_var("seen", Linkage::Global, int);
    let place = |type_id, offset| VarSecinfo {
        type_id,
        offset,
        size: 4,
    };
    types.add_datasec(".data", 12, &[place(hidden, 8), place(seen, 4)]);
    let mut b = Builder::new();
    let data = b.section(".data", SectionKind::Data, &[0; 16]);
    let symbol = b.variable("hidden", data, (0, 4));
    b.0.symbol_mut(symbol).flags = SymbolFlags::Elf {
        st_info: elf::SymbolInfo::new(elf::STB_GLOBAL, elf::STT_OBJECT),
        st_other: elf::SymbolOther::from(elf::STV_HIDDEN),
    };
    b.variable("seen", data, (0, 4));
    b.section(".BTF", SectionKind::Other, &types.finish().unwrap());
    let object = b.open().unwrap();
    let btf = object.btf().unwrap();
    let section = btf.get(btf.find(".data", Kind::Datasec).unwrap()).unwrap();
    assert_eq!(section.size_field(), 12);
    let places: Vec<_> = section.variables().collect();
    assert_eq!(
        places,
        [place(seen, 4), place(hidden, 8)],
        "sorted, but not recomputed"
    );
    let linkage = |id| btf.get(id).unwrap().linkage().unwrap();
    assert_eq!(linkage(hidden), crate::btf::Linkage::Static);
    assert_eq!(linkage(seen), crate::btf::Linkage::Global);
}

/// An object with this many functions, variables and relocations, and the CPU time that opening it takes on this thread.
fn cost_of_opening(many: u64) -> Duration {
    let count = usize::try_from(many).unwrap();
    let mut b = Builder::new();
    let insns: Vec<Insn> = [LOAD, HALF, EXIT].repeat(count);
    let code = b.code("tc", &insns);
    let data = b.section(".data", SectionKind::Data, &vec![0; count * 4]);
    for index in 0..many {
        b.function(&format!("f{index}"), code, (index * 24, 24));
        let variable = b.variable(&format!("v{index}"), data, (index * 4, 4));
        b.relocate(code, index * 24, variable);
    }
    let bytes = b.bytes();
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let start = now();
    let object = OpenObject::from_bytes(&bytes).unwrap();
    let cost = now().saturating_sub(start);
    assert_eq!(object.programs().len(), count);
    assert_eq!(object.variables().len(), count);
    cost
}

/// Compares two costs on one thread, so that a busy machine does not matter: quadratic work would cost 256 times as much.
#[test]
fn large_objects_open_in_linear_time() {
    let few = cost_of_opening(4_000);
    let many = cost_of_opening(64_000);
    assert!(many < few.saturating_mul(64), "{few:?}, then {many:?}");
}

#[test]
fn every_cut_of_an_object_is_an_error() {
    let bytes = fixture("count_raw_tp");
    for len in (0..bytes.len()).step_by(7) {
        let cut = bytes.get(..len).unwrap();
        assert!(OpenObject::from_bytes(cut).is_err(), "{len}");
    }
}

/// Reads everything that an object provides.
fn look_at(object: &OpenObject) -> usize {
    let values = object.variables().iter().map(|v| object.value_of(v).len());
    let texts = object
        .core_relocations()
        .map(|r| r.access.len() + r.type_name.len());
    let insns = object
        .programs()
        .iter()
        .map(|p| object.instructions(p).len());
    values.chain(texts).chain(insns).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_objects_never_panic(
        which in 0..6usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let names = ["maps", "kconfig", "kfunc", "struct_ops", "globals", "opensnoop"];
        let mut bytes = fixture(names[which]);
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(object) = OpenObject::from_bytes(&bytes) {
            look_at(&object);
        }
    }

    #[test]
    fn damaged_headers_never_panic(
        damage in proptest::collection::vec((0..64usize, any::<u8>()), 1..4),
        sections in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = fixture("maps");
        let table = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
        let table = usize::try_from(table).unwrap();
        for (place, value) in sections {
            let place = table + place.index(bytes.len() - table);
            bytes[place] = value;
        }
        for (place, value) in damage {
            bytes[place] = value;
        }
        if let Ok(object) = OpenObject::from_bytes(&bytes) {
            look_at(&object);
        }
    }
}

/// The variables of `-fcommon`, which have not been allocated.
#[test]
fn a_common_variable_is_told_from_one_without_a_section() {
    let mut b = Builder::new();
    let section = b.code("socket", &[LOAD, HALF, EXIT]);
    b.function("prog", section, (0, 24));
    let counter = b.symbol("counter", SymbolKind::Data, SymbolSection::Common, (0, 4));
    b.relocate(section, 0, counter);
    let error = b.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidObject, "{error}");
    assert!(error.message().contains("`counter` is common"), "{error}");
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("initialize `counter`") && hint.contains("-fno-common"),
        "{hint}"
    );
}

/// Functions are identified by the type of their symbols.
#[test]
fn code_without_a_function_is_warned_of() {
    let mut b = Builder::new();
    b.function_section("socket", SymbolKind::Text);
    b.function_section("xdp", SymbolKind::Label);
    let object = b.open().unwrap();
    assert_eq!(object.programs().len(), 1);
    let warnings = object.warnings();
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert!(warning.message().contains("section `xdp`"), "{warning}");
    assert!(warning.hint().unwrap().contains("STT_FUNC"), "{warning}");
}
