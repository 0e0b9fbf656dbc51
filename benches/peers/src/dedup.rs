//! Types put together and kept once: by libbpf and by rawbpf, from the same files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rawbpf::btf::{Btf, BtfBuilder, Kind};
use serde::Serialize;

use crate::libbpf;
use crate::meter::{Phase, phase};

/// What one of the two made of the files.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `add` and `dedup`.
    pub phases: Vec<Phase>,
    /// How many types there were.
    pub before: u32,
    /// How many are left.
    pub after: u32,
    /// How many of those may be left once: all but variables and sections.
    pub comparable: usize,
    /// Bytes of the result.
    pub bytes: usize,
    /// High-water mark of the process's memory before the work, in KiB.
    pub rss_before_kib: u64,
    /// And after it.
    pub rss_after_kib: u64,
}

/// The files of a folder in order, or the file itself; so many times.
fn files(path: &Path, copies: usize) -> Result<Vec<PathBuf>> {
    let mut files = if path.is_dir() {
        let entries = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
        entries.collect::<Result<Vec<_>>>()?
    } else {
        vec![path.to_path_buf()]
    };
    files.sort();
    Ok(files
        .iter()
        .cycle()
        .take(files.len() * copies)
        .cloned()
        .collect())
}

/// By libbpf.
pub fn libbpf(path: &Path, copies: usize) -> Result<Report> {
    let rss_before_kib = peak_rss_kib()?;
    let mut whole = libbpf::Btf::new_empty()?;
    let (add, added) = phase("add", || -> Result<()> {
        for file in files(path, copies)? {
            whole.add(&libbpf::Btf::parse_any(&file)?)?;
        }
        Ok(())
    });
    added?;
    let before = whole.type_count();
    let (dedup, done) = phase("dedup", || whole.dedup());
    done?;
    let rss_after_kib = peak_rss_kib()?;
    let result = whole.raw_data()?;
    report(
        vec![add, dedup],
        before,
        &result,
        (rss_before_kib, rss_after_kib),
    )
}

/// By rawbpf.
pub fn rawbpf(path: &Path, copies: usize) -> Result<Report> {
    let rss_before_kib = peak_rss_kib()?;
    let mut whole = BtfBuilder::new();
    let (add, added) = phase("add", || -> Result<()> {
        for file in files(path, copies)? {
            whole.add_btf(&Btf::from_file(&file)?);
        }
        Ok(())
    });
    added?;
    let before = whole.next_id().0;
    let (dedup, ()) = phase("dedup", || whole.dedup());
    let rss_after_kib = peak_rss_kib()?;
    let result = whole.finish()?;
    report(
        vec![add, dedup],
        before,
        &result,
        (rss_before_kib, rss_after_kib),
    )
}

fn report(
    phases: Vec<Phase>,
    before: u32,
    result: &[u8],
    (rss_before_kib, rss_after_kib): (u64, u64),
) -> Result<Report> {
    let btf = Btf::parse(result)?;
    btf.validate()?;
    let unique = |kind| matches!(kind, Kind::Var | Kind::Datasec);
    Ok(Report {
        phases,
        before,
        after: btf.end_id(),
        comparable: btf.types().filter(|ty| !unique(ty.kind())).count(),
        bytes: result.len(),
        rss_before_kib,
        rss_after_kib,
    })
}

fn peak_rss_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(number
        .context("no VmHWM in /proc/self/status")?
        .trim()
        .parse()?)
}
