//! The dynamic loader's view of a program or library: the table at `PT_DYNAMIC`, which is present even if the section
//! headers were stripped.

use super::executable::Executable;
use super::read_at::{self, Extent};
use super::symbol_scan::SymbolTable;
use crate::{Error, ErrorKind, Result};
use object::elf;
use std::collections::HashMap;

/// The table usually has about thirty entries, and one more for each needed library.
const MAX_LEN: u64 = 1 << 20;
/// How many buckets and chain links of a hash table are read at most; as many as a symbol table may have entries.
const MAX_HASHES: u64 = 1 << 24;
/// How many are read at once.
const CHUNK: u64 = 1 << 14;

/// The dynamic loader's symbol table, whose size follows from its hash table; `None` if there is none.
pub(super) fn symbol_table<'r>(file: &Executable<'r>) -> Result<Option<SymbolTable<'r>>> {
    let Some(entries) = entries(file)? else {
        return Ok(None);
    };
    let at = |tag: elf::DynamicTag| {
        let address = entries.get(&tag.0).copied()?;
        file.loaded_from(address)
    };
    let (Some(symbols), Some(names)) = (at(elf::DT_SYMTAB), at(elf::DT_STRTAB)) else {
        return Ok(None);
    };
    let names_len = entries.get(&elf::DT_STRSZ.0).copied().unwrap_or(names.len);
    let count = match (at(elf::DT_GNU_HASH), at(elf::DT_HASH)) {
        (Some(hashes), _) => count_by_gnu_hash(file, hashes),
        (None, Some(hashes)) => number(file, hashes, 4),
        (None, None) => return Ok(None),
    };
    let count = count.ok_or_else(|| {
        let message = "the file is damaged: the hash table of its dynamic symbols leads out of it";
        Error::new(ErrorKind::Elf, message)
    })?;
    let len = u64::from(count).saturating_mul(file.format().symbol_len() as u64);
    let symbols = symbols.part(0, len).unwrap_or(symbols);
    let names = names.part(0, names_len).unwrap_or(names);
    let mut table = SymbolTable::new(file, symbols, names)?;
    if let Some(numbers) = at(elf::DT_VERSYM) {
        table = table.with_version_numbers(numbers);
    }
    if let Some(definitions) = at(elf::DT_VERDEF) {
        let count = entries.get(&elf::DT_VERDEFNUM.0).copied().unwrap_or(0);
        table.read_versions(definitions, u32::try_from(count).unwrap_or(u32::MAX));
    }
    Ok(Some(table))
}

/// The entries by tag; if several have the same tag, the first.
fn entries(file: &Executable<'_>) -> Result<Option<HashMap<i64, u64>>> {
    let Some(extent) = file.dynamic() else {
        return Ok(None);
    };
    // A separate debug file has the header, but not the table.
    let Some(extent) = extent.within(file.reader().size()) else {
        return Ok(None);
    };
    let bytes = read_at::read(file.reader(), extent, MAX_LEN, "its dynamic table")?;
    let mut entries = HashMap::new();
    for bytes in bytes.chunks_exact(file.format().dynamic_len()) {
        match file.format().dynamic(bytes) {
            None | Some((elf::DT_NULL, _)) => break,
            Some((tag, value)) => entries.entry(tag.0).or_insert(value),
        };
    }
    Ok(Some(entries))
}

/// The 32-bit number at this offset.
fn number(file: &Executable<'_>, within: Extent, at: u64) -> Option<u32> {
    let part = within.part(at, 4).filter(|part| part.len == 4)?;
    let mut bytes = [0; 4];
    file.reader().read_at(part.offset, &mut bytes).ok()?;
    file.format().number(&bytes)
}

/// The number of symbols: the hash table lists them in the order of their buckets, so the last symbol of the highest bucket
/// is the last one of all.
fn count_by_gnu_hash(file: &Executable<'_>, hashes: Extent) -> Option<u32> {
    const HEADER_LEN: u64 = 16;
    let buckets = number(file, hashes, 0)?;
    let first_hashed = number(file, hashes, 4)?;
    let bloom = u64::from(number(file, hashes, 8)?).checked_mul(file.format().word_len())?;
    let buckets_at = HEADER_LEN.checked_add(bloom)?;
    let chains_at = buckets_at.checked_add(u64::from(buckets).checked_mul(4)?)?;
    let mut last = 0;
    each_number(file, hashes, buckets_at, buckets.into(), &mut |number| {
        last = last.max(number);
        Walk::On
    })?;
    let Some(in_chains) = last.checked_sub(first_hashed) else {
        // No symbol is hashed, so none is defined.
        return Some(first_hashed);
    };
    let chain_at = chains_at.checked_add(u64::from(in_chains).checked_mul(4)?)?;
    let mut ended = false;
    each_number(file, hashes, chain_at, MAX_HASHES, &mut |hash| {
        last = last.saturating_add(1);
        // The lowest bit marks the last of a chain.
        ended = hash & 1 == 1;
        if ended { Walk::Stop } else { Walk::On }
    })?;
    ended.then_some(last)
}

/// Whether to continue.
#[derive(PartialEq, Eq)]
enum Walk {
    On,
    Stop,
}

/// Calls `visit` with up to `count` 32-bit numbers, as far as there are any.
fn each_number(
    file: &Executable<'_>,
    within: Extent,
    at: u64,
    count: u64,
    visit: &mut dyn FnMut(u32) -> Walk,
) -> Option<()> {
    if count > MAX_HASHES {
        return None;
    }
    let mut rest = within.part(at, count.checked_mul(4)?)?;
    while rest.len >= 4 {
        let chunk = rest.part(0, CHUNK * 4)?;
        let bytes = read_at::read(file.reader(), chunk, CHUNK * 4, "a hash table").ok()?;
        for bytes in bytes.chunks_exact(4) {
            if visit(file.format().number(bytes)?) == Walk::Stop {
                return Some(());
            }
        }
        rest = rest.part(chunk.len, u64::MAX)?;
    }
    Some(())
}
