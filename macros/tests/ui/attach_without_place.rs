rawbpf::include_bpf!("../../../fixtures/xdp.bpf.o");

fn main() -> rawbpf::Result<()> {
    let counter = xdp::open()?.load()?;
    let _link = counter.programs.count_packets.attach()?;
    Ok(())
}
