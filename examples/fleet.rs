//! Plans a load for many kernels, on any machine, without root and without a system call to the BPF subsystem.
//!
//! ```sh
//! cargo run --example fleet -- fixtures/execsnoop.bpf.o fixtures/btf/*.btf
//! ```
//!
//! Shows: relocation is a pure function of an object and a kernel, described by its BTF.

use rawbpf::open::OpenObject;
use rawbpf::reloc::{OfflineKernel, Target};

fn main() -> rawbpf::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: fleet OBJECT BTF...");
        std::process::exit(2);
    };
    let open = OpenObject::from_file(path)?;
    for btf in arguments {
        let target = Target::offline(OfflineKernel::from_btf_file(&btf)?);
        let plan = open.relocate(&target)?;
        println!("{btf}:");
        for program in &plan.programs {
            match &program.error {
                Some(error) => println!("  {}: {error}", program.name),
                None => println!(
                    "  {}: {} instructions, {} of them relocated",
                    program.name,
                    program.insns.len(),
                    program.core.len()
                ),
            }
        }
    }
    Ok(())
}
