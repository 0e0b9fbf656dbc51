rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o");

fn main() -> rawbpf::Result<()> {
    let mut open = opensnoop::open()?;
    open.maps().strat().set_max_entries(7);
    Ok(())
}
