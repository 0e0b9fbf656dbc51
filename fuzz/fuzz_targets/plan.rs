//! Opens any bytes as an object and plans what is openable, for a new and an old kernel.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::reloc::{OfflineKernel, Target};
use rawbpf::{KernelVersion, OpenObject};
use std::sync::LazyLock;

/// Kernels with the types that the fixtures ask for.
static TARGETS: LazyLock<[Target; 2]> = LazyLock::new(|| {
    [KernelVersion::new(7, 2, 0), KernelVersion::new(5, 4, 0)].map(|version| {
        Target::offline(OfflineKernel {
            btf: Some(include_bytes!("../../fixtures/btf/6.18.btf").to_vec()),
            version: Some(version),
            kconfig: Some(b"CONFIG_HZ=250\n".to_vec()),
            ..OfflineKernel::default()
        })
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(object) = OpenObject::from_bytes(bytes) else {
        return;
    };
    for target in &*TARGETS {
        let Ok(plan) = object.relocate(target) else {
            continue;
        };
        for program in &plan.programs {
            for reference in &program.refs {
                assert!(reference.insn < program.insns.len());
            }
        }
    }
});
