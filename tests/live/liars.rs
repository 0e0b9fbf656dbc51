//! What is mounted over the kernel's own files decides nothing that memory safety depends on.

use crate::support::{Need, check};
use rawbpf::map::Map;
use rawbpf::sys::bpf::{self, MapCreate};
use rawbpf::sys::mapping::KernelBtf;
use rawbpf::{Errno, MapType};
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

/// Runs `f` in a thread that sees mounts of its own.
fn among_own_mounts<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    let alone = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount(&["--make-rprivate", "/"]);
        f()
    };
    std::thread::scope(|scope| scope.spawn(alone).join().unwrap())
}

fn mount(arguments: &[&str]) {
    let status = Command::new("mount").args(arguments).status().unwrap();
    assert!(status.success(), "mount {arguments:?}");
}

fn map(map_type: MapType) -> Map {
    let create = MapCreate {
        kind: map_type,
        key_size: 4,
        value_size: 4,
        max_entries: 4,
        name: "t_liars",
        ..MapCreate::default()
    };
    Map::new(bpf::map_create(&create).unwrap(), "t_liars")
}

const TYPES: &str = "/sys/kernel/btf/vmlinux";

#[test]
fn only_the_kernels_own_types_are_mapped() {
    require!(Need::Bpf, Need::Btf);
    let mapped = KernelBtf::map();
    if check(&[Need::Linux(6, 16)]).is_ok() {
        let mapped = mapped.expect("they can be mapped since Linux 6.16");
        assert!(mapped.as_ref() == fs::read(TYPES).unwrap());
    }
    // The same contents in a file that anybody may change, another file of sysfs, and another folder of sysfs.
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::copy(TYPES, &copy).unwrap();
    let copy = copy.path().to_str().unwrap();
    for arguments in [
        ["--bind", copy, TYPES],
        ["--bind", "/sys/kernel/notes", TYPES],
        ["--bind", "/sys/kernel/btf", "/sys/kernel/btf"],
        ["--bind", "/sys/kernel", "/sys"],
        ["-ttmpfs", "none", "/sys"],
    ] {
        let mapped = among_own_mounts(|| {
            mount(&arguments);
            KernelBtf::map().is_some()
        });
        assert!(!mapped, "{arguments:?}");
    }
}

#[test]
fn sizes_of_maps_are_taken_from_procfs_alone() {
    require!(Need::Bpf);
    let map = map(MapType::ARRAY);
    let info = bpf::map_info_from_fdinfo(map.as_fd()).unwrap();
    assert_eq!(
        (info.kind, info.value_size, info.max_entries),
        (MapType::ARRAY, 4, 4)
    );
    let lie = tempfile::tempdir().unwrap();
    fs::create_dir_all(lie.path().join("thread-self/fdinfo")).unwrap();
    for fd in 0..64 {
        let text = "map_type:\t2\nkey_size:\t4\nvalue_size:\t1\nmax_entries:\t4\nmap_flags:\t0x0\n";
        fs::write(lie.path().join(format!("thread-self/fdinfo/{fd}")), text).unwrap();
    }
    let ask = |place: Option<&str>| {
        among_own_mounts(|| {
            let (from, to) = match place {
                Some(place) => (lie.path().join("thread-self/fdinfo"), Path::new(place)),
                None => (lie.path().to_owned(), Path::new("/proc")),
            };
            let to = fs::canonicalize(to).unwrap();
            mount(&["--bind", from.to_str().unwrap(), to.to_str().unwrap()]);
            bpf::map_info_from_fdinfo(map.as_fd()).map(drop)
        })
    };
    assert_eq!(ask(None), Err(Errno::ENODEV));
    assert_eq!(ask(Some("/proc/thread-self/fdinfo")), Err(Errno::EXDEV));
}

#[test]
fn a_thread_with_descriptors_of_its_own_asks_about_those() {
    require!(Need::Bpf);
    let asked = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
        let map = map(MapType::HASH);
        bpf::map_info_from_fdinfo(map.as_fd()).unwrap().kind
    });
    assert_eq!(asked.join().unwrap(), MapType::HASH);
}
