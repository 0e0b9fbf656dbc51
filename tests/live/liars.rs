//! Whatever is mounted over the kernel's own files decides nothing that memory safety depends on.

use crate::support::{self, Need, check, lift_memlock};
use rawbpf::map::Map;
use rawbpf::sys::bpf::{self, MapCreate, MapFd};
use rawbpf::sys::mapping::KernelBtf;
use rawbpf::sys::system::possible_cpus;
use rawbpf::{Errno, MapFlags, MapType};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

/// Runs `f` in a thread with its own mount namespace.
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

fn create(map_type: MapType, value_size: u32, flags: MapFlags) -> MapFd {
    let create = MapCreate {
        kind: map_type,
        key_size: 4,
        value_size,
        max_entries: 4,
        flags,
        name: "t_liars",
        ..MapCreate::default()
    };
    bpf::map_create(&create).unwrap()
}

fn map(map_type: MapType) -> Map {
    Map::new(create(map_type, 4, MapFlags::empty()), "t_liars")
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

const PER_CPU: [MapType; 3] = [
    MapType::PERCPU_ARRAY,
    MapType::PERCPU_HASH,
    MapType::LRU_PERCPU_HASH,
];

/// Empty and filled maps, narrow and wide ones, read-only, write-only and frozen ones.
fn for_every_per_cpu_map(mut check: impl FnMut(&MapFd, u32)) {
    lift_memlock();
    for map_type in PER_CPU {
        for value_size in [1, 8, 20, 4096] {
            let map = create(map_type, value_size, MapFlags::empty());
            check(&map, value_size);
            let filled = create(map_type, value_size, MapFlags::empty());
            let values = vec![1; filled.value_len().unwrap()];
            filled.update(&[1, 0, 0, 0], &values, 0).unwrap();
            let (again, _) = MapFd::from_fd(filled.into_fd()).unwrap();
            check(&again, value_size);
        }
        for flags in [MapFlags::RDONLY, MapFlags::WRONLY] {
            check(&create(map_type, 8, flags), 8);
        }
        if support::check(&[Need::Linux(5, 2)]).is_ok() {
            let frozen = create(map_type, 8, MapFlags::empty());
            frozen.freeze().unwrap();
            check(&frozen, 8);
        }
    }
}

const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

#[test]
fn the_kernel_says_how_wide_the_values_of_all_cpus_are() {
    require!(Need::Bpf);
    let cpus = possible_cpus().unwrap() as usize;
    for_every_per_cpu_map(|map, value_size| {
        let one = (value_size as usize).next_multiple_of(8);
        assert_eq!(map.value_len(), Ok(one * cpus), "{map:?}");
    });
}

#[test]
fn lies_about_the_number_of_cpus_change_no_length() {
    require!(Need::Bpf);
    let cpus = possible_cpus().unwrap() as usize;
    for lie in ["0\n", "0-1023\n", "nonsense\n"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, lie).unwrap();
        among_own_mounts(|| {
            mount(&["--bind", file.path().to_str().unwrap(), POSSIBLE]);
            assert_eq!(fs::read_to_string(POSSIBLE).unwrap(), lie);
            for_every_per_cpu_map(|map, value_size| {
                let one = (value_size as usize).next_multiple_of(8);
                assert_eq!(map.value_len(), Ok(one * cpus), "{map:?}");
                read_everything(map, one * cpus);
                let short = vec![0; one * cpus - 1];
                assert_eq!(map.update(&[1, 0, 0, 0], &short, 0), Err(Errno::EINVAL));
            });
        });
    }
}

/// Reads elements one by one and in batches, and checks that nothing behind the values is written.
fn read_everything(map: &MapFd, len: usize) {
    let mut values = vec![0xa5; 4 * len + 64];
    let (room, behind) = values.split_at_mut(4 * len);
    let _ = map.lookup(&[1, 0, 0, 0], &mut room[..len], 0);
    let mut cursor = bpf::BatchCursor::default();
    let _ = map.lookup_batch(&mut cursor, &mut [0; 16], room, bpf::BatchMode::Keep, 0);
    assert!(behind.iter().all(|byte| *byte == 0xa5), "{map:?}");
}

#[test]
fn the_values_of_a_cgroup_are_as_wide_as_others() {
    require!(Need::Bpf, Need::Cgroup);
    lift_memlock();
    let create = MapCreate {
        kind: MapType::PERCPU_CGROUP_STORAGE,
        // The id of a cgroup, and an attach type.
        key_size: 16,
        value_size: 12,
        name: "t_liars",
        ..MapCreate::default()
    };
    let map = bpf::map_create(&create).unwrap();
    let cpus = possible_cpus().unwrap() as usize;
    assert_eq!(map.value_len(), Ok(16 * cpus));
}

#[test]
fn asking_for_a_length_changes_nothing() {
    require!(Need::Bpf);
    lift_memlock();
    for map_type in PER_CPU {
        let map = create(map_type, 8, MapFlags::empty());
        map.value_len().unwrap();
        if map_type == MapType::PERCPU_ARRAY {
            continue;
        }
        let first = map.next_key(None, &mut [0; 4]);
        assert_eq!(first, Err(Errno::ENOENT), "{map_type}");
    }
}

/// The process has no rights except those of the descriptor, and the map is empty.
#[test]
fn an_empty_map_is_asked_without_rights() {
    require!(Need::Bpf, Need::Linux(6, 1));
    let cpus = possible_cpus().unwrap() as usize;
    let map = create(MapType::PERCPU_HASH, 12, MapFlags::empty());
    let closed = create(MapType::PERCPU_HASH, 12, MapFlags::RDONLY);
    let in_vain = std::thread::spawn(move || {
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets {
                effective: none,
                permitted: none,
                inheritable: none,
            },
        )
        .unwrap();
        assert_eq!(map.value_len(), Ok(16 * cpus));
        closed.value_len()
    });
    assert_eq!(
        in_vain.join().unwrap(),
        Err(Errno::EPERM),
        "refused, not guessed"
    );
}
