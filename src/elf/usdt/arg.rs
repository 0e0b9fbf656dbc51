//! Where the arguments of a probe are: from assembler operands to registers and memory.

use super::register::Machine;
use crate::{Error, ErrorKind, Result};

/// How many arguments a probe can have: the map in which programs look them up has no space for more.
#[doc(alias = "USDT_MAX_ARG_CNT")]
pub const MAX_ARGS: usize = 12;

/// One argument of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "usdt_arg_spec")]
pub struct UsdtArg {
    /// Bytes: 1, 2, 4 or 8.
    pub size: u8,
    /// Whether it must be sign-extended.
    pub signed: bool,
    /// Its location.
    pub place: ArgPlace,
}

/// Where an argument is when the probe is hit. A register is given by its offset in `struct pt_regs`, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgPlace {
    /// Nowhere: it is this constant.
    Constant(i64),
    /// In a register.
    Register(u16),
    /// In memory, at a register plus an offset.
    Memory {
        /// The register.
        base: u16,
        /// Bytes.
        offset: i64,
    },
    /// In memory, at a base register plus an index register shifted to the left, plus an offset.
    Indexed {
        /// The base register.
        base: u16,
        /// The index register.
        index: u16,
        /// How far the index is shifted: 0 to 3.
        shift: u8,
        /// Bytes.
        offset: i64,
    },
}

/// Parses the locations of arguments, such as `-4@%edi 8@-16(%rbp) 1@$5`.
///
/// # Errors
/// `Unsupported` if there are more than [`MAX_ARGS`], or if one is not a register, a constant or memory that
/// a register points to.
#[doc(alias = "parse_usdt_spec")]
pub fn parse_args(text: &str, machine: Machine) -> Result<Vec<UsdtArg>> {
    let mut args = Vec::new();
    let mut cursor = Cursor(text.trim());
    while !cursor.0.is_empty() {
        if args.len() == MAX_ARGS {
            let message = format!("there are more than {MAX_ARGS} arguments: `{text}`");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let start = cursor.0;
        let arg = arg(&mut cursor, machine).ok_or_else(|| unreadable(args.len() + 1, start))?;
        args.push(arg);
    }
    Ok(args)
}

fn unreadable(number: usize, text: &str) -> Error {
    let word = text.split_whitespace().next().unwrap_or_default();
    let message = format!("argument {number}, `{word}`, is in no place that can be read");
    Error::new(ErrorKind::Unsupported, message).with_hint(
        "an argument has 1, 2, 4 or 8 bytes, and is a constant, in a general register, or in memory that one points to",
    )
}

/// `size@location`, and the space after it.
#[doc(alias = "parse_usdt_arg")]
fn arg(cursor: &mut Cursor<'_>, machine: Machine) -> Option<UsdtArg> {
    let size = cursor.number()?;
    cursor.expect('@')?;
    let place = match machine {
        Machine::X86_64 => x86_64(cursor),
        Machine::Aarch64 => aarch64(cursor),
        Machine::Riscv64 => riscv64(cursor),
        Machine::S390x => s390x(cursor),
    }?;
    cursor.end_of_word()?;
    Some(UsdtArg {
        size: u8::try_from(size.unsigned_abs())
            .ok()
            .filter(|size| matches!(size, 1 | 2 | 4 | 8))?,
        signed: size < 0,
        place,
    })
}

/// `$5`, `%rax`, `-8(%rbp)`, `(%rsp)`, `-96(%rbp,%rax,8)`
fn x86_64(cursor: &mut Cursor<'_>) -> Option<ArgPlace> {
    let machine = Machine::X86_64;
    if cursor.take('$') {
        return cursor.number().map(ArgPlace::Constant);
    }
    if cursor.take('%') {
        return cursor.register(machine).map(ArgPlace::Register);
    }
    let offset = if cursor.take('(') {
        0
    } else {
        let offset = cursor.number()?;
        cursor.expect('(')?;
        offset
    };
    cursor.expect('%')?;
    let base = cursor.register(machine)?;
    if !cursor.take(',') {
        cursor.expect(')')?;
        return Some(ArgPlace::Memory { base, offset });
    }
    cursor.expect('%')?;
    let index = cursor.register(machine)?;
    let scale = if cursor.take(',') {
        cursor.number()?
    } else {
        1
    };
    cursor.expect(')')?;
    let shift = match scale {
        1 => 0,
        2 => 1,
        4 => 2,
        8 => 3,
        _ => return None,
    };
    Some(ArgPlace::Indexed {
        base,
        index,
        shift,
        offset,
    })
}

/// `5`, `x4`, `[sp, 96]`, `[x0]`
fn aarch64(cursor: &mut Cursor<'_>) -> Option<ArgPlace> {
    let machine = Machine::Aarch64;
    if cursor.take('[') {
        let base = cursor.register(machine)?;
        let offset = if cursor.take(',') {
            cursor.number()?
        } else {
            0
        };
        cursor.expect(']')?;
        return Some(ArgPlace::Memory { base, offset });
    }
    if cursor.at_number() {
        return cursor.number().map(ArgPlace::Constant);
    }
    cursor.register(machine).map(ArgPlace::Register)
}

/// `5`, `a1`, `-88(s0)`
fn riscv64(cursor: &mut Cursor<'_>) -> Option<ArgPlace> {
    let machine = Machine::Riscv64;
    if !cursor.at_number() {
        return cursor.register(machine).map(ArgPlace::Register);
    }
    let offset = cursor.number()?;
    if !cursor.take('(') {
        return Some(ArgPlace::Constant(offset));
    }
    let base = cursor.register(machine)?;
    cursor.expect(')')?;
    Some(ArgPlace::Memory { base, offset })
}

/// `71`, `%r0`, `-28(%r15)`
fn s390x(cursor: &mut Cursor<'_>) -> Option<ArgPlace> {
    let machine = Machine::S390x;
    if cursor.take('%') {
        return cursor.register(machine).map(ArgPlace::Register);
    }
    let offset = cursor.number()?;
    if !cursor.take('(') {
        return Some(ArgPlace::Constant(offset));
    }
    cursor.expect('%')?;
    let base = cursor.register(machine)?;
    cursor.expect(')')?;
    Some(ArgPlace::Memory { base, offset })
}

/// The text that is left to parse. Spaces are insignificant.
struct Cursor<'t>(&'t str);

impl<'t> Cursor<'t> {
    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start();
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.0.trim_start().strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.take(wanted).then_some(())
    }

    /// Whether the argument ends here: another one follows only after a space.
    fn end_of_word(&mut self) -> Option<()> {
        let ends = self.0.is_empty() || self.0.starts_with(char::is_whitespace);
        self.skip_spaces();
        ends.then_some(())
    }

    /// The longest prefix of the rest that consists of such characters.
    fn span(&mut self, sort: impl Fn(u8) -> bool) -> &'t str {
        self.skip_spaces();
        let len = self.0.bytes().take_while(|byte| sort(*byte)).count();
        // All of these are ASCII, so this is a character boundary.
        let (span, rest) = self.0.split_at_checked(len).unwrap_or((self.0, ""));
        self.0 = rest;
        span
    }

    fn at_number(&mut self) -> bool {
        self.skip_spaces();
        self.0
            .starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
    }

    /// A decimal number.
    fn number(&mut self) -> Option<i64> {
        self.skip_spaces();
        let rest = self.0.strip_prefix(['-', '+']).unwrap_or(self.0);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let len = self.0.len() - rest.len() + digits;
        let (number, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        number.parse().ok()
    }

    fn register(&mut self, machine: Machine) -> Option<u16> {
        let name = self.span(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        machine.offset_of(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(text: &str, machine: Machine) -> Vec<ArgPlace> {
        let args = parse_args(text, machine).unwrap();
        args.into_iter().map(|arg| arg.place).collect()
    }

    #[test]
    fn x86_has_constants_registers_memory_and_indices() {
        use ArgPlace::{Constant, Indexed, Memory, Register};
        let indexed = |shift, offset| Indexed {
            base: 32,
            index: 80,
            shift,
            offset,
        };
        for (text, place) in [
            ("4@$71", Constant(71)),
            ("-4@$-9", Constant(-9)),
            ("8@%rax", Register(80)),
            ("-1@%sil", Register(104)),
            (
                "8@-1204(%rbp)",
                Memory {
                    base: 32,
                    offset: -1204,
                },
            ),
            (
                "8@(%rsp)",
                Memory {
                    base: 152,
                    offset: 0,
                },
            ),
            ("1@-96(%rbp,%rax,8)", indexed(3, -96)),
            ("1@(%rbp,%rax,4)", indexed(2, 0)),
            ("1@-96(%rbp,%rax)", indexed(0, -96)),
            ("1@( %rbp , %rax , 2 )", indexed(1, 0)),
            (
                " -8 @ 16 ( %rbp ) ",
                Memory {
                    base: 32,
                    offset: 16,
                },
            ),
        ] {
            assert_eq!(places(text, Machine::X86_64), [place], "{text}");
        }
        let args = parse_args("-2@%di 8@%rsi", Machine::X86_64).unwrap();
        assert_eq!((args[0].size, args[0].signed), (2, true));
        assert_eq!((args[1].size, args[1].signed), (8, false));
    }

    #[test]
    fn other_machines_write_otherwise() {
        use ArgPlace::{Constant, Memory, Register};
        assert_eq!(
            places("4@5 -8@x4 -4@[sp, 96] 8@[x0] 8@sp", Machine::Aarch64),
            [
                Constant(5),
                Register(32),
                Memory {
                    base: 248,
                    offset: 96
                },
                Memory { base: 0, offset: 0 },
                Register(248)
            ]
        );
        assert_eq!(
            places("-8@a1 4@-5 -8@-88(s0)", Machine::Riscv64),
            [
                Register(88),
                Constant(-5),
                Memory {
                    base: 64,
                    offset: -88
                }
            ]
        );
        assert_eq!(
            places("-8@%r0 4@71 -2@-28(%r15)", Machine::S390x),
            [
                Register(24),
                Constant(71),
                Memory {
                    base: 144,
                    offset: -28
                }
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for text in [
            "8@foo(%rip)",
            "3@%eax",
            "16@%xmm0",
            "8@%xmm0",
            "8@",
            "@%rax",
            "8%rax",
            "8@%rax,4@%rbx",
            "8@(%rax,%rbx,3)",
            "8@(%rax",
            "8@99999999999999999999(%rax)",
            "8@$",
            "ä@ö",
            "8@-(%rax)",
        ] {
            let error = parse_args(text, Machine::X86_64).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}");
        }
        let error = parse_args("4@%edi 8@foo(%rip)", Machine::X86_64).unwrap_err();
        assert!(
            error.message().contains("argument 2, `8@foo(%rip)`"),
            "{error}"
        );
        let many = "8@%rax ".repeat(MAX_ARGS);
        assert_eq!(places(&many, Machine::X86_64).len(), MAX_ARGS);
        assert!(parse_args(&format!("{many} 4@$1"), Machine::X86_64).is_err());
        assert!(places("", Machine::X86_64).is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9@$%(),\\[\\] a-z#ä]{0,60}") {
            for machine in [Machine::X86_64, Machine::Aarch64, Machine::Riscv64, Machine::S390x] {
                let _ = parse_args(&text, machine);
            }
        }

        #[test]
        fn what_compilers_write_is_read_back(size in 0..4u32, offset: i32, base in 0..21usize, negative: bool) {
            let names = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r15"];
            let name = names[base % names.len()];
            let sign = if negative { "-" } else { "" };
            let bytes = 1u8 << size;
            let args = parse_args(&format!("{sign}{bytes}@{offset}(%{name})"), Machine::X86_64).unwrap();
            let place = ArgPlace::Memory { base: Machine::X86_64.offset_of(name).unwrap(), offset: offset.into() };
            prop_assert_eq!(args, [UsdtArg { size: bytes, signed: negative, place }]);
        }
    }
}
