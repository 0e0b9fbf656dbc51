//! Programs at the entry and exit of functions, by trampolines; LSM hooks; replaced functions.

use super::{
    Trial, alone, call_getppid, number, own_process, read_the_number, reads_of_this_file, tracer,
};
use crate::load::load_fixture;
use crate::matrix::{refused, unless_refused, works};
use crate::net::{in_network, send_through_veth, veth};
use crate::support::{Need, check};
use rawbpf::Errno;
use rawbpf::attach::TracingMulti;
use rawbpf::load::Object;
use rawbpf::program::{Program, TestRun};

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

fn saw_five_reads(object: &Object) -> bool {
    number(object, "hits") >= 5
}

#[test]
fn functions_are_watched_as_their_sections_say() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let trial = |row, program, effect| Trial {
        row,
        effect,
        program,
        needs: &[Need::Fentry],
        words: &["lockdown", "need Linux"],
    };
    for row in ["fentry", "fexit"] {
        let trial = trial(row, row, "reads of a thread are counted");
        trial.run(Program::attach, reads_of_this_file, saw_five_reads);
    }
    let cookie = Trial {
        needs: &[Need::Fentry, Need::Linux(6, 0)],
        words: &["lockdown", "in programs of type tracing needs Linux 6.0"],
        ..trial(
            "fentry with cookie",
            "fentry_cookie",
            "the program reads its cookie",
        )
    };
    cookie.run(
        |program| program.attach_tracing_with_cookie(77),
        reads_of_this_file,
        |object| number(object, "last_cookie") == 77,
    );
    let session = Trial {
        needs: &[Need::Fentry, Need::Linux(7, 0)],
        ..trial(
            "fsession",
            "fsession",
            "calls and returns are counted by one program",
        )
    };
    session.run(Program::attach, reads_of_this_file, |object| {
        let hits = number(object, "hits");
        hits >= 10 && hits.is_multiple_of(2)
    });
}

#[test]
fn programs_that_may_sleep_read_memory_of_the_process() {
    const ROW: &str = "fentry.s";
    const EFFECT: &str = "a sleepable program reads a number of the process";
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let hook = Trial {
        row: "lsm.s",
        effect: EFFECT,
        program: "lsm_sleepable",
        needs: &[Need::Lsm, Need::Linux(5, 11)],
        words: &["lockdown", "is not sleepable"],
    };
    hook.run(Program::attach, reads_of_this_file, read_the_number);

    let loaded = tracer("fentry_sleepable");
    let words = match check(&[Need::Fentry]) {
        Ok(()) => "is not sleepable",
        Err(_) => "lockdown",
    };
    let needs = [Need::Fentry, Need::Linux(6, 3)];
    let Some(object) = unless_refused(ROW, loaded, &needs, words) else {
        return;
    };
    let program = object.program("fentry_sleepable").unwrap();
    let run = || program.test_run(&TestRun::new()).unwrap();
    let link = program.attach().unwrap();
    run();
    let seen = read_the_number(&object);
    link.detach().unwrap();
    let hits = number(&object, "hits");
    run();
    works(ROW, EFFECT, seen && number(&object, "hits") == hits);
}

#[test]
fn many_functions_are_watched_at_once() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let trial = |row, program, effect| Trial {
        row,
        effect,
        program,
        needs: &[Need::Fentry, Need::Linux(7, 2)],
        words: &["need Linux 7.2"],
    };
    let reads = "calls of functions that match are counted";
    for (row, program) in [
        ("fentry.multi", "fentry_multi"),
        ("fexit.multi", "fexit_multi"),
    ] {
        trial(row, program, reads).run(Program::attach, reads_of_this_file, saw_five_reads);
    }
    let session = trial(
        "fsession.multi",
        "fsession_multi",
        "calls and returns are counted by one program",
    );
    session.run(Program::attach, reads_of_this_file, |object| {
        let hits = number(object, "hits");
        hits >= 10 && hits.is_multiple_of(2)
    });
    if check(session.needs).is_err() {
        return;
    }
    let object = tracer("fentry_multi").unwrap();
    let program = object.program("fentry_multi").unwrap();
    let at = TracingMulti::names(["vfs_read", "vfs_write"]).cookies([1, 2]);
    drop(program.attach_tracing_multi(&at).unwrap());
    let error = program.attach_tracing_multi(&TracingMulti::names(["vfs_raed"]));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`vfs_read`"), "{error}");
    let none = program.attach_tracing_multi(&TracingMulti::pattern("rawbpf_no_*"));
    assert_eq!(none.unwrap_err().kind(), rawbpf::ErrorKind::NotFound);
}

#[test]
fn functions_of_a_module_are_watched_at_once() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let trial = Trial {
        row: "fentry.multi of a module",
        effect: "calls of functions that match are counted",
        program: "fentry_multi_module",
        needs: &[Need::Fentry, Need::Linux(7, 2), Need::ModuleBtf],
        words: &["need Linux 7.2", "no module `veth`"],
    };
    in_network(|| {
        veth(1500);
        let sent = |object: &Object| number(object, "hits") > 0;
        trial.run(Program::attach, send_through_veth, sent);
        if check(trial.needs).is_ok() {
            let object = tracer(trial.program).unwrap();
            let program = object.program(trial.program).unwrap();
            let attach = |at: TracingMulti| program.attach_tracing_multi(&at);
            drop(attach(TracingMulti::names(["veth_xmit"])).unwrap());
            let error = attach(TracingMulti::pattern("vmlinux:vfs_*")).unwrap_err();
            assert!(error.message().contains("functions of veth"), "{error}");
            let error = attach(TracingMulti::names(["vfs_read"])).unwrap_err();
            assert_eq!(error.kind(), rawbpf::ErrorKind::NotFound, "{error}");
        }
    });
}

/// Whether this thread may create a folder.
fn may_make_a_folder() -> bool {
    let place = tempfile::tempdir();
    place.is_ok()
}

#[test]
fn results_are_replaced() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    for (row, needs) in [("fmod_ret", &[Need::Fentry]), ("lsm", &[Need::Lsm])] {
        let attached = tracer(row).and_then(|object| {
            let link = object.program(row)?.attach()?;
            Ok((object, link))
        });
        let Some((_object, link)) = unless_refused(row, attached, needs, "lockdown") else {
            continue;
        };
        let refused = !may_make_a_folder();
        link.detach().unwrap();
        works(
            row,
            "a thread is refused a new folder, until it is detached",
            refused && may_make_a_folder(),
        );
    }
}

#[test]
fn a_hook_of_a_cgroup_is_loaded() {
    require!(Need::Bpf, Need::Btf, Need::Tracefs);
    let loaded = tracer("lsm_cgroup");
    if check(&[Need::Lsm, Need::Linux(6, 0)]).is_err() {
        let old = check(&[Need::Linux(6, 0)]).is_err();
        let words = if old { "need Linux 6.0" } else { "lockdown" };
        return refused("lsm_cgroup (loading)", loaded, words);
    }
    let info = loaded.unwrap().programs()[0].info();
    works(
        "lsm_cgroup (loading)",
        "the kernel knows the program",
        info.is_ok(),
    );
}

#[test]
fn a_function_has_a_program_once() {
    require!(Need::Bpf, Need::Btf, Need::Fentry);
    let object = load_fixture("fentry", own_process).unwrap();
    let program = &object.programs()[0];
    let _link = program.attach().unwrap();
    let error = program.attach().unwrap_err();
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("attached there already"), "{error}");
}

const LATE_FREPLACE: &str = "freplace of a target given when attaching";
/// What is seen of a replaced function.
const ANSWERS: &str = "the program gets the other function's answer, until it is detached";

/// The fixture `attach` with only this program, which is for a function of another.
fn for_a_program(program: &str, target: &Program) -> rawbpf::Result<Object> {
    load_fixture("attach", |object| {
        let tid = nix::unistd::gettid().as_raw().cast_unsigned();
        object.variable_mut("targ_tid")?.set(&tid)?;
        let program = object.program_mut(program)?;
        program
            .set_autoload(true)
            .set_attach_program(target)
            .map(drop)
    })
}

#[test]
fn the_exit_of_a_program_is_seen() {
    const ROW: &str = "fexit of a program";
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 6));
    let _alone = alone();
    let watched = tracer("asks").unwrap();
    let watching = for_a_program("fexit_of_program", watched.program("asks").unwrap());
    let Some(watching) = unless_refused(ROW, watching, &[Need::Fentry], "lockdown") else {
        return;
    };
    let run = watched.attach().unwrap();
    let link = watching
        .program("fexit_of_program")
        .unwrap()
        .attach()
        .unwrap();
    call_getppid(7);
    let seen = number(&watching, "hits") >= 7;
    link.detach().unwrap();
    let hits = number(&watching, "hits");
    call_getppid(7);
    assert_eq!(number(&watching, "hits"), hits, "detached");
    works(ROW, "runs of another program are counted", seen);
    drop(run);
}

#[test]
fn a_function_of_a_program_is_replaced() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 10));
    let _alone = alone();
    let [first, second] = [(); 2].map(|()| tracer("asks").unwrap());
    let asked = |object: &Object| {
        let link = object.program("asks").unwrap().attach().unwrap();
        call_getppid(1);
        drop(link);
        number(object, "last_answer")
    };
    assert!(asked(&first) > 0);
    let target = first.program("asks").unwrap();
    let replacing = for_a_program("new_answer", target);
    let replacing = unless_refused("freplace", replacing, &[Need::Fentry], "lockdown");
    let Some(replacing) = replacing else {
        let again = for_a_program("new_answer", target);
        return refused(LATE_FREPLACE, again, "lockdown");
    };
    let program = replacing.program("new_answer").unwrap();
    let link = program.attach().unwrap();
    let replaced = asked(&first) == 0;
    let error = program.attach_freplace(target, "answer").unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EBUSY), "{error}");
    assert!(error.hint().unwrap().contains("a replacement already"));
    link.detach().unwrap();
    works("freplace", ANSWERS, replaced && asked(&first) > 0);
    let error = program.attach().unwrap_err();
    assert!(error.hint().unwrap().contains("attach_freplace"), "{error}");

    let error = program
        .attach_freplace(target, "anser")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no function `anser`; did you mean `answer`?"),
        "{error}"
    );
    let error = target.attach_freplace(program, "answer").unwrap_err();
    assert_eq!(error.kind(), rawbpf::ErrorKind::InvalidArgument);
    let other = second.program("asks").unwrap();
    let link = program.attach_freplace(other, "answer").unwrap();
    let replaced = asked(&second) == 0 && asked(&first) > 0;
    link.detach().unwrap();
    works(LATE_FREPLACE, ANSWERS, replaced);
}
