//! `cargo xtask bench load --workers`: two threads and one load the same slow programs, in turn.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rawbpf::load::LoadOptions;
use rawbpf::open::OpenObject;
use rawbpf::reloc::{LoadPlan, Target};
use serde_json::json;

use super::figures::{median_of, paired_ratio};
use crate::binaries::workspace;

const PROGRAMS: usize = 40;
/// How often the verifier iterates each program's loop: about ten milliseconds.
const LOOPS: u32 = 2_000;
/// The limit for two threads, as a share of one thread's time, on two CPUs.
const LIMIT: f64 = 0.6;

/// Measures and prints.
pub(crate) fn run(rounds: u32, json: bool) -> Result<()> {
    let target = Target::running();
    let plan = slow_plan(&target)?;
    // Warm-up: the target queries the kernel only once.
    elapsed(&plan, &target, 2)?;
    let mut times = Times::default();
    for round in 0..rounds {
        let order = if round % 2 == 0 { [1, 2] } else { [2, 1] };
        for workers in order {
            let time = u64::try_from(elapsed(&plan, &target, workers)?.as_nanos())?;
            times.of(workers).push(time);
        }
    }
    if json {
        println!("{}", times.to_json());
    } else {
        print!("{}", times.to_table());
    }
    Ok(())
}

/// One slow program under many names.
fn slow_plan(target: &Target) -> Result<LoadPlan> {
    let mut object = OpenObject::from_file(workspace()?.join("fixtures/slow.bpf.o"))?;
    object.variable_mut("rounds")?.set(&LOOPS)?;
    let mut plan = object.relocate(target)?;
    let slow = plan.programs.first().context("no slow program")?.clone();
    plan.programs = (0..PROGRAMS)
        .map(|number| {
            let mut program = slow.clone();
            program.name = format!("slow_{number}");
            program
        })
        .collect();
    Ok(plan)
}

/// The time for loading, without unloading.
fn elapsed(plan: &LoadPlan, target: &Target, workers: usize) -> Result<Duration> {
    let options = LoadOptions::new().workers(workers);
    let start = Instant::now();
    let object = plan.load_with(target, &options)?;
    let time = start.elapsed();
    let loaded = object.programs().iter().count();
    ensure!(
        loaded == PROGRAMS,
        "{loaded} programs of {PROGRAMS} were loaded"
    );
    Ok(time)
}

/// Nanoseconds, round by round.
#[derive(Debug, Default)]
struct Times {
    one: Vec<u64>,
    two: Vec<u64>,
}

impl Times {
    fn of(&mut self, workers: usize) -> &mut Vec<u64> {
        match workers {
            1 => &mut self.one,
            _ => &mut self.two,
        }
    }

    fn ratio(&self) -> f64 {
        paired_ratio(&self.two, &self.one)
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "ratios": { "load_two_workers_vs_one": self.ratio() },
            "medians": {
                "load_one_worker": median_of(&self.one),
                "load_two_workers": median_of(&self.two),
            },
            "limit": LIMIT,
            "rounds": self.one.len(),
        })
    }

    fn to_table(&self) -> String {
        let [one, two] = [&self.one, &self.two].map(|times| median_of(times) / 1e6);
        format!(
            "{PROGRAMS} slow programs, elapsed: medians of {} rounds; the ratio is two threads / one (limit {LIMIT} on two CPUs)\n\n\
             | one thread | two threads | ratio |\n| ---: | ---: | ---: |\n\
             | {one:.0} ms | {two:.0} ms | {:.2} |\n",
            self.one.len(),
            self.ratio(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_are_divided_by_one_round_by_round() {
        let mut times = Times::default();
        for (one, two) in [(100, 60), (1000, 500), (100, 50)] {
            times.of(1).push(one * 1_000_000);
            times.of(2).push(two * 1_000_000);
        }
        assert!(times.to_table().ends_with("| 100 ms | 60 ms | 0.50 |\n"));
        assert_eq!(times.to_json()["rounds"], 3);
    }
}
