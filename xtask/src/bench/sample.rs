//! One cold process of `peers`, and its output.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// What `peers` prints.
#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    /// The loader's version.
    pub(crate) version: String,
    phases: Vec<Phase>,
    /// The objects in a folder, if one was given.
    #[serde(flatten)]
    pub(crate) tally: Option<Tally>,
}

/// The results for the objects of a folder.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Tally {
    /// How many there were.
    pub(crate) objects: usize,
    /// How many of them could not be opened, or had a program that could not be relocated.
    pub(crate) refused: usize,
}

#[derive(Debug, Deserialize)]
struct Phase {
    name: String,
    wall_ns: u64,
    cpu_ns: u64,
    own_cpu_ns: u64,
    bpf_calls: u64,
}

/// A figure in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// CPU time outside `bpf()`, for everything before programs are loaded.
    OpenRelocate,
    /// CPU time outside `bpf()` from the file to the loaded programs.
    OwnCpu,
    /// CPU time from the file to the loaded programs, the kernel's work included.
    Cpu,
    /// Elapsed time from the file to the loaded programs.
    Wall,
    /// Number of `bpf()` calls.
    BpfCalls,
}

impl Sample {
    /// Runs `peers` once.
    pub(crate) fn take(peers: &Path, job: &str, loader: &str, file: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(peers);
        command
            .args([job, "--loader", loader])
            .args(file.map(Path::as_os_str));
        let output = command
            .output()
            .with_context(|| format!("start {}", peers.display()))?;
        if !output.status.success() {
            let file = file
                .map_or(OsStr::new("the kernel's BTF"), Path::as_os_str)
                .display();
            let message = String::from_utf8_lossy(&output.stderr);
            bail!("{loader} failed on {file}: {}", first_paragraph(&message));
        }
        serde_json::from_slice(&output.stdout).context("read what peers printed")
    }

    /// One figure from the sample.
    pub(crate) fn measure(&self, measure: Measure) -> u64 {
        let before_load = || self.phases.iter().filter(|phase| phase.name != "load");
        match measure {
            Measure::OpenRelocate => before_load().map(|phase| phase.own_cpu_ns).sum(),
            Measure::OwnCpu => self.phases.iter().map(|phase| phase.own_cpu_ns).sum(),
            Measure::Cpu => self.phases.iter().map(|phase| phase.cpu_ns).sum(),
            Measure::Wall => self.phases.iter().map(|phase| phase.wall_ns).sum(),
            Measure::BpfCalls => self.phases.iter().map(|phase| phase.bpf_calls).sum(),
        }
    }
}

/// An error and its causes, without the backtrace after them.
fn first_paragraph(message: &str) -> String {
    message
        .lines()
        .take_while(|line| !line.starts_with("Stack backtrace"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_relocate_leaves_out_the_load_phase() {
        let text = r#"{"loader":"x","version":"1","peak_rss_kib":1,"phases":[
            {"name":"open","wall_ns":5,"cpu_ns":4,"own_cpu_ns":3,"bpf_calls":0},
            {"name":"relocate","wall_ns":50,"cpu_ns":40,"own_cpu_ns":30,"bpf_calls":1},
            {"name":"load","wall_ns":500,"cpu_ns":400,"own_cpu_ns":300,"bpf_calls":7}]}"#;
        let sample: Sample = serde_json::from_str(text).unwrap();
        assert_eq!(sample.measure(Measure::OpenRelocate), 33);
        assert_eq!(sample.measure(Measure::OwnCpu), 333);
        assert_eq!(sample.measure(Measure::Cpu), 444);
        assert_eq!(sample.measure(Measure::Wall), 555);
        assert_eq!(sample.measure(Measure::BpfCalls), 8);
        assert!(sample.tally.is_none());
    }

    #[test]
    fn backtraces_are_cut_off() {
        assert_eq!(
            first_paragraph("Error: a\n\nCaused by:\n    b\n\nStack backtrace:\n 0: x"),
            "Error: a Caused by: b"
        );
    }
}
