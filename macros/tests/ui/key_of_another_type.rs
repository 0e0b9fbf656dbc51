rawbpf::include_bpf!("../../../fixtures/opensnoop.bpf.o");

fn main() -> rawbpf::Result<()> {
    let snoop = opensnoop::open()?.load()?;
    let pid: u64 = 7;
    println!("{:?}", snoop.maps.start.get(&pid)?);
    Ok(())
}
