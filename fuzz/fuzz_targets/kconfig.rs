//! Reads arbitrary bytes as a kernel configuration.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::OpenObject;
use rawbpf::reloc::{OfflineKernel, Target};
use std::sync::LazyLock;

static OBJECT: LazyLock<OpenObject> =
    LazyLock::new(|| OpenObject::from_bytes(include_bytes!("../../fixtures/kconfig.bpf.o")).unwrap());

fuzz_target!(|bytes: &[u8]| {
    let target = Target::offline(OfflineKernel {
        kconfig: Some(bytes.to_vec()),
        ..OfflineKernel::default()
    });
    let _ = OBJECT.relocate(&target);
});
