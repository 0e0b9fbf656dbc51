//! Alternatives among programs (`--prefer`): setting them, and reporting the choice.

use super::args::PreferArgs;
use crate::show::escape;
use crate::show::outlet::say;
use crate::stop::Stop;
use rawbpf::OpenObject;
use rawbpf::reloc::{Choice, PassedOver};
use serde::Serialize;
use std::io::Write;

/// Tells the object which programs are alternatives, in order of preference.
pub(crate) fn prefer(object: &mut OpenObject, args: &PreferArgs) -> rawbpf::Result<()> {
    for names in &args.groups {
        object.prefer(&names.0)?;
    }
    Ok(())
}

/// Prints on standard error which program was loaded, and why the preferred ones were not.
pub(crate) fn tell(choices: &[Choice], stop: &Stop) {
    for choice in choices {
        let Some(chosen) = &choice.chosen else {
            continue;
        };
        say(stop, format_args!("rawbpf: program {chosen} is loaded"));
        for PassedOver { name, reason } in &choice.passed_over {
            let reason = reason.message();
            say(
                stop,
                format_args!("rawbpf: program {name} was passed over: {reason}"),
            );
        }
    }
}

/// Prints the choices as part of a plan.
pub(crate) fn print(out: &mut impl Write, choices: &[Choice]) -> std::io::Result<()> {
    for choice in choices {
        let names = escape::name(&choice.names.join(", ")).to_string();
        match &choice.chosen {
            Some(chosen) => writeln!(out, "of {names}: {} is loaded", escape::name(chosen))?,
            None => writeln!(out, "of {names}: none can be loaded")?,
        }
        for PassedOver { name, reason } in &choice.passed_over {
            let reason = reason.message();
            writeln!(
                out,
                "  {} is passed over: {}",
                escape::name(name),
                escape::name(reason)
            )?;
        }
    }
    Ok(())
}

/// The field names are an interface: other tools read them.
#[derive(Serialize)]
pub(crate) struct ChoiceJson<'c> {
    programs: &'c [String],
    chosen: Option<&'c str>,
    passed_over: Vec<PassedOverJson<'c>>,
}

#[derive(Serialize)]
struct PassedOverJson<'c> {
    name: &'c str,
    /// [`rawbpf::ErrorKind::name`]
    kind: &'static str,
    reason: &'c str,
    hint: Option<&'c str>,
}

impl<'c> From<&'c Choice> for ChoiceJson<'c> {
    fn from(choice: &'c Choice) -> Self {
        let passed_over = choice.passed_over.iter().map(|one| PassedOverJson {
            name: &one.name,
            kind: one.reason.kind().name(),
            reason: one.reason.message(),
            hint: one.reason.hint(),
        });
        Self {
            programs: &choice.names,
            chosen: choice.chosen.as_deref(),
            passed_over: passed_over.collect(),
        }
    }
}
