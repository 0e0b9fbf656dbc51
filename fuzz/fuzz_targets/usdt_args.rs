//! Reads any text as the places of a USDT probe's arguments, for every machine.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::elf::usdt::{MAX_ARGS, Machine, parse_args};

fuzz_target!(|text: &str| {
    for machine in [Machine::X86_64, Machine::Aarch64, Machine::Riscv64, Machine::S390x] {
        if let Ok(args) = parse_args(text, machine) {
            assert!(args.len() <= MAX_ARGS);
        }
    }
});
