//! Attaching asks the target that the object was loaded with, and each question only once.

use super::call_getppid;
use crate::load::RETURN_0;
use crate::support::{Need, check};
use rawbpf::attach::{Kprobe, Link, ProbeMode, Uprobe};
use rawbpf::btf::Btf;
use rawbpf::feature::Feature;
use rawbpf::load::Object;
use rawbpf::map::{Map, NewMap};
use rawbpf::open::OpenObject;
use rawbpf::program::Program;
use rawbpf::reloc::{KernelSource, ModuleBtf, ProbeKind, ProbePmu, Target};
use rawbpf::symbols::{Addresses, KernelSymbol};
use rawbpf::{AttachType, Errno, KernelVersion, MapType, Result};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

/// The running kernel, with a list of what it is asked.
#[derive(Debug, Default)]
struct Listening {
    asked: Mutex<Vec<String>>,
}

impl Listening {
    fn note(&self, question: &str) {
        self.asked.lock().unwrap().push(question.to_owned());
    }

    /// What was asked since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl KernelSource for Listening {
    fn name(&self) -> String {
        Target::running().name()
    }

    fn vmlinux_btf(&self) -> Result<Btf<'static>> {
        self.note("types");
        Target::running().vmlinux_btf().map(|btf| (**btf).clone())
    }

    fn module_btfs(&self, _: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>> {
        self.note("modules");
        Target::running().module_btfs().map(<[_]>::to_vec)
    }

    fn version(&self) -> Result<KernelVersion> {
        Target::running().version()
    }

    fn kconfig(&self) -> Result<Vec<u8>> {
        Target::running().kconfig().map(<[_]>::to_vec)
    }

    fn kallsyms(&self, visit: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
        Target::running().kallsyms(visit)
    }

    fn possible_cpus(&self) -> Result<u32> {
        Target::running().possible_cpus()
    }

    fn page_size(&self) -> u32 {
        Target::running().page_size()
    }

    fn supports(&self, feature: Feature) -> bool {
        self.note(&format!("{feature:?}"));
        Target::running().supports(feature)
    }

    fn probe_pmu(&self, kind: ProbeKind) -> Result<Option<ProbePmu>> {
        self.note(&format!("PMU of {kind:?}"));
        Ok(Target::running().probe_pmu(kind))
    }

    fn knows_attach_type(&self, attach_type: AttachType, flags: u32) -> Option<bool> {
        self.note(&format!("attach type {attach_type}"));
        Some(Target::running().knows_attach_type(attach_type, flags))
    }

    fn has_links(&self, _: BorrowedFd<'_>, attach_type: AttachType) -> Option<bool> {
        self.note(&format!("links of {attach_type}"));
        let of_events = attach_type == AttachType::PERF_EVENT;
        Some(!of_events || has_event_links())
    }
}

/// Whether the kernel has links of perf events: where it refuses one, it is asked for that.
fn has_event_links() -> bool {
    check(&[Need::Linux(5, 15)]).is_ok()
}

/// An object with so many programs of one section.
fn programs_of(section: &str, count: usize, target: &Target) -> Object {
    let one = OpenObject::from_instructions("p", section, RETURN_0.to_vec());
    let mut plan = one.relocate(target).unwrap();
    let program = plan.programs[0].clone();
    let numbered = (0..count).map(|number| {
        let mut program = program.clone();
        program.name = format!("p{number}");
        program
    });
    plan.programs = numbered.collect();
    plan.load(target).unwrap()
}

/// What is asked while one program is attached, and while twenty are, each by a target that knows nothing yet.
fn asked_for<T>(
    section: &str,
    attach: impl Fn(&Program) -> Result<T>,
) -> [(Vec<String>, Vec<Result<T>>); 2] {
    [1, 20].map(|count| {
        let source = Arc::new(Listening::default());
        let target = Target::new(Arc::<Listening>::clone(&source));
        let object = programs_of(section, count, &target);
        // It lives on in the object.
        drop(target);
        source.take();
        let attached: Vec<_> = object.programs().iter().map(&attach).collect();
        (source.take(), attached)
    })
}

#[test]
fn twenty_programs_ask_no_more_than_one() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let own = std::env::current_exe().unwrap();
    let at = Uprobe::entry(own, "main");
    let [(of_one, one), (of_twenty, twenty)] =
        asked_for("uprobe", |program| program.attach_uprobe(&at));
    let links = (!has_event_links()).then_some("links of perf_event");
    let asked: Vec<_> = ["PMU of Uprobe"].into_iter().chain(links).collect();
    assert_eq!(of_one, asked);
    assert_eq!(of_twenty, of_one);
    for link in one.into_iter().chain(twenty) {
        link.unwrap().detach().unwrap();
    }

    let has_kprobes = check(&[Need::Kprobes]).is_ok();
    let at = Kprobe::syscall("getppid");
    let [(of_one, _), (of_twenty, attached)] =
        asked_for("kprobe", |program| program.attach_kprobe(&at));
    let links = links.filter(|_| has_kprobes);
    let asked = ["SyscallWrapper", "PMU of Kprobe"].into_iter().chain(links);
    assert_eq!(of_one, asked.collect::<Vec<_>>());
    assert_eq!(of_twenty, of_one);
    assert!(attached.iter().all(|link| link.is_ok() == has_kprobes));
    call_getppid(1);
}

/// What the kernel refused is explained by what it has.
#[test]
fn refusals_are_explained_by_one_question() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 13));
    let no_sockets = Map::create(&NewMap::new(MapType::ARRAY, 4, 4, 1)).unwrap();
    let [(of_one, _), (of_twenty, refusals)] =
        asked_for("sk_skb/verdict", |program: &Program| -> Result<Link> {
            program.attach_sockmap(&no_sockets)
        });
    assert_eq!(of_one, ["links of sk_skb_verdict"]);
    assert_eq!(of_twenty, of_one);
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EINVAL));
        assert!(error.hint().unwrap().contains("a sockmap"), "{error}");
    }
}

/// The kernel's types are read once by all programs of the object, and by the target if that still lives.
#[test]
fn types_are_read_once() {
    require!(Need::Bpf, Need::Btf);
    let absent = |program: &Program| program.attach_raw_tracepoint("sched_swich");
    let [(of_one, _), (of_twenty, errors)] = asked_for("raw_tp", absent);
    assert_eq!(of_one, ["types"]);
    assert_eq!(of_twenty, of_one);
    for error in errors {
        let text = error.unwrap_err().to_string();
        assert!(text.contains("`sched_switch`"), "{text}");
    }

    let source = Arc::new(Listening::default());
    let target = Target::new(Arc::<Listening>::clone(&source));
    let object = programs_of("raw_tp", 1, &target);
    target.vmlinux_btf().unwrap();
    source.take();
    absent(&object.programs()[0]).unwrap_err();
    assert_eq!(source.take(), [""; 0]);
}

/// A program that came from elsewhere asks the target it is given.
#[test]
fn a_program_from_elsewhere_is_given_a_target() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let source = Arc::new(Listening::default());
    let target = Target::new(Arc::<Listening>::clone(&source));
    let object = programs_of("uprobe", 1, &Target::running());
    let id = object.programs()[0].id().unwrap();
    let at = Uprobe::entry(std::env::current_exe().unwrap(), "main").mode(ProbeMode::PerfEvent);
    for _ in 0..2 {
        let program = Program::from_id(id).unwrap().with_target(&target);
        drop(program.attach_uprobe(&at).unwrap());
    }
    assert_eq!(source.take(), ["PMU of Uprobe"]);
}
