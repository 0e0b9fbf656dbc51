//! How much memory and disk space the command needs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// Peak resident size, in KiB, of `rawbpf run OBJECT` over one second.
pub(crate) fn peak_rss_kib(rawbpf: &Path, object: &Path) -> Result<u64> {
    let mut run = Command::new(rawbpf)
        .arg("run")
        .arg(object)
        .args(["--duration", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("start {}", rawbpf.display()))?;
    let status = format!("/proc/{}/status", run.id());
    let mut peak = 0;
    // The figure is a high-water mark, so only the last reading counts; a process that has ended has none.
    let ended = loop {
        peak = fs::read_to_string(&status)
            .ok()
            .as_deref()
            .and_then(high_water)
            .unwrap_or(peak);
        if let Some(ended) = run.try_wait()? {
            break ended;
        }
        thread::sleep(Duration::from_millis(10));
    };
    ensure!(
        ended.success(),
        "rawbpf run {} failed: {ended}",
        object.display()
    );
    ensure!(peak > 0, "{status} had no VmHWM line");
    Ok(peak)
}

/// The `VmHWM` line of a `status` file.
fn high_water(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Size of a file in bytes.
pub(crate) fn size(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file)
        .with_context(|| format!("look at {}", file.display()))?
        .len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_water_mark_is_read() {
        assert_eq!(
            high_water("Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t    3480 kB\n"),
            Some(3480)
        );
        assert_eq!(high_water("Name:\tx\n"), None);
    }
}
