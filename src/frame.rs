//! What is known about the place of an instruction in a program.

use crate::printing::one_line;
use std::fmt;

/// One function at an address. An address has several where functions were inlined: the innermost comes first.
///
/// As text it is `function file:line (inlined)`; without a file `function+0x10`, without a function the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Where the instruction is, as it was asked for.
    pub address: u64,
    /// The function's name, as the linker knows it.
    pub function: Option<String>,
    /// How many bytes of the function come before the instruction. Not known of an inlined function.
    pub offset: Option<u64>,
    /// The source file; relative ones are as the compiler saw them.
    pub file: Option<String>,
    /// The line in it, from 1 on: of the innermost function where the instruction is, of the others the call.
    pub line: Option<u32>,
    /// The column, from 1 on.
    pub column: Option<u32>,
    /// Whether the function is a copy within the next one.
    pub is_inlined: bool,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.function, self.offset) {
            (None, _) => write!(f, "{:#x}", self.address)?,
            (Some(name), Some(offset)) if self.file.is_none() => {
                write!(f, "{}+{offset:#x}", one_line(name))?;
            }
            (Some(name), _) => write!(f, "{}", one_line(name))?,
        }
        if let Some(file) = &self.file {
            write!(f, " {}", one_line(file))?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
        }
        if self.is_inlined {
            f.write_str(" (inlined)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_printed_with_what_is_known() {
        let mut frame = Frame {
            address: 0x40,
            ..Frame::default()
        };
        assert_eq!(frame.to_string(), "0x40");
        frame.function = Some("f".into());
        frame.offset = Some(16);
        assert_eq!(frame.to_string(), "f+0x10");
        frame.file = Some("a\nb.c".into());
        frame.line = Some(7);
        assert_eq!(frame.to_string(), "f a\\nb.c:7");
        frame.is_inlined = true;
        assert_eq!(frame.to_string(), "f a\\nb.c:7 (inlined)");
    }
}
