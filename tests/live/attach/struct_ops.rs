//! Kernel interfaces made of functions.

use crate::load::load_fixture;
use crate::support::Need;
use rawbpf::attach::Link;
use std::fs;

#[test]
fn a_congestion_control_is_registered_as_long_as_its_link_lives() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 6));
    let object = load_fixture("struct_ops", |_| Ok(())).unwrap();
    let available =
        || fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap();
    let links = object.attach().unwrap();
    assert_eq!(
        links.iter().map(Link::name).collect::<Vec<_>>(),
        ["rawbpf_cc"]
    );
    assert!(available().contains("rawbpf_cc"), "{}", available());
    drop(links);
    assert!(!available().contains("rawbpf_cc"), "{}", available());
}
