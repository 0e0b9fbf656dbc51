rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o", events(events = "args"));

fn main() -> rawbpf::Result<()> {
    let snoop = opensnoop::open()?.load()?;
    let _ring = snoop.maps.events.ring()?;
    Ok(())
}
