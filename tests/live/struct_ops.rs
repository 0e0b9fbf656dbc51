//! `struct_ops` maps, changed before they are attached.

use crate::load::load_fixture;
use crate::support::Need;
use std::fs;

fn congestion_controls() -> Vec<String> {
    let list = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let list = fs::read_to_string(list).unwrap();
    list.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_congestion_control_has_the_name_that_was_set() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 6));
    let object = load_fixture("struct_ops", |object| {
        let mut map = object.map_mut("rawbpf_cc")?;
        map.set_field_from_text("name", "rawbpf_renamed")?;
        Ok(())
    });
    let links = object.unwrap().attach().unwrap();
    assert!(congestion_controls().contains(&"rawbpf_renamed".to_owned()));
    drop(links);
    assert!(!congestion_controls().contains(&"rawbpf_renamed".to_owned()));
}
