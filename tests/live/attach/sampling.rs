//! Programs that are run by counters.

use super::{Trial, number, tracer};
use crate::matrix::{refused, works};
use crate::support::Need;
use rawbpf::ErrorKind;
use rawbpf::attach::{HardwareEvent, Processes, Sampling, SoftwareEvent};
use rawbpf::load::Object;
use std::time::{Duration, Instant};

/// Keeps a CPU busy.
fn work() {
    let end = Instant::now() + Duration::from_millis(200);
    let mut number = 1u64;
    while Instant::now() < end {
        number = std::hint::black_box(number.wrapping_mul(3));
    }
}

fn has_hits(object: &Object) -> bool {
    number(object, "hits") > 0
}

#[test]
fn a_clock_samples_every_cpu() {
    require!(Need::Bpf, Need::Btf);
    let trial = Trial {
        row: "perf_event by frequency",
        effect: "a busy thread is sampled on whatever CPU",
        program: "sample",
        needs: &[],
        words: &[],
    };
    let at = Sampling::software(SoftwareEvent::CpuClock).frequency(1000);
    trial.run(|program| program.attach_sampling(&at), work, has_hits);
}

#[test]
fn a_counter_of_one_thread_runs_the_program_every_so_many_counts() {
    require!(Need::Bpf, Need::Btf);
    let trial = Trial {
        row: "perf_event by period",
        effect: "each millisecond of one thread is counted",
        program: "sample",
        needs: &[],
        words: &[],
    };
    let at = Sampling::software(SoftwareEvent::TaskClock).period(1_000_000);
    let at = at.processes(Processes::Own);
    trial.run(
        |program| program.attach_sampling(&at),
        work,
        |object| number(object, "hits") >= 10,
    );
    let trial = Trial {
        row: "perf_event with cookie",
        effect: "the program reads its cookie",
        program: "sample_cookie",
        needs: &[Need::Linux(5, 15)],
        words: &["needs Linux 5.15"],
    };
    let at = at.cookie(77);
    trial.run(
        |program| program.attach_sampling(&at),
        work,
        |object| number(object, "last_cookie") == 77,
    );
}

/// Virtual machines often have no hardware counters.
#[test]
fn a_counter_of_the_processor_samples_or_is_refused_in_words() {
    const ROW: &str = "perf_event of the processor";
    require!(Need::Bpf, Need::Btf);
    let object = tracer("sample").unwrap();
    let program = object.program("sample").unwrap();
    let cycles = Sampling::hardware(HardwareEvent::CpuCycles).processes(Processes::Own);
    match program.attach_sampling(&cycles.period(100_000)) {
        Ok(_link) => {
            work();
            works(ROW, "a busy thread is sampled", has_hits(&object));
        }
        error => refused(ROW, error, "SoftwareEvent::CpuClock is always there"),
    }
}

#[test]
fn counters_that_are_not_there_are_named() {
    require!(Need::Bpf, Need::Btf);
    let object = tracer("sample").unwrap();
    let program = object.program("sample").unwrap();
    let error = program
        .attach_sampling(&Sampling::event(1, 99))
        .unwrap_err();
    assert!(error.errno().is_some(), "{error}");
    let gone = Sampling::software(SoftwareEvent::CpuClock).processes(Processes::Pid(99_999_999));
    let error = program.attach_sampling(&gone).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let fast = Sampling::software(SoftwareEvent::CpuClock).frequency(1 << 40);
    let error = program.attach_sampling(&fast).unwrap_err();
    assert!(
        error.hint().unwrap().contains("perf_event_max_sample_rate"),
        "{error}"
    );
    let everywhere = Sampling::software(SoftwareEvent::CpuClock);
    let mut link = program.attach_sampling(&everywhere).unwrap();
    if link.fd().is_none() {
        let error = link.pin("/sys/fs/bpf/rawbpf-sampling").unwrap_err();
        assert!(error.hint().unwrap().contains("Sampling::cpu"), "{error}");
    }
}
