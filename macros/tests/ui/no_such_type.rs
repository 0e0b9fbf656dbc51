rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o", types("evnt"));

fn main() {}
