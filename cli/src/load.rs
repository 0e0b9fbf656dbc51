//! `rawbpf load`: load, report, unload.

use crate::args::LoadArgs;
use crate::cannot_print;
use crate::output::{Table, print_json};
use crate::pins;
use crate::stop::Stop;
use rawbpf::load::{LoadOptions, Object};
use rawbpf::map::{Map, MapInfo};
use rawbpf::open::{OpenMap, OpenObject};
use rawbpf::reloc::Target;
use rawbpf::{Error, ErrorKind, Result};
use serde::Serialize;
use std::io::Write;

pub(crate) fn load(args: &LoadArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let mut object = crate::open(&args.object, stop)?;
    let _own_mount = pins::in_own_mount(&mut object, stop)?;
    let (report, error) = if args.each {
        stop.catch_signals()?;
        each(&object, stop)?
    } else {
        whole(object, stop)?
    };
    stop.nothing_to_undo();
    let written = if args.json {
        print_json(out, &report)
    } else {
        print_report(out, &report)
    };
    written.map_err(cannot_print)?;
    error.map_or(Ok(()), Err)
}

/// What became of an object. The field names are an interface: other tools read them.
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
    /// Number of records that tell the types of functions, as the kernel reports it.
    func_info: Option<u32>,
    /// Number of records that tell lines of source, as the kernel reports it.
    line_info: Option<u32>,
    errno: Option<i32>,
    errno_name: Option<&'static str>,
    message: Option<String>,
    hint: Option<String>,
    verifier_log: Option<String>,
    /// The first line of the message, without the chain of what was being done, which the table shows itself.
    #[serde(skip)]
    reason: Option<String>,
    /// The other lines of the message.
    #[serde(skip)]
    details: Vec<String>,
}

/// Why the object as a whole was not loaded.
#[derive(Serialize)]
struct Failure {
    errno: Option<i32>,
    message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            errno: error.errno().map(|e| e.0),
            message: first_line(error),
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
fn whole(object: OpenObject, stop: &Stop) -> Result<(Report, Option<Error>)> {
    let name = object.name().to_string();
    let programs: Vec<ProgramReport> = object.programs().iter().map(not_loaded).collect();
    let loading = || {
        let target = object.running_target()?;
        let plan = object.relocate(&target)?;
        // What has been done so far leaves nothing behind.
        stop.catch_signals()?;
        let options = LoadOptions::new().stop_when(stop.flag());
        object.load_planned(plan, &target, &options)
    };
    match loading() {
        Ok(object) => {
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
        errno: None,
        errno_name: None,
        message: None,
        hint: None,
        verifier_log: None,
        reason: None,
        details: Vec::new(),
    }
}

fn loaded(name: String, object: &Object, mut programs: Vec<ProgramReport>) -> Report {
    for report in &mut programs {
        if let Ok(program) = object.program(&report.name) {
            report.set_loaded(program);
        }
    }
    Report {
        object: name,
        loaded: true,
        maps: map_reports(object),
        programs,
        error: None,
    }
}

impl ProgramReport {
    fn set_refused(&mut self, error: &Error) {
        self.errno = error.errno().map(|e| e.0);
        self.errno_name = error.errno().and_then(rawbpf::Errno::name);
        self.message = Some(first_line(error));
        self.hint = error.hint().map(ToString::to_string);
        self.verifier_log = error.verifier_log().map(|log| log.full().to_string());
        let mut lines = error.message().lines();
        let first = lines.next().unwrap_or_default();
        self.reason = Some(match error.errno() {
            Some(errno) => format!("{first} ({errno})"),
            None => first.to_string(),
        });
        self.details = lines.map(|line| line.trim().to_string()).collect();
        self.details
            .extend(error.hint().map(|hint| format!("hint: {hint}")));
    }

    fn set_loaded(&mut self, program: &rawbpf::program::Program) {
        self.loaded = true;
        self.expected_attach_type = Some(program.attach_type().0);
        if let Ok(info) = program.info() {
            self.id = Some(info.id);
            self.tag = Some(crate::output::hex(&info.tag));
            self.func_info = Some(info.func_infos);
            self.line_info = Some(info.line_infos);
        }
    }
}

fn map_reports(object: &Object) -> Vec<MapReport> {
    object.maps().iter().map(MapReport::from).collect()
}

impl From<&Map> for MapReport {
    fn from(map: &Map) -> Self {
        let info = map.info().ok();
        Self {
            name: map.name().to_string(),
            kind: map.map_type().0,
            type_name: map.map_type().name().unwrap_or("unknown"),
            id: info.as_ref().map(|info| info.id),
            made: info.map(MapMade::from),
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

/// Tries every program alone.
fn each(object: &OpenObject, stop: &Stop) -> Result<(Report, Option<Error>)> {
    let mut report = Report {
        object: object.name().to_string(),
        loaded: true,
        maps: Vec::new(),
        programs: Vec::new(),
        error: None,
    };
    let target = Target::running();
    let options = LoadOptions::new().stop_when(stop.flag());
    for program in object.programs() {
        let mut program_report = not_loaded(program);
        match only(object, program.name()).load_into(&target, &options) {
            Ok(loaded) => {
                if let Ok(program) = loaded.program(program.name()) {
                    program_report.set_loaded(program);
                }
                if report.maps.is_empty() {
                    report.maps = map_reports(&loaded);
                }
                loaded.unpin_new_maps()?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                report.loaded = false;
                program_report.set_refused(&error);
            }
        }
        report.programs.push(program_report);
    }
    if report.maps.is_empty() {
        report.maps = object
            .maps()
            .iter()
            .filter(|map| map.autocreate())
            .map(planned)
            .collect();
    }
    Ok((report, None))
}

/// A map of an object of which nothing could be loaded.
fn planned(map: &OpenMap) -> MapReport {
    MapReport {
        name: map.name().to_string(),
        kind: map.kind().0,
        type_name: map.kind().name().unwrap_or("unknown"),
        id: None,
        made: None,
    }
}

/// The object with autoload on for one program alone.
fn only(object: &OpenObject, name: &str) -> OpenObject {
    let mut object = object.clone();
    for program in object.programs_mut() {
        let wanted = program.name() == name;
        program.set_autoload(wanted);
    }
    object
}

fn print_report(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    writeln!(
        out,
        "object {}: {}",
        report.object,
        if report.loaded {
            "loaded"
        } else {
            "not loaded"
        }
    )?;
    let mut maps = Table::new(&["name", "type", "id"]);
    for map in &report.maps {
        let id = map.id.map_or("-".to_string(), |id| id.to_string());
        maps.add_row([map.name.as_str(), map.type_name, &id]);
    }
    maps.print(out, "maps")?;
    let mut programs = Table::new(&["name", "section", "type", "id", "tag", "verdict"]);
    for program in &report.programs {
        let verdict = match &program.reason {
            Some(reason) => reason.clone(),
            None if program.loaded => "loaded".to_string(),
            None if !program.autoload => "autoload is off".to_string(),
            None => "not loaded".to_string(),
        };
        let id = program.id.map_or("-".to_string(), |id| id.to_string());
        let tag = program.tag.clone().unwrap_or("-".to_string());
        let name = program.name.clone();
        programs.add_row([
            name,
            program.section.clone(),
            program.type_name.into(),
            id,
            tag,
            verdict,
        ]);
    }
    programs.print(out, "programs")?;
    for program in report.programs.iter().filter(|p| !p.details.is_empty()) {
        writeln!(out, "program {}:", program.name)?;
        for line in &program.details {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}
