//! Checks that the prebuilt objects in `fixtures/`, and those of the tools, were made from today's sources.
//!
//! Needs no clang: it compares hashes with the record that `cargo xtask fixtures` left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

const REBUILD: &str = "run `cargo xtask fixtures` (needs clang-19) and commit what it changes";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A folder of objects with their record, and what they are made from. The same as in `cargo xtask fixtures`.
struct Home {
    folder: &'static str,
    sources: &'static str,
    include: &'static [&'static str],
}

const HOMES: [Home; 2] = [
    Home {
        folder: "fixtures",
        sources: "src",
        include: &["src/include"],
    },
    Home {
        folder: "tools/src/bpf",
        sources: "",
        include: &["include", "../../../fixtures/src/include"],
    },
];

impl Home {
    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder)
    }
}

/// The names in a folder, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The names in a folder with this ending, without it.
fn stems_in(folder: &Path, ending: &str) -> Vec<String> {
    let names = names_in(folder).into_iter();
    names
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

/// The record: source hash and object hash by object name.
fn record(home: &Home) -> BTreeMap<String, (String, String)> {
    let path = home.path().join("SOURCES.sha256");
    let text = fs::read_to_string(path).expect("the record");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [name, source, object] => (name.to_owned(), (source.to_owned(), object.to_owned())),
            _ => panic!("SOURCES.sha256: not three words: {line}; {REBUILD}"),
        })
        .collect()
}

/// The sources of each object by its name: one file, or those of a folder, which are linked.
fn sources(home: &Home) -> BTreeMap<String, Vec<PathBuf>> {
    let folder = home.path().join(home.sources);
    let mut sources = BTreeMap::new();
    for name in names_in(&folder) {
        let path = folder.join(&name);
        if let Some(stem) = name.strip_suffix(".bpf.c") {
            sources.insert(stem.to_owned(), vec![path]);
        } else if name != "include" && path.is_dir() {
            let parts = names_in(&path).iter().map(|part| path.join(part)).collect();
            sources.insert(name, parts);
        }
    }
    sources
}

/// The hash over all shared headers, then over an object's sources.
fn source_hash(home: &Home, sources: &[PathBuf]) -> String {
    let mut headers = Sha256::new();
    for include in home.include {
        let include = home.path().join(include);
        for header in names_in(&include) {
            headers.update(&header);
            headers.update([0]);
            headers.update(fs::read(include.join(&header)).unwrap());
        }
    }
    let mut hash = Sha256::new().chain_update(headers.finalize());
    for source in sources {
        hash.update(fs::read(source).unwrap());
    }
    format!("{:x}", hash.finalize())
}

#[test]
fn objects_are_made_from_todays_sources() {
    let mut stale = Vec::new();
    for home in &HOMES {
        let record = record(home);
        for (name, sources) in sources(home) {
            let name_in = format!("{}/{name}.bpf.o", home.folder);
            match record.get(&name) {
                None => stale.push(format!("{name_in} was never built")),
                Some((source, _)) if *source != source_hash(home, &sources) => {
                    stale.push(format!(
                        "{name_in} was made from another source or other headers"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    assert!(stale.is_empty(), "{}\n{REBUILD}", stale.join("\n"));
}

#[test]
fn objects_are_the_recorded_ones() {
    for home in &HOMES {
        let record = record(home);
        let objects = stems_in(&home.path(), ".bpf.o");
        let recorded: Vec<String> = record.keys().cloned().collect();
        assert_eq!(
            objects, recorded,
            "{}: objects and record name different files; {REBUILD}",
            home.folder
        );
        for (name, (_, hash)) in record {
            let object = fs::read(home.path().join(format!("{name}.bpf.o"))).unwrap();
            assert_eq!(
                format!("{:x}", Sha256::digest(object)),
                hash,
                "{name}.bpf.o in {} is not as built; {REBUILD}",
                home.folder
            );
        }
    }
}

#[test]
fn no_object_names_a_folder_of_the_machine_that_built_it() {
    let objects = HOMES.iter().flat_map(|home| {
        let names = stems_in(&home.path(), ".bpf.o").into_iter();
        names.map(|name| home.path().join(format!("{name}.bpf.o")))
    });
    for path in objects {
        let name = path.display();
        let object = fs::read(&path).unwrap();
        for folder in [
            &b"/home/"[..],
            b"/root/",
            b"/tmp/",
            b"/usr/lib/llvm",
            b"/src/include/../",
        ] {
            let found = object.windows(folder.len()).any(|window| window == folder);
            assert!(
                !found,
                "{name} contains {}",
                String::from_utf8_lossy(folder)
            );
        }
    }
}

#[test]
fn the_readme_tells_the_origin_of_every_file() {
    let readme = fs::read_to_string(fixtures().join("README.md")).expect("fixtures/README.md");
    let mut files = stems_in(&fixtures(), ".bpf.o");
    for folder in ["logs", "btf"] {
        files.extend(names_in(&fixtures().join(folder)));
    }
    let missing: Vec<_> = files
        .into_iter()
        .filter(|name| !readme.contains(&format!("`{name}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "fixtures/README.md says nothing of {missing:?}"
    );
}
