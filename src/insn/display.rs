//! The disassembler: one line of text for each instruction, in the notation of the kernel's verifier log.

use super::{Helper, Insn, class, jump, mode, pseudo, size, source};

/// The text of every instruction; a 64-bit immediate load takes one line for its two slots, so each line comes with the
/// index of its first slot.
pub fn disassemble(insns: &[Insn]) -> Vec<(usize, String)> {
    let mut lines = Vec::with_capacity(insns.len());
    let mut slots = insns.iter().enumerate();
    while let Some((index, insn)) = slots.next() {
        let high = if insn.is_ldimm64() {
            slots.next().map(|(_, insn)| *insn)
        } else {
            None
        };
        lines.push((index, one(*insn, high)));
    }
    lines
}

fn one(insn: Insn, high: Option<Insn>) -> String {
    match insn.class() {
        class::LD => load_immediate(insn, high),
        class::LDX => load(insn),
        class::ST | class::STX => store(insn),
        class::ALU | class::ALU64 => arithmetic(insn),
        _ => jump_or_call(insn),
    }
}

fn load_immediate(insn: Insn, high: Option<Insn>) -> String {
    let (dst, imm) = (insn.dst(), insn.imm);
    if let Some(high) = high {
        return match insn.src() {
            pseudo::MAP_FD => format!("r{dst} = map[fd:{imm}]"),
            pseudo::MAP_VALUE => format!("r{dst} = map[fd:{imm}][0]+{}", high.imm),
            pseudo::BTF_ID => format!("r{dst} = btf[id:{imm}]"),
            pseudo::FUNC => format!("r{dst} = func[pc{imm:+}]"),
            _ => {
                let value =
                    u64::from(high.imm.cast_unsigned()) << 32 | u64::from(imm.cast_unsigned());
                format!("r{dst} = {value:#x} ll")
            }
        };
    }
    match insn.code & mode::MASK {
        mode::ABS => format!("r0 = *({} *)skb[{imm}]", width(insn)),
        mode::IND => format!("r0 = *({} *)skb[r{} + {imm}]", width(insn), insn.src()),
        _ => unknown(insn),
    }
}

fn load(insn: Insn) -> String {
    let signed = insn.code & mode::MASK == mode::MEMSX;
    let width = if signed {
        width(insn).replace('u', "s")
    } else {
        width(insn).to_string()
    };
    format!(
        "r{} = *({width} *)(r{} {:+})",
        insn.dst(),
        insn.src(),
        insn.off
    )
}

fn store(insn: Insn) -> String {
    let place = format!("*({} *)(r{} {:+})", width(insn), insn.dst(), insn.off);
    if insn.class() == class::ST {
        return format!("{place} = {}", insn.imm);
    }
    if insn.code & mode::MASK == mode::ATOMIC {
        return atomic(insn, &place);
    }
    format!("{place} = r{}", insn.src())
}

fn atomic(insn: Insn, place: &str) -> String {
    let src = insn.src();
    let fetch = insn.imm & 1 != 0;
    let operator = match insn.imm & 0xf0 {
        0x00 => "add",
        0x40 => "or",
        0x50 => "and",
        0xa0 => "xor",
        0xe0 => return format!("r{src} = atomic_xchg({place}, r{src})"),
        0xf0 => return format!("r0 = atomic_cmpxchg({place}, r0, r{src})"),
        _ => return unknown(insn),
    };
    if fetch {
        format!("r{src} = atomic_fetch_{operator}({place}, r{src})")
    } else {
        format!("lock {operator} {place}, r{src}")
    }
}

fn arithmetic(insn: Insn) -> String {
    let register = if insn.class() == class::ALU64 {
        'r'
    } else {
        'w'
    };
    let dst = format!("{register}{}", insn.dst());
    let operator = match insn.code & 0xf0 {
        0x00 => "+=",
        0x10 => "-=",
        0x20 => "*=",
        0x30 => "/=",
        0x40 => "|=",
        0x50 => "&=",
        0x60 => "<<=",
        0x70 => ">>=",
        0x80 => return format!("{dst} = -{dst}"),
        0x90 => "%=",
        0xa0 => "^=",
        0xb0 => "=",
        0xc0 => "s>>=",
        0xd0 => return byte_swap(insn),
        _ => return unknown(insn),
    };
    if insn.code & source::X != 0 {
        format!("{dst} {operator} {register}{}", insn.src())
    } else {
        format!("{dst} {operator} {}", insn.imm)
    }
}

fn byte_swap(insn: Insn) -> String {
    let order = if insn.class() == class::ALU64 {
        "bswap"
    } else if insn.code & source::X != 0 {
        "be"
    } else {
        "le"
    };
    format!("r{0} = {order}{1} r{0}", insn.dst(), insn.imm)
}

fn jump_or_call(insn: Insn) -> String {
    let wide = insn.class() == class::JMP;
    let operation = insn.code & 0xf0;
    match operation {
        // Through a register that holds an address of a jump table.
        jump::JA if wide && insn.code & source::X != 0 => return format!("gotox r{}", insn.dst()),
        jump::JA if wide => return format!("goto pc{:+}", insn.off),
        jump::JA => return format!("gotol pc{:+}", insn.imm),
        jump::CALL => return call(insn),
        jump::EXIT => return "exit".to_string(),
        _ => {}
    }
    let operator = match operation {
        0x10 => "==",
        0x20 => ">",
        0x30 => ">=",
        0x40 => "&",
        0x50 => "!=",
        0x60 => "s>",
        0x70 => "s>=",
        0xa0 => "<",
        0xb0 => "<=",
        0xc0 => "s<",
        0xd0 => "s<=",
        _ => return unknown(insn),
    };
    let register = if wide { 'r' } else { 'w' };
    let right = if insn.code & source::X != 0 {
        format!("{register}{}", insn.src())
    } else {
        format!("{:#x}", insn.imm)
    };
    format!(
        "if {register}{} {operator} {right} goto pc{:+}",
        insn.dst(),
        insn.off
    )
}

fn call(insn: Insn) -> String {
    match insn.src() {
        pseudo::CALL => format!("call pc{:+}", insn.imm),
        pseudo::KFUNC_CALL => format!("call kernel-function#{}", insn.imm),
        _ => {
            let helper = Helper(insn.imm.cast_unsigned());
            format!("call {}#{}", helper.name().unwrap_or("helper"), helper.0)
        }
    }
}

fn width(insn: Insn) -> &'static str {
    match insn.code & size::MASK {
        size::B => "u8",
        size::H => "u16",
        size::W => "u32",
        _ => "u64",
    }
}

fn unknown(insn: Insn) -> String {
    format!("unknown opcode {:#04x}", insn.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_the_verifier_log() {
        let insns = [
            Insn::new(0xbf, 6, 1, 0, 0),
            Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_FD, 0, 4),
            Insn::default(),
            Insn::new(0x61, 2, 6, 16, 0),
            Insn::new(0x63, 10, 2, -4, 0),
            Insn::new(0x15, 0, 0, 5, 0),
            Insn::new(Insn::CALL, 0, 0, 0, 12),
            Insn::new(0xc3, 1, 2, 8, 0),
            Insn::new(Insn::EXIT, 0, 0, 0, 0),
        ];
        let text: Vec<String> = disassemble(&insns)
            .into_iter()
            .map(|(i, l)| format!("{i}: {l}"))
            .collect();
        assert_eq!(
            text,
            [
                "0: r6 = r1",
                "1: r1 = map[fd:4]",
                "3: r2 = *(u32 *)(r6 +16)",
                "4: *(u32 *)(r10 -4) = r2",
                "5: if r0 == 0x0 goto pc+5",
                "6: call bpf_tail_call#12",
                "7: lock add *(u32 *)(r1 +8), r2",
                "8: exit",
            ]
        );
    }

    #[test]
    fn a_cut_64_bit_load_is_one_line() {
        assert_eq!(
            disassemble(&[Insn::new(Insn::LD_IMM64, 1, 0, 0, 1)]).len(),
            1
        );
    }
}
