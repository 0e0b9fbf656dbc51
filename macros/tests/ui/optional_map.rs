rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o", optional(start));

fn main() -> rawbpf::Result<()> {
    let snoop = opensnoop::open()?.load()?;
    println!("{:?}", snoop.maps.start.get(&7)?);
    Ok(())
}
