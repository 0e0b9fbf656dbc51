//! Which processes hold which programs, maps, links and types.
//!
//! An iterator program lists all open files in one pass through the kernel (Linux 5.8 with BTF and `CONFIG_KALLSYMS_ALL`).
//! Where it cannot run, `/proc` is walked, as far as this process may read it.

use rawbpf::{OpenObject, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

/// Lists the files of all processes; see the source beside it.
const OBJECT: &[u8] = include_bytes!("../bpf/holders.bpf.o");

/// The size of the object's `struct holder`: kind, id, process, and 16 bytes of its name.
const RECORD: usize = 28;

/// A kind of object that a descriptor can refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Held {
    Map,
    Program,
    Link,
    Btf,
}

/// A process that holds an object. The field names are bpftool's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    pub(crate) comm: String,
}

/// The processes that hold each object.
#[derive(Debug, Default)]
pub(crate) struct Holders(BTreeMap<(Held, u32), BTreeSet<Holder>>);

impl Holders {
    /// Asks who holds what at this moment.
    pub(crate) fn now() -> Self {
        Self::by_iterator().unwrap_or_else(|_| Self::by_walk(Path::new("/proc")))
    }

    /// Those of one object, in the order of their ids.
    pub(crate) fn of(&self, kind: Held, id: u32) -> Vec<&Holder> {
        self.0.get(&(kind, id)).into_iter().flatten().collect()
    }

    fn by_iterator() -> Result<Self> {
        let object = OpenObject::from_bytes_named("holders", OBJECT)?.load()?;
        let link = object.program("list_holders")?.attach_iter()?;
        let mut bytes = Vec::new();
        link.iterate()?
            .read_to_end(&mut bytes)
            .map_err(|e| rawbpf::Error::new(rawbpf::ErrorKind::Io, e.to_string()))?;
        let mut found = Self::default();
        // The iterator's own objects are gone when it is done.
        let own = std::process::id();
        for record in bytes.as_chunks::<RECORD>().0 {
            let (kind, id, holder) = decode(record);
            if let Some(kind) = kind.filter(|_| holder.pid != own) {
                found.add(kind, id, holder);
            }
        }
        Ok(found)
    }

    /// Reads the links and `fdinfo` of every process in `proc`. What cannot be read is left out.
    fn by_walk(proc: &Path) -> Self {
        let mut found = Self::default();
        let own = std::process::id();
        for process in fs::read_dir(proc).into_iter().flatten().flatten() {
            let pid = process
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(pid) = pid.filter(|pid| *pid != own) {
                found.add_files_of(pid, &process.path());
            }
        }
        found
    }

    fn add_files_of(&mut self, pid: u32, process: &Path) {
        let mut comm = None;
        for file in fs::read_dir(process.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let Some(kind) = fs::read_link(file.path()).ok().and_then(|to| kind_of(&to)) else {
                continue;
            };
            let info = process.join("fdinfo").join(file.file_name());
            let Some(id) = fs::read_to_string(info)
                .ok()
                .and_then(|text| id_in(kind, &text))
            else {
                continue;
            };
            let comm = comm.get_or_insert_with(|| {
                let text = fs::read(process.join("comm")).unwrap_or_default();
                String::from_utf8_lossy(text.trim_ascii_end()).into_owned()
            });
            self.add(
                kind,
                id,
                Holder {
                    pid,
                    comm: comm.clone(),
                },
            );
        }
    }

    fn add(&mut self, kind: Held, id: u32, holder: Holder) {
        self.0.entry((kind, id)).or_default().insert(holder);
    }
}

/// A record of the iterator; no kind if it has one that is unknown here.
fn decode(record: &[u8; RECORD]) -> (Option<Held>, u32, Holder) {
    let (words, comm) = record.split_at(12);
    let word = |number: usize| {
        let bytes = words.as_chunks::<4>().0.get(number).copied();
        u32::from_ne_bytes(bytes.unwrap_or_default())
    };
    let kind = match word(0) {
        0 => Some(Held::Map),
        1 => Some(Held::Program),
        2 => Some(Held::Link),
        3 => Some(Held::Btf),
        _ => None,
    };
    let comm = comm.split(|byte| *byte == 0).next().unwrap_or_default();
    let comm = String::from_utf8_lossy(comm).into_owned();
    (kind, word(1), Holder { pid: word(2), comm })
}

/// The kind of object behind a link in `/proc/PID/fd`.
fn kind_of(link: &Path) -> Option<Held> {
    match link.to_str()? {
        "anon_inode:bpf-map" => Some(Held::Map),
        "anon_inode:bpf-prog" => Some(Held::Program),
        "anon_inode:bpf_link" | "anon_inode:bpf-link" => Some(Held::Link),
        "anon_inode:btf" => Some(Held::Btf),
        _ => None,
    }
}

/// The id of the object that a file of `/proc/PID/fdinfo` describes. A link's has its program's id, too.
fn id_in(kind: Held, info: &str) -> Option<u32> {
    let key = match kind {
        Held::Map => "map_id:",
        Held::Program => "prog_id:",
        Held::Link => "link_id:",
        Held::Btf => "btf_id:",
    };
    let value = info.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_decoded() {
        let mut record = [0; RECORD];
        record[0] = 2;
        record[4] = 7;
        record[8] = 9;
        record[12..16].copy_from_slice(b"bash");
        let holder = Holder {
            pid: 9,
            comm: "bash".into(),
        };
        assert_eq!(decode(&record), (Some(Held::Link), 7, holder));
        record[0] = 200;
        assert_eq!(decode(&record).0, None);
    }

    #[test]
    fn descriptions_of_files_have_ids() {
        let info = "pos:\t0\nlink_type:\titer\nlink_id:\t12\nprog_tag:\t00\nprog_id:\t34\n";
        assert_eq!(id_in(Held::Link, info), Some(12));
        assert_eq!(id_in(Held::Program, info), Some(34));
        assert_eq!(id_in(Held::Map, info), None);
        assert_eq!(id_in(Held::Map, "map_id:\tx"), None);
    }

    #[test]
    fn a_folder_like_proc_is_walked() {
        let proc = tempfile::tempdir().unwrap();
        let process = proc.path().join("4194999");
        fs::create_dir_all(process.join("fd")).unwrap();
        fs::create_dir_all(process.join("fdinfo")).unwrap();
        std::os::unix::fs::symlink("anon_inode:bpf-map", process.join("fd/3")).unwrap();
        std::os::unix::fs::symlink("/dev/null", process.join("fd/4")).unwrap();
        fs::write(process.join("fdinfo/3"), "map_type:\t1\nmap_id:\t5\n").unwrap();
        fs::write(process.join("comm"), "tool\n").unwrap();
        let found = Holders::by_walk(proc.path());
        let holder = Holder {
            pid: 4_194_999,
            comm: "tool".into(),
        };
        assert_eq!(found.of(Held::Map, 5), [&holder]);
        assert_eq!(found.0.len(), 1);
    }
}
