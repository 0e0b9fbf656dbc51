//! Reads arbitrary text as the argument locations of a USDT probe, for every architecture.

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
