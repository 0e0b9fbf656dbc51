//! Attaching to functions of the kernel that are chosen on the command line.
//!
//! Programs that do the same in different ways have the same names in all objects of `bpf`.

use super::Outcome;
use rawbpf::attach::{Kprobe, KprobeMulti, Link};
use rawbpf::load::Object;
use rawbpf::open::OpenObject;
use rawbpf::{Errno, Error, ErrorKind};

/// Programs of which one is enough at a function: fentry costs less, kprobes are there on more kernels.
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
    /// Has one of the two loaded for this function.
    pub(crate) fn choose(&self, open: &mut OpenObject, function: &str) -> Outcome {
        open.program_mut(self.by_trampoline)?
            .set_attach_target(function)?;
        open.prefer(&[self.by_trampoline, self.by_probe])?;
        Ok(())
    }

    /// Attaches the one that was loaded.
    pub(crate) fn attach(&self, object: &Object, function: &str) -> Outcome<Link> {
        if let Ok(program) = object.program(self.by_trampoline) {
            return Ok(program.attach()?);
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

const OF_MANY: &str = "of_many";
const OF_ONE: &str = "of_one";

/// Loads the program that can be attached to many functions at once, if the kernel accepts it, and the one that can be attached
/// to one.
pub(crate) fn load_for_many(mut open: OpenObject) -> Outcome<Object> {
    for name in [OF_MANY, OF_ONE] {
        open.program_mut(name)?.set_autoload(true);
    }
    let each = open.load_each()?;
    let of_one = each.programs.into_iter().find(|one| one.name == OF_ONE);
    match of_one.and_then(|one| one.error) {
        Some(error) => Err(error.into()),
        None => Ok(each.object),
    }
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
