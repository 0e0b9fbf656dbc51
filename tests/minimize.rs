//! An object that is relocated against the few types which it looks at gets the instructions that it gets from all of them.

use rawbpf::btf::{Btf, BtfBuilder, Kind, Member};
use rawbpf::open::OpenObject;
use rawbpf::reloc::{CoreStep, LoadPlan, OfflineKernel, Target, minimize};
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// All fixtures that can be opened here, with every program to be loaded.
fn objects() -> Vec<OpenObject> {
    let mut paths: Vec<PathBuf> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(".bpf.o")))
        .collect();
    paths.sort();
    let mut objects = Vec::new();
    for path in paths {
        if let Ok(mut object) = OpenObject::from_file(&path) {
            for program in object.programs_mut() {
                program.set_autoload(true);
            }
            objects.push(object);
        }
    }
    assert!(objects.len() > 50, "{}", objects.len());
    objects
}

fn kernel(btf: Vec<u8>) -> Target {
    Target::offline(OfflineKernel {
        btf: Some(btf),
        ..OfflineKernel::default()
    })
}

/// The plan of an object whose CO-RE relocations see `core` alone; everything else sees the kernel.
fn plan(object: &OpenObject, btf: &[u8], core: &[u8]) -> Option<LoadPlan> {
    let core = Btf::from_vec(core.to_vec()).unwrap();
    object
        .relocate(&kernel(btf.to_vec()).with_core_btf(core))
        .ok()
}

/// What a relocation made of its instruction. Numbers of the kernel's types are those of the blob that was asked.
fn outcome(step: &CoreStep) -> impl PartialEq + std::fmt::Debug + use<> {
    let after = step.value_after.filter(|_| step.kind != "type_id_target");
    (
        step.insn,
        step.kind,
        step.value_before,
        after,
        step.outcome,
        step.candidates.len(),
    )
}

/// Compares the plans of all objects; returns how many relocations were compared.
fn compare(objects: &[OpenObject], whole: &[u8], small: &[u8]) -> usize {
    let mut compared = 0;
    for object in objects {
        let name = object.name();
        let (whole, small) = (plan(object, whole, whole), plan(object, whole, small));
        assert_eq!(whole.is_some(), small.is_some(), "{name}");
        let (Some(whole), Some(small)) = (whole, small) else {
            continue;
        };
        for (whole, small) in whole.programs.iter().zip(&small.programs) {
            let program = format!("{name}: {}", whole.name);
            assert_eq!(whole.error.is_some(), small.error.is_some(), "{program}");
            let steps = |steps: &[CoreStep]| steps.iter().map(outcome).collect::<Vec<_>>();
            assert_eq!(steps(&whole.core), steps(&small.core), "{program}");
            compared += whole.core.len();
            if whole.core.iter().all(|step| step.kind != "type_id_target") {
                assert_eq!(whole.insns, small.insns, "{program}");
            }
        }
    }
    compared
}

#[test]
fn fixtures_get_the_same_plan_from_the_types_of_five_kernels_and_from_what_they_need_of_them() {
    let objects = objects();
    for release in ["5.10", "6.1", "6.12", "6.18", "7.2"] {
        let whole = fs::read(fixtures().join(format!("btf/{release}.btf"))).unwrap();
        let small = minimize(&objects, &kernel(whole.clone())).unwrap();
        assert!(small.bytes().len() < whole.len(), "{release}");
        let compared = compare(&objects, &whole, small.bytes());
        assert!(compared > 100, "{release}: {compared}");
    }
}

#[test]
fn one_object_alone_gets_the_same_plan_too() {
    let whole = fs::read(fixtures().join("btf/6.12.btf")).unwrap();
    for object in objects() {
        let objects = [object];
        let small = minimize(&objects, &kernel(whole.clone())).unwrap();
        compare(&objects, &whole, small.bytes());
    }
}

#[test]
fn only_members_that_paths_lead_through_are_left() {
    let object = OpenObject::from_file(fixtures().join("tcplife.bpf.o")).unwrap();
    let whole = fs::read(fixtures().join("btf/6.1.btf")).unwrap();
    let small = minimize([&object], &kernel(whole.clone())).unwrap();
    let whole = Btf::from_vec(whole).unwrap();
    let sock = |btf: &Btf<'_>| {
        let sock = btf.find("sock", Kind::Struct).unwrap();
        let sock = btf.get(sock).unwrap();
        (sock.size_field(), sock.members().count())
    };
    let (size, count) = sock(&small);
    assert_eq!(size, sock(&whole).0);
    assert!(count > 0 && count <= sock(&whole).1);
    assert!(small.types().count() < whole.types().count());
}

#[test]
fn a_kernel_that_lacks_everything_leaves_no_types() {
    let mut types = BtfBuilder::new();
    types.add_struct("nothing_that_anybody_wants", 0, [] as [Member<'_>; 0]);
    let small = minimize(&objects(), &kernel(types.finish().unwrap())).unwrap();
    assert_eq!(small.types().count(), 0);
}
