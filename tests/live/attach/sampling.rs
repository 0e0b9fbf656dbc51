//! Programs run by sampled counters.

use super::{Trial, number, tracer};
use crate::matrix::{refused, works};
use crate::support::Need;
use rawbpf::ErrorKind;
use rawbpf::attach::{HardwareEvent, PerfEventOptions, Processes, Sampling, SoftwareEvent};
use rawbpf::load::Object;
use rawbpf::sys::perf_event::{PerfEvent, PerfScope, SampleRate, disable, enable, perf_event_open};
use std::os::fd::{AsFd, OwnedFd};
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

/// A clock of this thread, opened by the library's caller.
fn own_clock() -> OwnedFd {
    let clock = PerfEvent::Sampled {
        kind: 1,
        config: SoftwareEvent::TaskClock as u64,
        rate: SampleRate::Period(1_000_000),
    };
    perf_event_open(&clock, PerfScope::Process(0)).unwrap()
}

#[test]
fn an_event_of_the_callers_starts_when_the_caller_says_so() {
    require!(Need::Bpf, Need::Btf);
    let later = PerfEventOptions::new().dont_enable();
    for options in [later.clone(), later.force_ioctl_attach()] {
        let object = tracer("sample").unwrap();
        let (event, program) = (own_clock(), object.program("sample").unwrap());
        let own = event.try_clone().unwrap();
        disable(own.as_fd()).unwrap();
        let link = program.attach_perf_event_with(event, &options).unwrap();
        work();
        assert!(!has_hits(&object), "{options:?}");
        enable(own.as_fd()).unwrap();
        work();
        assert!(has_hits(&object), "{options:?}");
        drop(link);
        let end = number(&object, "hits");
        work();
        assert_eq!(number(&object, "hits"), end, "{options:?}");
    }
}

#[test]
fn an_event_of_the_callers_has_a_cookie_if_it_has_a_link() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 15));
    let object = tracer("sample_cookie").unwrap();
    let program = object.program("sample_cookie").unwrap();
    let options = PerfEventOptions::new().cookie(77);
    let link = program.attach_perf_event_with(own_clock(), &options);
    let link = link.unwrap();
    assert!(link.fd().is_some());
    work();
    assert_eq!(number(&object, "last_cookie"), 77);
    let forced = options.force_ioctl_attach();
    let error = program.attach_perf_event_with(own_clock(), &forced);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.hint().unwrap().contains("links"), "{error}");
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
