rawbpf::include_bpf!("opensnop.bpf.o");

fn main() {}
