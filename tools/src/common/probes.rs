//! Attaching to functions of the kernel that are chosen on the command line.
//!
//! Programs that do the same in different ways have the same names in all objects of `bpf`.

use super::Outcome;
use rawbpf::ProgramType;
use rawbpf::attach::{Kprobe, KprobeMulti, Link};
use rawbpf::load::Object;
use rawbpf::open::OpenObject;
use rawbpf::{Error, ErrorKind};

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

/// Has a program loaded that can be attached to many functions, if there is one for this kernel.
pub(crate) fn choose_for_many(open: &mut OpenObject) -> Outcome {
    open.prefer(&[OF_MANY, OF_ONE])?;
    Ok(())
}

/// Attaches to all functions that match one of these patterns.
pub(crate) fn attach_to_many(object: &Object, patterns: &[String]) -> Outcome<Vec<Link>> {
    let (is_for_many, program) = match object.program(OF_MANY) {
        Ok(program) => (true, program),
        Err(_) => (false, object.program(OF_ONE)?),
    };
    debug_assert_eq!(program.kind(), ProgramType::KPROBE);
    let mut links = Vec::new();
    for pattern in patterns {
        links.push(if is_for_many {
            program.attach_kprobe_multi(&KprobeMulti::pattern(pattern.as_str()))?
        } else if pattern.contains(['*', '?', '[']) {
            let message = format!(
                "this kernel cannot attach to all functions that match `{pattern}` at once"
            );
            let hint = "name them one by one, or use Linux 5.18 or later with CONFIG_FPROBE";
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint(hint)
                .into());
        } else {
            program.attach_kprobe(&Kprobe::entry(pattern.as_str()))?
        });
    }
    Ok(links)
}
