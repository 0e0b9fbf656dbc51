//! What kernel modules offer to programs: functions, variables, symbols.

use crate::load::load_fixture;
use crate::support::{Need, fixture, in_own_network};
use rawbpf::load::Object;
use rawbpf::program::TestRun;
use rawbpf::reloc::Target;
use rawbpf::{ErrorKind, OpenObject};
use std::fs;

const NO_SUCH_CONNECTION: i32 = -2;
/// `IPS_DST_NAT`: the connection's destination was changed.
const DESTINATION_CHANGED: u64 = 1 << 5;

fn run(object: &Object, program: &str) -> u32 {
    let program = object.program(program).unwrap();
    let run = TestRun::new().data(&[0; 64]);
    program.test_run(&run).unwrap().return_value
}

/// The address of a symbol, from the kernel.
fn address_of(symbol: &str) -> u64 {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap();
    let mut lines = symbols.lines().map(str::split_whitespace);
    let found = lines.find_map(|mut words| {
        let address = words.next()?;
        (words.nth(1)? == symbol).then_some(address)
    });
    u64::from_str_radix(found.unwrap(), 16).unwrap()
}

#[test]
fn functions_and_variables_of_several_modules_are_used() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Linux(6, 1),
        Need::Module("nf_nat"),
        Need::Module("drop_monitor")
    );
    let open = OpenObject::from_file(fixture("kfunc_module.bpf.o")).unwrap();
    let plan = open.relocate(&Target::running()).unwrap();
    for program in &plan.programs {
        let modules: Vec<_> = program.fd_array.iter().map(|module| &module.name).collect();
        assert_eq!(modules, ["nf_conntrack", "nf_nat"], "{}", program.name);
    }
    let object = open.load().unwrap();
    in_own_network(|| {
        assert_eq!(run(&object, "look_up"), 1);
        assert_eq!(
            object.live::<i32>("error").unwrap().get(),
            NO_SUCH_CONNECTION
        );
        assert_eq!(run(&object, "translate"), 0);
        assert_eq!(run(&object, "look_up"), 0);
    });
    assert_eq!(object.live::<i32>("translated").unwrap().get(), 0);
    let status = object.live::<u64>("status").unwrap().get();
    assert_eq!(status & DESTINATION_CHANGED, DESTINATION_CHANGED);
    let address = object.live::<u64>("address").unwrap().get();
    assert_eq!(address, address_of("nf_conntrack_in"));
    // An empty queue, which is a ring of one.
    assert_ne!(object.live::<u64>("queue").unwrap().get(), 0);
    assert_eq!(object.live::<u32>("queued").unwrap().get(), 0);
    assert_eq!(object.live::<u32>("found_missing").unwrap().get(), 0);
}

#[test]
fn functions_that_modules_do_not_have_yet_are_named() {
    require!(Need::Bpf, Need::Btf);
    if crate::support::check(&[Need::Linux(6, 1)]).is_ok() {
        return;
    }
    let error = load_fixture("kfunc_module", |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Extern, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("`bpf_ct_set_nat_info` (used by `translate`)"),
        "{text}"
    );
    assert!(text.contains("a module that is not loaded"), "{text}");
}
