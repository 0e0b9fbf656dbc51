//! What fuzzing once found (`fixtures/hostile`), opened and planned: no panic, no hang, no excessive memory.

use allocation_counter::measure;
use object::{EXIT, FUNC, OBJECT, Object, Place};
use std::fs;
use std::path::{Path, PathBuf};

use rawbpf::reloc::{LoadPlan, OfflineKernel, Target};
use rawbpf::{KernelVersion, OpenObject, Result};

#[path = "hostile/object.rs"]
mod object;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Plans an object for a kernel with the fixtures' types, and for one with the object's own.
fn plans(object: &OpenObject) -> Vec<Result<LoadPlan>> {
    let slice = fs::read(fixtures().join("btf/6.18.btf")).unwrap();
    let own = object.btf().map(|btf| btf.bytes().to_vec());
    let kernels = [
        Some((slice.clone(), 7)),
        Some((slice, 5)),
        own.map(|btf| (btf, 7)),
    ];
    let kernels = kernels.into_iter().flatten().map(|(btf, major)| {
        Target::offline(OfflineKernel {
            btf: Some(btf),
            version: Some(KernelVersion::new(major, 4, 0)),
            kconfig: Some(b"CONFIG_HZ=250\n".to_vec()),
            ..OfflineKernel::default()
        })
    });
    kernels.map(|kernel| object.relocate(&kernel)).collect()
}

/// This process's peak memory, in KiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

#[test]
fn what_fuzzing_found_stays_harmless() {
    let mut files: Vec<_> = fs::read_dir(fixtures().join("hostile"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        if let Ok(object) = OpenObject::from_file(&file) {
            plans(&object);
        }
        let peak = peak_memory();
        assert!(peak < 512 << 10, "{}: {peak} KiB", file.display());
    }
}

/// 369 MB of zeros in a file of 4 KB were searched byte by byte for each plan, and copied by `clone`.
#[test]
fn a_huge_bss_is_planned_without_being_made() {
    let object = OpenObject::from_file(fixtures().join("hostile/huge_bss.bpf.o")).unwrap();
    let map = object.map(".bss").unwrap();
    assert_eq!(map.value_size(), 369_098_784);
    for variable in object.variables() {
        let value = object.value_of(variable);
        assert!(value.iter().all(|byte| *byte == 0));
    }
    for _ in 0..100 {
        let copy = object.clone();
        for plan in plans(&copy) {
            let plan = plan.unwrap();
            let bss = plan.maps.iter().find(|map| map.name == ".bss").unwrap();
            assert_eq!(bss.initial, None);
        }
    }
    assert!(peak_memory() < 128 << 10);
}

/// Opens and plans an object of one size and of twice that size: peak memory grows in proportion to the file. So do the
/// lengths of names.
fn assert_memory_follows_size(make: impl Fn(usize) -> Vec<u8>) {
    let memory = |scale: usize| {
        let bytes = make(scale);
        let used = measure(|| {
            let object = OpenObject::from_bytes(&bytes).unwrap();
            let relocations: Vec<_> = object.core_relocations().collect();
            let plans = plans(&object);
            drop((relocations, plans));
        });
        used.bytes_max
    };
    let (one, two) = (memory(1), memory(2));
    assert!(two * 10 <= one * 23, "{one} bytes become {two}");
}

#[test]
fn relocations_share_the_name_of_their_type() {
    let bytes = object::relocated_to_long_name(2, 100);
    let small = OpenObject::from_bytes(&bytes).unwrap();
    assert_eq!(small.core_relocations().count(), 2);
    assert_memory_follows_size(|scale| {
        object::relocated_to_long_name(2_000 * scale, 60_000 * scale)
    });
}

/// Many calls of one function with a long name.
#[test]
fn references_share_the_name_of_what_they_refer_to() {
    assert_memory_follows_size(|scale| {
        let calls = 2_000 * scale;
        let mut object = Object::default();
        let text = object.add_code(".text", EXIT.to_vec());
        let call = [0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff];
        let code = [&*call.repeat(calls), &EXIT].concat();
        let size = code.len();
        let section = object.add_code("socket", code);
        let place = |section, size| Place {
            section,
            at: 0,
            size,
        };
        let name = object.add_string("a".repeat(2_000 * scale));
        let callee = object.add_symbol(name, FUNC, place(text, 8));
        let name = object.add_string("f");
        object.add_symbol(name, FUNC, place(section, size));
        let relocations: Vec<_> = (0..calls).map(|call| (call * 8, callee, 10)).collect();
        object.add_relocations(section, &relocations);
        object.add("license", 0, b"GPL\0".to_vec());
        object.bytes()
    });
}

/// Functions and variables whose names all end in the same long string, in sections whose names do, too.
#[test]
fn overlapping_names_are_refused() {
    let open = |kind, count: usize| {
        let mut object = Object::default();
        let code = object.add_code("socket", EXIT.repeat(count));
        let data = object.add(".data", 3, vec![0; 8 * count]);
        let section = if kind == FUNC { code } else { data };
        let name = object.add_string("a".repeat(4_000));
        for number in 0..count {
            let at = number * 8;
            let name = name + u32::try_from(number % 1_000).unwrap();
            object.add_symbol(
                name,
                kind,
                Place {
                    section,
                    at,
                    size: 8,
                },
            );
        }
        OpenObject::from_bytes(&object.bytes())
    };
    for kind in [FUNC, OBJECT] {
        let error = open(kind, 2_000).unwrap_err();
        assert!(error.to_string().contains("overlap each other"), "{error}");
    }
    assert_eq!(open(FUNC, 200).unwrap().programs().len(), 200);
}

/// Every program has a copy of the lines of all its subprograms.
#[test]
fn one_line_for_each_instruction() {
    let mut b = rawbpf::btf::BtfBuilder::new();
    let int = b.add_int("int", 4, 1);
    let proto = b.add_func_proto(int, rawbpf::btf::Param::NONE);
    let function = b.add_func("f", rawbpf::btf::Linkage::Static, proto);
    let section = b.add_string("socket");
    let lines = vec![vec![0, section, section, 1024]; 3];
    let records = [vec![0, function.0]];
    let mut object = Object::default();
    let number = object.add_code("socket", EXIT.to_vec());
    let name = object.add_string("f");
    let place = Place {
        section: number,
        at: 0,
        size: 8,
    };
    object.add_symbol(name, FUNC, place);
    object.add("license", 0, b"GPL\0".to_vec());
    object.add(".BTF", 0, b.finish().unwrap());
    let ext = object::btf_ext(section, [(8, &records), (16, &lines), (16, &[])]);
    object.add(".BTF.ext", 0, ext);
    let object = OpenObject::from_bytes(&object.bytes()).unwrap();
    let plan = plans(&object).remove(0).unwrap();
    let error = plan.programs[0].error.as_ref().unwrap().to_string();
    let expected = "3 records of line information for 1 instructions";
    assert!(error.contains(expected), "{error}");
}
