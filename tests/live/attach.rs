//! Programs that run because they are attached, and do not run because they are not any more.

use crate::load::load_fixture;
use crate::support::{Need, PinFolder, check, fixture};
use rawbpf::attach::{Kprobe, KprobeMulti, Link, ProbeMode, Processes, Uprobe, UprobeMulti};
use rawbpf::insn::{Insn, class, mode, pseudo, size};
use rawbpf::load::Object;
use rawbpf::open::{OpenObject, SectionDef};
use rawbpf::reloc::{LoadPlan, MapPlan, ProgramPlan, Ref, RefKind, Target};
use rawbpf::ring::RingBuffer;
use rawbpf::{AttachType, ErrorKind, LinkType, MapType, ProgramType};
use std::fs::{self, File};
use std::io::Read;
use std::time::{Duration, Instant};

/// Makes a system call that nothing else here makes.
fn call_getppid(times: u32) {
    for _ in 0..times {
        std::hint::black_box(std::os::unix::process::parent_id());
    }
}

fn own_process(object: &mut OpenObject) -> rawbpf::Result<()> {
    let tgid = std::process::id();
    object.variable_mut("targ_tgid")?.set(&tgid)
}

fn number(object: &Object, variable: &str) -> u64 {
    let bytes = object.read_variable(variable).unwrap();
    u64::from_ne_bytes(bytes.try_into().unwrap())
}

/// A program that counts this process's calls of getppid, and how to read the count.
struct Counter {
    object: Object,
    program: &'static str,
}

impl Counter {
    fn raw_tracepoint() -> Self {
        let object = load_fixture("count_raw_tp", |object| {
            own_process(object)?;
            object.variable_mut("targ_nr")?.set(&libc::SYS_getppid)
        });
        Self {
            object: object.unwrap(),
            program: "count_sys_enter",
        }
    }

    fn attach(&self) -> rawbpf::Result<Link> {
        self.object.program(self.program)?.attach()
    }

    fn count(&self) -> u64 {
        let counts = self.object.map("counts").unwrap();
        let values = counts.get_per_cpu(&0u32.to_ne_bytes()).unwrap().unwrap();
        let each = values
            .iter()
            .map(|v| u64::from_ne_bytes(v.try_into().unwrap()));
        each.sum()
    }

    /// How many of seven calls it sees.
    fn seen_of_seven(&self) -> u64 {
        let before = self.count();
        call_getppid(7);
        self.count() - before
    }
}

/// Tests that count calls which all of them make: they would count each other's.
static COUNTING: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    COUNTING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_raw_tracepoint_is_seen_until_the_link_is_dropped() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let counter = Counter::raw_tracepoint();
    assert_eq!(counter.seen_of_seven(), 0, "nothing is attached yet");
    let link = counter.attach().unwrap();
    assert_eq!(link.name(), "count_sys_enter");
    assert_eq!(counter.seen_of_seven(), 7);
    let info = link.info().unwrap();
    assert_eq!(info.link_type, LinkType::RAW_TRACEPOINT);
    match (counter.attach(), check(&[Need::Linux(6, 10)])) {
        (Ok(second), _) => {
            assert_eq!(counter.seen_of_seven(), 14, "two links, two runs");
            second.detach().unwrap();
        }
        (Err(error), Err(_)) => assert!(error.hint().unwrap().contains("once"), "{error}"),
        (Err(error), Ok(())) => panic!("{error}"),
    }
    assert_eq!(counter.seen_of_seven(), 7);
    drop(link);
    assert_eq!(counter.seen_of_seven(), 0);
}

#[test]
fn a_pinned_link_outlives_its_handle() {
    require!(Need::Bpf, Need::Btf, Need::Bpffs);
    let _alone = alone();
    let pins = PinFolder::new();
    let path = pins.path().join("link");
    let counter = Counter::raw_tracepoint();
    let mut link = counter.attach().unwrap();
    link.pin(&path).unwrap();
    assert!(link.pin(&path).is_err(), "one pin a link");
    drop(link);
    assert_eq!(counter.seen_of_seven(), 7);
    let mut link = Link::from_pin(&path).unwrap();
    assert_eq!(
        (link.name(), link.pin_path()),
        ("link", Some(path.as_path()))
    );
    link.unpin().unwrap();
    assert!(!path.exists());
    assert_eq!(counter.seen_of_seven(), 7);
    drop(link);
    // The file that was the pin holds the link until the kernel has swept it away.
    let deadline = Instant::now() + Duration::from_secs(10);
    while counter.seen_of_seven() != 0 {
        assert!(Instant::now() < deadline, "it is still attached");
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = Link::from_pin(&path).unwrap_err();
    assert!(error.to_string().contains("link"), "{error}");
}

#[test]
fn a_typed_tracepoint_is_seen() {
    require!(Need::Bpf, Need::Btf);
    let _alone = alone();
    let object = load_fixture("count_tp_btf", |object| {
        own_process(object)?;
        object.variable_mut("targ_nr")?.set(&libc::SYS_getppid)
    });
    let object = object.unwrap();
    let links = object.attach().unwrap();
    let names: Vec<_> = links.iter().map(Link::name).collect();
    assert_eq!(names, ["count_sys_enter", "count_switch"]);
    let kind = links[0].info().unwrap().link_type;
    assert_eq!(kind, LinkType::RAW_TRACEPOINT, "so the kernel calls it");
    let before = number(&object, "sys_enters");
    call_getppid(7);
    assert_eq!(number(&object, "sys_enters") - before, 7);
    let switches = number(&object, "switches_to");
    std::thread::sleep(Duration::from_millis(50));
    assert!(
        number(&object, "switches_to") > switches,
        "sleeping switches tasks"
    );
    drop(links);
    let after = number(&object, "sys_enters");
    call_getppid(7);
    assert_eq!(number(&object, "sys_enters"), after);
}

/// Whether one of the records of `events` has these bytes in it, soon.
fn arrives(events: &mut RingBuffer, wanted: &[u8]) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let batch = events.wait(Some(Duration::from_millis(200))).unwrap();
        for record in &batch {
            let record = record.unwrap();
            if record.bytes().windows(wanted.len()).any(|w| w == wanted) {
                return true;
            }
        }
    }
    false
}

#[test]
fn opened_files_are_seen_on_tracepoints() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let object = load_fixture("opensnoop", own_process).unwrap();
    let links = object.attach().unwrap();
    assert_eq!(links.len(), 6);
    let mut events = RingBuffer::new(object.map("events").unwrap()).unwrap();
    let missing = format!("/no/such/file/{}", std::process::id());
    assert!(File::open(&missing).is_err());
    assert!(arrives(&mut events, missing.as_bytes()));
}

#[test]
fn programs_being_started_are_seen() {
    require!(Need::Bpf, Need::Btf);
    let object = load_fixture("execsnoop", |_| Ok(())).unwrap();
    let _links = object.attach().unwrap();
    let mut events = RingBuffer::new(object.map("events").unwrap()).unwrap();
    let own_exe = std::env::current_exe().unwrap();
    let word = format!("--rawbpf-{}", std::process::id());
    let mut command = std::process::Command::new(own_exe);
    command
        .args([&word, "--list"])
        .stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    command.status().unwrap();
    assert!(arrives(&mut events, word.as_bytes()));
}

#[test]
fn an_iterator_is_read_like_a_file() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 8));
    let object = load_fixture("iter_task", |_| Ok(())).unwrap();
    let link = object.program("list_tasks").unwrap().attach().unwrap();
    let own = std::process::id().to_string();
    for walk in 0..2 {
        let mut text = String::new();
        link.iterate().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.starts_with("tgid pid comm\n"), "walk {walk}: {text}");
        let listed = text
            .lines()
            .any(|line| line.split(' ').next() == Some(&own));
        assert!(listed, "walk {walk} did not meet process {own}:\n{text}");
    }
    let records = object.program("dump_tasks").unwrap().attach().unwrap();
    let mut bytes = Vec::new();
    records.iterate().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() % 24, 0);
    let own = std::process::id().to_ne_bytes();
    let mut records = bytes.chunks_exact(24);
    assert!(records.any(|record| record[4..8] == own));
}

/// What the user-space probes are put on.
#[expect(unsafe_code, reason = "the probe finds the function by this name")]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rawbpf_uprobe_target(number: u64) -> u64 {
    std::hint::black_box(number) * 2
}

#[test]
fn a_function_of_this_program_is_probed() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let own = "/proc/self/exe";
    let program = |name| object.program(name).unwrap();
    let error = program("call").attach().unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Unsupported,
        "the section names no target: {error}"
    );
    let own_calls = Processes::Own;
    let target = "rawbpf_uprobe_target";
    let entry = Uprobe::entry(own, target).processes(own_calls);
    let entry = program("call").attach_uprobe(&entry).unwrap();
    let exit = Uprobe::ret(own, target).processes(own_calls);
    let exit = program("ret").attach_uprobe(&exit).unwrap();
    // What is attached by section is only `call_by_path`.
    let links = object.attach().unwrap();
    assert_eq!(
        links.iter().map(Link::name).collect::<Vec<_>>(),
        ["call_by_path"]
    );
    assert_eq!(rawbpf_uprobe_target(21), 42);
    let counts = ["calls", "returns", "path_calls", "last_arg", "last_ret"];
    let seen = counts.map(|name| number(&object, name));
    assert_eq!(seen, [1, 1, 1, 21, 42]);
    drop((entry, exit, links));
    rawbpf_uprobe_target(1);
    assert_eq!(counts.map(|name| number(&object, name)), seen);
}

#[test]
fn a_probe_made_through_tracefs_works_alike_and_is_removed() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes, Need::Tracefs);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let own = std::env::current_exe().unwrap();
    let at = Uprobe::entry(own, "rawbpf_uprobe_target").mode(ProbeMode::Tracefs);
    let link = object.program("call").unwrap().attach_uprobe(&at).unwrap();
    let list = || {
        let list = crate::support::mount_point("tracefs")
            .unwrap()
            .join("uprobe_events");
        fs::read_to_string(list).unwrap()
    };
    let mine = format!("rawbpf_{}_", std::process::id());
    assert!(list().contains(&mine), "{}", list());
    rawbpf_uprobe_target(4);
    assert!(number(&object, "calls") >= 1);
    drop(link);
    assert!(!list().contains(&mine), "{}", list());
}

#[test]
fn a_probe_of_a_process_that_was_killed_is_removed_by_the_next() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes, Need::Tracefs);
    let _alone = alone();
    let list = crate::support::mount_point("tracefs")
        .unwrap()
        .join("uprobe_events");
    let own = std::env::current_exe().unwrap();
    // No process has this number: it is above the limit of 4194304.
    let left = format!(
        "p:uprobes/rawbpf_99999999_0_left {}:0x1000\n",
        own.display()
    );
    let written = fs::OpenOptions::new().append(true).open(&list);
    std::io::Write::write_all(&mut written.unwrap(), left.as_bytes()).unwrap();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let at = Uprobe::entry(own, "rawbpf_uprobe_target").mode(ProbeMode::Tracefs);
    let link = object.program("ret").unwrap().attach_uprobe(&at).unwrap();
    let listed = fs::read_to_string(&list).unwrap();
    assert!(!listed.contains("rawbpf_99999999_"), "{listed}");
    drop(link);
}

#[test]
fn a_function_that_the_file_does_not_have_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    let at = Uprobe::entry("/proc/self/exe", "rawbpf_uprobe_targe");
    let error = program.attach_uprobe(&at).unwrap_err().to_string();
    assert!(
        error.starts_with("attaching `call` to uprobe /proc/self/exe:rawbpf_uprobe_targe: ")
            && error.contains("`rawbpf_uprobe_target`"),
        "{error}"
    );
    let at = Uprobe::entry("/no/such/file", "main");
    let error = program.attach_uprobe(&at).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let at = Uprobe::entry("no-such-program", "main");
    let error = program.attach_uprobe(&at).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

fn reads_of_this_file() {
    for _ in 0..5 {
        fs::read(fixture("no_btf.bpf.o")).unwrap();
    }
}

/// How many calls the histogram of `kprobe_latency` has.
fn histogram_total(object: &Object) -> u32 {
    let bytes = object.read_variable("hist").unwrap();
    let (slots, _) = bytes.as_chunks::<4>();
    slots.iter().map(|slot| u32::from_ne_bytes(*slot)).sum()
}

#[test]
fn kernel_functions_are_probed_in_every_way() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes, Need::Tracefs);
    let _alone = alone();
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    let by_section = object.attach().unwrap();
    assert_eq!(by_section.len(), 2);
    reads_of_this_file();
    assert!(histogram_total(&object) >= 5);
    drop(by_section);

    let has_links = check(&[Need::Linux(5, 15)]).is_ok();
    for mode in [
        ProbeMode::Default,
        ProbeMode::PerfEvent,
        ProbeMode::Tracefs,
        ProbeMode::Link,
    ] {
        let attach = |name, at: Kprobe| object.program(name).unwrap().attach_kprobe(&at.mode(mode));
        let entry = attach("read_enter", Kprobe::entry("vfs_read"));
        if mode == ProbeMode::Link && !has_links {
            let error = entry.unwrap_err();
            assert!(error.errno().is_some(), "{error}");
            continue;
        }
        let entry = entry.unwrap();
        let exit = attach("read_exit", Kprobe::ret("vfs_read")).unwrap();
        let is_link = has_links && matches!(mode, ProbeMode::Default | ProbeMode::Link);
        assert_eq!(entry.fd().is_some(), is_link, "{mode:?}");
        let before = histogram_total(&object);
        reads_of_this_file();
        assert!(histogram_total(&object) - before >= 5, "{mode:?}");
        drop((entry, exit));
        let after = histogram_total(&object);
        reads_of_this_file();
        assert_eq!(histogram_total(&object), after, "{mode:?}: still attached");
    }
    let list = crate::support::mount_point("tracefs")
        .unwrap()
        .join("kprobe_events");
    let listed = fs::read_to_string(list).unwrap();
    let mine = format!("rawbpf_{}_", std::process::id());
    assert!(!listed.contains(&mine), "{listed}");
}

#[test]
fn a_kernel_function_that_is_not_there_is_named() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes);
    let _alone = alone();
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    let program = object.program("read_enter").unwrap();
    for mode in [ProbeMode::Default, ProbeMode::Tracefs] {
        let at = Kprobe::entry("vfs_raed").mode(mode);
        let error = program.attach_kprobe(&at).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("no function `vfs_raed`") && text.contains("`vfs_read`"),
            "{mode:?}: {text}"
        );
    }
    let cookie = Kprobe::entry("vfs_read").cookie(7);
    let attached = program.attach_kprobe(&cookie);
    match check(&[Need::Linux(5, 15)]) {
        Ok(()) => drop(attached.unwrap()),
        Err(_) => assert!(attached.unwrap_err().hint().unwrap().contains("5.15")),
    }
}

#[test]
fn a_kernel_without_kprobes_says_so() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    if check(&[Need::Kprobes]).is_ok() {
        return;
    }
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    let error = object.attach().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.hint().unwrap().contains("CONFIG_KPROBE_EVENTS"),
        "{error}"
    );
}

#[test]
fn a_system_call_is_probed_by_its_name() {
    require!(Need::Bpf, Need::Btf, Need::Kprobes);
    let _alone = alone();
    let object = load_fixture("kprobe_latency", own_process).unwrap();
    let entry = object
        .program("read_enter")
        .unwrap()
        .attach_ksyscall("getppid")
        .unwrap();
    let exit = object
        .program("read_exit")
        .unwrap()
        .attach_kretsyscall("getppid")
        .unwrap();
    call_getppid(7);
    assert!(histogram_total(&object) >= 7);
    drop((entry, exit));
}

#[test]
fn entry_and_exit_of_a_function_are_seen() {
    require!(Need::Bpf, Need::Btf, Need::Fentry);
    let object = load_fixture("fentry", own_process).unwrap();
    let links = object.attach().unwrap();
    assert_eq!(links.len(), 2);
    reads_of_this_file();
    let seen = ["entries", "exits"].map(|name| number(&object, name));
    assert!(seen.iter().all(|count| *count >= 5), "{seen:?}");
    drop(links);
    let after = number(&object, "entries");
    reads_of_this_file();
    assert_eq!(number(&object, "entries"), after);
}

#[test]
fn places_that_are_not_there_are_named() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let object = load_fixture("opensnoop", own_process).unwrap();
    let program = &object.programs()[0];
    let error = program
        .attach_tracepoint("sched", "sched_swich")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no tracepoint `sched/sched_swich`") && error.contains("`sched_switch`"),
        "{error}"
    );
    let error = program
        .attach_tracepoint("schd", "sched_switch")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no category `schd`") && error.contains("`sched`"),
        "{error}"
    );
    let error = program.attach_tracepoint("../..", "x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);

    let object = load_fixture("count_raw_tp", own_process).unwrap();
    let error = object.programs()[0]
        .attach_raw_tracepoint("sys_entre")
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("no raw tracepoint `sys_entre`"),
        "{error}"
    );
}

#[test]
fn a_congestion_control_is_registered_as_long_as_its_link_lives() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 6));
    let object = load_fixture("struct_ops", |_| Ok(())).unwrap();
    let available =
        || fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap();
    let links = object.attach().unwrap();
    assert_eq!(
        links.iter().map(Link::name).collect::<Vec<_>>(),
        ["rawbpf_cc"]
    );
    assert!(available().contains("rawbpf_cc"), "{}", available());
    drop(links);
    assert!(!available().contains("rawbpf_cc"), "{}", available());
}

/// A handmade program that counts its runs in the first eight bytes of `.bss`.
fn counting(section: &str, attach_type: AttachType) -> Object {
    const ATOMIC_ADD: u8 = class::STX | size::DW | mode::ATOMIC;
    let insns = [
        Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_VALUE, 0, 0),
        Insn::default(),
        Insn::new(class::ALU64 | 0xb0, 2, 0, 0, 1),
        Insn::new(ATOMIC_ADD, 1, 2, 0, 0),
        Insn::new(class::ALU64 | 0xb0, 0, 0, 0, 0),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    let counter = MapPlan {
        name: ".bss".into(),
        kind: MapType::ARRAY,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        autocreate: true,
        ..MapPlan::default()
    };
    let program = ProgramPlan {
        name: "counter".into(),
        section: section.into(),
        def: SectionDef::find(section),
        kind: ProgramType::KPROBE,
        expected_attach_type: attach_type,
        autoload: true,
        autoattach: true,
        insns: insns.to_vec(),
        refs: vec![Ref {
            insn: 0,
            kind: RefKind::MapValue { map: 0 },
            name: ".bss".into(),
        }],
        ..ProgramPlan::default()
    };
    let plan = LoadPlan {
        programs: vec![program],
        maps: vec![counter],
        ..crate::load::plan(vec![], vec![])
    };
    plan.load(&Target::running()).unwrap()
}

fn runs(object: &Object) -> u64 {
    let value = object.map(".bss").unwrap().get(&[0; 4]).unwrap().unwrap();
    u64::from_ne_bytes(value.try_into().unwrap())
}

#[test]
fn many_functions_of_this_program_are_probed_at_once() {
    require!(Need::Bpf, Need::UprobeMulti);
    let _alone = alone();
    let section = "uprobe.multi//proc/self/exe:rawbpf_uprobe_tar*";
    let object = counting(section, AttachType::TRACE_UPROBE_MULTI);
    let links = object.attach().unwrap();
    assert_eq!(links[0].info().unwrap().link_type, LinkType::UPROBE_MULTI);
    rawbpf_uprobe_target(1);
    assert_eq!(runs(&object), 1);
    let program = object.program("counter").unwrap();
    let at = UprobeMulti::names("/proc/self/exe", ["rawbpf_uprobe_target"]);
    let exit = at.on_return().processes(Processes::Own).cookies([7]);
    let exit = program.attach_uprobe_multi(&exit).unwrap();
    rawbpf_uprobe_target(1);
    assert_eq!(runs(&object), 3);
    drop((links, exit));
    rawbpf_uprobe_target(1);
    assert_eq!(runs(&object), 3);
    let none = UprobeMulti::pattern("/proc/self/exe", "rawbpf_no_such_*");
    let error = program.attach_uprobe_multi(&none).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let odd = UprobeMulti::names("/proc/self/exe", ["rawbpf_uprobe_target"]).cookies([1, 2]);
    let error = program.attach_uprobe_multi(&odd).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn many_kernel_functions_are_probed_at_once() {
    require!(Need::Bpf, Need::KprobeMulti, Need::Tracefs);
    let _alone = alone();
    let object = counting("kprobe.multi/vfs_rea?", AttachType::TRACE_KPROBE_MULTI);
    let links = object.attach().unwrap();
    assert_eq!(links[0].info().unwrap().link_type, LinkType::KPROBE_MULTI);
    reads_of_this_file();
    let seen = runs(&object);
    assert!(seen >= 5, "{seen}");
    drop(links);
    let after = runs(&object);
    reads_of_this_file();
    assert_eq!(runs(&object), after);
    let program = object.program("counter").unwrap();
    let names = KprobeMulti::names(["vfs_read", "vfs_write"])
        .on_return()
        .cookies([1, 2]);
    let link = program.attach_kprobe_multi(&names).unwrap();
    reads_of_this_file();
    assert!(runs(&object) - after >= 5);
    drop(link);
    let none = KprobeMulti::pattern("rawbpf_no_such_*");
    let error = program.attach_kprobe_multi(&none).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let none = KprobeMulti::pattern("vfs_raed");
    let error = program.attach_kprobe_multi(&none).unwrap_err().to_string();
    assert!(error.contains("`vfs_read`"), "{error}");
}
