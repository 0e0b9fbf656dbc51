rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o");

fn main() -> rawbpf::Result<()> {
    let snoop = opensnoop::open()?.load()?;
    let _link = snoop.programs.exit_opne.attach()?;
    Ok(())
}
