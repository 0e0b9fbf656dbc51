//! The layout of the output: sections of the same name are merged, each part at the next offset that its alignment allows.

use super::declared::{EXTERN, section_name};
use super::input::{Input, Role, describe, invalid};
use crate::btf::{Kind, VarSecinfo};
use crate::elf::{NewRel, Section};
use crate::{Error, Result, SectionIndex};
use std::collections::HashMap;

/// The padding that is always allowed, in bytes, however small the input is.
const LEAST_PADDING: u64 = 4 << 20;
/// The padding that is allowed as a multiple of the input size.
const MOST_PADDING: u64 = 4;

/// A section of the output.
#[derive(Debug)]
pub(super) struct Output<'b> {
    pub(super) name: &'b str,
    /// Its contents; `None` if only the types mention it, as for `.kconfig`.
    pub(super) stored: Option<Stored>,
    /// Whether the types of any file list it.
    pub(super) is_listed: bool,
    pub(super) variables: Vec<VarSecinfo>,
}

/// The contents of a section in the output file.
#[derive(Debug)]
pub(super) struct Stored {
    /// `SHT_*`
    pub(super) kind: u32,
    /// `SHF_*`
    pub(super) flags: u64,
    pub(super) align: u64,
    pub(super) entry_size: u64,
    pub(super) size: u64,
    /// Its bytes; empty for zeros that take no space in the file.
    pub(super) data: Vec<u8>,
    pub(super) rels: Vec<NewRel>,
    /// The index of the first input that has it.
    first: usize,
}

/// The location of an input section in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The index of the output section.
    pub(super) output: usize,
    /// Offset in it, in bytes.
    pub(super) offset: u32,
}

/// All output sections, and the locations of the input sections in them.
#[derive(Debug, Default)]
pub(super) struct Layout<'b> {
    pub(super) outputs: Vec<Output<'b>>,
    by_name: HashMap<&'b str, usize>,
    /// For each input, the locations of its sections, by section index; `None` for sections that are dropped.
    places: Vec<Vec<Option<Place>>>,
    /// For each input, the first section of each name.
    names: Vec<HashMap<&'b str, SectionIndex>>,
    /// Bytes of padding so far, and the maximum.
    padding: u64,
    most_padding: u64,
}

impl<'b> Layout<'b> {
    /// Assigns a location to every section.
    #[doc(alias = "linker_append_sec_data")]
    pub(super) fn of(inputs: &'b [Input<'_>], bytes: u64) -> Result<Self> {
        let most_padding = bytes.saturating_mul(MOST_PADDING);
        let mut layout = Self {
            most_padding: most_padding.saturating_add(LEAST_PADDING),
            ..Self::default()
        };
        for (number, input) in inputs.iter().enumerate() {
            let within = |e: Error| e.context(input.name.to_owned());
            layout.places.push(Vec::new());
            layout.names.push(HashMap::new());
            for (section, role) in input.sections() {
                let place = match role {
                    Role::Data => layout
                        .add(inputs, number, section)
                        .map_err(|e| within(e.context(describe(section))))?,
                    Role::Left | Role::Relocations => None,
                };
                layout.note(number, section, place);
            }
            layout.add_listed(number, input).map_err(within)?;
        }
        Ok(layout)
    }

    fn note(&mut self, input: usize, section: &Section<'b>, place: Option<Place>) {
        if let Some(names) = self.names.get_mut(input) {
            names.entry(section.name).or_insert(section.index);
        }
        if let Some(places) = self.places.get_mut(input) {
            let end = usize::try_from(section.index.0).unwrap_or(usize::MAX);
            places.resize(end, None);
            places.push(place);
        }
    }

    /// Adds an input section; `None` if it may exist only once and an identical one was already added.
    fn add(
        &mut self,
        inputs: &[Input<'_>],
        input: usize,
        section: &Section<'b>,
    ) -> Result<Option<Place>> {
        let output = self.output(section.name);
        let Some(out) = self.outputs.get_mut(output) else {
            return Ok(None);
        };
        let data = section.data()?;
        if let Some(stored) = &out.stored {
            let first = inputs.get(stored.first).map_or("?", |input| input.name);
            check_same(stored, section, first)?;
            if matches!(section.name, "license" | "version") {
                if stored.data != data || stored.size != section.size {
                    return Err(different_contents(section, first));
                }
                return Ok(None);
            }
        }
        let stored = out.stored.get_or_insert_with(|| Stored {
            kind: section.kind,
            flags: section.flags,
            align: 0,
            entry_size: section.entry_size,
            size: 0,
            data: Vec::new(),
            rels: Vec::new(),
            first: input,
        });
        stored.align = stored.align.max(section.align);
        let start = stored.size.checked_next_multiple_of(stored.align.max(1));
        let end = start.and_then(|start| start.checked_add(section.size));
        // The kernel gets sizes of zeros beyond 4 GiB modulo 4 GiB, as long as nothing follows the zeros.
        let is_short = |end: &u64| section.kind == Section::NOBITS || u32::try_from(*end).is_ok();
        let room = start
            .and_then(|start| u32::try_from(start).ok())
            .zip(end.filter(is_short));
        let Some((offset, end)) = room else {
            return Err(invalid("with it, the section would have 4 GiB or more")
                .with_hint("no map is so large; make its variables smaller"));
        };
        let padding = u64::from(offset).saturating_sub(stored.size);
        stored.size = end;
        if section.kind != Section::NOBITS {
            self.padding = self.padding.saturating_add(padding);
            if self.padding > self.most_padding {
                let message = format!("its alignment {} leaves too much empty", section.align);
                return Err(invalid(message));
            }
            stored
                .data
                .resize(usize::try_from(offset).unwrap_or(usize::MAX), 0);
            stored.data.extend_from_slice(data);
        }
        Ok(Some(Place { output, offset }))
    }

    /// The index of the output section of this name, which is added if it does not exist yet.
    fn output(&mut self, name: &'b str) -> usize {
        let next = self.outputs.len();
        let index = *self.by_name.entry(name).or_insert(next);
        if index == next {
            self.outputs.push(Output {
                name,
                stored: None,
                is_listed: false,
                variables: Vec::new(),
            });
        }
        index
    }

    /// Notes which sections the types of a file list. Some exist only in the types: `.kconfig`, `.ksyms`, and those for which
    /// the file has nothing but declarations of variables.
    #[doc(alias = "linker_fixup_btf")]
    fn add_listed(&mut self, number: usize, input: &'b Input<'_>) -> Result<()> {
        let Some(btf) = &input.btf else {
            return Ok(());
        };
        for ty in btf.types().filter(|ty| ty.kind() == Kind::Datasec) {
            let name = section_name(btf, &ty)?;
            if name == EXTERN {
                continue;
            }
            let output = match self.section_of(number, name) {
                Some((_, place)) => place.map(|place| place.output),
                None => Some(self.output(name)),
            };
            if let Some(out) = output.and_then(|output| self.outputs.get_mut(output)) {
                out.is_listed = true;
            }
        }
        Ok(())
    }

    /// The first section of this name in an input, and its location; `None` if the file has no such section.
    pub(super) fn section_of(
        &self,
        input: usize,
        name: &str,
    ) -> Option<(SectionIndex, Option<Place>)> {
        let index = *self.names.get(input)?.get(name)?;
        Some((index, self.place(input, index)))
    }

    /// The location of an input section in the output; `None` if it is dropped.
    pub(super) fn place(&self, input: usize, section: SectionIndex) -> Option<Place> {
        let places = self.places.get(input)?;
        let index = usize::try_from(section.0).ok()?;
        places.get(index).copied().flatten()
    }

    /// The index of the output section of this name.
    pub(super) fn output_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The name of an output section.
    pub(super) fn name(&self, output: usize) -> &'b str {
        self.outputs.get(output).map_or("?", |out| out.name)
    }

    /// The contents of an output section.
    pub(super) fn stored_mut(&mut self, output: usize) -> Option<&mut Stored> {
        self.outputs.get_mut(output)?.stored.as_mut()
    }
}

/// Whether two sections of the same name may be merged.
#[doc(alias = "secs_match")]
fn check_same(stored: &Stored, section: &Section<'_>, first: &str) -> Result<()> {
    let (what, here, there) = if stored.kind != section.kind {
        ("type", section.kind.into(), stored.kind.into())
    } else if stored.flags != section.flags {
        ("flags", section.flags, stored.flags)
    } else if stored.entry_size != section.entry_size {
        ("size of entries", section.entry_size, stored.entry_size)
    } else {
        return Ok(());
    };
    Err(invalid(format!(
        "its {what} is {here:#x}, and {there:#x} in {first}, so that the two cannot become one section"
    ))
    .with_hint("code, data, read-only data and zeros need sections of different names"))
}

fn different_contents(section: &Section<'_>, first: &str) -> Error {
    let name = section.name;
    invalid(format!("its contents differ from those in {first}")).with_hint(format!(
        "an object has one {name}: state the same one in every file"
    ))
}
