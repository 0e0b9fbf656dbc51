//! `cargo xtask matrix`: the table of attachments and kernels in `tests/attach/README.md`, which the live tests write.
//!
//! In: the lines in which tests claim what they saw. Out: the table, or where it differs from them. Not here: the tests
//! (`tests/live`), and running them in guests (`vm`, which passes on what they said).

mod claims;
mod table;

pub(crate) use claims::Claims;
pub(crate) use table::Extent;

use crate::vm::workspace;
use anyhow::{Context, Result, anyhow};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use table::{Table, host_column};

/// Runs the live tests on this machine, and compares its column of the table with what they say.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Write the column instead.
    #[arg(long)]
    write: bool,
    /// Arguments for the tests, such as a part of a test's name; then only the rows they mention are compared
    #[arg(last = true, value_name = "TEST ARGS")]
    for_tests: Vec<String>,
}

/// What to do with claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Compare,
    Write,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let column = host_column(&running_series()?);
    let claims = on_this_machine(&args.for_tests)?;
    let deed = if args.write {
        Deed::Write
    } else {
        Deed::Compare
    };
    if deed == Deed::Compare && !Table::parse(&read()?)?.has(&column) {
        println!("the table has no column {column}; nothing to compare");
        return Ok(ExitCode::SUCCESS);
    }
    let trouble = settle(&column, &claims, extent(&args.for_tests), deed)?;
    println!("{column}: {} attachments", claims.by_attachment.len());
    for line in &trouble {
        println!("{line}");
    }
    Ok(if trouble.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How much of the tests runs with these arguments.
pub(crate) fn extent(for_tests: &[String]) -> Extent {
    if for_tests.is_empty() {
        Extent::All
    } else {
        Extent::Some
    }
}

/// Writes claims into the table, or lists where it differs from them.
pub(crate) fn settle(
    column: &str,
    claims: &Claims,
    extent: Extent,
    deed: Deed,
) -> Result<Vec<String>> {
    let disputed = claims.disputed.iter();
    let mut trouble: Vec<String> = disputed
        .map(|a| format!("{a}: two tests disagree"))
        .collect();
    let mut table = Table::parse(&read()?)?;
    match deed {
        Deed::Compare => trouble.extend(table.differences(column, claims, extent)),
        Deed::Write => {
            table.take(column, claims, extent);
            let path = path()?;
            fs::write(&path, table.text()?)
                .with_context(|| format!("while writing {}", path.display()))?;
        }
    }
    Ok(trouble)
}

fn path() -> Result<PathBuf> {
    Ok(workspace()?.join("tests/attach/README.md"))
}

fn read() -> Result<String> {
    let path = path()?;
    fs::read_to_string(&path).with_context(|| format!("while reading {}", path.display()))
}

/// `6.18` of `6.18.5-generic`.
fn running_series() -> Result<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']);
    let (major, minor) = numbers
        .next()
        .zip(numbers.next())
        .context("a version of Linux")?;
    Ok(format!("{major}.{}", minor.trim()))
}

fn on_this_machine(for_tests: &[String]) -> Result<Claims> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "test",
            "--package",
            "rawbpf",
            "--all-features",
            "--test",
            "live",
            "--",
        ])
        .args(for_tests);
    // Tests print claims on standard error, which the test harness does not use.
    let mut child = cargo
        .current_dir(workspace()?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("while starting cargo")?;
    let mut said = child.stdout.take().context("no output stream")?;
    let said = thread::spawn(move || {
        let mut text = Vec::new();
        said.read_to_end(&mut text).map(|_| text)
    });
    let mut claims = Claims::default();
    for line in BufReader::new(child.stderr.take().context("no error stream")?).lines() {
        claims.line(&line?);
    }
    let status = child.wait()?;
    if !status.success() {
        // Only this run knows what failed: the next one may pass.
        let text = said.join().map_err(|_| anyhow!("the reader panicked"))??;
        let text = String::from_utf8_lossy(&text);
        for line in text.lines().filter(|line| !line.ends_with(" ... ok")) {
            println!("{line}");
        }
        anyhow::bail!("the live tests failed: {status}");
    }
    Ok(claims)
}
