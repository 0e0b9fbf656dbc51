//! Newtypes for numbers, so that they cannot be confused.

use std::fmt;

/// The id of a type in a BTF blob; 0 is `void`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`.
    pub const VOID: Self = Self(0);

    /// Whether this is `void`.
    pub fn is_void(self) -> bool {
        self.0 == 0
    }
}

/// The index of a section in an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SectionIndex(pub u32);

macro_rules! display_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_number!(TypeId, SectionIndex);

/// A kernel's version as the kernel encodes it: `major << 16 | minor << 8 | patch` (patch at most 255).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct KernelVersion(pub u32);

impl KernelVersion {
    /// `KERNEL_VERSION(major, minor, patch)`.
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Self((major as u32) << 16 | (minor as u32) << 8 | patch as u32)
    }

    /// Reads `"6.1.0-9-amd64"`, `"5.10"`; a patch level above 255 is cut to 255 as the kernel does.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let major = parts.next()?.parse::<u8>().ok()?;
        let digits = |s: &str| {
            s.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        };
        let minor = digits(parts.next()?).parse::<u8>().ok()?;
        let patch = match parts.next() {
            Some(rest) => digits(rest).parse::<u32>().unwrap_or(0).min(255),
            None => 0,
        };
        Some(Self::new(
            major,
            minor,
            u8::try_from(patch).unwrap_or(u8::MAX),
        ))
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.0 >> 16,
            self.0 >> 8 & 0xff,
            self.0 & 0xff
        )
    }
}

/// The byte order that a blob was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// This machine's.
    Native,
    /// The other one.
    Foreign,
}

impl ByteOrder {
    /// `"little endian"` or `"big endian"`.
    pub fn name(self) -> &'static str {
        match (self, cfg!(target_endian = "little")) {
            (Self::Native, true) | (Self::Foreign, false) => "little endian",
            (Self::Native, false) | (Self::Foreign, true) => "big endian",
        }
    }

    /// A 16-bit number, read in this order.
    pub(crate) fn u16(self, bytes: [u8; 2]) -> u16 {
        let n = u16::from_ne_bytes(bytes);
        if self == Self::Native {
            n
        } else {
            n.swap_bytes()
        }
    }

    /// A 64-bit number, read in this order.
    pub(crate) fn u64(self, bytes: [u8; 8]) -> u64 {
        let n = u64::from_ne_bytes(bytes);
        if self == Self::Native {
            n
        } else {
            n.swap_bytes()
        }
    }

    /// A 32-bit number, read in this order.
    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        let n = u32::from_ne_bytes(bytes);
        if self == Self::Native {
            n
        } else {
            n.swap_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KernelVersion;

    #[test]
    fn kernel_version_reads_release_strings() {
        assert_eq!(
            KernelVersion::parse("6.1.0-9-amd64"),
            Some(KernelVersion::new(6, 1, 0))
        );
        assert_eq!(
            KernelVersion::parse("5.10"),
            Some(KernelVersion::new(5, 10, 0))
        );
        assert_eq!(
            KernelVersion::parse("4.14.330+"),
            Some(KernelVersion::new(4, 14, 255))
        );
        assert_eq!(
            KernelVersion::parse("7.2-rc1").map(|v| v.to_string()),
            Some("7.2.0".into())
        );
        assert_eq!(KernelVersion::parse("six"), None);
    }
}
