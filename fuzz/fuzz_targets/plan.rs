//! Opens arbitrary bytes as an object and, if that works, plans it for a new and an old kernel, and for one with the
//! object's own types.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::reloc::{OfflineKernel, Target};
use rawbpf::{KernelVersion, OpenObject};
use std::sync::LazyLock;

fn kernel(btf: Vec<u8>, version: KernelVersion) -> Target {
    Target::offline(OfflineKernel {
        btf: Some(btf),
        version: Some(version),
        kconfig: Some(b"CONFIG_HZ=250\nCONFIG_BPF=y\nCONFIG_LOCALVERSION=\"-x\"\n".to_vec()),
        ..OfflineKernel::default()
    })
}

/// Kernels with the types that the fixtures need.
static TARGETS: LazyLock<[Target; 2]> = LazyLock::new(|| {
    [KernelVersion::new(7, 2, 0), KernelVersion::new(5, 4, 0)]
        .map(|version| kernel(include_bytes!("../../fixtures/btf/6.18.btf").to_vec(), version))
});

fn plan(object: &OpenObject, target: &Target) {
    let Ok(plan) = object.relocate(target) else {
        return;
    };
    for program in &plan.programs {
        for reference in &program.refs {
            assert!(reference.insn < program.insns.len());
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(object) = OpenObject::from_bytes(bytes) else {
        return;
    };
    for target in &*TARGETS {
        plan(&object, target);
    }
    // A kernel that has everything this object asks for: only there are relocations carried through to the end.
    if let Some(btf) = object.btf() {
        plan(
            &object,
            &kernel(btf.bytes().to_vec(), KernelVersion::new(7, 2, 0)),
        );
    }
});
