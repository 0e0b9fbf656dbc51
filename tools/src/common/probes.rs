//! Attaching to functions of the kernel that are chosen on the command line.
//!
//! Programs that do the same in different ways have the same names in all objects of `bpf`.

use super::Outcome;
use rawbpf::attach::{Kprobe, KprobeMulti, Link};
use rawbpf::load::Object;
use rawbpf::open::OpenObject;
use rawbpf::program::Program;
use rawbpf::{Errno, Error, ErrorKind};

/// Programs of which one is enough at a function: fentry costs less, kprobes are there on more kernels.
#[derive(Clone, Copy)]
pub(crate) struct Probes {
    by_trampoline: &'static str,
    by_probe: &'static str,
}

/// Where a function starts.
pub(crate) const ENTRY: Probes = Probes {
    by_trampoline: "entered",
    by_probe: "probed",
};

/// Where it returns.
pub(crate) const RETURN: Probes = Probes {
    by_trampoline: "left",
    by_probe: "probed_return",
};

impl Probes {
    /// Attaches the first of the two that this kernel attaches to the function.
    pub(crate) fn attach(&self, object: &Object, function: &str) -> Outcome<Link> {
        // Which functions have room for a trampoline shows only now.
        let by_trampoline = object.program(self.by_trampoline);
        if let Ok(link) = by_trampoline.and_then(Program::attach) {
            return Ok(link);
        }
        let program = object.program(self.by_probe)?;
        let at = Kprobe::entry(function);
        let at = if program.section() == Some("kretprobe") {
            at.on_return()
        } else {
            at
        };
        Ok(program.attach_kprobe(&at)?)
    }
}

/// Loads the programs for these places of a function.
pub(crate) fn load_for(mut open: OpenObject, places: &[Probes], function: &str) -> Outcome<Object> {
    for place in places {
        open.program_mut(place.by_trampoline)?
            .set_attach_target(function)?;
    }
    let names = places.iter();
    let names: Vec<_> = names
        .flat_map(|place| [place.by_trampoline, place.by_probe])
        .collect();
    load_alternatives(open, &names)
}

/// Loads those of these programs that the kernel accepts. The last one works on all kernels.
fn load_alternatives(mut open: OpenObject, names: &[&str]) -> Outcome<Object> {
    for name in names {
        open.program_mut(name)?.set_autoload(true);
    }
    let each = open.load_each()?;
    let last = each.programs.into_iter();
    let mut last = last.filter(|one| names.last() == Some(&&*one.name));
    match last.next().and_then(|one| one.error) {
        Some(error) => Err(error.into()),
        None => Ok(each.object),
    }
}

const OF_MANY: &str = "of_many";
const OF_ONE: &str = "of_one";

/// Loads a program that can be attached to many functions at once, and one that can be attached to one.
pub(crate) fn load_for_many(open: OpenObject) -> Outcome<Object> {
    load_alternatives(open, &[OF_MANY, OF_ONE])
}

/// Attaches to all functions that match one of these patterns.
pub(crate) fn attach_to_many(object: &Object, patterns: &[String]) -> Outcome<Vec<Link>> {
    let links = patterns.iter().map(|pattern| {
        let Ok(program) = object.program(OF_MANY) else {
            return attach_to_one(object, pattern);
        };
        match program.attach_kprobe_multi(&KprobeMulti::pattern(pattern.as_str())) {
            // Kernels before 5.18, which may have loaded it as a simple program, and those without fprobes refuse only now.
            Err(error) if matches!(error.errno(), Some(Errno::EINVAL | Errno::EOPNOTSUPP)) => {
                attach_to_one(object, pattern)
            }
            attached => Ok(attached?),
        }
    });
    links.collect()
}

fn attach_to_one(object: &Object, function: &str) -> Outcome<Link> {
    if function.contains(['*', '?', '[']) {
        let why =
            format!("this kernel cannot attach to all functions that match `{function}` at once");
        let hint = "name them one by one, or use Linux 5.18 or later with CONFIG_FPROBE";
        return Err(Error::new(ErrorKind::Unsupported, why)
            .with_hint(hint)
            .into());
    }
    Ok(object
        .program(OF_ONE)?
        .attach_kprobe(&Kprobe::entry(function))?)
}
