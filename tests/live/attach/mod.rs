//! Programs that run while they are attached, and not afterwards: a file for each kind.

mod capabilities;
pub(crate) mod details;
mod fentry;
mod iter;
mod kprobe;
mod link;
mod own_mounts;
mod probing;
mod questions;
mod refusals;
mod sampling;
mod struct_ops;
mod tracepoint;
mod uprobe;
#[cfg(target_arch = "x86_64")]
mod uprobe_files;
mod uprobe_multi;
#[cfg(target_arch = "x86_64")]
mod usdt;
#[cfg(target_arch = "x86_64")]
mod usdt_sites;

use crate::load::load_fixture;
use crate::matrix::{unless_refused, works};
use crate::support::{Need, fixture};
use rawbpf::MapType;
use rawbpf::attach::Link;
use rawbpf::insn::{Insn, class, mode, pseudo, size};
use rawbpf::load::Object;
use rawbpf::open::{OpenObject, SectionDef};
use rawbpf::program::Program;
use rawbpf::reloc::{LoadPlan, MapPlan, ProgramPlan, Ref, RefKind, Target};
use rawbpf::ring::RingBuffer;
use std::fs;
use std::time::{Duration, Instant};

/// Makes a system call that nothing else here makes.
pub(crate) fn call_getppid(times: u32) {
    for _ in 0..times {
        std::hint::black_box(std::os::unix::process::parent_id());
    }
}

pub(crate) fn own_process(object: &mut OpenObject) -> rawbpf::Result<()> {
    let tgid = std::process::id();
    object.variable_mut("targ_tgid")?.set(&tgid)
}

pub(crate) fn number(object: &Object, variable: &str) -> u64 {
    let bytes = object.read_variable(variable).unwrap();
    u64::from_ne_bytes(bytes.try_into().unwrap())
}

/// A program that counts this process's calls of getppid, and how to read the count.
pub(crate) struct Counter {
    object: Object,
    program: &'static str,
}

impl Counter {
    pub(crate) fn raw_tracepoint() -> Self {
        let object = load_fixture("count_raw_tp", |object| {
            own_process(object)?;
            object.variable_mut("targ_nr")?.set(&libc::SYS_getppid)
        });
        Self {
            object: object.unwrap(),
            program: "count_sys_enter",
        }
    }

    pub(crate) fn attach(&self) -> rawbpf::Result<Link> {
        self.object.program(self.program)?.attach()
    }

    pub(crate) fn count(&self) -> u64 {
        let counts = self.object.map("counts").unwrap();
        let values = counts.get_per_cpu(&0u32.to_ne_bytes()).unwrap().unwrap();
        let each = values
            .iter()
            .map(|v| u64::from_ne_bytes(v.try_into().unwrap()));
        each.sum()
    }

    /// How many of seven calls it sees.
    pub(crate) fn seen_of_seven(&self) -> u64 {
        let before = self.count();
        call_getppid(7);
        self.count() - before
    }
}

/// Tests that count calls which all of them make would count each other's.
static COUNTING: std::sync::Mutex<()> = std::sync::Mutex::new(());

pub(crate) fn alone() -> std::sync::MutexGuard<'static, ()> {
    COUNTING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Whether a record of `events` that contains these bytes arrives soon.
pub(crate) fn arrives(events: &mut RingBuffer, wanted: &[u8]) -> bool {
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

pub(crate) fn reads_of_this_file() {
    for _ in 0..5 {
        fs::read(fixture("no_btf.bpf.o")).unwrap();
    }
}

/// How many calls the histogram of `kprobe_latency` counted.
pub(crate) fn histogram_total(object: &Object) -> u32 {
    let bytes = object.read_variable("hist").unwrap();
    let (slots, _) = bytes.as_chunks::<4>();
    slots.iter().map(|slot| u32::from_ne_bytes(*slot)).sum()
}

/// Waits for something that the kernel does asynchronously.
pub(crate) fn soon(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "it takes too long: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What sleepable programs read from this process's memory.
pub(crate) static NUMBER: u64 = 0x1234_5678_9abc;

pub(crate) fn read_the_number(object: &Object) -> bool {
    number(object, "last_number") == NUMBER
}

/// Loads one program of the fixture `attach`, which then counts what this thread does.
pub(crate) fn tracer(program: &str) -> rawbpf::Result<Object> {
    load_fixture("attach", |object| {
        object.program_mut(program)?.set_autoload(true);
        let address = std::ptr::from_ref(&NUMBER).addr() as u64;
        object.variable_mut("user_number")?.set(&address)?;
        let tid = nix::unistd::gettid().as_raw().cast_unsigned();
        object.variable_mut("targ_tid")?.set(&tid)
    })
}

/// A way of attaching that is tried with a program of the fixture `attach`.
pub(crate) struct Trial {
    /// Its row in the table of attachments.
    pub(crate) row: &'static str,
    /// What is seen.
    pub(crate) effect: &'static str,
    /// The program.
    pub(crate) program: &'static str,
    /// If these are met it must work; otherwise it may be refused.
    pub(crate) needs: &'static [Need],
    /// Words of the refusal: one of these.
    pub(crate) words: &'static [&'static str],
}

impl Trial {
    /// Attaches, acts, and checks that the program saw it, and that it no longer does after detaching.
    pub(crate) fn run(
        &self,
        attach: impl FnOnce(&Program) -> rawbpf::Result<Link>,
        act: impl Fn(),
        seen: impl FnOnce(&Object) -> bool,
    ) {
        // It makes calls that tests of all threads count.
        let _alone = alone();
        let attached = tracer(self.program).and_then(|object| {
            let link = attach(object.program(self.program)?)?;
            Ok((object, link))
        });
        let text = attached.as_ref().err().map(ToString::to_string);
        let said = |words: &&&str| text.as_ref().is_some_and(|text| text.contains(**words));
        let words = self.words.iter().find(said).or(self.words.first());
        let words = words.copied().unwrap_or_default();
        let Some((object, link)) = unless_refused(self.row, attached, self.needs, words) else {
            return;
        };
        act();
        let seen = seen(&object);
        link.detach().unwrap();
        // A tracepoint's last calls may still be in progress.
        soon("detaching", || {
            let hits = number(&object, "hits");
            act();
            number(&object, "hits") == hits
        });
        works(self.row, self.effect, seen);
    }
}

/// An object with one handmade program that counts its runs in the first eight bytes of `.bss`.
pub(crate) fn counter(section: &str) -> Object {
    handmade(vec![counting_program("counter", section)])
}

/// The same with a program for each section, `counter_0` and so on.
pub(crate) fn counters(sections: &[&str]) -> Object {
    let programs = sections.iter().enumerate();
    let programs =
        programs.map(|(at, section)| counting_program(&format!("counter_{at}"), section));
    handmade(programs.collect())
}

fn counting_program(name: &str, section: &str) -> ProgramPlan {
    /// `BPF_F_SLEEPABLE`
    const SLEEPABLE: u32 = 1 << 4;
    const ATOMIC_ADD: u8 = class::STX | size::DW | mode::ATOMIC;
    let insns = [
        Insn::new(Insn::LD_IMM64, 1, pseudo::MAP_VALUE, 0, 0),
        Insn::default(),
        Insn::new(class::ALU64 | 0xb0, 2, 0, 0, 1),
        Insn::new(ATOMIC_ADD, 1, 2, 0, 0),
        Insn::new(class::ALU64 | 0xb0, 0, 0, 0, 0),
        Insn::new(Insn::EXIT, 0, 0, 0, 0),
    ];
    let def = SectionDef::find(section).expect("a section that libbpf knows");
    ProgramPlan {
        name: name.into(),
        section: section.into(),
        def: Some(def),
        kind: def.kind,
        expected_attach_type: def.attach_type,
        autoload: true,
        autoattach: true,
        flags: if def.is_sleepable() { SLEEPABLE } else { 0 },
        insns: insns.to_vec(),
        refs: vec![Ref {
            insn: 0,
            kind: RefKind::MapValue { map: 0 },
            name: ".bss".into(),
        }],
        ..ProgramPlan::default()
    }
}

fn handmade(programs: Vec<ProgramPlan>) -> Object {
    let counts = MapPlan {
        name: ".bss".into(),
        kind: MapType::ARRAY,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        autocreate: true,
        ..MapPlan::default()
    };
    let plan = LoadPlan {
        programs,
        maps: vec![counts],
        ..crate::load::plan(vec![], vec![])
    };
    plan.load(&Target::running()).unwrap()
}

pub(crate) fn runs(object: &Object) -> u64 {
    let value = object.map(".bss").unwrap().get(&[0; 4]).unwrap().unwrap();
    u64::from_ne_bytes(value.try_into().unwrap())
}
