//! Links small objects that no compiler writes: invalid ones and large ones.

use super::Linker;
use crate::btf::{Btf, BtfBuilder, BtfExt, CoreRelo, IntEncoding, Kind, Linkage, VarSecinfo};
use crate::elf::{Content, NewObject, NewRel, NewSection, NewSymbol, Rel, Section, Symbol};
use crate::ids::ByteOrder;
use crate::insn::{Insn, to_bytes};
use crate::{OpenObject, Result, TypeId};
use nix::time::{ClockId, clock_gettime};
use object::elf;
use std::time::Duration;

const EXIT: Insn = Insn::new(Insn::EXIT, 0, 0, 0, 0);
/// A weak or a strong symbol.
const BINDINGS: [u8; 2] = [Symbol::WEAK, Symbol::GLOBAL];

/// An object under construction.
struct Parts {
    sections: Vec<NewSection<'static>>,
    symbols: Vec<NewSymbol<'static>>,
    types: BtfBuilder,
    ext: BtfExt,
    int: TypeId,
}

impl Parts {
    fn new() -> Self {
        let mut types = BtfBuilder::new();
        let int = types.add_int("int", 4, IntEncoding::SIGNED);
        Self {
            sections: Vec::new(),
            symbols: Vec::new(),
            types,
            ext: BtfExt::new(),
            int,
        }
    }

    /// Adds a section; returns its index.
    fn section(&mut self, name: &'static str, kind: u32, flags: u64, bytes: &[u8]) -> u16 {
        let content = if kind == Section::NOBITS {
            Content::Zeros(bytes.len() as u64)
        } else {
            Content::Bytes(bytes.to_vec())
        };
        self.sections.push(NewSection {
            name,
            kind,
            flags,
            align: 8,
            entry_size: 0,
            content,
            rels: Vec::new(),
        });
        u16::try_from(self.sections.len()).unwrap()
    }

    fn data(&mut self, name: &'static str, bytes: &[u8]) -> u16 {
        self.section(name, Section::PROGBITS, elf::SHF_ALLOC.0, bytes)
    }

    fn code(&mut self, name: &'static str, insns: &[Insn]) -> u16 {
        let flags = elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0;
        self.section(name, Section::PROGBITS, flags, &to_bytes(insns))
    }

    fn symbol(&mut self, name: &'static str, kind: u8, binding: u8, section: u16) -> u32 {
        let is_defined = section != 0;
        self.symbols.push(NewSymbol {
            name,
            kind: if is_defined { kind } else { Symbol::NOTYPE },
            binding,
            other: 0,
            section,
            value: 0,
            size: if is_defined { 8 } else { 0 },
        });
        u32::try_from(self.symbols.len()).unwrap()
    }

    /// A variable of 8 bytes at the start of a section, with its types.
    fn variable(&mut self, name: &'static str, binding: u8, section: &'static str) -> u32 {
        let number = self.data(section, &[1; 8]);
        let var = self.types.add_var(name, Linkage::Global, self.int);
        let place = VarSecinfo {
            type_id: var,
            offset: 0,
            size: 8,
        };
        self.types.add_datasec(section, 0, &[place]);
        self.symbol(name, Symbol::OBJECT, binding, number)
    }

    /// A function of one instruction in its own section, with its types.
    fn function(&mut self, name: &'static str, binding: u8, section: &'static str) -> u32 {
        let number = self.code(section, &[EXIT]);
        self.declare(name, Linkage::Global);
        self.symbol(name, Symbol::FUNC, binding, number)
    }

    /// The types of a function.
    fn declare(&mut self, name: &str, linkage: Linkage) -> TypeId {
        let int = self.int;
        let proto = self.types.add_func_proto(int, [("a", int)]);
        self.types.add_func(name, linkage, proto)
    }

    fn relocate(&mut self, section: u16, offset: u64, symbol: u32, kind: u32) {
        let section = &mut self.sections[usize::from(section) - 1];
        section.rels.push(NewRel {
            offset,
            symbol,
            kind,
        });
    }

    fn bytes(mut self) -> Vec<u8> {
        let btf = self.types.finish().unwrap();
        self.data(".BTF", &btf);
        if !self.ext.is_empty() {
            let ext = self.ext.to_bytes(ByteOrder::Native);
            self.data(".BTF.ext", &ext);
        }
        // Those that are local come first.
        let object = NewObject {
            order: ByteOrder::Native,
            sections: self.sections,
            symbols: self.symbols,
        };
        object.write().unwrap()
    }
}

fn made(make: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = Parts::new();
    make(&mut parts);
    parts.bytes()
}

fn link(objects: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut linker = Linker::new();
    for (name, object) in ["a.o", "b.o", "c.o"].into_iter().zip(objects) {
        linker.add(name, object);
    }
    linker.link()
}

/// The error of linking these.
#[track_caller]
fn refused(objects: &[Vec<u8>]) -> String {
    link(objects).unwrap_err().to_string()
}

#[track_caller]
fn assert_refused(objects: &[Vec<u8>], words: &[&str]) {
    let error = refused(objects);
    for word in words {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

/// The value of a variable after linking.
fn value(linked: &[u8], name: &str) -> Vec<u8> {
    let object = OpenObject::from_bytes(linked).unwrap();
    let variable = object.variable(name).unwrap();
    object.value_of(variable).to_vec()
}

#[test]
fn of_two_definitions_the_strong_one_or_the_first_is_taken() {
    let of = |binding, byte| {
        made(|parts| {
            parts.variable("v", binding, ".data");
            let Content::Bytes(bytes) = &mut parts.sections[0].content else {
                unreachable!();
            };
            bytes.fill(byte);
        })
    };
    for first in BINDINGS {
        for second in BINDINGS {
            let objects = [of(first, 1), of(second, 2)];
            if [first, second] == [Symbol::GLOBAL; 2] {
                assert_refused(&objects, &["b.o: symbol `v`", "defined here and in a.o"]);
                continue;
            }
            let taken = if second == Symbol::GLOBAL { 2 } else { 1 };
            assert_eq!(value(&link(&objects).unwrap(), "v"), [taken; 8]);
        }
    }
}

/// The reference treats a weak definition as strong once any file has declared the name without `__weak`.
#[test]
fn a_strong_declaration_makes_no_definition_strong() {
    let declared = made(|parts| {
        parts.types.add_var("v", Linkage::Extern, parts.int);
        parts.symbol("v", 0, Symbol::GLOBAL, 0);
    });
    let [weak, strong] = BINDINGS.map(|binding| {
        made(|parts| {
            parts.variable("v", binding, ".data");
        })
    });
    link(&[declared.clone(), weak.clone(), strong.clone()]).unwrap();
    link(&[weak, declared, strong]).unwrap();
}

/// The reference lists the variable in the section of the definition that was not chosen, or fails, depending on the order of
/// the files.
#[test]
fn a_definition_may_be_in_another_section_than_the_one_that_it_replaces() {
    let [weak, strong] =
        [(Symbol::WEAK, ".data"), (Symbol::GLOBAL, ".data.own")].map(|(binding, section)| {
            made(|parts| {
                parts.variable("v", binding, section);
            })
        });
    for objects in [[weak.clone(), strong.clone()], [strong, weak]] {
        let linked = link(&objects).unwrap();
        let object = OpenObject::from_bytes(&linked).unwrap();
        let variable = object.variable("v").unwrap();
        assert_eq!(object.maps()[variable.map()].name(), ".data.own");
    }
}

#[test]
fn hidden_is_who_is_hidden_anywhere() {
    let declared = made(|parts| {
        parts.declare("f", Linkage::Extern);
        parts.symbol("f", 0, Symbol::GLOBAL, 0);
        parts.symbols[0].other = Symbol::HIDDEN;
    });
    let defined = made(|parts| {
        parts.function("f", Symbol::GLOBAL, ".text");
    });
    for objects in [[declared.clone(), defined.clone()], [defined, declared]] {
        let linked = link(&objects).unwrap();
        let file = crate::elf::ElfFile::parse(&linked).unwrap();
        let mut sections = file.sections().map(Result::unwrap);
        let table = sections.find(|s| s.kind == Section::SYMTAB).unwrap();
        let symbols = file.symbols(&table).unwrap();
        let found = symbols.iter().find(|s| symbols.name(s) == Ok("f"));
        assert_eq!(found.unwrap().other, Symbol::HIDDEN);
    }
}

#[test]
fn declarations_have_the_type_of_the_definition() {
    let defined = made(|parts| {
        parts.function("f", Symbol::GLOBAL, ".text");
    });
    let declared = |result: fn(&mut Parts) -> TypeId, params: usize| {
        made(|parts| {
            let result = result(parts);
            let int = parts.int;
            let params = vec![("", int); params];
            let proto = parts.types.add_func_proto(result, params);
            parts.types.add_func("f", Linkage::Extern, proto);
            parts.symbol("f", 0, Symbol::GLOBAL, 0);
        })
    };
    // A typedef is the same as its target.
    let alias = declared(|parts| parts.types.add_typedef("number", parts.int), 1);
    link(&[defined.clone(), alias]).unwrap();
    let many = declared(|parts| parts.int, 2);
    let words = ["b.o: `f`: here and in a.o", "number of parameters"];
    assert_refused(&[defined.clone(), many], &words);
    let wide = declared(|parts| parts.types.add_int("long", 8, 0), 1);
    assert_refused(
        &[defined.clone(), wide],
        &["differ in their size", "`long` and `int`"],
    );
    let void = declared(|_| TypeId::VOID, 1);
    assert_refused(&[defined, void], &["differ in their kind"]);
}

#[test]
fn what_a_pointer_leads_to_may_be_declared_only() {
    let var = |pointee: fn(&mut Parts) -> TypeId, linkage| {
        made(|parts| {
            let pointee = pointee(parts);
            let pointer = parts.types.add_ptr(pointee);
            if linkage == Linkage::Extern {
                parts.types.add_var("p", linkage, pointer);
                parts.symbol("p", 0, Symbol::GLOBAL, 0);
                return;
            }
            parts.variable("p", Symbol::GLOBAL, ".data");
            let var = TypeId(parts.types.next_id().0 - 2);
            parts.types.set_target(var, pointer);
        })
    };
    let whole = |parts: &mut Parts| parts.types.add_struct("s", 4, [("x", parts.int, 0)]);
    let defined = var(whole, Linkage::Global);
    let declared = var(
        |p| p.types.add_fwd("s", crate::btf::FwdKind::Struct),
        Linkage::Extern,
    );
    link(&[declared.clone(), defined.clone()]).unwrap();
    link(&[defined.clone(), declared]).unwrap();
    let other = var(
        |p| p.types.add_fwd("s", crate::btf::FwdKind::Union),
        Linkage::Extern,
    );
    assert_refused(&[defined.clone(), other], &["differ in their kind"]);
    let other = var(
        |p| p.types.add_fwd("t", crate::btf::FwdKind::Struct),
        Linkage::Extern,
    );
    assert_refused(&[defined, other], &["differ in their name"]);
}

#[test]
fn sections_of_one_name_must_be_alike() {
    let data = made(|parts| {
        parts.data("x", &[0; 8]);
    });
    let zeros = made(|parts| {
        parts.section("x", Section::NOBITS, elf::SHF_ALLOC.0, &[0; 8]);
    });
    assert_refused(
        &[data.clone(), zeros],
        &["b.o: section 1 `x`: its type is 0x8, and 0x1 in a.o"],
    );
    let code = made(|parts| {
        parts.code("x", &[EXIT]);
    });
    assert_refused(&[data, code], &["its flags is 0x6, and 0x2 in a.o"]);
    let license = |text: &'static [u8]| {
        made(|parts| {
            parts.data("license", text);
        })
    };
    link(&[license(b"GPL\0"), license(b"GPL\0")]).unwrap();
    let words = ["section 1 `license`: its contents differ from those in a.o"];
    assert_refused(&[license(b"GPL\0"), license(b"MIT\0")], &words);
}

#[test]
fn what_lies_at_an_offset_of_a_section_moves_with_it() {
    let object = |filler: usize| {
        made(|parts| {
            let call = Insn::new(Insn::CALL, 0, 1, 0, 0);
            let load = [
                Insn::new(Insn::LD_IMM64, 1, 0, 0, 4),
                Insn::new(0, 0, 0, 0, 0),
            ];
            let text = parts.code(".text", &vec![EXIT; filler]);
            let data = parts.data(".data", &vec![0; filler * 8]);
            let main = parts.code("main", &[call, load[0], load[1], EXIT]);
            let text = parts.symbol("", Symbol::SECTION, Symbol::LOCAL, text);
            let data = parts.symbol("", Symbol::SECTION, Symbol::LOCAL, data);
            for symbol in &mut parts.symbols {
                symbol.size = 0;
            }
            parts.relocate(main, 0, text, Rel::BPF_64_32);
            parts.relocate(main, 8, data, Rel::BPF_64_64);
        })
    };
    let linked = link(&[object(3), object(5)]).unwrap();
    let file = crate::elf::ElfFile::parse(&linked).unwrap();
    let main = file
        .sections()
        .map(Result::unwrap)
        .find(|s| s.name == "main");
    let insns = main.unwrap().data().unwrap().as_chunks::<8>().0;
    let imm = |index: usize| i32::from_ne_bytes(insns[index][4..].try_into().unwrap());
    assert_eq!((imm(0), imm(1)), (0, 4), "the first file's stay");
    assert_eq!((imm(4), imm(5)), (3, 3 * 8 + 4));
}

#[test]
fn jump_tables_lead_to_where_their_code_is_now() {
    let object = |rels: bool| {
        made(|parts| {
            let load = [
                Insn::new(Insn::LD_IMM64, 1, 0, 0, 0),
                Insn::new(0, 0, 0, 0, 0),
            ];
            let main = parts.code("main", &[load[0], load[1], EXIT, EXIT]);
            let entries = [16_u64, 24].map(u64::to_ne_bytes).concat();
            let table = parts.data(".jumptables", &entries);
            let code = parts.symbol("", Symbol::SECTION, Symbol::LOCAL, main);
            parts.symbols[0].size = 0;
            // Both files have one of this name, without a type.
            let symbol = parts.symbol("table", Symbol::OBJECT, Symbol::GLOBAL, table);
            parts.symbols[1].size = 16;
            parts.relocate(main, 0, symbol, Rel::BPF_64_64);
            if rels {
                parts.relocate(table, 0, code, Rel::BPF_64_ABS64);
                parts.relocate(table, 8, code, Rel::BPF_64_ABS64);
            }
        })
    };
    for rels in [false, true] {
        let linked = link(&[object(rels), object(rels)]).unwrap();
        let file = crate::elf::ElfFile::parse(&linked).unwrap();
        let mut sections = file.sections().map(Result::unwrap);
        let table = sections.find(|section| section.name == ".jumptables");
        let entries = table.unwrap().data().unwrap().as_chunks::<8>().0;
        let entries: Vec<u64> = entries.iter().map(|e| u64::from_ne_bytes(*e)).collect();
        assert_eq!(entries, [16, 24, 32 + 16, 32 + 24]);
    }
}

#[test]
fn relocations_that_nothing_understands_are_refused() {
    let with = |kind, offset, target: fn(&mut Parts) -> u32| {
        made(|parts| {
            let symbol = target(parts);
            let data = parts.data(".data.x", &[0; 16]);
            parts.relocate(data, offset, symbol, kind);
        })
    };
    let function = |parts: &mut Parts| parts.function("f", Symbol::GLOBAL, ".text");
    link(&[with(Rel::BPF_64_ABS64, 8, function)]).unwrap();
    assert_refused(
        &[with(77, 0, function)],
        &["a.o: section", "relocation 0", "type 77"],
    );
    assert_refused(&[with(Rel::BPF_64_ABS64, 9, function)], &["offset 0x9"]);
    assert_refused(
        &[with(Rel::BPF_64_ABS64, u64::MAX, function)],
        &["offset 0xff"],
    );
    assert_refused(
        &[with(Rel::BPF_64_ABS64, 0, |_| 9)],
        &["symbol 9, which does not exist"],
    );
    let start = |parts: &mut Parts| {
        let data = parts.data(".data", &[0; 8]);
        let symbol = parts.symbol("", Symbol::SECTION, Symbol::LOCAL, data);
        parts.symbols[0].size = 0;
        symbol
    };
    let words = [
        "data refers to an offset in section `.data`",
        "static variable",
    ];
    assert_refused(&[with(Rel::BPF_64_ABS64, 0, start)], &words);
}

#[test]
fn a_declaration_names_the_section_of_the_definition_or_none() {
    let declared = |section: &'static str| {
        made(|parts| {
            let var = parts.types.add_var("v", Linkage::Extern, parts.int);
            let place = VarSecinfo {
                type_id: var,
                offset: 0,
                size: 4,
            };
            parts.types.add_datasec(section, 0, &[place]);
            parts.symbol("v", 0, Symbol::GLOBAL, 0);
        })
    };
    let defined = made(|parts| {
        parts.variable("v", Symbol::GLOBAL, ".data");
    });
    for objects in [
        [declared(".extern"), defined.clone()],
        [declared(".data"), defined.clone()],
    ] {
        assert_eq!(value(&link(&objects).unwrap(), "v"), [1; 8]);
    }
    for objects in [
        [declared(".ksyms"), defined.clone()],
        [defined, declared(".ksyms")],
    ] {
        assert_refused(
            &objects,
            &[
                "section `.ksyms`",
                "`v` is in this section here, and in `.data` elsewhere",
            ],
        );
    }
}

#[test]
fn a_declared_map_repeats_the_whole_definition() {
    let object = |linkage: Linkage, entries: u32, value: &str, extra: u32| {
        made(|parts| {
            let value = parts.types.add_int(value, 4, 0);
            let number = |parts: &mut Parts, number| {
                let array = parts.types.add_array(parts.int, parts.int, number);
                parts.types.add_ptr(array)
            };
            let [kind, size] = [2, 4].map(|n| number(parts, n));
            let [entries, extra] = [entries, extra].map(|n| number(parts, n));
            let value = parts.types.add_ptr(value);
            let members = [
                ("type", kind, 0),
                ("key_size", size, 64),
                ("value", value, 128),
                ("max_entries", entries, 192),
                ("map_extra", extra, 256),
            ];
            let definition = parts.types.add_struct("", 40, members);
            let var = parts.types.add_var("m", linkage, definition);
            let place = VarSecinfo {
                type_id: var,
                offset: 0,
                size: 40,
            };
            parts.types.add_datasec(".maps", 0, &[place]);
            let is_defined = linkage == Linkage::Global;
            let section = if is_defined {
                parts.data(".maps", &[0; 40])
            } else {
                0
            };
            parts.symbol("m", Symbol::OBJECT, Symbol::GLOBAL, section);
        })
    };
    let defined = object(Linkage::Global, 8, "u32", 0);
    for objects in [
        [defined.clone(), object(Linkage::Extern, 8, "u32", 0)],
        [object(Linkage::Extern, 8, "u32", 0), defined.clone()],
    ] {
        let linked = OpenObject::from_bytes(&link(&objects).unwrap()).unwrap();
        assert_eq!(linked.map("m").unwrap().max_entries(), 8);
    }
    let other = object(Linkage::Extern, 9, "u32", 0);
    let words = [
        "b.o: `m`: here and in a.o",
        "`max_entries` of the map is 9 here, and 8 there",
    ];
    assert_refused(&[defined.clone(), other], &words);
    let other = object(Linkage::Extern, 8, "u32", 1);
    assert_refused(
        &[defined.clone(), other],
        &["`map_extra` of the map is 1 here, and 0 there"],
    );
    // The names of integers are ignored.
    link(&[defined, object(Linkage::Extern, 8, "unsigned int", 0)]).unwrap();
}

/// Many relocations and lines may refer to one long string.
#[test]
fn names_that_overlap_are_not_copied_without_end() {
    let object = made(|parts| {
        let long: String = "x".repeat(1 << 17);
        let start = parts.types.add_string(&long);
        let section = parts.types.add_string(".text");
        parts.code(".text", &[EXIT]);
        for at in 0..1 << 12 {
            let relo = CoreRelo {
                insn_off: 0,
                type_id: TypeId(1),
                access_str_off: start + at,
                kind: 0,
            };
            parts.ext.add_core_relo(section, relo);
        }
    });
    assert_refused(&[object], &["section `.BTF.ext`", "strings overlap"]);
}

#[test]
fn alignment_does_not_make_the_output_large() {
    let object = |align| {
        made(|parts| {
            parts.data(".data", &[1]);
            parts.sections[0].align = align;
        })
    };
    let linked = link(&[object(1 << 16), object(1 << 16)]).unwrap();
    assert!(linked.len() > 1 << 16 && linked.len() < 1 << 17);
    let words = ["b.o: section 1 `.data`", "leaves too much empty"];
    assert_refused(&[object(1), object(1 << 30)], &words);
    assert_refused(&[object(1), object(1 << 40)], &["4 GiB or more"]);
    assert_refused(&[object(24)], &["its alignment 24 is no power of two"]);
}

/// Comparing cyclic types with cycles of different lengths takes as many steps as the product of the lengths.
#[test]
fn types_in_circles_are_not_compared_without_end() {
    let object = |length: u32, linkage| {
        made(|parts| {
            let first = parts.types.next_id().0;
            for at in 0..length {
                let next = TypeId(first + (at + 1) % length);
                parts.types.add_ptr(next);
            }
            if linkage == Linkage::Extern {
                parts.types.add_var("v", linkage, TypeId(first));
                parts.symbol("v", 0, Symbol::GLOBAL, 0);
            } else {
                parts.variable("v", Symbol::GLOBAL, ".data");
                let var = TypeId(parts.types.next_id().0 - 2);
                parts.types.set_target(var, TypeId(first));
            }
        })
    };
    let objects = [object(9973, Linkage::Global), object(9967, Linkage::Extern)];
    assert_refused(&objects, &["takes too much work"]);
    link(&[object(100, Linkage::Global), object(100, Linkage::Extern)]).unwrap();
}

/// An object with this many functions, or with as many declarations.
fn many(count: usize, linkage: Linkage) -> Vec<u8> {
    let mut parts = Parts::new();
    let text = parts.code(".text", &vec![EXIT; count]);
    let proto = parts.types.add_func_proto(parts.int, [("a", parts.int)]);
    let is_defined = linkage == Linkage::Global;
    for at in 0..count {
        // Almost the longest name that kernels before Linux 6.1 take for a function: 127 bytes.
        let name = format!("{}{at:07}", "x".repeat(120));
        let name: &'static str = Box::leak(name.into_boxed_str());
        parts.types.add_func(name, linkage, proto);
        let section = if is_defined { text } else { 0 };
        parts.symbol(name, Symbol::FUNC, Symbol::GLOBAL, section);
        if is_defined {
            let symbol = parts.symbols.last_mut().unwrap();
            symbol.value = 8 * at as u64;
        }
    }
    parts.bytes()
}

#[test]
fn a_hundred_thousand_symbols_take_time_by_their_number() {
    let cost = |count| {
        let objects = [Linkage::Global, Linkage::Extern].map(|linkage| many(count, linkage));
        let input: usize = objects.iter().map(Vec::len).sum();
        let clock = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
        let before = clock();
        let linked = link(&objects).unwrap();
        let time = clock().saturating_sub(before);
        assert!(linked.len() < input);
        let file = crate::elf::ElfFile::parse(&linked).unwrap();
        let btf = file.sections().map(Result::unwrap);
        let btf = btf.into_iter().find(|section| section.name == ".BTF");
        let btf = Btf::parse(btf.unwrap().data().unwrap()).unwrap();
        let functions = btf.types().filter(|ty| ty.kind() == Kind::Func);
        assert_eq!(functions.count(), count);
        time
    };
    let (few, many) = (cost(25_000), cost(100_000));
    println!("{few:?} and {many:?}");
    assert!(many < few * 8, "{few:?} and {many:?}");
}

#[test]
fn more_names_than_types_can_have_are_refused() {
    let mut parts = Parts::new();
    for at in 0..40_000 {
        parts.types.add_typedef(&format!("{at:0>300}"), parts.int);
    }
    let objects = [parts.bytes(), {
        let mut parts = Parts::new();
        for at in 40_000..80_000 {
            parts.types.add_typedef(&format!("{at:0>300}"), parts.int);
        }
        parts.bytes()
    }];
    assert_refused(&objects, &["b.o: ", "no kernel takes names after"]);
}
