//! Every function's instructions after CO-RE, and what CO-RE did to them.
//!
//! This is the driver: which records belong to which function, and which function an error belongs to. The algorithm is in
//! `core`.

use super::core::{CoreResolver, wanted_names};
use super::kernel_types::KernelTypes;
use super::plan::CoreStep;
use super::target::Target;
use crate::btf::{BtfExt, CoreRelo};
use crate::insn::{INSN_SIZE, Insn};
use crate::open::OpenObject;
use crate::{Error, ErrorKind, Result, SectionIndex};
use std::collections::{BTreeSet, HashMap};

/// The functions of an object; those with CO-RE relocations as a relocated copy.
#[derive(Debug)]
pub(super) struct Code<'o> {
    object: &'o OpenObject,
    patched: HashMap<usize, Patched>,
}

#[derive(Debug, Default)]
struct Patched {
    insns: Vec<Insn>,
    steps: Vec<CoreStep>,
    error: Option<Error>,
}

/// A record, and the instruction that it applies to.
struct Place {
    function: usize,
    insn: usize,
    record: CoreRelo,
}

impl<'o> Code<'o> {
    /// The functions as they are in the file.
    pub(super) fn unpatched(object: &'o OpenObject) -> Self {
        let patched = HashMap::new();
        Self { object, patched }
    }

    /// A function's instructions.
    pub(super) fn insns(&self, function: usize) -> &[Insn] {
        if let Some(patched) = self.patched.get(&function) {
            return &patched.insns;
        }
        let function = self.object.functions.get(function);
        function.map_or(&[], |f| f.insns.as_slice())
    }

    /// What CO-RE did to a function.
    pub(super) fn steps(&self, function: usize) -> &[CoreStep] {
        self.patched
            .get(&function)
            .map_or(&[], |p| p.steps.as_slice())
    }

    /// Why a function could not be relocated.
    pub(super) fn take_error(&mut self, function: usize) -> Option<Error> {
        self.patched.get_mut(&function)?.error.take()
    }

    /// Applies the CO-RE relocations of all functions (by index) that `wanted` selects.
    ///
    /// # Errors
    /// Errors that concern the whole object. Errors of a single function are kept for [`Code::take_error`].
    pub(super) fn relocate(
        object: &'o OpenObject,
        target: &Target,
        wanted: &[bool],
        types: &KernelTypes<'_>,
    ) -> Result<Self> {
        let mut code = Self {
            object,
            patched: HashMap::new(),
        };
        let Some(ext) = object.btf_ext.as_ref() else {
            return Ok(code);
        };
        let places = places(object, ext, wanted)?;
        if places.is_empty() {
            return Ok(code);
        }
        let Some(btf) = &object.btf else {
            return Ok(code);
        };
        let records = places.iter().map(|place| &place.record);
        let mut resolver = CoreResolver::new(btf, target);
        resolver.prepare(records, |name| types.flavours(name))?;
        for place in &places {
            code.apply(&mut resolver, place);
        }
        Ok(code)
    }

    /// Applies one record. After a function's first error, its remaining records are skipped.
    fn apply(&mut self, resolver: &mut CoreResolver<'_>, place: &Place) {
        let object = self.object;
        let patched = self.patched.entry(place.function).or_insert_with(|| {
            let function = object.functions.get(place.function);
            Patched {
                insns: function.map(|f| f.insns.clone()).unwrap_or_default(),
                ..Patched::default()
            }
        });
        if patched.error.is_some() {
            return;
        }
        match resolver.apply(&mut patched.insns, place.insn, &place.record) {
            Ok(step) => patched.steps.push(step),
            Err(error) => patched.error = Some(error),
        }
    }
}

/// The sections that contain functions, by name.
pub(super) fn sections_by_name(object: &OpenObject) -> HashMap<&str, SectionIndex> {
    let mut sections = HashMap::new();
    for function in &object.functions {
        sections
            .entry(function.section_name.as_str())
            .or_insert(function.section);
    }
    sections
}

/// The essential names that CO-RE will look up in the kernel if the functions that `wanted` selects are relocated. Errors are
/// found by [`Code::relocate`].
pub(super) fn wanted_types<'o>(
    object: &'o OpenObject,
    target: &Target,
    wanted: &[bool],
) -> BTreeSet<&'o str> {
    match (&object.btf, &object.btf_ext, target.core_btf()) {
        (Some(btf), Some(ext), None) => {
            let places = places(object, ext, wanted).unwrap_or_default();
            wanted_names(btf, places.iter().map(|place| &place.record))
        }
        _ => BTreeSet::new(),
    }
}

/// For each function with CO-RE relocations that need the kernel's types, by index, the alphabetically first essential name.
pub(super) fn first_wanted<'o>(object: &'o OpenObject, target: &Target) -> HashMap<usize, &'o str> {
    let (Some(btf), Some(ext), None) = (&object.btf, &object.btf_ext, target.core_btf()) else {
        return HashMap::new();
    };
    let everything = vec![true; object.functions.len()];
    let mut records: HashMap<usize, Vec<CoreRelo>> = HashMap::new();
    for place in places(object, ext, &everything).unwrap_or_default() {
        records
            .entry(place.function)
            .or_default()
            .push(place.record);
    }
    let first = records.iter().filter_map(|(function, records)| {
        let first = wanted_names(btf, records).into_iter().next()?;
        Some((*function, first))
    });
    first.collect()
}

/// The records of all functions.
///
/// # Errors
/// One of them does not apply to an instruction.
pub(super) fn records(object: &OpenObject) -> Result<Vec<CoreRelo>> {
    let Some(ext) = object.btf_ext.as_ref() else {
        return Ok(Vec::new());
    };
    let places = places(object, ext, &vec![true; object.functions.len()])?;
    Ok(places.into_iter().map(|place| place.record).collect())
}

/// The instructions that the records apply to. Records outside any function are skipped: a linker keeps those of functions
/// that it dropped.
fn places(object: &OpenObject, ext: &BtfExt, wanted: &[bool]) -> Result<Vec<Place>> {
    let sections = sections_by_name(object);
    let mut places = Vec::new();
    for group in ext.core_relo() {
        let name = object
            .btf
            .as_ref()
            .and_then(|btf| btf.section_name_at(group.section_name_off))
            .unwrap_or_default();
        let Some(section) = sections.get(name) else {
            continue;
        };
        for record in group.core_relos() {
            let offset = usize::try_from(record.insn_off).unwrap_or(usize::MAX);
            if !offset.is_multiple_of(INSN_SIZE) {
                return Err(Error::new(
                    ErrorKind::InvalidObject,
                    format!(
                        "a CO-RE relocation is at byte {offset:#x} of section {name}, which is not where an instruction starts"
                    ),
                ));
            }
            let Some(at) = object.function_at(*section, offset / INSN_SIZE) else {
                continue;
            };
            if !wanted.get(at.index).copied().unwrap_or(false) {
                continue;
            }
            places.push(Place {
                function: at.index,
                insn: at.insn,
                record,
            });
        }
    }
    Ok(places)
}
