//! Iterators.

use crate::load::load_fixture;
use crate::support::Need;
use std::io::Read;

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
    }
    let records = object.program("dump_tasks").unwrap().attach().unwrap();
    let mut bytes = Vec::new();
    records.iterate().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() % 24, 0);
    let own = std::process::id().to_ne_bytes();
    let mut records = bytes.chunks_exact(24);
    assert!(records.any(|record| record[4..8] == own));
}
