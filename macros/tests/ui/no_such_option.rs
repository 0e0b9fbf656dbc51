rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o", derives(PartialEq));

fn main() {}
