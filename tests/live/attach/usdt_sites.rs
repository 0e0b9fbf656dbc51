//! The USDT probes of this test program, built like those of `sys/sdt.h`: a no-op instruction, and a note that describes it.
#![expect(unsafe_code, reason = "notes and instructions are written in assembly")]

use std::arch::{asm, global_asm};
use std::sync::atomic::{AtomicU16, Ordering};

// By the address of this section readers of notes see whether addresses were moved later.
global_asm!(
    ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat",
    ".weak _.stapsdt.base",
    ".hidden _.stapsdt.base",
    "_.stapsdt.base: .space 1",
    ".size _.stapsdt.base, 1",
    ".popsection",
);

/// Counts those who listen to the probe `counted`.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".probes")]
static RAWBPF_TEST_SEMAPHORE: AtomicU16 = AtomicU16::new(0);

/// How many listen to the probe `counted`, times the number of mappings of this program: a backtrace, for one, adds some.
pub(super) fn listeners() -> u16 {
    RAWBPF_TEST_SEMAPHORE.load(Ordering::Relaxed)
}

/// A probe of provider `rawbpf_test` here: its name, its semaphore or 0, the places of its arguments, its instructions, and
/// what has to be in which register.
macro_rules! probe {
    ($name:literal, $semaphore:literal, $args:literal, $instructions:literal $(, $operand:ident($register:tt) $value:expr)*) => {
        // SAFETY: the instructions do nothing, and the note is data.
        unsafe {
            asm!(
                concat!("990: ", $instructions),
                ".pushsection .note.stapsdt, \"?\", \"note\"",
                ".balign 4",
                ".4byte 992f - 991f, 994f - 993f, 3",
                "991: .asciz \"stapsdt\"",
                "992: .balign 4",
                concat!("993: .8byte 990b, _.stapsdt.base, ", $semaphore),
                concat!(".asciz \"rawbpf_test\", \"", $name, "\", \"", $args, "\""),
                "994: .balign 4",
                ".popsection",
                $($operand($register) $value,)*
                options(readonly, nostack, preserves_flags),
            )
        }
    };
}

// 44 (octal) is a dollar, which means something in Rust's assembly.
#[inline(never)]
pub(super) fn registers(first: i32, second: u64, third: u8) {
    probe!("registers", "0", "-4@%edi 8@%rsi 1@%dl -1@%dl -4@\\044-9 2@\\04471", "nop",
        in("rdi") i64::from(first), in("rsi") second, in("rdx") u64::from(third));
}

#[inline(never)]
pub(super) fn memory(numbers: &[i32; 4]) {
    probe!("memory", "0", "-4@(%rax) 4@4(%rax) -2@8(%rax) 8@8(%rax)", "nop", in("rax") numbers.as_ptr());
}

#[inline(never)]
pub(super) fn indexed(numbers: &[i64; 4], index: u64) {
    probe!("indexed", "0", "8@(%rax,%rcx,8) -8@-8(%rax,%rcx,8) 1@(%rax,%rcx)", "nop",
        in("rax") numbers.as_ptr(), in("rcx") index);
}

/// One probe in four places, of which three have their argument at the same place.
#[inline(never)]
pub(super) fn many(number: u64) {
    probe!("many", "0", "8@%rdi", "nop", in("rdi") number);
    probe!("many", "0", "8@%rdi", "nop", in("rdi") number + 1);
    probe!("many", "0", "8@%rdi", "nop", in("rdi") number + 2);
    probe!("many", "0", "8@%rsi", "nop", in("rsi") number + 3);
}

#[inline(never)]
pub(super) fn counted(number: u64) {
    probe!("counted", "RAWBPF_TEST_SEMAPHORE", "8@%rdi", "nop", in("rdi") number);
}

/// As compilers write probes that newer kernels handle without a trap.
#[inline(never)]
pub(super) fn two_nops(number: u64) {
    probe!("two_nops", "0", "8@%rdi", "nop; .byte 0x0f, 0x1f, 0x44, 0x00, 0x00", in("rdi") number);
}

#[inline(never)]
pub(super) fn by_section() {
    probe!("by_section", "0", "", "nop");
}

#[inline(never)]
pub(super) fn unreadable() {
    probe!("unreadable", "0", "8@%xmm0", "nop");
}
