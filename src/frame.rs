//! A function, source file and line at an address.

use crate::printing::one_line;
use std::fmt;

/// One function at an address. An address has several frames where functions were inlined: the innermost comes first.
///
/// Displayed as `function file:line (inlined)`; without a file as `function+0x10`, without a function as the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The address that was looked up.
    pub address: u64,
    /// The function's name, as the linker knows it (mangled).
    pub function: Option<String>,
    /// The offset of the instruction in the function, in bytes. Not known for inlined functions.
    pub offset: Option<u64>,
    /// The source file; relative paths are relative to the compilation directory.
    pub file: Option<String>,
    /// The line, counted from 1: in the innermost function that of the instruction, in the others that of the call.
    pub line: Option<u32>,
    /// The column, counted from 1.
    pub column: Option<u32>,
    /// Whether the function is inlined into the next one.
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
