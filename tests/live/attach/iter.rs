//! Iterators.

use super::{number, tracer};
use crate::load::load_fixture;
use crate::matrix::{unless_refused, works};
use crate::support::{Cgroup, Need};
use rawbpf::attach::{CgroupOrder, IterScope, IterTarget, Link, LinkDetails};
use rawbpf::map::UpdateMode;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

#[test]
fn an_iterator_is_read_like_a_file() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let object = load_fixture("iter_task", |_| Ok(())).unwrap();
    let link = object.program("list_tasks").unwrap().attach().unwrap();
    let own = std::process::id().to_string();
    for walk in 0..2 {
        let mut text = String::new();
        link.iterate().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.starts_with("tgid pid comm\n"), "walk {walk}: {text}");
        let listed = text
            .lines()
            .any(|line| line.split(' ').next() == Some(&own));
        assert!(listed, "walk {walk} did not meet process {own}:\n{text}");
        works("iter/task", "this process is listed", listed);
    }
    let records = object.program("dump_tasks").unwrap().attach().unwrap();
    let mut bytes = Vec::new();
    records.iterate().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() % 24, 0);
    let own = std::process::id().to_ne_bytes();
    let mut records = bytes.chunks_exact(24);
    assert!(records.any(|record| record[4..8] == own));
}

/// What one pass writes, as numbers.
fn numbers(link: &Link) -> Vec<u64> {
    let mut bytes = Vec::new();
    link.iterate().unwrap().read_to_end(&mut bytes).unwrap();
    let (numbers, rest) = bytes.as_chunks::<8>();
    assert!(rest.is_empty(), "{bytes:?}");
    numbers
        .iter()
        .map(|bytes| u64::from_ne_bytes(*bytes))
        .collect()
}

#[test]
fn the_elements_of_one_map_are_walked_over() {
    const ROW: &str = "iter/bpf_map_elem";
    require!(Need::Bpf, Need::Btf);
    let loaded = tracer("walk_map");
    let needs = [Need::Iterator("bpf_map_elem")];
    let Some(object) = unless_refused(ROW, loaded, &needs, "program `walk_map`") else {
        return;
    };
    let program = object.program("walk_map").unwrap();
    let squares = object.map("squares").unwrap();
    for key in 0..3u32 {
        let value = u64::from(key * key).to_ne_bytes();
        squares
            .insert(&key.to_ne_bytes(), &value, UpdateMode::Any)
            .unwrap();
    }
    let error = program.attach_iter().unwrap_err();
    assert!(error.hint().unwrap().contains("which map"), "{error}");
    let link = program
        .attach_iter_over(IterTarget::Map(squares.as_fd()))
        .unwrap();
    works(
        ROW,
        "the elements of one map are listed",
        numbers(&link) == [0, 1, 4],
    );
    let LinkDetails::Iter { scope, .. } = link.info().unwrap().details else {
        panic!("{:?}", link.info());
    };
    let map_id = squares.info().unwrap().id;
    assert_eq!(scope, IterScope::Map { map_id });
    assert_eq!(number(&object, "hits"), 0);
}

#[test]
fn some_cgroups_are_walked_over() {
    const ROW: &str = "iter/cgroup";
    require!(Need::Bpf, Need::Btf, Need::Cgroup);
    let loaded = tracer("walk_cgroups");
    let words = "iterator `cgroup` is not in the BTF";
    let Some(object) = unless_refused(ROW, loaded, &[Need::Linux(6, 1)], words) else {
        return;
    };
    let program = object.program("walk_cgroups").unwrap();
    let cgroup = Cgroup::new();
    let child = cgroup.path().join("child");
    fs::create_dir(&child).unwrap();
    let id = |path| fs::metadata(path).unwrap().ino();
    let [parent_id, child_id] = [cgroup.path(), child.as_path()].map(id);
    let folder = File::open(cgroup.path()).unwrap();
    let walk = |order| {
        let cgroup = Some(folder.as_fd());
        let over = IterTarget::Cgroup {
            order,
            cgroup,
            id: 0,
        };
        numbers(&program.attach_iter_over(over).unwrap())
    };
    let listed = walk(CgroupOrder::Descendants) == [parent_id, child_id]
        && walk(CgroupOrder::DescendantsFirst) == [child_id, parent_id]
        && walk(CgroupOrder::Itself) == [parent_id];
    fs::remove_dir(&child).unwrap();
    works(
        ROW,
        "a cgroup and its child are listed, in the order asked for",
        listed,
    );
}

#[test]
fn one_thread_is_walked_over() {
    const ROW: &str = "iter/task of one thread";
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let object = load_fixture("iter_task", |_| Ok(())).unwrap();
    let program = object.program("dump_tasks").unwrap();
    let tid = nix::unistd::gettid().as_raw().cast_unsigned();
    let over = IterTarget::Task {
        tid,
        pid: 0,
        pid_fd: None,
    };
    let attached = program.attach_iter_over(over);
    let Some(link) = unless_refused(ROW, attached, &[Need::Linux(6, 1)], "Linux 6.1") else {
        return;
    };
    let mut bytes = Vec::new();
    link.iterate().unwrap().read_to_end(&mut bytes).unwrap();
    let alone = bytes.len() == 24 && bytes[..4] == tid.to_ne_bytes();
    works(ROW, "this thread alone is listed", alone);
}
