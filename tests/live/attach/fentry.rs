//! Programs at the entry and exit of functions, by trampolines.

use super::{number, own_process, reads_of_this_file};
use crate::load::load_fixture;
use crate::support::Need;

#[test]
fn entry_and_exit_of_a_function_are_seen() {
    require!(Need::Bpf, Need::Btf, Need::Fentry);
    let object = load_fixture("fentry", own_process).unwrap();
    let links = object.attach().unwrap();
    assert_eq!(links.len(), 2);
    reads_of_this_file();
    let seen = ["entries", "exits"].map(|name| number(&object, name));
    assert!(seen.iter().all(|count| *count >= 5), "{seen:?}");
    drop(links);
    let after = number(&object, "entries");
    reads_of_this_file();
    assert_eq!(number(&object, "entries"), after);
}
