//! Functions by address: of the kernel, or of an executable.
//!
//! In: the text of `/proc/kallsyms`, or the bytes of an ELF file. Out: a sorted table. Not here: reading the files.

use crate::elf::debug_symbols;
use crate::elf::functions::Functions;
use crate::{Error, ErrorKind, Result};
use std::fmt;
use std::ops::Range;

/// Functions by address.
///
/// ```
/// use rawbpf::symbols::Symbols;
///
/// let kernel = Symbols::from_kallsyms(b"ffffffff81000000 T _text\nffffffff81000100 t vfs_read\n");
/// assert_eq!(kernel.name_of(0xffff_ffff_8100_0104), Some(("vfs_read", 4)));
/// assert_eq!(kernel.name_of(0x1000), None);
/// ```
#[derive(Clone, Default)]
pub struct Symbols {
    /// Sorted by address, each address once.
    functions: Vec<Function>,
    /// All names, concatenated.
    names: String,
    /// The kernel's `_stext`, or `_text`.
    text_start: Option<u64>,
}

#[derive(Debug, Clone)]
struct Function {
    address: u64,
    name: Range<usize>,
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Symbols {
    /// The functions in the text of `/proc/kallsyms`, including those of modules and BPF programs.
    ///
    /// Without permission to see addresses (`CAP_SYSLOG`, `kernel.kptr_restrict`) all of them read as zero, which means
    /// *unknown*: the table is empty. [`Symbols::of_kernel`] reports this case. Malformed lines are skipped.
    pub fn from_kallsyms(text: &[u8]) -> Self {
        let mut symbols = Self::default();
        each_in_kallsyms(text, &mut |symbol| {
            if symbol.address != 0 && symbol.is_function() {
                // Other symbols have the same address, so these names may be dropped.
                if symbol.name == "_stext" || symbol.name == "_text" && symbols.text_start.is_none()
                {
                    symbols.text_start = Some(symbol.address);
                }
                let name = symbols.keep(symbol.name);
                let address = symbol.address;
                symbols.functions.push(Function { address, name });
            }
        });
        symbols.sorted()
    }

    /// The functions of an executable or library. Their addresses are *file offsets*.
    ///
    /// For an address in a running process, subtract the start of its mapping and add the file offset of the mapping.
    ///
    /// For a stripped file, the compressed symbols in its section `.gnu_debugdata` are used.
    ///
    /// # Errors
    /// `bytes` is not an executable or library, or a damaged one. Having no symbols is not an error.
    pub fn from_executable(bytes: &[u8]) -> Result<Self> {
        let mut functions = Functions::open(&bytes)?;
        let embedded = debug_symbols::embedded(functions.executable())
            .ok()
            .flatten();
        if let Some(embedded) = embedded.as_ref().filter(|_| functions.is_stripped()) {
            functions = functions.with_symbols_of(embedded)?;
        }
        Self::of_functions(&functions)
    }

    /// The functions of an executable or library, by file offset.
    pub(super) fn of_functions(functions: &Functions<'_>) -> Result<Self> {
        let mut symbols = Self::default();
        let mut order = Vec::new();
        functions.each(&|_| true, &mut |name, places| {
            let name = symbols.keep(name);
            for place in places {
                order.push(place.index);
                symbols.functions.push(Function {
                    address: place.offset,
                    name: name.clone(),
                });
            }
        })?;
        let mut listed: Vec<_> = order.into_iter().zip(symbols.functions).collect();
        listed.sort_by_key(|(index, _)| *index);
        symbols.functions = listed.into_iter().map(|(_, function)| function).collect();
        Ok(symbols.sorted())
    }

    /// The last function that starts at or before `address`, and the offset of `address` from its start.
    ///
    /// The ends of functions are not known: far beyond the last function, the offset is large. If an address has several names,
    /// the first one listed is used.
    pub fn name_of(&self, address: u64) -> Option<(&str, u64)> {
        let after = self.functions.partition_point(|f| f.address <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        let name = self.names.get(function.name.clone())?;
        Some((name, address - function.address))
    }

    /// Where the kernel's code starts, which can change with each boot.
    pub(super) fn text_start(&self) -> Option<u64> {
        self.text_start
    }

    /// The number of addresses that have a name.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Whether there are no functions.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    fn keep(&mut self, name: &str) -> Range<usize> {
        let start = self.names.len();
        self.names.push_str(name);
        start..self.names.len()
    }

    fn sorted(mut self) -> Self {
        // Stable: the first of equals stays the first.
        self.functions.sort_by_key(|function| function.address);
        self.functions.dedup_by_key(|function| function.address);
        self
    }
}

/// A line of `/proc/kallsyms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelSymbol<'l> {
    /// Zero if the reader may not see kernel addresses.
    pub address: u64,
    /// Its type, as printed by `nm`: `T` and `t` are functions, `D` and `d` data; lowercase letters are local.
    pub letter: char,
    /// Its name.
    pub name: &'l str,
    /// Its module; `None` for vmlinux itself.
    pub module: Option<&'l str>,
}

impl KernelSymbol<'_> {
    /// Whether it is code: global or local, weak ones included.
    pub fn is_function(&self) -> bool {
        matches!(self.letter, 't' | 'T' | 'w' | 'W')
    }
}

/// Whether a list of kernel symbols includes their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// It does, or it has no symbols.
    Told,
    /// There are symbols, and all have the address zero, which the kernel prints for readers without permission.
    Hidden,
}

impl Addresses {
    /// Determined symbol by symbol. A few kernel symbols really have the address zero, so a single one proves nothing.
    pub(crate) fn note(seen: &mut Option<Self>, address: u64) {
        if address != 0 {
            *seen = Some(Self::Told);
        } else if seen.is_none() {
            *seen = Some(Self::Hidden);
        }
    }
}

/// Explains that the addresses are hidden, and what to do about it.
#[cold]
pub(crate) fn hidden(what: &str) -> Error {
    let message =
        format!("{what}: the kernel hides the addresses of its symbols from this process");
    Error::new(ErrorKind::Permission, message).with_hint(
        "with 2 in /proc/sys/kernel/kptr_restrict nobody sees them (`sysctl kernel.kptr_restrict=1`), with 0 or 1 who has \
         CAP_SYSLOG, as root does",
    )
}

/// Calls `visit` with each symbol in the text of `/proc/kallsyms`, and returns whether they have addresses. A list without
/// symbols hides nothing.
pub(crate) fn each_in_kallsyms(text: &[u8], visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Addresses {
    let mut addresses = None;
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        if let Some(symbol) = symbol(line) {
            Addresses::note(&mut addresses, symbol.address);
            visit(symbol);
        }
    }
    addresses.unwrap_or(Addresses::Told)
}

/// `ffffffff81000000 T _stext`, or for a module `ffffffffc0000000 t f<TAB>[module]`.
fn symbol(line: &[u8]) -> Option<KernelSymbol<'_>> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    Some(KernelSymbol {
        address: u64::from_str_radix(words.next()?, 16).ok()?,
        letter: words.next()?.chars().next()?,
        name: words.next()?,
        module: words
            .next()
            .and_then(|word| word.strip_prefix('[')?.strip_suffix(']')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn symbols_are_read_line_by_line() {
        let text =
            b"ffffffff81000000 T _stext\nffffffffc0001000 t f\t[veth]\nbroken\n0 D last" as &[u8];
        let mut seen = Vec::new();
        each_in_kallsyms(text, &mut |symbol| {
            let module = symbol.module.map(str::to_owned);
            seen.push((
                symbol.address,
                symbol.letter,
                symbol.name.to_owned(),
                module,
            ));
        });
        let line = |address, letter, name: &str, module: Option<&str>| {
            (address, letter, name.to_owned(), module.map(str::to_owned))
        };
        assert_eq!(
            seen,
            [
                line(0xffff_ffff_8100_0000, 'T', "_stext", None),
                line(0xffff_ffff_c000_1000, 't', "f", Some("veth")),
                line(0, 'D', "last", None),
            ]
        );
    }

    #[test]
    fn the_last_function_before_an_address_is_meant() {
        let text = b"30 T c\n10 T a\n20 t b\n20 T alias\n25 D data\n";
        let symbols = Symbols::from_kallsyms(text);
        assert_eq!(symbols.len(), 3);
        for (address, expected) in [
            (0xf, None),
            (0x10, Some(("a", 0))),
            (0x1f, Some(("a", 0xf))),
            (0x20, Some(("b", 0))),
            (0x26, Some(("b", 6))),
            (u64::MAX, Some(("c", u64::MAX - 0x30))),
        ] {
            assert_eq!(symbols.name_of(address), expected, "{address:#x}");
        }
    }

    #[test]
    fn hidden_addresses_give_no_names() {
        let symbols = Symbols::from_kallsyms(b"0000000000000000 T vfs_read\n");
        assert!(symbols.is_empty());
        assert_eq!(symbols.name_of(0xffff_ffff_8100_0000), None);
    }

    #[test]
    fn addresses_are_hidden_if_all_are_zero() {
        let of = |text: &[u8]| each_in_kallsyms(text, &mut |_| {});
        assert_eq!(of(b"0 T a\n0 t b\t[m]\n"), Addresses::Hidden);
        // The first symbols of x86-64 are offsets in per-CPU memory, and start at zero.
        assert_eq!(of(b"0 A fixed_percpu_data\n10 T a\n"), Addresses::Told);
        assert_eq!(of(b"10 T a\n0 A b\n"), Addresses::Told);
        assert_eq!(of(b""), Addresses::Told);
        assert_eq!(of(b"nonsense\n"), Addresses::Told);
    }

    #[test]
    fn lines_that_mean_nothing_are_left_out() {
        let text = b"\n\n \xff\xfe T x\n10000000000000000 T too_long\n-1 T minus\n10 T\n10\n+8 T plus\n40 Tt ok\n\0";
        let symbols = Symbols::from_kallsyms(text);
        assert_eq!(symbols.name_of(0x41), Some(("ok", 1)));
        assert_eq!(symbols.name_of(0x10), Some(("plus", 8)));
    }

    #[test]
    fn functions_of_this_program_have_names() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let symbols = Symbols::from_executable(&bytes).unwrap();
        let functions = Functions::open(&bytes).unwrap();
        let mut known = None;
        functions
            .each(&|name| name.contains("symbols"), &mut |name, places| {
                known = Some((name.to_owned(), places[0].offset));
            })
            .unwrap();
        let (name, place) = known.unwrap();
        let (found, offset) = symbols.name_of(place + 1).unwrap();
        assert_eq!(offset, 1);
        // Identical functions may have been folded into one.
        assert!(!found.is_empty() && !name.is_empty());
        assert!(Symbols::from_executable(b"#!/bin/sh").is_err());
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in prop::collection::vec(any::<u8>(), 0..200), address in any::<u64>()) {
            let symbols = Symbols::from_kallsyms(&text);
            if let Some((name, offset)) = symbols.name_of(address) {
                prop_assert!(!name.is_empty() && offset <= address);
            }
        }

        #[test]
        fn the_table_agrees_with_a_search(addresses in prop::collection::vec(1..100u64, 0..30), address in 0..120u64) {
            let lines: Vec<_> = addresses.iter().map(|a| format!("{a:x} T f{a}")).collect();
            let text = lines.join("\n");
            let nearest = addresses.iter().filter(|a| **a <= address).max();
            let expected = nearest.map(|a| (format!("f{a}"), address - a));
            let found = Symbols::from_kallsyms(text.as_bytes());
            let found = found.name_of(address).map(|(name, offset)| (name.to_owned(), offset));
            prop_assert_eq!(found, expected);
        }
    }
}
