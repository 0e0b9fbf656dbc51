//! What the kernel knows about a program: numbers in one call, everything of variable length on demand.

use super::Program;
use crate::btf::Btf;
use crate::insn::{INSN_SIZE, Insn};
use crate::kernel::by_id;
use crate::sys::bpf::{self, ObjectKind, PartRecords, ProgramInfo, ProgramPart};
use crate::{Errno, Result, TypeId};
use std::os::fd::AsFd;

/// A function of a program as machine code. Returned by [`Program::jited`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JitedFunction {
    /// Its address in the kernel; 0 for a program that is offloaded to a device.
    #[doc(alias = "jited_ksyms")]
    pub address: u64,
    /// Its instructions, for this machine's CPU (or the device's).
    pub code: Vec<u8>,
}

/// Where a function of a program starts, and its type. Returned by [`Program::func_info`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_func_info")]
pub struct FuncInfo {
    /// Index of its first instruction in [`Program::translated`].
    pub insn: u32,
    /// The function in [`Program::btf`], which has its name.
    pub type_id: TypeId,
}

/// Which source line some instructions were compiled from. Returned by [`Program::line_info`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_line_info")]
pub struct LineInfo {
    /// Index of the first of these instructions in [`Program::translated`].
    pub insn: u32,
    /// The name of the source file, as an offset into the strings of [`Program::btf`].
    pub file_name_off: u32,
    /// The text of the line, as an offset into the strings of [`Program::btf`].
    pub line_off: u32,
    /// The line number.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl LineInfo {
    /// The name of the source file. `btf` is the program's.
    pub fn file_name<'b>(&self, btf: &'b Btf<'_>) -> Option<&'b str> {
        btf.str_at(self.file_name_off)
    }

    /// The text of the line. `btf` is the program's.
    pub fn text<'b>(&self, btf: &'b Btf<'_>) -> Option<&'b str> {
        btf.str_at(self.line_off)
    }
}

impl Program {
    /// What the kernel reports about it, as numbers.
    #[doc(alias = "bpf_prog_get_info_by_fd")]
    pub fn info(&self) -> Result<ProgramInfo> {
        bpf::prog_info(self.as_fd())
            .map_err(|errno| self.fail(errno, "cannot ask the kernel about it"))
    }

    /// Its id, unique while it exists.
    pub fn id(&self) -> Result<u32> {
        Ok(self.info()?.id)
    }

    /// The kernel's hash of its instructions: equal tags on one kernel mean equal instructions.
    pub fn tag(&self) -> Result<[u8; 8]> {
        Ok(self.info()?.tag)
    }

    /// The ids of the maps that it uses.
    pub fn map_ids(&self) -> Result<Vec<u32>> {
        let ids = self.part(ProgramPart::MapIds, "the ids of its maps")?;
        Ok(words(&ids).map(|[id]| id).collect())
    }

    /// Its instructions as the verifier left them: with addresses of helpers, without dead code, with added checks. Empty
    /// without `CAP_BPF`.
    ///
    /// # Errors
    /// `Permission` if the kernel blinds constants and hides them from this process.
    #[doc(alias = "xlated_prog_insns")]
    pub fn translated(&self) -> Result<Vec<Insn>> {
        let code = self.part(ProgramPart::Translated, "its instructions")?;
        let insns = code.bytes.as_chunks::<INSN_SIZE>().0;
        Ok(insns.iter().map(|bytes| Insn::from_bytes(*bytes)).collect())
    }

    /// Its functions as machine code, the main function first, in the order of [`Program::func_info`]. Empty without a JIT,
    /// and without `CAP_BPF`.
    ///
    /// # Errors
    /// `Permission` if this process may not see kernel addresses.
    #[doc(alias = "jited_prog_insns")]
    pub fn jited(&self) -> Result<Vec<JitedFunction>> {
        let what = "its machine code";
        let code = self.part(ProgramPart::Jited, what)?;
        if code.bytes.is_empty() {
            return Ok(Vec::new());
        }
        let lengths = self.part(ProgramPart::JitedLengths, what)?;
        let addresses = self.part(ProgramPart::JitedAddresses, what)?;
        Ok(functions(&code.bytes, &lengths, &addresses))
    }

    /// Which function starts where. Empty if the program was loaded without this information, and without `CAP_BPF`. Since
    /// Linux 5.0.
    pub fn func_info(&self) -> Result<Vec<FuncInfo>> {
        let records = self.part(ProgramPart::FuncInfo, "its functions")?;
        let records = words(&records).map(|[insn, type_id]| FuncInfo {
            insn,
            type_id: TypeId(type_id),
        });
        Ok(records.collect())
    }

    /// Which instructions were compiled from which source line, in the order of the instructions. Empty if the program was
    /// loaded without this information, and without `CAP_BPF`. Since Linux 5.0.
    ///
    /// ```no_run
    /// # fn main() -> rawbpf::Result<()> {
    /// use rawbpf::program::Program;
    ///
    /// let program = Program::from_id(7)?;
    /// if let Some(btf) = program.btf()? {
    ///     for line in program.line_info()? {
    ///         println!("{}: {}", line.line, line.text(&btf).unwrap_or_default());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "bpf_prog_linfo__new")]
    pub fn line_info(&self) -> Result<Vec<LineInfo>> {
        let records = self.part(ProgramPart::LineInfo, "its source lines")?;
        let records = words(&records).map(|[insn, file_name_off, line_off, place]| LineInfo {
            insn,
            file_name_off,
            line_off,
            line: place >> 10,
            column: place & 0x3ff,
        });
        Ok(records.collect())
    }

    /// The machine code address of each line of [`Program::line_info`], in the same order. Empty without a JIT, and without
    /// `CAP_BPF`. Since Linux 5.0.
    ///
    /// # Errors
    /// `Permission` if this process may not see kernel addresses.
    pub fn jited_line_info(&self) -> Result<Vec<u64>> {
        let what = "the addresses of its lines";
        let addresses = self.part(ProgramPart::JitedLineInfo, what)?;
        Ok(double_words(&addresses).collect())
    }

    /// The kernel's hash of each of its functions, the main function first. Since Linux 5.1.
    #[doc(alias = "prog_tags")]
    pub fn function_tags(&self) -> Result<Vec<[u8; 8]>> {
        let tags = self.part(ProgramPart::FunctionTags, "the tags of its functions")?;
        Ok(tags.bytes.as_chunks::<8>().0.to_vec())
    }

    /// The BTF that it was loaded with: names of its functions, text of its lines. `None` if it was loaded without BTF.
    ///
    /// # Errors
    /// `Permission` without `CAP_SYS_ADMIN`.
    pub fn btf(&self) -> Result<Option<Btf<'static>>> {
        match self.info()?.btf_id {
            0 => Ok(None),
            id => {
                let fd = by_id::open(ObjectKind::Btf, id).map_err(|e| self.blame(e))?;
                let blob = bpf::btf_data(fd.as_fd())
                    .map_err(|errno| self.fail(errno, "cannot read its types"))?;
                let btf = Btf::from_vec(blob).map_err(|e| self.blame(e.into()))?;
                Ok(Some(btf))
            }
        }
    }

    /// How many bytes of memory the kernel has set aside for it, from `/proc/self/fdinfo`.
    pub fn memlock(&self) -> Result<u64> {
        bpf::memlock(self.as_fd())
            .map_err(|errno| self.fail(errno, "cannot read how much memory it takes"))
    }

    fn part(&self, part: ProgramPart, what: &str) -> Result<PartRecords> {
        bpf::prog_part(self.as_fd(), part).map_err(|errno| {
            let error = self.fail(errno, &format!("cannot read {what}"));
            match errno {
                Errno::EPERM => error.with_hint(
                    "the kernel shows addresses and machine code only to processes that may see addresses in /proc/kallsyms: see kernel.kptr_restrict",
                ),
                _ => error,
            }
        })
    }
}

/// The first `N` words of each record; words that newer kernels add are skipped.
fn words<const N: usize>(records: &PartRecords) -> impl Iterator<Item = [u32; N]> {
    let size = records.record_size.max(1);
    records.bytes.chunks_exact(size).map(|record| {
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(record.as_chunks::<4>().0) {
            *word = u32::from_ne_bytes(*bytes);
        }
        words
    })
}

fn double_words(records: &PartRecords) -> impl Iterator<Item = u64> {
    let all = records.bytes.as_chunks::<8>().0.iter();
    all.map(|bytes| u64::from_ne_bytes(*bytes))
}

/// The machine code, split into functions. A device reports no lengths: then it is one function.
fn functions(code: &[u8], lengths: &PartRecords, addresses: &PartRecords) -> Vec<JitedFunction> {
    let mut rest = code;
    let mut addresses = double_words(addresses);
    let mut next = |code: &[u8]| JitedFunction {
        address: addresses.next().unwrap_or_default(),
        code: code.to_vec(),
    };
    let mut found = Vec::new();
    for [length] in words(lengths) {
        let Some((function, tail)) = rest.split_at_checked(length as usize) else {
            break;
        };
        found.push(next(function));
        rest = tail;
    }
    if !rest.is_empty() {
        found.push(next(rest));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(record_size: usize, words: &[u32]) -> PartRecords {
        PartRecords {
            bytes: words.iter().flat_map(|word| word.to_ne_bytes()).collect(),
            record_size,
        }
    }

    #[test]
    fn newer_kernels_longer_records_are_read_up_to_what_is_known() {
        let longer = records(12, &[0, 7, 99, 5, 8, 99]);
        assert_eq!(words(&longer).collect::<Vec<[u32; 2]>>(), [[0, 7], [5, 8]]);
        // A truncated record does not count.
        let cut = records(12, &[0, 7, 99, 5]);
        assert_eq!(words(&cut).collect::<Vec<[u32; 2]>>(), [[0, 7]]);
        assert_eq!(words::<2>(&records(0, &[])).count(), 0);
    }

    #[test]
    fn machine_code_is_cut_into_functions() {
        let addresses = records(8, &[16, 0, 32, 0]);
        let cut = functions(&[1, 2, 3], &records(4, &[1, 2]), &addresses);
        let cut: Vec<_> = cut.iter().map(|f| (f.address, f.code.as_slice())).collect();
        assert_eq!(cut, [(16, &[1][..]), (32, &[2, 3][..])]);
        // Neither lengths nor addresses: all of it is one function.
        let whole = functions(&[1, 2, 3], &records(4, &[]), &records(8, &[]));
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].code, [1, 2, 3]);
        // A length past the end cuts nothing off.
        let odd = functions(&[1, 2, 3], &records(4, &[2, 9]), &addresses);
        assert_eq!(odd.len(), 2);
        assert_eq!(odd[1].code, [3]);
    }
}
