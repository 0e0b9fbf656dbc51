//! Many functions of a program with one link, and entry and return with one program.

use super::{alone, number};
use crate::load::load_fixture;
use crate::matrix::{refused, unless_refused, works};
use crate::support::{Need, check};
use rawbpf::attach::{LinkDetails, Processes, UprobeMulti};
use rawbpf::load::Object;
use rawbpf::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget, UprobeFile};
use rawbpf::{AttachType, ErrorKind, LinkType};
use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[expect(unsafe_code, reason = "the probe finds the function by this name")]
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $name(number: u64) -> u64 {
                std::hint::black_box(number) + 1
            }
        )*

        /// Calls each of them once.
        fn call_all() {
            $(std::hint::black_box($name(1));)*
        }
    };
}

targets!(rawbpf_multi_a rawbpf_multi_b rawbpf_multi_cc);

const OWN: &str = "/proc/self/exe";

fn load() -> Object {
    load_fixture("uprobe_multi", |_| Ok(())).unwrap()
}

#[test]
fn each_function_has_a_cookie_of_its_own() {
    require!(Need::Bpf, Need::Btf, Need::UprobeMulti);
    let _alone = alone();
    let object = load();
    let at = UprobeMulti::names(OWN, ["rawbpf_multi_cc", "rawbpf_multi_a"])
        .cookies([10, 200])
        .processes(Processes::Own);
    let link = object
        .program("call")
        .unwrap()
        .attach_uprobe_multi(&at)
        .unwrap();
    assert_eq!(link.info().unwrap().kind, LinkType::UPROBE_MULTI);
    rawbpf_multi_a(1);
    assert_eq!(number(&object, "cookies"), 200);
    call_all();
    let seen = [number(&object, "calls"), number(&object, "cookies")] == [3, 410];
    works(
        "uprobe.multi by name",
        "calls of two functions are seen, each with its cookie",
        seen,
    );
    drop(link);
    call_all();
    assert_eq!(number(&object, "calls"), 3);
}

/// A path may refer to another file by now, or to none.
#[test]
fn a_descriptor_says_which_file() {
    require!(Need::Bpf, Need::Btf, Need::UprobeMulti);
    let _alone = alone();
    let place = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(OWN)
        .unwrap();
    let mut function = Vec::new();
    for file in [File::open(OWN).unwrap(), place] {
        let object = load();
        let at = UprobeMulti::names("/nowhere/at/all", ["rawbpf_multi_a"])
            .descriptor(file)
            .processes(Processes::Own);
        let program = object.program("call").unwrap();
        let link = program.attach_uprobe_multi(&at).unwrap();
        call_all();
        assert_eq!(number(&object, "calls"), 1);
        if let LinkDetails::UprobeMulti { offsets, .. } = link.info().unwrap().details {
            function = offsets;
        }
    }
    let object = load();
    let program = object.program("call").unwrap();
    if check(&[Need::Linux(7, 2)]).is_ok() {
        // Anywhere else the kernel may find bytes that are not an instruction, and refuse them.
        assert_eq!(function.len(), 1);
        let file = File::open(OWN).unwrap();
        let link = bpf::link_create(&LinkCreate {
            source: program.as_fd(),
            target: LinkTarget::None,
            attach_type: AttachType::TRACE_UPROBE_MULTI,
            flags: 0,
            options: LinkOptions::UprobeMulti {
                file: UprobeFile::Fd(file.as_fd()),
                flags: 0,
                offsets: &function,
                ref_ctr_offsets: &[],
                cookies: &[],
                pid: 0,
            },
        });
        link.expect("a kernel that takes the descriptor itself");
    }
    let folder = UprobeMulti::file_offsets("folder", [1]).descriptor(File::open("/").unwrap());
    let error = program.attach_uprobe_multi(&folder).unwrap_err();
    assert!(error.hint().unwrap().contains("regular"), "{error}");
}

#[test]
fn globs_name_functions() {
    require!(Need::Bpf, Need::Btf, Need::UprobeMulti);
    let _alone = alone();
    let object = load();
    let links = object.attach().unwrap();
    call_all();
    let seen = number(&object, "glob_calls") == 3;
    works(
        "uprobe.multi",
        "calls of all functions of a pattern are seen",
        seen,
    );
    let seen = number(&object, "returns") == 2;
    works(
        "uretprobe.multi",
        "returns of all functions of a pattern are seen",
        seen,
    );
    drop(links);
    call_all();
    assert_eq!(
        number(&object, "glob_calls") + number(&object, "returns"),
        5
    );
}

#[test]
fn a_session_runs_at_both_ends_of_a_call() {
    require!(Need::Bpf, Need::Btf, Need::UprobeMulti);
    let _alone = alone();
    let object = load_fixture("uprobe_multi", |object| {
        object.program_mut("session")?.set_autoload(true);
        Ok(())
    });
    let object = object.unwrap();
    let program = object.program("session").unwrap();
    let link = program.attach();
    let since = [Need::Linux(6, 13)];
    let Some(link) = unless_refused("uprobe.session", link, &since, "Linux 6.13") else {
        return;
    };
    call_all();
    works(
        "uprobe.session",
        "calls and returns of all functions of a pattern are seen",
        number(&object, "session_runs") == 6,
    );
    drop(link);
    let at = UprobeMulti::pattern(OWN, "rawbpf_multi_*").on_return();
    let error = program.attach_uprobe_multi(&at).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.to_string().contains("both"), "{error}");
}

#[test]
fn kernels_without_such_links_say_so() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    if check(&[Need::UprobeMulti]).is_ok() {
        return;
    }
    let attach = |program, at: &UprobeMulti| {
        let object = load_fixture("uprobe_multi", |object| {
            object.program_mut(program)?.set_autoload(true);
            Ok(())
        })?;
        object.program(program)?.attach_uprobe_multi(at)
    };
    let all = UprobeMulti::pattern(OWN, "rawbpf_multi_*");
    let named = UprobeMulti::names(OWN, ["rawbpf_multi_cc"]);
    for (row, program, at) in [
        ("uprobe.multi", "call", all.clone()),
        ("uprobe.multi by name", "call", named.cookies([1])),
        ("uretprobe.multi", "call", all.clone().on_return()),
        ("uprobe.session", "session", all),
    ] {
        refused(row, attach(program, &at), "Linux 6.");
    }
}
