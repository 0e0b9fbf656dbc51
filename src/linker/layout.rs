//! Where each section comes to lie: sections of one name become one, each part at the next place that its alignment allows.

use super::declared::{EXTERN, section_name};
use super::input::{Input, Role, describe, invalid};
use crate::btf::{Kind, VarSecinfo};
use crate::elf::{NewRel, Section};
use crate::{Error, Result, SectionIndex};
use std::collections::HashMap;

/// What alignment may add to the output beside a multiple of the input.
const LEAST_PADDING: u64 = 4 << 20;
/// How many times the input alignment may add.
const MOST_PADDING: u64 = 4;

/// A section of the output.
#[derive(Debug)]
pub(super) struct Output<'b> {
    pub(super) name: &'b str,
    /// What the file has of it; `None` if it is there in the types only, as `.kconfig` is.
    pub(super) stored: Option<Stored>,
    /// Whether the types of any file list it.
    pub(super) is_listed: bool,
    pub(super) variables: Vec<VarSecinfo>,
}

/// What a section of the file has.
#[derive(Debug)]
pub(super) struct Stored {
    /// `SHT_*`
    pub(super) kind: u32,
    /// `SHF_*`
    pub(super) flags: u64,
    pub(super) align: u64,
    pub(super) entry_size: u64,
    pub(super) size: u64,
    /// Its bytes; none for zeros that take no room in a file.
    pub(super) data: Vec<u8>,
    pub(super) rels: Vec<NewRel>,
    /// The first file that has it.
    first: usize,
}

/// Where a section of the input comes to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The section of the output.
    pub(super) output: usize,
    /// Bytes from its start.
    pub(super) offset: u32,
}

/// All sections of the output, and where those of the input are in them.
#[derive(Debug, Default)]
pub(super) struct Layout<'b> {
    pub(super) outputs: Vec<Output<'b>>,
    by_name: HashMap<&'b str, usize>,
    /// For each input, the places of its sections, by their index; `None` for what is left out.
    places: Vec<Vec<Option<Place>>>,
    /// For each input, the first section of each name.
    names: Vec<HashMap<&'b str, SectionIndex>>,
    /// Bytes between parts, and the most that there may be.
    padding: u64,
    most_padding: u64,
}

impl<'b> Layout<'b> {
    /// Finds a place for every section.
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

    /// Adds a section of the file; `None` if an equal one that may be there only once is there already.
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
        // Zeros past 4 GiB are what a kernel is told modulo 4 GiB, as long as nothing follows them.
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

    /// The section of the output that has this name, which is added unless it is there.
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

    /// Notes which sections the types of a file list. Some are in the types only: `.kconfig`, `.ksyms`, and those in which the
    /// file declares variables and has none.
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

    /// The first section of this name in an input, and its place; `None` if the file has no such section.
    pub(super) fn section_of(
        &self,
        input: usize,
        name: &str,
    ) -> Option<(SectionIndex, Option<Place>)> {
        let index = *self.names.get(input)?.get(name)?;
        Some((index, self.place(input, index)))
    }

    /// Where a section of an input comes to lie; `None` if it is left out.
    pub(super) fn place(&self, input: usize, section: SectionIndex) -> Option<Place> {
        let places = self.places.get(input)?;
        let index = usize::try_from(section.0).ok()?;
        places.get(index).copied().flatten()
    }

    /// The section of the output that has this name.
    pub(super) fn output_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The name of a section of the output.
    pub(super) fn name(&self, output: usize) -> &'b str {
        self.outputs.get(output).map_or("?", |out| out.name)
    }

    /// What the file has of a section of the output.
    pub(super) fn stored_mut(&mut self, output: usize) -> Option<&mut Stored> {
        self.outputs.get_mut(output)?.stored.as_mut()
    }
}

/// Whether two sections of one name may become one.
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
