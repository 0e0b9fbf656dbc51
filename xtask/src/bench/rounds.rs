//! Rounds in which each loader does the same job in a process of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::figures::paired_ratio;
use super::sample::{Measure, Sample};

/// The loader that the others are compared with.
pub(crate) const OURS: &str = "rawbpf";

/// The samples of one job, by loader, in the order they were taken.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// The program that takes the samples.
    program: PathBuf,
    job: &'static str,
    input: Option<PathBuf>,
    /// Who takes part.
    pub(crate) loaders: Vec<&'static str>,
    samples: BTreeMap<&'static str, Vec<Sample>>,
    /// Peers that cannot do the job, with the reason.
    pub(crate) unable: Vec<String>,
}

impl Rounds {
    /// Tries every loader once, which also warms the page cache. A peer that fails is left out; rawbpf must not fail.
    pub(crate) fn new(
        program: &Path,
        job: &'static str,
        peers: &[&'static str],
        input: Option<&Path>,
    ) -> Result<Self> {
        let mut loaders = vec![OURS];
        let mut unable = Vec::new();
        Sample::take(program, job, OURS, input)?;
        for loader in peers.iter().copied() {
            match Sample::take(program, job, loader, input) {
                Ok(_) => loaders.push(loader),
                Err(error) => unable.push(format!("{error:#}")),
            }
        }
        Ok(Self {
            program: program.to_owned(),
            job,
            input: input.map(Path::to_owned),
            loaders,
            samples: BTreeMap::new(),
            unable,
        })
    }

    /// Runs one process of each loader; which one starts changes from round to round.
    pub(crate) fn round(&mut self, round: u32) -> Result<()> {
        let mut order = self.loaders.clone();
        let first = usize::try_from(round)? % order.len();
        order.rotate_left(first);
        for loader in order {
            let sample = Sample::take(&self.program, self.job, loader, self.input.as_deref())?;
            self.samples.entry(loader).or_default().push(sample);
        }
        Ok(())
    }

    /// One figure of every round.
    pub(crate) fn series(&self, loader: &str, measure: Measure) -> Vec<u64> {
        let samples = self
            .samples
            .get(loader)
            .map(Vec::as_slice)
            .unwrap_or_default();
        samples
            .iter()
            .map(|sample| sample.measure(measure))
            .collect()
    }

    /// Ours divided by theirs; `None` if they cannot do the job.
    pub(crate) fn ratio(&self, peer: &str, measure: Measure) -> Option<f64> {
        self.loaders
            .contains(&peer)
            .then(|| paired_ratio(&self.series(OURS, measure), &self.series(peer, measure)))
    }

    /// The loader's version.
    pub(crate) fn version(&self, loader: &str) -> &str {
        self.first(loader).map_or("-", |sample| &sample.version)
    }

    /// The first sample of a loader.
    pub(crate) fn first(&self, loader: &str) -> Option<&Sample> {
        self.samples.get(loader)?.first()
    }
}
