//! From a probe's name to uprobes at all its locations.

use super::attachment::Probes;
use super::layout::SpecLayout;
use super::mapped::Mapped;
use super::specs::HeldSpecs;
use crate::attach::binary::{Binary, Contents};
use crate::attach::link::Link;
use crate::attach::uprobe::{Processes, Uprobe};
use crate::attach::uprobe_multi::UprobeMulti;
use crate::btf::Btf;
use crate::elf::usdt::{UsdtArg, UsdtFile, UsdtNote};
use crate::feature::Feature;
use crate::kinds::ProbeKind;
use crate::map::Map;
use crate::program::Program;
use crate::program::usdt::{IP_TO_SPEC_ID, SPECS};
use crate::reloc::Target as Kernel;
use crate::sys::bpf::{self, ObjectKind};
use crate::{AttachType, Errno, Error, ErrorKind, Result, did_you_mean};
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// A probe that the authors of a program or library put into it, and the processes in which it is observed.
///
/// ```
/// use rawbpf::attach::{Processes, Usdt};
/// let at = Usdt::new("python3", "python", "gc__start").processes(Processes::Pid(77));
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "bpf_usdt_opts")]
pub struct Usdt {
    binary: PathBuf,
    provider: String,
    name: String,
    processes: Processes,
    cookie: u64,
}

impl Usdt {
    /// The probe `provider:name`. `binary` is a path, or a bare name that is searched for as the shell and the dynamic loader
    /// do, or a library that is stored uncompressed in a zip archive (`app.apk!/lib/x.so`).
    pub fn new(
        binary: impl AsRef<Path>,
        provider: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            binary: binary.as_ref().to_owned(),
            provider: provider.into(),
            name: name.into(),
            processes: Processes::All,
            cookie: 0,
        }
    }

    /// Which processes are observed. Before Linux 5.15, probes in libraries (and in position-independent executables) require
    /// a single process, which has loaded the library.
    pub fn processes(mut self, processes: Processes) -> Self {
        self.processes = processes;
        self
    }

    /// A number that the program can read with `bpf_usdt_cookie`. On all kernels.
    #[doc(alias = "usdt_cookie")]
    pub fn cookie(mut self, cookie: u64) -> Self {
        self.cookie = cookie;
        self
    }
}

impl Program {
    /// Attaches to all locations of a USDT probe. The object must have been compiled with `usdt.bpf.h`.
    ///
    /// The link cannot be pinned: it owns entries of the object's maps, which are released when it is dropped.
    ///
    /// # Errors
    /// `NotFound` if the file does not exist, or does not contain the probe. `Unsupported` if an argument is stored where it
    /// cannot be read, or the kernel lacks what the probe needs. `InvalidObject` if the object has no maps for USDT probes.
    #[doc(alias = "bpf_program__attach_usdt")]
    pub fn attach_usdt(&self, at: &Usdt) -> Result<Link> {
        attach(self, at).map_err(|e| {
            e.context(format!(
                "attaching `{}` to USDT probe {}:{} of {}",
                self.name(),
                at.provider,
                at.name,
                at.binary.display()
            ))
        })
    }
}

/// One location of the probe.
struct Target<'f> {
    /// The argument description in the note: locations with the same text share a spec.
    text: &'f str,
    args: Vec<UsdtArg>,
    /// The instruction's offset in the file on disk.
    offset: u64,
    /// The semaphore's offset in that file; 0 if there is none.
    semaphore: u64,
    /// The instruction's address in memory. Only if programs have no cookie to find the spec by.
    address: Option<u64>,
}

#[doc(alias = "usdt_manager_attach_usdt")]
fn attach(program: &Program, at: &Usdt) -> Result<Link> {
    let maps = program.usdt().ok_or_else(|| no_maps(program))?;
    let file = Binary::find(&at.binary)?;
    let contents = file.open()?;
    let probes = UsdtFile::open(&contents)?;
    let notes = notes(&probes, at)?;
    let mut memory = Memory {
        by_cookie: maps.by_cookie,
        kernel: program.target(),
        file: &file,
        processes: at.processes,
        mapped: None,
    };
    let targets = notes
        .iter()
        .map(|note| target(&probes, note, &contents, &mut memory));
    let targets = targets.collect::<Result<Vec<_>>>()?;

    let layout = layout(&maps.specs)?;
    let mut specs = HeldSpecs::new(maps);
    let places = targets
        .iter()
        .map(|target| (target.text, target.args.as_slice()));
    let ids = specs.write(&layout, places, at.cookie)?;
    for (target, id) in targets.iter().zip(&ids) {
        if let Some(address) = target.address {
            specs.write_address(address, *id)?;
        }
    }
    let links = if program.attach_type() == Some(AttachType::TRACE_UPROBE_MULTI) {
        vec![many(program, at, &file, &targets, &ids)?]
    } else {
        each(program, at, &file, &targets, &ids)?
    };
    Ok(Link::with(program.name(), None, Probes { links, specs }))
}

fn no_maps(program: &Program) -> Error {
    if program.origin().is_none() {
        let message = "it came from an id, a pin or a descriptor; USDT probes take the maps of its object, and a list of what is \
                       in use there, which its loader has";
        return Error::new(ErrorKind::Unsupported, message)
            .with_hint("load the object, and attach the program that comes with it");
    }
    let message = format!(
        "its object has no maps `{SPECS}` and `{IP_TO_SPEC_ID}`, by which programs find arguments"
    );
    Error::new(ErrorKind::InvalidObject, message)
        .with_hint("include usdt.bpf.h in the source of the object")
}

/// The notes of the wanted probe.
fn notes<'f>(probes: &'f UsdtFile<'_>, at: &Usdt) -> Result<Vec<&'f UsdtNote>> {
    let of_provider = |note: &&UsdtNote| note.provider == at.provider;
    let all = probes.notes().iter();
    let found: Vec<_> = all
        .filter(of_provider)
        .filter(|note| note.name == at.name)
        .collect();
    if found.is_empty() {
        return Err(no_probe(probes.notes(), at));
    }
    Ok(found)
}

/// Names the probes that exist: a few similar names, or the first ones.
fn no_probe(notes: &[UsdtNote], at: &Usdt) -> Error {
    const SHOWN: usize = 12;
    let wanted = format!("{}:{}", at.provider, at.name);
    let names = notes
        .iter()
        .map(|note| format!("{}:{}", note.provider, note.name));
    let names: BTreeSet<String> = names.collect();
    let near = did_you_mean(&wanted, names.iter().map(String::as_str));
    let error = Error::new(ErrorKind::NotFound, format!("there is no such probe{near}"))
        .with_errno(Errno::ENOENT);
    let shown: Vec<_> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    error.with_hint(format!("the file has {}{more}", shown.join(", ")))
}

#[doc(alias = "collect_usdt_targets")]
fn target<'f>(
    probes: &UsdtFile<'_>,
    note: &'f UsdtNote,
    contents: &Contents,
    memory: &mut Memory<'_>,
) -> Result<Target<'f>> {
    let args = probes.args(note)?;
    let place = probes.place(note)?;
    // The kernel replaces a five-byte `nop` with a call, which is faster than a trap.
    let skipped = u64::from(place.has_nop5 && memory.kernel.supports(Feature::UprobeSyscall));
    let offset = contents.in_file(place.offset.saturating_add(skipped))?;
    let address = if memory.by_cookie {
        None
    } else if probes.is_shared() {
        Some(memory.address(offset)?)
    } else {
        Some(place.address.saturating_add(skipped))
    };
    Ok(Target {
        text: &note.args,
        args,
        offset,
        semaphore: place.semaphore.map_or(Ok(0), |at| contents.in_file(at))?,
        address,
    })
}

/// Where the process has mapped the file; read when first needed.
struct Memory<'b> {
    /// If set, no address is needed.
    by_cookie: bool,
    kernel: &'b Kernel,
    file: &'b Binary,
    processes: Processes,
    mapped: Option<Mapped>,
}

impl Memory<'_> {
    fn address(&mut self, offset: u64) -> Result<u64> {
        let mapped = match self.mapped.take() {
            Some(mapped) => mapped,
            None => Mapped::read(self.pid()?, &self.file.path)?,
        };
        let address = mapped.address(offset);
        self.mapped = Some(mapped);
        address.ok_or_else(|| {
            let message = format!("the process has not loaded what is at {offset:#x} of the file");
            Error::new(ErrorKind::NotFound, message)
        })
    }

    fn pid(&self) -> Result<u32> {
        match self.processes {
            Processes::Own => Ok(std::process::id()),
            Processes::Pid(pid) => Ok(pid),
            Processes::All => {
                let message = "a probe of what is loaded anywhere in memory cannot be seen in all processes at once";
                Err(Error::new(ErrorKind::Unsupported, message)
                    .with_errno(Errno::EOPNOTSUPP)
                    .with_hint(
                        "name one process; all of them need cookies, which came with Linux 5.15",
                    ))
            }
        }
    }
}

/// The layout of the object's specs, according to the BTF that the kernel keeps with the map.
fn layout(specs: &Map) -> Result<SpecLayout> {
    let cannot = |errno| {
        Error::from_errno(
            errno,
            format!("cannot read the types of map `{}`", specs.name()),
        )
    };
    let info = specs.info()?;
    let btf = bpf::fd_by_id(ObjectKind::Btf, info.btf_id).map_err(cannot)?;
    let types = Btf::from_vec(bpf::btf_data(btf.as_fd()).map_err(cannot)?).map_err(Error::from)?;
    SpecLayout::from_type(&types, info.btf_value_type)
}

/// All locations with one link. Since Linux 6.6; chosen when the program was loaded.
fn many(
    program: &Program,
    at: &Usdt,
    file: &Binary,
    targets: &[Target<'_>],
    ids: &[u32],
) -> Result<Link> {
    let offsets: Vec<_> = targets.iter().map(|target| target.offset).collect();
    let semaphores: Vec<_> = targets.iter().map(|target| target.semaphore).collect();
    let cookies: Vec<_> = ids.iter().map(|id| u64::from(*id)).collect();
    let places = UprobeMulti::file_offsets(&file.path, offsets)
        .ref_ctr_offsets(semaphores)
        .cookies(cookies)
        .processes(at.processes);
    program.attach_uprobe_multi(&places)
}

/// A separate link for each location.
fn each(
    program: &Program,
    at: &Usdt,
    file: &Binary,
    targets: &[Target<'_>],
    ids: &[u32],
) -> Result<Vec<Link>> {
    let pmu = program.target().probe_pmu(ProbeKind::Uprobe);
    let counts_users = pmu.is_some_and(|pmu| pmu.counts_users);
    let by_cookie = program.usdt().is_some_and(|maps| maps.by_cookie);
    if targets.iter().any(|target| target.semaphore != 0) && !counts_users {
        let message = "the probe has a semaphore, which this kernel cannot count";
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_errno(Errno::EOPNOTSUPP)
            .with_hint("that needs Linux 4.20"));
    }
    let probe = |(target, id): (&Target<'_>, &u32)| {
        let semaphore = u32::try_from(target.semaphore).map_err(|_| {
            let message = format!(
                "the semaphore is at {:#x} of the file; the kernel takes 32 bits",
                target.semaphore
            );
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let cookie = if by_cookie { u64::from(*id) } else { 0 };
        let place = Uprobe::file_offset(&file.path, target.offset)
            .ref_ctr_offset(semaphore)
            .cookie(cookie)
            .processes(at.processes);
        program.attach_uprobe(&place)
    };
    targets.iter().zip(ids).map(probe).collect()
}
