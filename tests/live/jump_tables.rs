//! Jump tables.

use crate::load::load_fixture;
use crate::support::{Need, check};
use rawbpf::sys::bpf::{self, TestRun};
use std::os::fd::AsFd;

#[test]
fn a_program_jumps_through_its_table() {
    require!(Need::Bpf, Need::Btf);
    let loaded = load_fixture("jump_table", |_| Ok(()));
    let object = match loaded {
        Ok(object) => object,
        Err(error) => {
            assert!(check(&[Need::Linux(6, 19)]).is_err(), "{error}");
            let told = error.to_string().contains("insn_array need Linux");
            return assert!(told, "{error}");
        }
    };
    let program = object.program("choose").unwrap();
    for (number, expected) in [(0u32, 10), (1, 21), (2, 32), (3, 43), (4, 99)] {
        let mut context = number.to_ne_bytes();
        let mut run = TestRun {
            context: &mut context,
            ..TestRun::default()
        };
        let answer = bpf::prog_test_run(program.as_fd(), &mut run).unwrap();
        assert_eq!(answer.return_value, expected, "{number}");
    }
}
