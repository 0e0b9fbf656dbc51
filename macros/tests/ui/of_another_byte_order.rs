rawbpf::include_bpf!("../../../fixtures/big_endian.bpf.o");

fn main() {}
