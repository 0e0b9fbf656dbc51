rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o", events(evnts = "event"));

fn main() {}
