rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o");

fn main() -> rawbpf::Result<()> {
    let snoop = opensnoop::open()?.load()?;
    snoop.rodata.targ_tgid.set(&7)?;
    Ok(())
}
