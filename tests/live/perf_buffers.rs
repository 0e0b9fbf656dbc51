//! Perf buffers, filled by test runs of programs on a CPU that the test chooses.

use crate::rings::write;
use crate::support::{Need, check, fixture, lift_memlock};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use rawbpf::insn::{Insn, class, mode, pseudo, size};
use rawbpf::map::Map;
use rawbpf::open::OpenObject;
use rawbpf::ring::{PerfBuffer, PerfRecord, PerfSource, Poller, RingBuffer, SampleFields, Wakeup};
use rawbpf::sys::bpf::{self, MapCreate, ProgLoad};
use rawbpf::sys::system::{online_cpus, possible_cpus};
use rawbpf::{ErrorKind, MapType, ProgramType};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;
use zerocopy::FromBytes;

const MOV_REG: u8 = class::ALU64 | 0xbf;
const MOV_IMM: u8 = class::ALU64 | 0xb0;
const ADD_IMM: u8 = class::ALU64 | 0x07;
const PERF_EVENT_OUTPUT: i32 = 25;

/// Long enough for a loaded machine; nothing waits that long if all is well.
const LONG: Option<Duration> = Some(Duration::from_secs(10));
const NONE: Option<Duration> = Some(Duration::ZERO);

/// What [`sender`] sends: 24 bytes, which with the sample's length and padding make a record of 40, so that records go over
/// the end of a page.
#[derive(Debug, PartialEq, FromBytes)]
#[repr(C)]
struct Event {
    number: u64,
    packet: u64,
    number_again: u64,
}

const RECORD: usize = 40;
const PAGE: usize = 4096;

fn events(name: &str, slots: u32) -> Map {
    lift_memlock();
    let create = MapCreate {
        kind: MapType::PERF_EVENT_ARRAY,
        key_size: 4,
        value_size: 4,
        max_entries: slots,
        name,
        ..MapCreate::default()
    };
    Map::new(bpf::map_create(&create).unwrap(), name)
}

pub(crate) fn events_for_all(name: &str) -> Map {
    events(name, possible_cpus().unwrap())
}

/// A socket filter that sends an [`Event`] with `number` and the length of its packet, and returns the result.
pub(crate) fn sender(map: &Map, number: i32) -> OwnedFd {
    // `BPF_F_CURRENT_CPU`: all ones in 32 bits.
    sender_to(map, number, -1)
}

/// The same, to one slot of the map.
fn sender_to(map: &Map, number: i32, slot: i32) -> OwnedFd {
    let fd = map.as_fd().as_raw_fd();
    let insns = [
        Insn::new(class::LDX | size::W | mode::MEM, 6, 1, 0, 0),
        Insn::new(MOV_IMM, 7, 0, 0, number),
        Insn::new(class::STX | size::DW | mode::MEM, 10, 7, -24, 0),
        Insn::new(class::STX | size::DW | mode::MEM, 10, 6, -16, 0),
        Insn::new(class::STX | size::DW | mode::MEM, 10, 7, -8, 0),
        Insn::new(Insn::LD_IMM64, 2, pseudo::MAP_FD, 0, fd),
        Insn::default(),
        Insn::new(class::ALU | 0xb0, 3, 0, 0, slot),
        Insn::new(MOV_REG, 4, 10, 0, 0),
        Insn::new(ADD_IMM, 4, 0, 0, -24),
        Insn::new(MOV_IMM, 5, 0, 0, 24),
        Insn::new(Insn::CALL, 0, 0, 0, PERF_EVENT_OUTPUT),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    let load = ProgLoad {
        kind: ProgramType::SOCKET_FILTER,
        insns: &insns,
        license: c"GPL",
        name: "t_sender",
        ..ProgLoad::default()
    };
    let mut buffer = vec![0; 1 << 16];
    let mut log = bpf::Log::new(1, &mut buffer);
    bpf::prog_load(&load, Some(&mut log)).unwrap_or_else(|errno| {
        panic!("{errno}: {}", String::from_utf8_lossy(&buffer));
    })
}

/// Pins this thread, and with it the programs it runs, to one CPU.
pub(crate) fn stay_on(cpu: u32) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu as usize).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
}

fn event(record: &PerfRecord<'_>) -> Event {
    match record {
        PerfRecord::Sample(sample) => sample.read().unwrap(),
        other => panic!("no sample: {other:?}"),
    }
}

#[test]
fn samples_arrive_from_every_cpu_in_order() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf");
    let program = sender(&map, 7);
    let mut reader = PerfBuffer::new(&map).unwrap();
    let cpus = online_cpus().unwrap();
    assert_eq!(reader.cpus().collect::<Vec<_>>(), cpus);
    assert!(reader.wait(NONE).unwrap().is_empty());
    for cpu in &cpus {
        stay_on(*cpu);
        (20..25).for_each(|len| write(&program, len));
    }
    let batch = reader.wait(LONG).unwrap();
    let mut seen = Vec::new();
    for record in &batch {
        let PerfRecord::Sample(sample) = record.unwrap() else {
            panic!("nothing was lost");
        };
        assert_eq!(sample.bytes().len(), 28, "padded");
        let event: Event = sample.read().unwrap();
        assert_eq!((event.number, event.number_again), (7, 7));
        seen.push((sample.cpu(), event.packet));
    }
    let of_cpu = |cpu: &u32| (20..25).map(|len| (*cpu, len)).collect::<Vec<_>>();
    assert_eq!(seen, cpus.iter().flat_map(of_cpu).collect::<Vec<_>>());
    drop(batch);
    assert!(reader.poll().is_empty());
    assert_eq!(reader.lost(), 0);
}

#[test]
fn a_chosen_cpu_has_a_slot_of_its_own() {
    require!(Need::Bpf);
    let map = events("t_perf_keys", 3);
    let cpu = *online_cpus().unwrap().last().unwrap();
    stay_on(cpu);
    let mut reader = PerfBuffer::builder(&map)
        .cpus(&[cpu])
        .keys(&[2])
        .build()
        .unwrap();
    write(&sender_to(&map, 7, 2), 20);
    let batch = reader.wait(LONG).unwrap();
    let PerfRecord::Sample(sample) = batch.iter().next().unwrap().unwrap() else {
        panic!("nothing was lost");
    };
    assert_eq!(sample.cpu(), cpu);
    drop(batch);

    for (keys, words) in [
        (&[3][..], "none of number 3"),
        (&[0, 1], "2 keys were given for 1 chosen"),
    ] {
        let builder = PerfBuffer::builder(&map).cpus(&[cpu]).keys(keys);
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_sample_of_another_size_is_an_error_with_both() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_size");
    let program = sender(&map, 7);
    let mut reader = PerfBuffer::new(&map).unwrap();
    write(&program, 20);
    let batch = reader.wait(LONG).unwrap();
    let PerfRecord::Sample(sample) = batch.iter().next().unwrap().unwrap() else {
        panic!("nothing was lost");
    };
    for error in [
        sample.read::<[u64; 4]>().unwrap_err(),
        sample.read::<[u64; 2]>().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains("28 bytes"), "{error}");
        assert!(error.message().contains("[u64; "), "{error}");
    }
}

#[test]
fn lost_events_are_counted_and_wrapped_records_are_whole() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_lost");
    let program = sender(&map, 9);
    let cpu = online_cpus().unwrap()[0];
    stay_on(cpu);
    let mut reader = PerfBuffer::builder(&map)
        .pages(1)
        .cpus(&[cpu])
        .build()
        .unwrap();
    let (mut seen, mut lost, mut sent) = (0, 0, 0);
    // Each round starts at another offset in the buffer, so that every record crosses its end at some point.
    for round in 0..50 {
        for _ in 0..PAGE / RECORD + round {
            write(&program, 40);
            sent += 1;
        }
        for record in &reader.poll() {
            match record.unwrap() {
                PerfRecord::Sample(sample) => {
                    let event: Event = sample.read().unwrap();
                    assert_eq!((event.number, event.packet, event.number_again), (9, 40, 9));
                    seen += 1;
                }
                PerfRecord::Lost { cpu: of, count } => {
                    assert_eq!(of, cpu);
                    lost += count;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // The last round's losses are reported with the next event.
    write(&program, 40);
    sent += 1;
    for record in &reader.poll() {
        match record.unwrap() {
            PerfRecord::Sample(_) => seen += 1,
            PerfRecord::Lost { count, .. } => lost += count,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen + lost, sent);
    assert!(lost > 1000, "{lost} of {sent}");
    assert_eq!(reader.lost(), lost);
}

/// The kernel reports losses with the next event, which may never come; since Linux 6.0 it can be asked.
#[test]
fn lost_events_are_counted_though_nothing_follows() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_count");
    let program = sender(&map, 9);
    let cpu = online_cpus().unwrap()[0];
    stay_on(cpu);
    let mut reader = PerfBuffer::builder(&map)
        .pages(1)
        .cpus(&[cpu])
        .build()
        .unwrap();
    let sent = 3 * PAGE / RECORD;
    (0..sent).for_each(|_| write(&program, 40));
    let seen = reader.poll().iter().map(Result::unwrap).count();
    let missing = u64::try_from(sent - seen).unwrap();
    assert!(missing > 0);
    // Some stable releases of older kernels have the count (5.10 does), others do not.
    let must_count = check(&[Need::Linux(6, 0)]).is_ok();
    let counted = reader.lost();
    assert!(
        counted == missing || counted == 0 && !must_count,
        "{counted} of {missing}"
    );
    write(&program, 40);
    assert_eq!(reader.poll().iter().map(Result::unwrap).count(), 2);
    assert_eq!(reader.lost(), missing);
}

#[test]
fn a_watermark_delays_the_wake_up_not_the_events() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_mark");
    let program = sender(&map, 1);
    let cpu = online_cpus().unwrap()[0];
    stay_on(cpu);
    let mut reader = PerfBuffer::builder(&map)
        .pages(2)
        .wakeup(Wakeup::Bytes(4096))
        .cpus(&[cpu])
        .build()
        .unwrap();
    let mut poller = Poller::new().unwrap();
    let token = poller.add(&reader).unwrap();
    write(&program, 20);
    assert_eq!(poller.wait(NONE).unwrap(), []);
    assert_eq!(
        reader.wait(NONE).unwrap().iter().count(),
        1,
        "at the timeout"
    );
    (0..120).for_each(|_| write(&program, 20));
    assert_eq!(poller.wait(LONG).unwrap(), [token]);
    assert_eq!(reader.poll().iter().count(), 120);

    let mut reader = PerfBuffer::builder(&map)
        .wakeup(Wakeup::Events(3))
        .cpus(&[cpu])
        .build()
        .unwrap();
    (0..3).for_each(|_| write(&program, 20));
    assert_eq!(reader.wait(LONG).unwrap().iter().count(), 3);
}

#[test]
fn a_waiting_reader_is_woken_on_every_round() {
    require!(Need::Bpf);
    let map = events_for_all("t_perf_wake");
    let program = sender(&map, 5);
    let mut reader = PerfBuffer::new(&map).unwrap();
    let thread = std::thread::spawn(move || {
        for _ in 0..200 {
            std::thread::sleep(Duration::from_micros(300));
            write(&program, 33);
        }
    });
    let mut seen = 0;
    while seen < 200 {
        let batch = reader.wait(LONG).unwrap();
        let count = batch
            .iter()
            .filter(|r| event(r.as_ref().unwrap()).number == 5)
            .count();
        assert_ne!(count, 0, "after {seen} events, none came in ten seconds");
        seen += count;
    }
    thread.join().unwrap();
    assert_eq!(seen, 200);
}

#[test]
fn one_poller_serves_ring_and_perf_buffers() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let map = events_for_all("t_perf_poller");
    let ring_map = crate::rings::ring("t_ring_poller");
    let (to_perf, to_ring) = (sender(&map, 1), crate::rings::submitter(&ring_map, 2));
    let mut perf = PerfBuffer::new(&map).unwrap();
    let mut ring = RingBuffer::new(&ring_map).unwrap();
    let mut poller = Poller::new().unwrap();
    let (of_perf, of_ring) = (poller.add(&perf).unwrap(), poller.add(&ring).unwrap());
    assert_eq!(poller.wait(NONE).unwrap(), []);
    for _ in 0..3 {
        write(&to_perf, 20);
        assert_eq!(poller.wait(LONG).unwrap(), [of_perf]);
        assert_eq!(perf.poll().iter().count(), 1);
        write(&to_ring, 20);
        assert_eq!(poller.wait(LONG).unwrap(), [of_ring]);
        assert_eq!(ring.poll().iter().count(), 1);
        assert_eq!(poller.wait(NONE).unwrap(), []);
    }
    drop(perf);
    write(&to_perf, 20);
    assert_eq!(poller.wait(NONE).unwrap(), [], "a dropped reader is gone");
}

#[test]
fn wrong_maps_cpus_and_sizes_are_explained() {
    require!(Need::Bpf, Need::Linux(5, 8));
    let error = PerfBuffer::new(&crate::rings::ring("t_no_perf")).unwrap_err();
    assert!(
        error.message().contains("is ringbuf, not perf_event_array"),
        "{error}"
    );

    let map = events("t_perf_one", 1);
    let error = PerfBuffer::builder(&map).cpus(&[0, 1]).build().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("CPU 1") && text.contains("1 slots"), "{text}");

    let error = PerfBuffer::builder(&map).pages(3).build().unwrap_err();
    assert!(error.message().contains("3 pages"), "{error}");

    let absent = possible_cpus().unwrap();
    let map = events("t_perf_more", absent + 1);
    let error = PerfBuffer::builder(&map)
        .cpus(&[absent])
        .build()
        .unwrap_err();
    assert!(
        error.to_string().contains(&format!("CPU {absent}")),
        "{error}"
    );
}

/// A real object: every system call of this process is an event.
#[test]
fn an_object_sends_through_its_perf_buffer() {
    #[derive(FromBytes)]
    #[repr(C)]
    struct Event {
        number: u64,
        pid: u32,
        tgid: u32,
        command: [u8; 16],
    }
    require!(Need::Bpf, Need::Btf);
    let mut open = OpenObject::from_file(fixture("perf_output.bpf.o")).unwrap();
    open.variable_mut("targ_tgid")
        .unwrap()
        .set(&std::process::id())
        .unwrap();
    let object = open.load().unwrap();
    let mut reader = PerfBuffer::new(object.map("events").unwrap()).unwrap();
    let links = object.attach().unwrap();
    let me = nix::unistd::gettid().as_raw().cast_unsigned();
    let _alone = crate::attach::alone();
    let _ = nix::unistd::getppid();
    drop(links);
    let mut found = false;
    for record in &reader.wait(LONG).unwrap() {
        if let PerfRecord::Sample(sample) = record.unwrap() {
            let event: Event = sample.read().unwrap();
            assert_eq!(event.tgid, std::process::id());
            assert_ne!(event.command, [0; 16]);
            found |= event.pid == me && event.number == GETPPID;
        }
    }
    assert!(found);
}

/// The number of getppid(2).
#[cfg(target_arch = "x86_64")]
const GETPPID: u64 = 110;
#[cfg(not(target_arch = "x86_64"))]
const GETPPID: u64 = 173;

/// The thread's own number, and the kernel's clock for perf events, stand in front of what the program wrote.
#[test]
fn samples_say_who_wrote_them_and_when() {
    require!(Need::Bpf);
    let cpu = online_cpus().unwrap()[0];
    stay_on(cpu);
    let map = events_for_all("t_stamped");
    let program = sender(&map, 7);
    let fields = SampleFields::TID | SampleFields::TIME | SampleFields::CPU;
    let mut stamped = PerfBuffer::builder(&map)
        .cpus(&[cpu])
        .source(PerfSource::programs().fields(fields))
        .build()
        .unwrap();
    for _ in 0..2 {
        write(&program, 20);
    }
    let batch = stamped.wait(LONG).unwrap();
    let mut times = Vec::new();
    for record in &batch {
        let record = record.unwrap();
        assert_eq!(event(&record).number, 7);
        let PerfRecord::Sample(sample) = record else {
            panic!("{record:?}");
        };
        let details = sample.details();
        let own = (
            std::process::id(),
            nix::unistd::gettid().as_raw().cast_unsigned(),
        );
        assert_eq!(details.process_and_thread, Some(own));
        assert_eq!((details.cpu, details.period), (Some(cpu), None));
        assert_eq!((details.ip, details.addr, details.id), (None, None, None));
        times.push(details.time.unwrap());
    }
    assert_eq!(times.len(), 2);
    assert!(0 < times[0] && times[0] < times[1], "{times:?}");
}

/// The kernel would take no notice of the period.
#[test]
fn programs_have_no_period() {
    require!(Need::Bpf);
    let map = events_for_all("t_period");
    let third = PerfBuffer::builder(&map).source(PerfSource::programs().period(3));
    let error = third.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("each time"), "{error}");
}

/// `PERF_TYPE_SOFTWARE`, `PERF_COUNT_SW_CPU_CLOCK`
const CPU_CLOCK: (u32, u64) = (1, 0);

/// What fills the buffer of a counter is not what programs write: those are refused.
#[test]
fn a_counter_fills_the_buffer_in_the_chosen_slot() {
    require!(Need::Bpf);
    let cpu = online_cpus().unwrap()[0];
    stay_on(cpu);
    let map = events_for_all("t_counter");
    let clock = PerfSource::counter(CPU_CLOCK.0, CPU_CLOCK.1)
        .period(100_000)
        .fields(SampleFields::IP | SampleFields::TID | SampleFields::PERIOD);
    let mut samples = PerfBuffer::builder(&map)
        .cpus(&[cpu])
        .keys(&[0])
        .source(clock)
        .wakeup(Wakeup::Events(4))
        .build()
        .unwrap();
    let own = std::process::id();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let mut seen = 0;
    while seen < 4 {
        assert!(std::time::Instant::now() < deadline, "{seen} samples");
        for record in &samples.wait(Some(Duration::from_millis(50))).unwrap() {
            let PerfRecord::Sample(sample) = record.unwrap() else {
                continue;
            };
            let details = sample.details();
            assert!(sample.bytes().is_empty() && details.time.is_none());
            assert!(details.ip.is_some());
            assert_eq!(details.period, Some(100_000));
            // Of the idle task and others, too.
            seen += u32::from(details.process_and_thread.unwrap().0 == own);
        }
        std::hint::black_box((0..100_000).sum::<u64>());
    }
    // The helper refuses.
    write(&sender_to(&map, 1, 0), 20);
    for record in &samples.poll() {
        if let PerfRecord::Sample(sample) = record.unwrap() {
            assert!(sample.bytes().is_empty());
        }
    }

    let nothing = PerfBuffer::builder(&map)
        .source(PerfSource::counter(u32::MAX, 0))
        .build()
        .unwrap_err();
    assert!(
        nothing.hint().unwrap().contains("such a counter"),
        "{nothing}"
    );
}
