//! Attaching by section name.

use super::grammar;
use super::kprobe::Kprobe;
use super::kprobe_multi::KprobeMulti;
use super::link::Link;
use super::links::Links;
use super::tracing_multi::TracingMulti;
use super::unsaid;
use super::uprobe::{Processes, Uprobe};
use super::uprobe_multi::UprobeMulti;
use super::usdt::Usdt;
use crate::load::Object;
use crate::open::AutoAttach;
use crate::program::{Origin, Program};
use crate::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicBool, Ordering};

impl Program {
    /// Attaches to the target in the program's section name, such as `SEC("kprobe/vfs_read")`.
    ///
    /// # Errors
    /// `Unsupported` if the section name has no target; the hint names the method to use instead. Otherwise the errors of the
    /// kind of attachment.
    #[doc(alias = "bpf_program__attach")]
    pub fn attach(&self) -> Result<Link> {
        let Some(origin) = self.origin() else {
            let message = format!(
                "nothing says what to attach program `{}` to: it came from an id, a pin or a descriptor, not from an object",
                self.name()
            );
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint(unsaid::hint(self)));
        };
        attach_if_said(self, origin)?.ok_or_else(|| unsaid::error(self, &origin.section))
    }
}

impl Object {
    /// Attaches every program whose section name says how (and whose autoattach is on), and registers the struct_ops maps. All
    /// or nothing: if one cannot be attached, those before it are detached.
    ///
    /// Each [`Link`] has the name of its program.
    #[doc(alias = "bpf_object__attach_skeleton")]
    pub fn attach(&self) -> Result<Links> {
        self.attach_unless(&AtomicBool::new(false))
    }

    /// [`Object::attach`], but stops between two programs once this flag is set (by a signal handler, for example).
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if it was set in time; then nothing is attached.
    pub fn attach_unless(&self, stop: &AtomicBool) -> Result<Links> {
        let in_object = |e: Error| e.context(format!("object {}", self.name()));
        let go_on = || {
            if stop.load(Ordering::Relaxed) {
                let message = "stopped before everything was attached";
                return Err(in_object(Error::new(ErrorKind::Interrupted, message)));
            }
            Ok(())
        };
        let mut links = Links::default();
        let programs = self.programs().iter();
        let programs = programs.filter_map(|p| Some((p, p.origin()?)));
        for (program, origin) in programs.filter(|(_, origin)| origin.autoattach) {
            go_on()?;
            if let Some(link) = attach_if_said(program, origin).map_err(in_object)? {
                links.push(link);
            }
        }
        for value in self.struct_ops.iter().filter(|value| value.autoattach) {
            go_on()?;
            links.push(self.attach_struct_ops(&value.map).map_err(in_object)?);
        }
        Ok(links)
    }
}

/// Attaches the program; `None` if its section name has no target.
fn attach_if_said(program: &Program, origin: &Origin) -> Result<Option<Link>> {
    let section = origin.section.as_str();
    let Some(how) = origin.def.and_then(|def| def.auto_attach) else {
        return Ok(None);
    };
    if matches!(how, AutoAttach::Trace | AutoAttach::Lsm | AutoAttach::Iter) {
        // Loading has already looked up the target, wherever its name came from.
        return match &origin.attach_target {
            Some(_) => attach_loaded(program, how).map(Some),
            None => Ok(None),
        };
    }
    if how == AutoAttach::Usdt {
        return usdt(program, section);
    }
    let Some(tail) = tail(program, section)? else {
        return Ok(None);
    };
    attach_to(program, section, how, tail)
        .map(Some)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidObject => error.context(format!("program `{}`", program.name())),
            _ => error,
        })
}

/// What follows the slash. A slash followed by nothing is a mistake, because it promises a target; without a slash, the
/// caller provides the target.
fn tail<'s>(program: &Program, section: &'s str) -> Result<Option<&'s str>> {
    match grammar::tail(section) {
        Some("") => Err(unsaid::error(program, section).with_kind(ErrorKind::InvalidObject)),
        tail => Ok(tail),
    }
}

fn attach_loaded(program: &Program, how: AutoAttach) -> Result<Link> {
    match how {
        AutoAttach::Iter => program.attach_iter(),
        AutoAttach::Lsm => program.attach_lsm(),
        _ => program.attach_tracing(),
    }
}

fn attach_to(program: &Program, section: &str, how: AutoAttach, tail: &str) -> Result<Link> {
    match how {
        AutoAttach::Kprobe => kprobe(program, section, tail),
        AutoAttach::Uprobe => uprobe(program, section, tail),
        AutoAttach::Ksyscall if is_return(section) => program.attach_kretsyscall(tail),
        AutoAttach::Ksyscall => program.attach_ksyscall(tail),
        AutoAttach::Tracepoint => {
            let (category, name) = grammar::tracepoint(tail)?;
            program.attach_tracepoint(category, name)
        }
        AutoAttach::KprobeMulti | AutoAttach::KprobeSession => {
            let at = KprobeMulti::pattern(grammar::kernel_glob(tail)?);
            program.attach_kprobe_multi(&if is_return(section) {
                at.on_return()
            } else {
                at
            })
        }
        AutoAttach::UprobeMulti => {
            let (binary, pattern) = grammar::user_glob(tail)?;
            let at = UprobeMulti::pattern(binary, pattern);
            program.attach_uprobe_multi(&if is_return(section) {
                at.on_return()
            } else {
                at
            })
        }
        AutoAttach::RawTracepoint => program.attach_raw_tracepoint(tail),
        AutoAttach::TracingMulti => program.attach_tracing_multi(&TracingMulti::pattern(tail)),
        other => Err(not_yet(program, section, other)),
    }
}

/// Whether the first word of the section name is that of a return probe: `kretprobe`, `uretprobe.s`.
pub(super) fn is_return(section: &str) -> bool {
    let word = section.split('/').next().unwrap_or_default();
    word.get(1..).is_some_and(|rest| rest.starts_with("ret"))
}

fn kprobe(program: &Program, section: &str, tail: &str) -> Result<Link> {
    let (module, at) = grammar::kernel_function(tail)?;
    let probe = if is_return(section) {
        no_offset(at.offset)?;
        Kprobe::ret(at.function)
    } else {
        Kprobe::entry(at.function).offset(at.offset)
    };
    program.attach_kprobe(&match module {
        Some(module) => probe.module(module),
        None => probe,
    })
}

fn uprobe(program: &Program, section: &str, tail: &str) -> Result<Link> {
    let place = grammar::user_function(tail)?;
    let probe = if is_return(section) {
        no_offset(place.at.offset)?;
        Uprobe::ret(place.binary, place.at.function)
    } else {
        Uprobe::entry(place.binary, place.at.function).offset(place.at.offset)
    };
    program.attach_uprobe(&probe.processes(Processes::All))
}

/// A bare `usdt` has no target. libbpf never attaches `usdt.s` by its section name, with or without a target.
#[doc(alias = "attach_usdt")]
fn usdt(program: &Program, section: &str) -> Result<Option<Link>> {
    if section.starts_with("usdt.s") {
        let message =
            format!("a program of section `{section}` is not attached by its section's name");
        return Err(Error::new(ErrorKind::Unsupported, message)
            .context(format!("program `{}`", program.name()))
            .with_hint("attach it with Program::attach_usdt, and turn off its autoattach to attach the others"));
    }
    let Some(tail) = tail(program, section)? else {
        return Ok(None);
    };
    let [binary, provider, name] =
        grammar::usdt(tail).map_err(|e| e.context(format!("program `{}`", program.name())))?;
    program
        .attach_usdt(&Usdt::new(binary, provider, name))
        .map(Some)
}

fn no_offset(offset: u64) -> Result<()> {
    if offset == 0 {
        return Ok(());
    }
    let message = "a probe of a return has no place inside the function";
    Err(Error::new(ErrorKind::InvalidObject, message).with_hint("leave out the offset"))
}

fn not_yet(program: &Program, section: &str, how: AutoAttach) -> Error {
    let message = format!(
        "cannot attach program `{}` of section `{section}`: rawbpf does not know this kind of attachment ({how:?}) yet",
        program.name()
    );
    Error::new(ErrorKind::Unsupported, message)
        .with_hint("turn off its autoattach to attach the others")
}
