//! `rawbpf load`: load, report, unload.

use super::args::{KernelArgs, PreferArgs};
use super::choices;
use super::object;
use super::pins;
use super::target;
use crate::cannot_print;
use crate::show::escape;
use crate::show::json::print_json;
use crate::show::table::{Row, print_table};
use crate::stop::Stop;
use clap::Args;
use rawbpf::load::{LoadOptions, Object, Outcome};
use rawbpf::map::{Map, MapInfo};
use rawbpf::open::{OpenMap, OpenObject};
use rawbpf::reloc::Target;
use rawbpf::{Error, ErrorKind, Result};
use serde::Serialize;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The compiled object (.bpf.o)
    pub(crate) object: PathBuf,
    /// Try every program, including those with autoload off, so that one refused program does not hide the others
    #[arg(long, conflicts_with = "groups")]
    pub(crate) each: bool,
    /// Show the verifier's log of each program: 1 the path to a refusal, 2 every path and state, 4 statistics (added up)
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u32).range(1..=7))]
    pub(crate) log_level: Option<u32>,
    #[command(flatten)]
    pub(crate) prefer: PreferArgs,
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn load(args: &LoadArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let mut object = object::open(&args.object, stop)?;
    choices::prefer(&mut object, &args.prefer)?;
    let _own_mount = pins::in_own_mount(&mut object, stop)?;
    let target = target::running(&args.kernel, &object)?;
    let options = LoadOptions::new()
        .log_level(args.log_level.unwrap_or_default())
        .stop_when(stop.flag());
    let (report, error) = if args.each {
        each(object, &args.object, &target, &options, stop)?
    } else {
        whole(&object, &target, &options, stop)?
    };
    stop.nothing_to_undo();
    let written = if args.json {
        print_json(out, &report)
    } else {
        print_report(out, &report, args.log_level.is_some())
    };
    written.map_err(cannot_print)?;
    error.map_or(Ok(()), Err)
}

/// The result for an object. The field names are an interface: other tools read them.
#[derive(Serialize)]
struct Report {
    object: String,
    loaded: bool,
    maps: Vec<MapReport>,
    programs: Vec<ProgramReport>,
    error: Option<Failure>,
}

#[derive(Serialize)]
struct MapReport {
    name: String,
    #[serde(rename = "type")]
    kind: u32,
    type_name: &'static str,
    /// `None` if no program could be loaded, and so no map was kept.
    id: Option<u32>,
    #[serde(flatten)]
    made: Option<MapMade>,
    /// Why it was not created or not filled.
    error: Option<Failure>,
}

/// A map as the kernel reports it.
#[derive(Serialize)]
struct MapMade {
    kernel_name: String,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    extra: u64,
    btf_key_type_id: u32,
    btf_value_type_id: u32,
}

#[derive(Serialize)]
struct ProgramReport {
    name: String,
    section: String,
    #[serde(rename = "type")]
    kind: u32,
    type_name: &'static str,
    autoload: bool,
    loaded: bool,
    id: Option<u32>,
    tag: Option<String>,
    expected_attach_type: Option<u32>,
    /// Number of function records in the kernel (`bpf_func_info`).
    func_info: Option<u32>,
    /// Number of source line records in the kernel (`bpf_line_info`).
    line_info: Option<u32>,
    /// The kind of error, if it was not loaded: [`rawbpf::ErrorKind::name`].
    #[serde(rename = "kind")]
    error_kind: Option<&'static str>,
    errno: Option<i32>,
    errno_name: Option<&'static str>,
    message: Option<String>,
    hint: Option<String>,
    verifier_log: Option<String>,
    #[serde(skip)]
    told: Option<Told>,
}

/// Why something failed.
#[derive(Serialize)]
struct Failure {
    /// [`rawbpf::ErrorKind::name`]
    kind: &'static str,
    errno: Option<i32>,
    errno_name: Option<&'static str>,
    message: String,
    hint: Option<String>,
    #[serde(skip)]
    told: Told,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().name(),
            errno: error.errno().map(|e| e.0),
            errno_name: error.errno().and_then(rawbpf::Errno::name),
            message: first_line(error),
            hint: error.hint().map(ToString::to_string),
            told: Told::from(error),
        }
    }
}

/// An error without its context, which the table already shows.
#[derive(Default)]
struct Told {
    /// The first line of the message.
    reason: String,
    /// The other lines, and the hint.
    details: Vec<String>,
}

impl From<&Error> for Told {
    fn from(error: &Error) -> Self {
        let mut lines = error.message().lines();
        let first = lines.next().unwrap_or_default();
        let reason = match error.errno() {
            Some(errno) => format!("{first} ({errno})"),
            None => first.to_string(),
        };
        let details = lines.map(|line| line.trim().to_string());
        let hint = error.hint().map(|hint| format!("hint: {hint}"));
        Self {
            reason,
            details: details.chain(hint).collect(),
        }
    }
}

fn first_line(error: &Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_string()
}

/// Loads everything or nothing, as any user of the object would.
fn whole(
    object: &OpenObject,
    target: &Target,
    options: &LoadOptions,
    stop: &Stop,
) -> Result<(Report, Option<Error>)> {
    let name = object.name().to_string();
    let programs: Vec<ProgramReport> = object.programs().iter().map(not_loaded).collect();
    let loading = || {
        let plan = object::relocate(object, target, stop)?;
        // Nothing done so far leaves anything behind.
        stop.catch_signals()?;
        plan.load_with(target, options)
    };
    match loading() {
        Ok(object) => {
            choices::tell(object.choices(), stop);
            let report = loaded(name, &object, programs);
            Ok((report, object.unpin_new_maps().err()))
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
        Err(error) => {
            let report = Report {
                object: name,
                loaded: false,
                maps: Vec::new(),
                programs,
                error: Some(Failure::from(&error)),
            };
            Ok((report, Some(error)))
        }
    }
}

fn not_loaded(program: &rawbpf::open::OpenProgram) -> ProgramReport {
    ProgramReport {
        name: program.name().to_string(),
        section: program.section().to_string(),
        kind: program.kind().0,
        type_name: program.kind().name().unwrap_or("unknown"),
        autoload: program.autoload(),
        loaded: false,
        id: None,
        tag: None,
        expected_attach_type: None,
        func_info: None,
        line_info: None,
        error_kind: None,
        errno: None,
        errno_name: None,
        message: None,
        hint: None,
        verifier_log: None,
        told: None,
    }
}

fn loaded(name: String, object: &Object, mut programs: Vec<ProgramReport>) -> Report {
    // Both are in file order.
    let mut loaded = object.programs().iter().peekable();
    for report in &mut programs {
        if let Some(program) = loaded.next_if(|program| program.name() == report.name) {
            report.set_loaded(program);
        }
    }
    for choice in object.choices() {
        let others = programs.iter_mut().filter(|report| !report.loaded);
        for report in others.filter(|report| choice.names.contains(&report.name)) {
            report.autoload = false;
            let passed_over = choice.passed_over.iter();
            if let Some(one) = passed_over.clone().find(|one| one.name == report.name) {
                report.set_refused(&one.reason);
            }
        }
    }
    Report {
        object: name,
        loaded: true,
        maps: object.maps().iter().map(MapReport::from).collect(),
        programs,
        error: None,
    }
}

impl MapReport {
    fn row(&self) -> Row<'_, 4> {
        let id = self.id.map_or("-".into(), |id| id.to_string().into());
        let verdict = match &self.error {
            Some(error) => &error.told.reason,
            None if self.id.is_some() => "created",
            None => "not created",
        };
        [
            self.name.as_str().into(),
            self.type_name.into(),
            id,
            verdict.into(),
        ]
    }
}

impl ProgramReport {
    fn row(&self) -> Row<'_, 6> {
        let verdict = match &self.told {
            Some(told) => told.reason.as_str(),
            None if self.loaded => "loaded",
            None if !self.autoload => "autoload is off",
            None => "not loaded",
        };
        [
            self.name.as_str().into(),
            self.section.as_str().into(),
            self.type_name.into(),
            self.id.map_or("-".into(), |id| id.to_string().into()),
            self.tag.as_deref().unwrap_or("-").into(),
            verdict.into(),
        ]
    }

    fn set_refused(&mut self, error: &Error) {
        self.error_kind = Some(error.kind().name());
        self.errno = error.errno().map(|e| e.0);
        self.errno_name = error.errno().and_then(rawbpf::Errno::name);
        self.message = Some(first_line(error));
        self.hint = error.hint().map(ToString::to_string);
        self.verifier_log = error.verifier_log().map(|log| log.full().to_string());
        self.told = Some(Told::from(error));
    }

    fn set_loaded(&mut self, program: &rawbpf::program::Program) {
        self.loaded = true;
        self.expected_attach_type = program.attach_type().map(|attach_type| attach_type.0);
        self.verifier_log = program.verifier_log().map(|log| log.full().to_string());
        if let Ok(info) = program.info() {
            self.id = Some(info.id);
            self.tag = Some(crate::show::json::Hex(&info.tag).to_string());
            self.func_info = Some(info.func_infos);
            self.line_info = Some(info.line_infos);
        }
    }
}

impl From<&Map> for MapReport {
    fn from(map: &Map) -> Self {
        let info = map.info().ok();
        Self {
            name: map.name().to_string(),
            kind: map.kind().0,
            type_name: map.kind().name().unwrap_or("unknown"),
            id: info.as_ref().map(|info| info.id),
            made: info.map(MapMade::from),
            error: None,
        }
    }
}

impl From<MapInfo> for MapMade {
    fn from(info: MapInfo) -> Self {
        Self {
            kernel_name: info.name,
            key_size: info.key_size,
            value_size: info.value_size,
            max_entries: info.max_entries,
            flags: info.flags.bits(),
            extra: info.map_extra,
            btf_key_type_id: info.btf_key_type.0,
            btf_value_type_id: info.btf_value_type.0,
        }
    }
}

/// Tries every program separately, whether its autoload is on or not.
fn each(
    mut object: OpenObject,
    path: &Path,
    target: &Target,
    options: &LoadOptions,
    stop: &Stop,
) -> Result<(Report, Option<Error>)> {
    let mut report = Report {
        object: object.name().to_string(),
        loaded: false,
        maps: Vec::new(),
        programs: object.programs().iter().map(not_loaded).collect(),
        error: None,
    };
    let maps = object.maps().iter().filter(|map| map.autocreate());
    let planned: Vec<_> = maps.map(planned).collect();
    for program in object.programs_mut() {
        program.set_autoload(true);
    }
    let loading = || {
        let plan = object.relocate_each(target)?;
        object::warn_of_plan(&object, &plan, stop);
        // Nothing done so far leaves anything behind.
        stop.catch_signals()?;
        plan.load_each_with(target, options)
    };
    let error = match loading() {
        Ok(each) => {
            report.set_programs(each.programs, &each.object, path);
            report.set_maps(each.maps, &each.object, planned, path);
            each.object.unpin_new_maps()?;
            report.shortfall(path)
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            for program in &mut report.programs {
                program.set_refused(&error);
            }
            report.maps = planned;
            report.error = Some(Failure::from(&error));
            Some(error)
        }
    };
    report.loaded = error.is_none();
    Ok((report, error))
}

/// The report of a map that has not been created yet.
fn planned(map: &OpenMap) -> MapReport {
    MapReport {
        name: map.name().to_string(),
        kind: map.kind().0,
        type_name: map.kind().name().unwrap_or("unknown"),
        id: None,
        made: None,
        error: None,
    }
}

/// The results for each program and each map. All lists are in file order.
impl Report {
    fn set_programs(&mut self, outcomes: Vec<Outcome>, object: &Object, path: &Path) {
        let mut outcomes = outcomes.into_iter().peekable();
        let mut loaded = object.programs().iter();
        for report in &mut self.programs {
            let outcome = outcomes.next_if(|outcome| outcome.name == report.name);
            match outcome.map(|outcome| outcome.error) {
                Some(Some(error)) => report.set_refused(&in_object(error, path)),
                Some(None) => loaded.next().into_iter().for_each(|p| report.set_loaded(p)),
                None => report.set_refused(&in_object(left_out(&report.name), path)),
            }
        }
    }

    fn set_maps(
        &mut self,
        outcomes: Vec<Outcome>,
        object: &Object,
        planned: Vec<MapReport>,
        path: &Path,
    ) {
        let mut planned: HashMap<_, _> = planned
            .into_iter()
            .map(|map| (map.name.clone(), map))
            .collect();
        let mut made = object.maps().iter().peekable();
        for outcome in outcomes {
            let map = made.next_if(|map| map.name() == outcome.name);
            let report = map.map(MapReport::from);
            if let Some(mut report) = report.or_else(|| planned.remove(&outcome.name)) {
                let error = outcome.error.map(|error| in_object(error, path));
                report.error = error.as_ref().map(Failure::from);
                self.maps.push(report);
            }
        }
    }

    /// How many programs and maps failed; `None` if none did.
    fn shortfall(&self, path: &Path) -> Option<Error> {
        let programs = self.programs.iter().filter(|program| !program.loaded);
        let maps = self.maps.iter().filter(|map| map.error.is_some());
        let of = |count: usize, all: usize, things: &str, what: &str| {
            (count > 0).then(|| format!("{count} of {all} {things} {what}"))
        };
        let programs = of(
            programs.count(),
            self.programs.len(),
            "programs",
            "not loaded",
        );
        let maps = of(
            maps.count(),
            self.maps.len(),
            "maps",
            "not created or not filled",
        );
        let shortfall: Vec<_> = programs.into_iter().chain(maps).collect();
        let error = || Error::new(ErrorKind::Kernel, shortfall.join(", "));
        (!shortfall.is_empty()).then(|| in_object(error(), path))
    }
}

fn in_object(error: Error, path: &Path) -> Error {
    error.context(format!("object {}", path.display()))
}

/// Why a program was not even tried: it depends on the struct_ops maps that use it.
fn left_out(program: &str) -> Error {
    let message = "no struct_ops map that is created uses it";
    Error::new(ErrorKind::InvalidArgument, message)
        .with_hint("its map is in a section `?.struct_ops` or `?.struct_ops.link`, which turns the map's autocreate off")
        .context(format!("program `{program}`"))
}

fn print_report(out: &mut impl Write, report: &Report, with_logs: bool) -> std::io::Result<()> {
    let loaded = match report.programs.iter().any(|program| program.loaded) {
        _ if report.loaded => "loaded",
        true => "loaded in part",
        false => "not loaded",
    };
    writeln!(out, "object {}: {loaded}", escape::name(&report.object))?;
    let maps = || report.maps.iter().map(MapReport::row);
    print_table(out, "maps", ["name", "type", "id", "verdict"], maps)?;
    let programs = || report.programs.iter().map(ProgramReport::row);
    let headings = ["name", "section", "type", "id", "tag", "verdict"];
    print_table(out, "programs", headings, programs)?;
    for map in &report.maps {
        let details = map
            .error
            .as_ref()
            .map(|error| error.told.details.as_slice());
        print_details(out, "map", &map.name, details)?;
    }
    for program in &report.programs {
        let details = program.told.as_ref().map(|told| told.details.as_slice());
        print_details(out, "program", &program.name, details)?;
    }
    let logs = report.programs.iter().filter(|_| with_logs);
    for program in logs {
        if let Some(log) = &program.verifier_log {
            writeln!(
                out,
                "verifier log of program {}:\n{}",
                escape::name(&program.name),
                log.trim_end()
            )?;
        }
    }
    Ok(())
}

/// Prints the details that the table has no room for.
fn print_details(
    out: &mut impl Write,
    what: &str,
    name: &str,
    details: Option<&[String]>,
) -> std::io::Result<()> {
    let details = details.filter(|details| !details.is_empty());
    let Some(details) = details else {
        return Ok(());
    };
    writeln!(out, "{what} {}:", escape::name(name))?;
    details
        .iter()
        .try_for_each(|line| writeln!(out, "  {line}"))
}
