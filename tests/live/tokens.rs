//! BPF tokens: what a process without rights of its own may load, because a file system delegates the rights to it.
//!
//! A container has its own user namespace and makes a BPF file system in it; a process outside, with rights, says what that
//! file system delegates. Here the container is this program, started once more through `unshare` (a process with threads
//! cannot move to a new user namespace); the two talk through pipes.

use crate::support::{Need, fixture};
use rawbpf::feature::Feature;
use rawbpf::load::LoadOptions;
use rawbpf::map::Map;
use rawbpf::open::TokenSource;
use rawbpf::reloc::Target;
use rawbpf::{Error, ErrorKind, OpenObject, OpenOptions, probe};
use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const LIBBPF_VARIABLE: &str = "LIBBPF_BPF_TOKEN_PATH";
/// Tells this program that it is the container, and where to mount its BPF file system.
const MOUNT: &str = "RAWBPF_TEST_TOKEN_MOUNT";
/// Starts each line from the container, among those of the test harness.
const MARK: &str = "container: ";

/// A new user and mount namespace in another process, and its BPF file system.
struct Container {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Container {
    /// Starts `test` of this program as the container.
    fn start(test: &str, mount: &Path, variables: &[(&str, &Path)]) -> Self {
        let mut process = Command::new("unshare")
            .args(["-U", "-r", "-m"])
            .arg(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env_remove(LIBBPF_VARIABLE)
            .env(MOUNT, mount)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Its next message.
    fn hear(&mut self) -> String {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        let said = lines.find_map(|line| Some(line.split_once(MARK)?.1.to_owned()));
        said.expect("the container goes on")
    }

    /// Lets it continue.
    fn answer(&mut self) {
        let pipe = self.process.stdin.as_mut().unwrap();
        pipe.write_all(b"go on\n").unwrap();
    }

    /// Sets what its new file system delegates, which needs rights outside.
    fn delegate(&mut self, options: &[(&str, &str)]) {
        let fd = self.hear().parse().unwrap();
        let pid = Pid::from_raw(self.process.id().cast_signed()).unwrap();
        let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let context = pidfd_getfd(process, fd, PidfdGetfdFlags::empty()).unwrap();
        for (option, what) in options {
            fsconfig_set_string(&context, *option, *what).unwrap();
        }
        fsconfig_create(&context).unwrap();
        self.answer();
    }

    fn finish(mut self) {
        self.answer();
        assert!(self.process.wait().unwrap().success());
    }
}

const EVERYTHING: [(&str, &str); 4] = [
    ("delegate_cmds", "any"),
    ("delegate_maps", "any"),
    ("delegate_progs", "any"),
    ("delegate_attachs", "any"),
];

/// In the container: where its file system goes. `None` outside.
fn inside() -> Option<PathBuf> {
    env::var_os(MOUNT).map(PathBuf::from)
}

fn say(what: &str) {
    println!("{MARK}{what}");
}

fn wait_for_answer() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    assert_eq!(line, "go on\n");
}

/// Makes a BPF file system, has it delegate something, and mounts it.
fn mount_delegating(place: &Path) {
    let context: OwnedFd = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC).expect("a file system");
    say(&context.as_raw_fd().to_string());
    wait_for_answer();
    let mount = fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    );
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(mount.unwrap(), "", CWD, place, whole).unwrap();
}

/// Opens `globals` with a token from here, and leaves a mark in it.
fn opened(token: TokenSource) -> OpenObject {
    let mut object = OpenOptions::new()
        .token(token)
        .open_file(fixture("globals.bpf.o"))
        .unwrap();
    object.variable_mut("large").unwrap().set(&4711u64).unwrap();
    object
}

fn refusal(token: TokenSource) -> Error {
    opened(token).load().expect_err("no right to load")
}

/// What there is to be seen of features, but for those that depend on more, or on less, than rights to `bpf(2)`.
fn features(target: &Target) -> String {
    let other = [
        Feature::SyscallWrapper,
        Feature::UprobeSyscall,
        Feature::SyscallCommonAttrs,
    ];
    let asked = Feature::ALL.iter().filter(|f| !other.contains(f));
    let seen: Vec<_> = asked.filter(|f| target.supports(**f)).collect();
    format!("{seen:?}")
}

/// Loads with the token that `source` leads to; reports the kernel's objects to the other side, and keeps them alive for it.
fn load_and_tell(source: &TokenSource) {
    let object = opened(source.clone()).load().unwrap();
    let map = object.map(".data").unwrap().id().unwrap();
    let info = object.program("add_up").unwrap().info().unwrap();
    say(&map.to_string());
    say(&format!("{} {:02x?}", info.name, info.tag));
    say(&features(&Target::running_with_token(source.clone())));
    wait_for_answer();
}

/// Outside: checks that the container's load has the same result as it would here.
fn check_load(container: &mut Container) {
    let map = Map::from_id(container.hear().parse().unwrap()).unwrap();
    let data = map.get(&[0; 4]).unwrap().unwrap();
    let mark = 4711u64.to_ne_bytes();
    assert!(data.windows(8).any(|bytes| bytes == mark), "{data:?}");
    let own = opened(TokenSource::None).load().unwrap();
    let own = own.program("add_up").unwrap().info().unwrap();
    assert_eq!(container.hear(), format!("{} {:02x?}", own.name, own.tag));
    assert_eq!(container.hear(), features(&Target::running()));
}

#[test]
fn a_token_lets_a_container_load() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Linux(6, 9),
        Need::UserNamespaces
    );
    if let Some(place) = inside() {
        let error = refusal(TokenSource::Environment);
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("BPF token"), "{error}: {hint}");
        assert_eq!(features(&Target::running()), "[]");
        mount_delegating(&place);
        // Nothing points there yet.
        assert_eq!(
            refusal(TokenSource::Environment).kind(),
            ErrorKind::Permission
        );
        return load_and_tell(&TokenSource::Mount(place));
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "tokens::a_token_lets_a_container_load";
    let mut container = Container::start(test, folder.path(), &[]);
    container.delegate(&EVERYTHING);
    check_load(&mut container);
    container.finish();
}

#[test]
fn the_environment_names_a_token() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Linux(6, 9),
        Need::UserNamespaces
    );
    if let Some(place) = inside() {
        let error = refusal(TokenSource::Environment).to_string();
        assert!(error.contains(LIBBPF_VARIABLE), "{error}");
        mount_delegating(&place);
        let error = refusal(TokenSource::None);
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        return load_and_tell(&TokenSource::Environment);
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "tokens::the_environment_names_a_token";
    let variables = [(LIBBPF_VARIABLE, folder.path())];
    let mut container = Container::start(test, folder.path(), &variables);
    container.delegate(&EVERYTHING);
    check_load(&mut container);
    container.finish();
}

#[test]
fn the_usual_mount_gives_a_token_if_it_delegates() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Linux(6, 9),
        Need::UserNamespaces
    );
    if let Some(place) = inside() {
        mount_delegating(&place);
        return load_and_tell(&TokenSource::Environment);
    }
    let test = "tokens::the_usual_mount_gives_a_token_if_it_delegates";
    let mut container = Container::start(test, Path::new("/sys/fs/bpf"), &[]);
    container.delegate(&EVERYTHING);
    check_load(&mut container);
    container.finish();
}

/// The mask of `BPF_MAP_CREATE` alone.
const MAP_CREATE: &str = "0x1";

/// Creating maps is delegated, nothing else.
#[test]
fn what_is_not_delegated_is_refused() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Linux(6, 9),
        Need::UserNamespaces
    );
    if let Some(place) = inside() {
        mount_delegating(&place);
        let target = Target::running_with_token(TokenSource::Mount(place.clone()));
        assert!(target.supports(Feature::ArrayMmap));
        assert!(!target.supports(Feature::ProgName));
        let error = opened(TokenSource::None)
            .load_into(&target, &LoadOptions::default())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        say("refused");
        return wait_for_answer();
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "tokens::what_is_not_delegated_is_refused";
    let mut container = Container::start(test, folder.path(), &[]);
    container.delegate(&[("delegate_cmds", MAP_CREATE), ("delegate_maps", "any")]);
    assert_eq!(container.hear(), "refused");
    container.finish();
}

/// Whether something can be attached is tried with the token, as it is loaded with it.
#[test]
fn attaching_is_tried_with_the_token() {
    require!(
        Need::Bpf,
        Need::Btf,
        Need::Linux(6, 9),
        Need::UserNamespaces
    );
    if let Some(place) = inside() {
        mount_delegating(&place);
        let without = Target::running_with_token(TokenSource::None);
        let refused = probe::section_for("raw_tp/sys_enter", &without).unwrap();
        assert_eq!(refused.error().unwrap().kind(), ErrorKind::Permission);
        let target = Target::running_with_token(TokenSource::Mount(place));
        let tried = probe::section_for("raw_tp/sys_enter", &target).unwrap();
        assert!(tried.is_yes(), "{tried:?}");
        say("tried");
        return wait_for_answer();
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "tokens::attaching_is_tried_with_the_token";
    let mut container = Container::start(test, folder.path(), &[]);
    container.delegate(&EVERYTHING);
    assert_eq!(container.hear(), "tried");
    container.finish();
}

/// A mount that was named must give a token, even where none is needed.
#[test]
fn a_mount_without_a_token_is_an_error_if_it_was_named() {
    require!(Need::Bpf, Need::Bpffs);
    let mount = crate::support::mount_point("bpf").unwrap();
    let error = refusal(TokenSource::Mount(mount));
    let text = error.to_string();
    assert!(text.contains("cannot make a BPF token"), "{text}");
    let hint = error.hint().unwrap_or_default();
    let why = match crate::support::check(&[Need::Linux(6, 9)]) {
        Ok(()) => "needs no token",
        Err(_) => "Linux 6.9",
    };
    assert!(hint.contains(why), "{hint}");
    opened(TokenSource::Environment).load().unwrap();
}
