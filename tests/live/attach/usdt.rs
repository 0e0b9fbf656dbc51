//! USDT probes in this test program.

use super::usdt_sites as sites;
use super::{alone, number};
use crate::load::load_fixture;
use crate::matrix::{unless_refused, works};
use crate::support::{Need, check, fixture};
use rawbpf::attach::{Link, Processes, Uprobe, UprobeMulti, Usdt};
use rawbpf::elf::usdt::UsdtFile;
use rawbpf::load::Object;
use rawbpf::{AttachType, Errno, ErrorKind, Result};

fn own(name: &str) -> Usdt {
    Usdt::new("/proc/self/exe", "rawbpf_test", name).processes(Processes::Own)
}

/// An object that records the probes it sees, which are attached by call.
struct Watcher(Object);

impl Watcher {
    fn new(fixture: &str) -> Self {
        Self(load_fixture(fixture, |_| Ok(())).unwrap())
    }

    fn attach(&self, at: &Usdt) -> Result<Link> {
        self.0.program("by_call")?.attach_usdt(at)
    }

    fn hits(&self) -> u64 {
        number(&self.0, "hits")
    }

    /// The arguments at the last hit.
    fn args(&self) -> Vec<i64> {
        let count = self.0.read_variable("arg_cnt").unwrap();
        let count = i32::from_ne_bytes(count.try_into().unwrap());
        let args = self.0.read_variable("args").unwrap();
        let (args, _) = args.as_chunks::<8>();
        let args = args.iter().map(|arg| i64::from_ne_bytes(*arg));
        args.take(usize::try_from(count).unwrap()).collect()
    }
}

const EFFECT: &str = "all arguments of a probe are read";

#[test]
fn arguments_are_read_wherever_they_are() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let watcher = Watcher::new("usdt");
    let registers = watcher.attach(&own("registers").cookie(0xfeed)).unwrap();
    sites::registers(-5, u64::MAX - 1, 0xff);
    assert_eq!(watcher.args(), [-5, -2, 255, -1, -9, 71]);
    assert_eq!(number(&watcher.0, "cookie"), 0xfeed);
    let results = watcher.0.read_variable("results").unwrap();
    let (results, _) = results.as_chunks::<4>();
    let read = results.iter().filter(|result| **result == [0; 4]).count();
    assert_eq!(read, 6, "six arguments, and no seventh");

    let memory = watcher.attach(&own("memory")).unwrap();
    sites::memory(&[-7, -1, 0x1_fffe, 3]);
    assert_eq!(watcher.args(), [-7, 0xffff_ffff, -2, 0x3_0001_fffe]);
    assert_eq!(number(&watcher.0, "cookie"), 0);

    let indexed = watcher.attach(&own("indexed")).unwrap();
    sites::indexed(&[10, -20, 0x0304, 40], 2);
    let seen = watcher.args();
    assert_eq!(seen, [0x0304, -20, 0]);
    works("usdt", EFFECT, watcher.hits() == 3);

    assert!(registers.fd().is_none() && registers.info().is_err());
    drop((registers, memory));
    indexed.detach().unwrap();
    sites::registers(1, 2, 3);
    sites::memory(&[0; 4]);
    sites::indexed(&[0; 4], 1);
    assert_eq!(watcher.hits(), 3);
}

#[test]
fn the_first_layout_of_specs_is_written_too() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let watcher = Watcher::new("usdt_first");
    let registers = watcher.attach(&own("registers").cookie(9)).unwrap();
    let memory = watcher.attach(&own("memory")).unwrap();
    sites::registers(-5, u64::MAX - 1, 0xff);
    assert_eq!(watcher.args(), [-5, -2, 255, -1, -9, 71]);
    assert_eq!(number(&watcher.0, "cookie"), 9);
    sites::memory(&[-7, -1, 0x1_fffe, 3]);
    let seen = watcher.args() == [-7, 0xffff_ffff, -2, 0x3_0001_fffe];
    works(
        "usdt of objects with the header before libbpf 1.7",
        EFFECT,
        seen,
    );
    drop((registers, memory));
    let error = watcher.attach(&own("indexed")).unwrap_err();
    assert!(error.hint().unwrap().contains("libbpf 1.7"), "{error}");
}

#[test]
fn all_places_of_a_probe_are_one_link() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let watcher = Watcher::new("usdt");
    let multi = check(&[Need::UprobeMulti]).is_ok();
    let attach_type = watcher.0.program("by_call").unwrap().attach_type();
    assert_eq!(attach_type == Some(AttachType::TRACE_UPROBE_MULTI), multi);
    let link = watcher.attach(&own("many")).unwrap();
    sites::many(100);
    let seen = watcher.hits() == 4;
    works(
        "usdt in many places",
        "all places where a probe stands are seen",
        seen,
    );
    assert_eq!(watcher.args(), [103]);
    drop(link);
    sites::many(200);
    assert_eq!(watcher.hits(), 4);
}

#[test]
fn specs_are_shared_and_given_back() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    // There is room for four specs.
    let watcher = Watcher::new("usdt_first");
    let held = watcher.attach(&own("registers")).unwrap();
    for round in 1..=6 {
        let link = watcher.attach(&own("many")).unwrap();
        sites::many(round);
        assert_eq!(watcher.hits(), round * 4, "four places, two specs");
        drop(link);
    }
    let many = watcher.attach(&own("many")).unwrap();
    let memory = watcher.attach(&own("memory")).unwrap();
    let error = watcher.attach(&own("two_nops")).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::E2BIG));
    assert!(error.to_string().contains("room for 4 specs"), "{error}");
    drop(many);
    let two_nops = watcher.attach(&own("two_nops")).unwrap();
    sites::two_nops(5);
    assert_eq!(watcher.args(), [5]);
    sites::registers(1, 2, 3);
    assert_eq!(watcher.args()[..2], [1, 2], "its spec is still its own");
    drop((held, memory, two_nops));
    let left = watcher.0.map("__bpf_usdt_ip_to_spec_id").unwrap();
    assert_eq!(left.keys().count(), 0, "addresses are given back, too");
}

#[test]
fn an_instruction_can_have_two_attachments_where_there_are_cookies() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let watcher = Watcher::new("usdt");
    let first = watcher.attach(&own("many").cookie(1)).unwrap();
    let second = watcher.attach(&own("many").cookie(2));
    if let Err(error) = second {
        assert!(check(&[Need::Linux(5, 15)]).is_err(), "{error}");
        assert_eq!(error.errno(), Some(Errno::EEXIST));
        assert!(error.hint().unwrap().contains("5.15"), "{error}");
        sites::many(1);
        assert_eq!(watcher.hits(), 4, "the first is as it was");
    } else {
        sites::many(1);
        assert_eq!(watcher.hits(), 8);
    }
    drop(first);
}

#[test]
fn a_probe_on_two_nops_is_seen() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let watcher = Watcher::new("usdt");
    let _link = watcher.attach(&own("two_nops")).unwrap();
    for number in 1..=20 {
        sites::two_nops(number);
        assert_eq!(watcher.hits(), number);
        assert_eq!(watcher.args(), [i64::try_from(number).unwrap()]);
    }
}

#[test]
fn a_semaphore_counts_those_who_listen() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let watcher = Watcher::new("usdt");
    assert_eq!(sites::listeners(), 0);
    let link = watcher.attach(&own("counted")).unwrap();
    let counted = sites::listeners() > 0;
    works(
        "usdt with a semaphore",
        "it is raised while somebody listens",
        counted,
    );
    sites::counted(8);
    assert_eq!(watcher.args(), [8]);
    drop(link);
    assert_eq!(sites::listeners(), 0);
}

#[test]
fn a_counter_is_raised_by_plain_probes_too() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let bytes = std::fs::read("/proc/self/exe").unwrap();
    let file = UsdtFile::open(&bytes).unwrap();
    let note = file.notes().iter().find(|note| note.name == "counted");
    let place = file.place(note.unwrap()).unwrap();
    let counter = place.semaphore.unwrap();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let at = Uprobe::file_offset("/proc/self/exe", place.offset)
        .ref_ctr_offset(counter.try_into().unwrap())
        .processes(Processes::Own);
    let link = object.program("call").unwrap().attach_uprobe(&at).unwrap();
    works(
        "uprobe with a reference counter",
        "it is raised while somebody listens",
        sites::listeners() > 0,
    );
    sites::counted(6);
    assert_eq!(number(&object, "last_arg"), 6);
    drop(link);
    assert_eq!(sites::listeners(), 0);

    if check(&[Need::UprobeMulti]).is_ok() {
        let object = load_fixture("uprobe_multi", |_| Ok(())).unwrap();
        let at = UprobeMulti::file_offsets("/proc/self/exe", [place.offset])
            .ref_ctr_offsets([counter])
            .processes(Processes::Own);
        let link = object
            .program("call")
            .unwrap()
            .attach_uprobe_multi(&at)
            .unwrap();
        assert!(sites::listeners() > 0);
        drop(link);
        assert_eq!(sites::listeners(), 0);
    }
}

#[test]
fn all_processes_are_seen_where_there_are_cookies() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let watcher = Watcher::new("usdt");
    let everywhere = own("memory").processes(Processes::All);
    let link = watcher.attach(&everywhere);
    let what = "usdt in all processes";
    if let Some(_link) = unless_refused(what, link, &[Need::Linux(5, 15)], "Linux 5.15") {
        sites::memory(&[1, 2, 3, 4]);
        works(what, EFFECT, watcher.args()[..2] == [1, 2]);
    }
}

#[test]
fn a_section_names_its_probe() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let watcher = Watcher::new("usdt");
    let error = watcher.0.program("by_call").unwrap().attach().unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Unsupported,
        "it names none: {error}"
    );
    let links = watcher.0.attach();
    let links = match links {
        Ok(links) => links,
        Err(error) => {
            assert!(check(&[Need::Linux(5, 15)]).is_err(), "{error}");
            return assert!(error.hint().unwrap().contains("5.15"), "{error}");
        }
    };
    let names: Vec<_> = links.iter().map(Link::name).collect();
    assert_eq!(names, ["by_section"]);
    sites::by_section();
    assert_eq!(number(&watcher.0, "section_hits"), 1);
}

#[test]
fn a_sleepable_program_is_attached_by_call_only() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("usdt", |object| {
        object.program_mut("sleepable")?.set_autoload(true);
        Ok(())
    });
    let Some(object) = unless_refused("usdt.s", object, &[Need::Linux(6, 0)], "sleepable") else {
        return;
    };
    let program = object.program("sleepable").unwrap();
    let error = program.attach().unwrap_err();
    assert!(error.hint().unwrap().contains("attach_usdt"), "{error}");
    let error = object.attach().unwrap_err();
    assert!(error.to_string().contains("`sleepable`"), "{error}");
    let link = program.attach_usdt(&own("by_section")).unwrap();
    sites::by_section();
    let seen = number(&object, "sleepable_hits") == 1;
    works("usdt.s", "a hit of a probe is seen", seen);
    drop(link);
}

#[test]
fn probes_that_are_not_there_are_named() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let watcher = Watcher::new("usdt");
    let refused = |at: &Usdt| watcher.attach(at).unwrap_err();
    let error = refused(&own("register"));
    assert_eq!(
        (error.kind(), error.errno()),
        (ErrorKind::NotFound, Some(Errno::ENOENT))
    );
    let text = error.to_string();
    assert!(
        text.starts_with(
            "attaching `by_call` to USDT probe rawbpf_test:register of /proc/self/exe: "
        ) && text.contains("did you mean `rawbpf_test:registers`"),
        "{text}"
    );
    let error = refused(&Usdt::new("/proc/self/exe", "other", "x"));
    assert!(
        error
            .hint()
            .unwrap()
            .contains("rawbpf_test:by_section, rawbpf_test:counted, "),
        "{error}"
    );
    // What nobody calls is not in the program.
    sites::unreadable();
    let error = refused(&own("unreadable"));
    assert!(
        error.to_string().contains("argument 1, `8@%xmm0`"),
        "{error}"
    );
    let error = refused(&Usdt::new("/no/such/file", "p", "n"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = refused(&Usdt::new("no-such-library.so", "p", "n"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = refused(&Usdt::new(fixture("usdt.bpf.o"), "p", "n"));
    assert!(error.to_string().contains("no executable"), "{error}");

    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let error = object
        .program("call")
        .unwrap()
        .attach_usdt(&own("many"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidObject);
    assert!(error.hint().unwrap().contains("usdt.bpf.h"), "{error}");
}
