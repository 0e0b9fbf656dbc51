//! Stacks that programs took, named afterwards: of this process, and of one that has ended.

use crate::support::{Need, fixture};
use rawbpf::load::Object;
use rawbpf::map::Map;
use rawbpf::open::OpenObject;
use rawbpf::symbols::{StackEntry, Symbolizer, Symbols};
use rawbpf::{MapFlags, MapType, probe};
use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

const DEPTH: usize = 127;

/// Not all kernels are built with stack-trace maps.
fn has_stacks(test: &str) -> bool {
    let has = probe::map_kind(MapType::STACK_TRACE).is_yes();
    if !has {
        println!("skipped: {test}: the kernel keeps no stack traces");
    }
    has
}

fn load(pid: u32, flags: MapFlags) -> Object {
    let mut open = OpenObject::from_file(fixture("stacks.bpf.o")).unwrap();
    open.variable_mut("targ_tgid").unwrap().set(&pid).unwrap();
    let mut map = open.map_mut("stacks").unwrap();
    if flags.contains(MapFlags::STACK_BUILD_ID) {
        let size = u32::try_from(DEPTH * StackEntry::SIZE).unwrap();
        map.set_flags(flags).set_value_size(size).unwrap();
    }
    open.load().unwrap()
}

fn values(map: &Map) -> Vec<Vec<u8>> {
    map.keys()
        .map(|key| map.get(&key.unwrap()).unwrap().unwrap())
        .collect()
}

#[test]
fn stacks_of_a_process_and_of_the_kernel_have_names() {
    require!(Need::Bpf, Need::Btf);
    if !has_stacks("stacks_of_a_process_and_of_the_kernel_have_names") {
        return;
    }
    let object = load(std::process::id(), MapFlags::empty());
    let links = object.attach().unwrap();
    let _ = std::fs::read("/proc/self/comm");
    drop(links);
    let mut names = Symbolizer::new(Symbols::of_kernel().unwrap());
    let mut shown = Vec::new();
    for value in values(object.map("stacks").unwrap()) {
        let (addresses, _) = value.as_chunks::<8>();
        let addresses = addresses.iter().map(|a| u64::from_ne_bytes(*a));
        let stack: Vec<u64> = addresses.take_while(|a| *a != 0).collect();
        let frames = if stack[0] >> 63 == 1 {
            names.kernel(&stack)
        } else {
            names.process(std::process::id(), &stack)
        };
        assert!(frames.len() >= stack.len());
        shown.extend(frames.iter().map(ToString::to_string));
    }
    // What every system call passes through, and whoever made one here.
    assert!(
        shown.iter().any(|s| s.starts_with("do_syscall_64")),
        "{shown:#?}"
    );
    let is_ours = |s: &&String| !s.starts_with("0x") && !s.contains("do_syscall");
    assert!(shown.iter().any(|s| is_ours(&s)), "{shown:#?}");
}

#[test]
fn stacks_by_build_id_outlive_their_process() {
    require!(Need::Bpf, Need::Btf);
    if !has_stacks("stacks_by_build_id_outlive_their_process") {
        return;
    }
    // It waits, and then becomes this program under the same number.
    let mut child = Command::new("/bin/sh")
        .args(["-c", "read line; exec \"$0\" --list"])
        .arg(env::current_exe().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let object = load(child.id(), MapFlags::STACK_BUILD_ID);
    let links = object.attach().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"\n").unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    drop(links);
    let mut names = Symbolizer::default();
    names.add_program(env::current_exe().unwrap()).unwrap();
    let (mut in_files, mut named) = (0, 0);
    for value in values(object.map("stacks").unwrap()) {
        let stack = StackEntry::parse_all(&value);
        let is_in_file = |entry: &&StackEntry| matches!(entry, StackEntry::InFile { .. });
        in_files += stack.iter().filter(is_in_file).count();
        let frames = names.build_ids(&stack);
        assert!(frames.len() >= stack.len());
        named += frames.iter().filter(|f| f.function.is_some()).count();
    }
    if in_files == 0 {
        println!("no file of the stacks has a build ID");
        return;
    }
    assert!(named > 0, "{in_files} calls in files, none with a name");
}
