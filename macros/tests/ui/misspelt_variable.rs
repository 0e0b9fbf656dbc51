rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o");

fn main() -> rawbpf::Result<()> {
    let mut open = opensnoop::open()?;
    open.rodata.targ_tigd = 7;
    Ok(())
}
