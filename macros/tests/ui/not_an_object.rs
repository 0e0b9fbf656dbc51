rawbpf::include_bpf!("not_an_object.rs");

fn main() {}
