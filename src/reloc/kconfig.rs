//! Values of the kernel's configuration, written into the image of the `.kconfig` map.
//!
//! The caller's text comes first and takes precedence; the kernel's own text is read only if a value is still missing. Names
//! that start with `LINUX_` are not configuration: they are facts that the loader determines.

use super::target::Target;
use crate::feature::Feature;
use crate::open::{Extern, ExternKind, KconfigType, OpenObject};
use crate::{Error, ErrorKind, Result};
use std::collections::HashMap;

/// The `.kconfig` image under construction.
struct Image<'o> {
    bytes: Vec<u8>,
    /// The configuration values by name; taken out when set.
    missing: HashMap<&'o [u8], Slot<'o>>,
}

/// The position and type of a value.
#[derive(Clone, Copy)]
struct Slot<'o> {
    name: &'o str,
    weak: bool,
    kind: KconfigType,
    /// Whether a character is signed.
    signed_char: bool,
    size: u32,
    offset: u32,
}

/// The image of the `.kconfig` map, `len` bytes long, and the names that must be set but are not.
pub(super) fn image<'o>(
    object: &'o OpenObject,
    target: &Target,
    len: usize,
) -> Result<(Vec<u8>, Vec<&'o Extern>)> {
    let mut image = Image {
        bytes: vec![0; len],
        missing: HashMap::new(),
    };
    for ext in &object.externs {
        let ExternKind::Kconfig {
            kind, size, offset, ..
        } = ext.kind
        else {
            continue;
        };
        let slot = Slot {
            name: &ext.name,
            weak: ext.weak,
            kind,
            signed_char: is_signed(object, ext),
            size,
            offset,
        };
        if ext.name.starts_with("CONFIG_") {
            image.missing.insert(ext.name.as_bytes(), slot);
        } else {
            let value = virtual_value(slot, target)?;
            image.set_number(slot, value)?;
        }
    }
    if !image.missing.is_empty() {
        image
            .read(object.user_kconfig.as_bytes())
            .map_err(|e| e.context("the given configuration text"))?;
    }
    let given = target.given_kconfig();
    if let Some(text) = given.filter(|_| !image.missing.is_empty()) {
        image
            .read(text)
            .map_err(|e| e.context("the given configuration"))?;
    }
    if !image.missing.is_empty() {
        match target.kconfig() {
            Ok(text) => image
                .read(text)
                .map_err(|e| e.context(format!("the configuration of kernel {}", target.name())))?,
            // What the given one does not set is not set.
            Err(_) if given.is_some() => {}
            Err(error) => {
                let names = image.names();
                return Err(error.context(format!("cannot find the value of {names}")));
            }
        }
    }
    let strong = |ext: &&Extern| !ext.weak && image.missing.contains_key(ext.name.as_bytes());
    let unset = object.externs.iter().filter(strong).collect();
    Ok((image.bytes, unset))
}

/// Whether a text is the complete configuration of a kernel.
pub(crate) fn check(text: &[u8]) -> Result<()> {
    let mut count = 0;
    for option in options(text) {
        option?;
        count += 1;
    }
    if count > 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Extern,
        "it sets nothing: no line starts with `CONFIG_`",
    ))
}

/// The names and values of a configuration.
fn options(text: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8])>> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"CONFIG_"))
        .map(option)
}

fn option(line: &[u8]) -> Result<(&[u8], &[u8])> {
    let bad = |what: &str| {
        let line = String::from_utf8_lossy(line.get(..80).unwrap_or(line)).into_owned();
        Error::new(ErrorKind::Extern, format!("line `{line}` {what}"))
    };
    let equals = memchr::memchr(b'=', line).ok_or_else(|| bad("has no `=`"))?;
    let (name, value) = line.split_at(equals);
    match value.get(1..) {
        Some(value) if !value.is_empty() => Ok((name, value)),
        _ => Err(bad("has no value")),
    }
}

/// Whether the extern's type is a signed integer.
fn is_signed(object: &OpenObject, ext: &Extern) -> bool {
    let declared = object
        .btf
        .as_ref()
        .and_then(|btf| btf.get(ext.declared_type).ok());
    declared
        .and_then(|ty| ty.int_encoding())
        .is_none_or(|int| int.signed)
}

/// The value of a name that is not `CONFIG_*`.
fn virtual_value(slot: Slot<'_>, target: &Target) -> Result<u64> {
    match slot.name {
        "LINUX_KERNEL_VERSION" => Ok(u64::from(target.version()?.0)),
        "LINUX_HAS_BPF_COOKIE" => Ok(u64::from(target.supports(Feature::BpfCookie))),
        "LINUX_HAS_SYSCALL_WRAPPER" => Ok(u64::from(target.supports(Feature::SyscallWrapper))),
        name if name.starts_with("LINUX_") && slot.weak => Ok(0),
        name => Err(Error::new(
            ErrorKind::Extern,
            format!("extern `{name}` in .kconfig: nobody knows what it stands for"),
        )
        .with_hint(
            "names start with CONFIG_, or are LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE or LINUX_HAS_SYSCALL_WRAPPER; \
             declare other LINUX_ names __weak",
        )),
    }
}

impl Image<'_> {
    fn names(&self) -> String {
        let mut names: Vec<&str> = self.missing.values().map(|slot| slot.name).collect();
        names.sort_unstable();
        names.join(", ")
    }

    fn read(&mut self, text: &[u8]) -> Result<()> {
        for option in options(text) {
            let (name, value) = option?;
            if let Some(slot) = self.missing.remove(name) {
                self.set(slot, value)?;
            }
        }
        Ok(())
    }

    /// The first character determines the kind of a value.
    fn set(&mut self, slot: Slot<'_>, value: &[u8]) -> Result<()> {
        match value.first() {
            Some(letter @ (b'y' | b'n' | b'm')) => self.set_tristate(slot, *letter),
            Some(b'"') => self.set_string(slot, value),
            _ => {
                let number = parse_number(value)
                    .ok_or_else(|| unfit(slot, value, "is neither y, n, m, text nor a number"))?;
                if !matches!(slot.kind, KconfigType::Int { .. } | KconfigType::Char) {
                    return Err(unfit(slot, value, "is a number"));
                }
                self.set_number(slot, number)
            }
        }
    }

    fn set_tristate(&mut self, slot: Slot<'_>, letter: u8) -> Result<()> {
        let bytes = match (slot.kind, letter) {
            (KconfigType::Bool, b'm') => return Err(unfit(slot, b"m", "is not yes or no")),
            (KconfigType::Bool, _) => vec![u8::from(letter == b'y')],
            (KconfigType::Char, _) => vec![letter],
            (KconfigType::Tristate, _) => {
                let value: u32 = match letter {
                    b'y' => 1,
                    b'm' => 2,
                    _ => 0,
                };
                value.to_ne_bytes().to_vec()
            }
            _ => return Err(unfit(slot, &[letter], "is yes, no or module")),
        };
        self.write(slot, &bytes);
        Ok(())
    }

    /// Text without its quotes, truncated to fit.
    fn set_string(&mut self, slot: Slot<'_>, value: &[u8]) -> Result<()> {
        if slot.kind != KconfigType::String {
            return Err(unfit(slot, value, "is text"));
        }
        let text = value
            .strip_prefix(b"\"")
            .and_then(|v| v.strip_suffix(b"\""))
            .ok_or_else(|| unfit(slot, value, "has no closing quote"))?;
        let size = usize::try_from(slot.size).unwrap_or(usize::MAX);
        let room = size.saturating_sub(1).min(text.len());
        let text = text.get(..room).unwrap_or_default();
        self.write(slot, text);
        Ok(())
    }

    fn set_number(&mut self, slot: Slot<'_>, value: u64) -> Result<()> {
        let shown = value.to_string();
        let signed = match slot.kind {
            KconfigType::Int { signed } => signed,
            KconfigType::Char => slot.signed_char,
            KconfigType::Bool if value > 1 => {
                return Err(unfit(slot, shown.as_bytes(), "is not 0 or 1"));
            }
            KconfigType::Bool => false,
            KconfigType::Tristate | KconfigType::String => {
                return Err(unfit(slot, shown.as_bytes(), "is a number"));
            }
        };
        if !in_range(value, slot.size, signed) {
            return Err(unfit(slot, shown.as_bytes(), "does not fit"));
        }
        let size = usize::try_from(slot.size).unwrap_or(8).min(8);
        let bytes = value.to_ne_bytes();
        let bytes = if cfg!(target_endian = "little") {
            bytes.get(..size)
        } else {
            bytes.get(8 - size..)
        };
        self.write(slot, bytes.unwrap_or_default());
        Ok(())
    }

    fn write(&mut self, slot: Slot<'_>, bytes: &[u8]) {
        let start = usize::try_from(slot.offset).unwrap_or(usize::MAX);
        let place = start
            .checked_add(bytes.len())
            .and_then(|end| self.bytes.get_mut(start..end));
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
    }
}

fn unfit(slot: Slot<'_>, value: &[u8], why: &str) -> Error {
    let value = String::from_utf8_lossy(value.get(..80).unwrap_or(value)).into_owned();
    let sign = |signed| if signed { "signed" } else { "unsigned" };
    let wants = match slot.kind {
        KconfigType::Bool => "a bool".to_string(),
        KconfigType::Tristate => "an enum libbpf_tristate".to_string(),
        KconfigType::Char => "a char".to_string(),
        KconfigType::Int { signed } => {
            format!("a {} integer of {} bytes", sign(signed), slot.size)
        }
        KconfigType::String => format!("text of {} bytes", slot.size),
    };
    Error::new(
        ErrorKind::Extern,
        format!(
            "extern `{}` in .kconfig: the value {value} {why}, but the object declares {wants}",
            slot.name
        ),
    )
}

/// Whether the value fits an integer of `size` bytes.
fn in_range(value: u64, size: u32, signed: bool) -> bool {
    let bits = size.saturating_mul(8);
    if bits >= 64 || bits == 0 {
        return bits != 0;
    }
    if signed {
        value.wrapping_add(1 << (bits - 1)) < 1 << bits
    } else {
        value >> bits == 0
    }
}

/// A number as parsed by C's `strtoull` with base 0; the whole text must be a number.
fn parse_number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim_ascii_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let hex = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let number = match hex {
        Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16),
        Some(_) => return None,
        None if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    let number = number.ok()?;
    Some(if negative {
        number.wrapping_neg()
    } else {
        number
    })
}

#[cfg(test)]
mod tests {
    use super::super::offline::OfflineKernel;
    use super::super::testing::{an_extern, object};
    use super::*;
    use crate::{KernelVersion, TypeId};

    /// The image of one extern of eight bytes at offset 0.
    fn value(name: &str, ty: KconfigType, size: u32, text: &str) -> Result<Vec<u8>> {
        values(&[(name, ty, size, false)], text, "").map(|(image, _)| image)
    }

    fn values(
        externs: &[(&str, KconfigType, u32, bool)],
        text: &str,
        user: &str,
    ) -> Result<(Vec<u8>, Vec<String>)> {
        let mut object = object();
        object.user_kconfig = user.to_string();
        for (index, (name, ty, size, weak)) in externs.iter().enumerate() {
            let kind = ExternKind::Kconfig {
                kind: *ty,
                size: *size,
                align: *size,
                offset: u32::try_from(index * 8).unwrap(),
            };
            let mut ext = an_extern(name, kind, TypeId::VOID);
            ext.weak = *weak;
            object.externs.push(ext);
        }
        let target = Target::offline(OfflineKernel {
            kconfig: Some(text.as_bytes().to_vec()),
            version: Some(KernelVersion::new(6, 1, 7)),
            ..OfflineKernel::default()
        });
        let (image, unset) = image(&object, &target, externs.len() * 8)?;
        Ok((image, unset.iter().map(|e| e.name.clone()).collect()))
    }

    const SIGNED: KconfigType = KconfigType::Int { signed: true };
    const UNSIGNED: KconfigType = KconfigType::Int { signed: false };

    fn number(ty: KconfigType, size: u32, text: &str) -> Option<u64> {
        let image = value("CONFIG_X", ty, size, &format!("CONFIG_X={text}\n")).ok()?;
        Some(u64::from_ne_bytes(*image.first_chunk().unwrap()))
    }

    #[test]
    fn numbers_are_read_as_c_does_and_must_fit() {
        assert_eq!(number(UNSIGNED, 4, "250"), Some(250));
        assert_eq!(number(UNSIGNED, 4, "0x10"), Some(16));
        assert_eq!(number(UNSIGNED, 4, "010"), Some(8));
        assert_eq!(number(SIGNED, 2, "-3"), Some(0xfffd));
        assert_eq!(number(SIGNED, 1, "127"), Some(127));
        assert_eq!(number(SIGNED, 1, "128"), None);
        assert_eq!(number(SIGNED, 1, "-128"), Some(0x80));
        assert_eq!(number(UNSIGNED, 1, "255"), Some(255));
        assert_eq!(number(UNSIGNED, 1, "256"), None);
        assert_eq!(number(UNSIGNED, 4, "-1"), None);
        assert_eq!(number(UNSIGNED, 8, "-1"), Some(u64::MAX));
        assert_eq!(number(UNSIGNED, 4, "12x"), None);
        assert_eq!(number(KconfigType::Bool, 1, "1"), None);
        assert_eq!(number(KconfigType::String, 8, "1"), None);
    }

    #[test]
    fn the_first_letter_decides_about_tristates() {
        assert_eq!(number(KconfigType::Bool, 1, "y"), Some(1));
        assert_eq!(number(KconfigType::Bool, 1, "n"), Some(0));
        assert_eq!(number(KconfigType::Bool, 1, "m"), None);
        assert_eq!(number(KconfigType::Tristate, 4, "yes, whatever"), Some(1));
        assert_eq!(number(KconfigType::Tristate, 4, "m"), Some(2));
        assert_eq!(number(KconfigType::Char, 1, "m"), Some(u64::from(b'm')));
        assert_eq!(number(UNSIGNED, 4, "y"), None);
    }

    #[test]
    fn text_is_unquoted_and_cut() {
        let text = |text| value("CONFIG_X", KconfigType::String, 4, text);
        assert_eq!(&text("CONFIG_X=\"ab\"").unwrap()[..4], b"ab\0\0");
        assert_eq!(&text("CONFIG_X=\"abcdef\"").unwrap()[..5], b"abc\0\0");
        let error = text("CONFIG_X=\"ab").unwrap_err().to_string();
        assert!(error.contains("no closing quote"), "{error}");
    }

    #[test]
    fn the_callers_text_wins_and_malformed_lines_are_errors() {
        let externs = [
            ("CONFIG_A", UNSIGNED, 4, false),
            ("CONFIG_B", UNSIGNED, 4, true),
        ];
        let (image, unset) =
            values(&externs, "# CONFIG_B is not set\nCONFIG_A=1", "CONFIG_A=2").unwrap();
        assert_eq!((image[0], image[8]), (2, 0));
        assert!(unset.is_empty());
        let (_, unset) = values(&externs, "CONFIG_C=1", "").unwrap();
        assert_eq!(unset, ["CONFIG_A"]);
        assert!(values(&externs, "CONFIG_OTHER", "").is_err());
        assert!(values(&externs, "CONFIG_OTHER=", "").is_err());
        // Comments and other names are ignored.
        assert!(values(&externs, "# CONFIG_OTHER\nOTHER", "").is_ok());
    }

    #[test]
    fn a_given_configuration_comes_before_the_kernels_own() {
        let mut object = object();
        for (index, name) in ["CONFIG_A", "CONFIG_B"].into_iter().enumerate() {
            let kind = ExternKind::Kconfig {
                kind: UNSIGNED,
                size: 4,
                align: 4,
                offset: u32::try_from(index * 4).unwrap(),
            };
            object.externs.push(an_extern(name, kind, TypeId::VOID));
        }
        let kernel = |text: Option<&str>| {
            let kconfig = text.map(|text| text.as_bytes().to_vec());
            let kernel = Target::offline(OfflineKernel {
                kconfig,
                ..OfflineKernel::default()
            });
            kernel.with_kconfig(b"CONFIG_A=7\n".to_vec())
        };
        let values = |target| {
            let (image, unset) = image(&object, &target, 8).unwrap();
            (image[0], image[4], unset.len())
        };
        assert_eq!(values(kernel(Some("CONFIG_A=1\nCONFIG_B=2\n"))), (7, 2, 0));
        // A kernel without a configuration of its own: what nobody sets is not set.
        assert_eq!(values(kernel(None)), (7, 0, 1));
    }

    #[test]
    fn virtual_names_need_no_configuration() {
        let externs = [
            ("LINUX_KERNEL_VERSION", UNSIGNED, 4, false),
            ("LINUX_HAS_BPF_COOKIE", KconfigType::Bool, 1, false),
            ("LINUX_FUTURE", UNSIGNED, 4, true),
        ];
        let (image, _) = values(&externs, "", "").unwrap();
        let version = u32::from_ne_bytes(*image.first_chunk().unwrap());
        assert_eq!((version, image[8], image[16]), (0x06_01_07, 1, 0));
        assert!(value("LINUX_FUTURE", UNSIGNED, 4, "").is_err());
        assert!(value("WHATEVER", UNSIGNED, 4, "").is_err());
    }
}
