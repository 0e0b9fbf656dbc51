//! Plans a load for many kernels, on any machine.
//!
//! Shows: relocation is a pure function of an object and a kernel, and a kernel can be described by its BTF.
//! Needs: nothing; no root, and no bpf system call.

mod common;

use common::{Args, Outcome};
use rawbpf::open::OpenObject;
use rawbpf::reloc::{OfflineKernel, Target};

const HELP: &str = "\
Relocates an object for kernels that are described by their BTF, and prints the result for each program.

usage: fleet OBJECT BTF...
example: fleet fixtures/execsnoop.bpf.o fixtures/btf/*.btf
";

fn main() -> Outcome {
    let mut args = Args::new(HELP);
    let object: String = args.operand("OBJECT");
    let open = OpenObject::from_file(object)?;
    for btf in args.rest() {
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
