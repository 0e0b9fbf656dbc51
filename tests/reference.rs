//! A recorded second opinion: libbpf 1.8's final instructions for the fixtures, for five kernels, bit for bit.
//!
//! `fixtures/README.md` says how the files of `fixtures/btf/` were made.

use rawbpf::KernelVersion;
use rawbpf::insn;
use rawbpf::open::OpenObject;
use rawbpf::reloc::{LoadPlan, OfflineKernel, Target};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The configuration that the fixtures ask for; values do not change instructions.
const KCONFIG: &str = "CONFIG_BPF_SYSCALL=y
CONFIG_TUN=m
CONFIG_VETH=m
CONFIG_HZ=250
CONFIG_NR_CPUS=64
CONFIG_PANIC_TIMEOUT=-1
CONFIG_ILLEGAL_POINTER_VALUE=0xdead000000000000
CONFIG_DEFAULT_HOSTNAME=\"(none)\"
CONFIG_CC_VERSION_TEXT=\"gcc (Debian 12.2.0-14) 12.2.0\"
";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// libbpf's instructions by object and program (the latter cut to 15 characters).
fn reference(kernel: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let text = fs::read_to_string(fixtures().join(format!("btf/{kernel}.insns"))).unwrap();
    let mut programs: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [object, program, insns] = words[..] else {
            panic!("{kernel}.insns: {line}");
        };
        let entry = (program.to_string(), insns.to_string());
        programs.entry(object.to_string()).or_default().push(entry);
    }
    assert!(!programs.is_empty());
    programs
}

/// The plan for the kernel whose types these are, with the features of the one that libbpf ran on.
fn plan(object: &str, btf: &str) -> LoadPlan {
    let open = OpenObject::from_file(fixtures().join(format!("{object}.bpf.o"))).unwrap();
    let target = Target::offline(OfflineKernel {
        name: btf.to_string(),
        btf: Some(fs::read(fixtures().join(format!("btf/{btf}.btf"))).unwrap()),
        version: Some(KernelVersion::new(6, 18, 0)),
        kconfig: Some(KCONFIG.as_bytes().to_vec()),
        possible_cpus: Some(2),
        ..OfflineKernel::default()
    });
    open.relocate(&target)
        .unwrap_or_else(|error| panic!("{object} for {btf}: {error}"))
}

fn hex(plan: &LoadPlan, program: &str) -> Option<String> {
    let found = plan
        .programs
        .iter()
        .find(|p| p.name.get(..15).unwrap_or(&p.name) == program)?;
    assert!(found.error.is_none(), "{program}: {:?}", found.error);
    let mut text = String::new();
    for byte in insn::to_bytes(&found.insns) {
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

fn compare(kernel: &str, btf: &str) {
    let mut compared = 0;
    for (object, programs) in reference(kernel) {
        let plan = plan(&object, btf);
        for (program, theirs) in programs {
            let ours = hex(&plan, &program).unwrap_or_else(|| panic!("{object}: no {program}"));
            assert_eq!(ours, theirs, "{object}: {program}, for {kernel}");
            compared += 1;
        }
    }
    assert!(compared > 10, "only {compared} programs were compared");
}

#[test]
fn instructions_for_5_10_are_libbpfs() {
    compare("5.10", "5.10");
}

#[test]
fn instructions_for_6_1_are_libbpfs() {
    compare("6.1", "6.1");
}

#[test]
fn instructions_for_6_12_are_libbpfs() {
    compare("6.12", "6.12");
}

#[test]
fn instructions_for_6_18_are_libbpfs() {
    compare("6.18", "6.18");
}

#[test]
fn instructions_for_7_2_are_libbpfs() {
    compare("7.2", "7.2");
}

#[test]
fn instructions_without_core_are_libbpfs() {
    compare("any", "6.18");
}
