//! What fuzzing found once (`fixtures/hostile`), opened and planned: no panic, no hang, no flood of memory.

use std::fs;
use std::path::{Path, PathBuf};

use rawbpf::reloc::{LoadPlan, OfflineKernel, Target};
use rawbpf::{KernelVersion, OpenObject, Result};

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

/// The most memory that this process ever had, in KiB.
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

/// 369 MB of zeroes in a file of 4 KB were searched byte by byte, once a plan, and copied by `clone`.
#[test]
fn a_huge_bss_is_planned_without_being_made() {
    let object = OpenObject::from_file(fixtures().join("hostile/huge_bss.bpf.o")).unwrap();
    let map = object.map(".bss").unwrap();
    assert_eq!(map.value_size(), 369_098_784);
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
