//! The linker, on objects compiled by clang. The folder `tests/linker` has bpftool's output for the same parts: `NAME.twice.o`
//! is its output linked once more by itself. `cargo xtask link --references` created these files; `cargo xtask link FOLDER`
//! compares any other objects.

use proptest::prelude::*;
use rawbpf::linker::Linker;
use rawbpf::open::OpenOptions;
use rawbpf::reloc::{OfflineKernel, Target};
use rawbpf::{KernelVersion, OpenObject};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "linker/said.rs"]
mod said;

use said::{Said, differences};

const SETS: [&str; 3] = ["linked", "linked_data", "linked_big_endian"];

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The parts of a linked fixture, in order.
fn parts(name: &str) -> Vec<Vec<u8>> {
    let part = |number| here().join(format!("fixtures/parts/{name}.{number}.o"));
    let paths = (0..).map(part).take_while(|path| path.exists());
    paths.map(|path| fs::read(path).unwrap()).collect()
}

fn link<'p>(parts: impl IntoIterator<Item = &'p Vec<u8>>) -> rawbpf::Result<Vec<u8>> {
    let mut linker = Linker::new();
    for (number, part) in parts.into_iter().enumerate() {
        linker.add(format!("{number}.o"), part);
    }
    linker.link()
}

fn open(bytes: &[u8]) -> OpenObject {
    let options = OpenOptions::new().object_name("linked");
    options.open_bytes(bytes).unwrap()
}

/// The contents of an object for a kernel with the fixtures' types.
fn say(bytes: &[u8]) -> Said {
    let target = Target::offline(OfflineKernel {
        btf: Some(fs::read(here().join("fixtures/btf/6.18.btf")).unwrap()),
        version: Some(KernelVersion::new(6, 18, 0)),
        kconfig: Some(b"CONFIG_HZ=250\n".to_vec()),
        ..OfflineKernel::default()
    });
    said::said(&open(bytes), &target)
}

fn reference(name: &str, passes: &str) -> Vec<u8> {
    fs::read(here().join(format!("tests/linker/{name}.{passes}.o"))).unwrap()
}

#[track_caller]
fn assert_same(ours: &Said, theirs: &Said) {
    let differences = differences(ours, theirs);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_is_linked_says_the_same_as_the_references_output() {
    for name in SETS {
        let linked = link(&parts(name)).unwrap();
        assert_same(&say(&linked), &say(&reference(name, "twice")));
    }
}

#[test]
fn fixtures_are_what_their_parts_are_linked_to() {
    for name in SETS {
        let fixture = fs::read(here().join(format!("fixtures/{name}.bpf.o"))).unwrap();
        let linked = link(&parts(name)).unwrap();
        assert!(
            linked == fixture,
            "{name}: run `cargo xtask fixtures {name}`"
        );
    }
}

/// The reference lists a map at its offset in the first file, which is undefined for a declaration: its output cannot be opened
/// before it has been linked once more. The same applies to a weak variable that is replaced by a strong one.
#[test]
fn maps_declared_first_lie_where_they_are_defined() {
    let [once, twice] = ["once", "twice"].map(|passes| reference("linked_data", passes));
    let error = OpenObject::from_bytes(&once).unwrap_err().to_string();
    assert!(error.contains("no map is at offset 0x60"), "{error}");
    let linked = link(&parts("linked_data")).unwrap();
    for name in [".maps", ".data"] {
        let listed = |bytes: &[u8]| {
            let object = open(bytes);
            let btf = object.btf().unwrap();
            let found = btf.find(name, rawbpf::btf::Kind::Datasec).unwrap();
            let variables = btf.get(found).unwrap().variables();
            let places =
                variables.map(|v| (btf.get(v.type_id).unwrap().name().to_owned(), v.offset));
            places.collect::<Vec<_>>()
        };
        assert_eq!(listed(&linked), listed(&twice));
    }
    let object = open(&linked);
    let limit = object.variable("limit").unwrap();
    assert_eq!(
        object.value_of(limit),
        40_u64.to_le_bytes(),
        "the strong one"
    );
}

#[test]
fn parts_can_be_linked_in_steps() {
    for name in SETS {
        let parts = parts(name);
        let all = link(&parts).unwrap();
        let again = link([&all]).unwrap();
        assert_same(&say(&again), &say(&all));
        assert!(
            link([&again]).unwrap() == again,
            "{name}: nothing is left to do"
        );
        let mut step = parts[0].clone();
        for part in &parts[1..] {
            step = link([&step, part]).unwrap();
        }
        assert_same(&say(&step), &say(&all));
        let rest = link(&parts[1..]).unwrap();
        assert_same(&say(&link([&parts[0], &rest]).unwrap()), &say(&all));
    }
}

#[test]
fn any_order_resolves_names_to_the_same() {
    let parts = parts("linked_data");
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let linked = link(order.map(|number| &parts[number])).unwrap();
        let object = open(&linked);
        let value = |name: &str| {
            let variable = object.variable(name).unwrap();
            object.value_of(variable).to_vec()
        };
        assert_eq!(value("limit"), 40_u64.to_le_bytes(), "the strong one");
        assert_eq!(value("table").len(), 16);
        assert_eq!(object.map("shared").unwrap().max_entries(), 8);
        assert_eq!(object.programs().len(), 2);
        let plan = say(&linked);
        let errors: Vec<_> = plan
            .values()
            .filter(|text| text.contains("error"))
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn the_same_file_twice_is_refused_by_name() {
    let parts = parts("linked");
    let error = link([&parts[1], &parts[1]]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1.o: symbol `limit`: it is defined here and in 0.o\nhint: rename one of them; make it `static` if only its own file uses it, \
         or `__weak` if the other is to take its place"
    );
    let error = link([&parts[0], &self::parts("linked_big_endian")[0]]).unwrap_err();
    assert!(error.message().contains("one byte order"), "{error}");
    let error = Linker::new().link().unwrap_err();
    assert_eq!(error.kind(), rawbpf::ErrorKind::InvalidArgument);
}

#[test]
fn files_are_named_in_errors() {
    let fixtures = here().join("fixtures");
    let mut linker = Linker::new();
    linker.add_file(fixtures.join("no_btf.bpf.o")).unwrap();
    let error = linker.link().unwrap_err().to_string();
    assert!(error.contains("no_btf.bpf.o: symbol `"), "{error}");
    assert!(error.contains("compile every file with -g"), "{error}");
    let missing = linker.add_file(Path::new("/no/such.o")).unwrap_err();
    assert_eq!(missing.kind(), rawbpf::ErrorKind::NotFound);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Damage results in an error or in an object, which can be opened or not.
    #[test]
    fn damaged_parts_do_no_harm(
        set in 0..SETS.len(),
        part in 0..2_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut parts = parts(SETS[set]);
        let bytes = &mut parts[part];
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            let len = cut.index(bytes.len());
            bytes.truncate(len);
        }
        let input: usize = parts.iter().map(Vec::len).sum();
        let mut linked = None;
        let used = allocation_counter::measure(|| linked = Some(link(&parts)));
        prop_assert!(used.bytes_max < 64 * input as u64 + (8 << 20), "{}", used.bytes_max);
        if let Some(Ok(linked)) = linked {
            prop_assert!(linked.len() < 4 * input + (5 << 20));
            let _ = OpenObject::from_bytes(&linked);
            // The output can be linked, unless a map or variable in it was broken before.
            let _ = link([&linked]);
        }
    }
}
