//! The output: the sections and symbols of all files, as one ELF file.

use super::input::Input;
use super::layout::Layout;
use super::resolve::{Defined, Meaning, Occurrence, Resolved};
use super::types::Written;
use crate::elf::{Content, NewObject, NewSection, NewSymbol, Section, Symbol, SymbolPlace};
use crate::ids::ByteOrder;
use crate::{Error, Result};

/// The indices of symbols: first section symbols, then symbols local to one file, then those that files share.
#[derive(Debug)]
pub(super) struct Numbering {
    /// The index of each section's symbol; 0 for sections that are not in the file.
    sections: Vec<u32>,
    locals: u32,
    globals: u32,
}

impl Numbering {
    pub(super) fn of_all(layout: &Layout<'_>, resolved: &Resolved<'_>) -> Self {
        let mut next = 1_u32;
        let mut sections = Vec::with_capacity(layout.outputs.len());
        for output in &layout.outputs {
            if output.stored.is_some() {
                sections.push(next);
                next = next.saturating_add(1);
            } else {
                sections.push(0);
            }
        }
        let locals = u32::try_from(resolved.locals.len()).unwrap_or(u32::MAX);
        Self {
            sections,
            locals: next,
            globals: next.saturating_add(locals),
        }
    }

    /// The index of a symbol.
    pub(super) fn of(&self, meaning: Meaning) -> u32 {
        let from = |first: u32, index: usize| {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            first.saturating_add(index)
        };
        match meaning {
            Meaning::Nothing => 0,
            Meaning::Section(output) => self.sections.get(output).copied().unwrap_or(0),
            Meaning::Local(index) => from(self.locals, index),
            Meaning::Global(index) => from(self.globals, index),
        }
    }
}

/// Writes the file.
#[doc(alias = "bpf_linker__finalize")]
pub(super) fn write(
    inputs: &[Input<'_>],
    order: ByteOrder,
    resolved: &Resolved<'_>,
    layout: Layout<'_>,
    types: Option<Written>,
) -> Result<Vec<u8>> {
    let symbols = symbols(inputs, resolved, &layout);
    let outputs = layout.outputs.into_iter();
    let mut sections: Vec<NewSection<'_>> = outputs
        .filter_map(|output| {
            let stored = output.stored?;
            Some(NewSection {
                name: output.name,
                kind: stored.kind,
                flags: stored.flags,
                align: stored.align,
                entry_size: stored.entry_size,
                content: if stored.kind == Section::NOBITS {
                    Content::Zeros(stored.size)
                } else {
                    Content::Bytes(stored.data)
                },
                rels: stored.rels,
            })
        })
        .collect();
    let types = types.into_iter().flat_map(|types| {
        let ext = types.ext.map(|ext| (".BTF.ext", ext));
        [Some((".BTF", types.btf)), ext].into_iter().flatten()
    });
    sections.extend(types.map(|(name, bytes)| NewSection {
        name,
        kind: Section::PROGBITS,
        flags: 0,
        align: 8,
        entry_size: 0,
        content: Content::Bytes(bytes),
        rels: Vec::new(),
    }));
    let object = NewObject {
        order,
        sections,
        symbols,
    };
    object.write().map_err(|e| {
        let error = Error::from(e);
        error.with_hint(
            "link fewer files at a time, or put more of their contents into sections of one name",
        )
    })
}

/// The section indices in the file, by the index of the output section.
fn places(layout: &Layout<'_>) -> Vec<u16> {
    let mut next = 1_u16;
    let stored = layout.outputs.iter().map(|output| output.stored.is_some());
    let places = stored.map(|is_stored| {
        if !is_stored {
            return 0;
        }
        let place = next;
        next = next.saturating_add(1);
        place
    });
    places.collect()
}

fn symbols<'b>(
    inputs: &[Input<'b>],
    resolved: &Resolved<'b>,
    layout: &Layout<'b>,
) -> Vec<NewSymbol<'b>> {
    let places = places(layout);
    let of_sections = places.iter().filter(|place| **place != 0);
    let of_sections = of_sections.map(|place| NewSymbol {
        name: "",
        kind: Symbol::SECTION,
        binding: Symbol::LOCAL,
        other: 0,
        section: *place,
        value: 0,
        size: 0,
    });
    let local = |occurrence: &Occurrence| {
        let name = inputs.get(occurrence.input).and_then(|input| {
            let name = input.symbols.name(&occurrence.symbol);
            name.ok()
        });
        NewSymbol {
            // The symbols of jump tables are global in their files.
            binding: Symbol::LOCAL,
            ..place_of(layout, &places, occurrence, name.unwrap_or_default())
        }
    };
    let locals = resolved.locals.iter().map(local);
    let globals = resolved.globals.iter().map(|global| NewSymbol {
        binding: if global.is_weak {
            Symbol::WEAK
        } else {
            Symbol::GLOBAL
        },
        other: if global.is_hidden {
            Symbol::HIDDEN
        } else {
            Symbol::DEFAULT
        },
        kind: if global.defined == Defined::No {
            Symbol::NOTYPE
        } else {
            global.chosen.symbol.kind
        },
        ..place_of(layout, &places, &global.chosen, global.name)
    });
    of_sections.chain(locals).chain(globals).collect()
}

/// A symbol at its new location.
fn place_of<'n>(
    layout: &Layout<'_>,
    places: &[u16],
    occurrence: &Occurrence,
    name: &'n str,
) -> NewSymbol<'n> {
    let symbol = &occurrence.symbol;
    let (section, by) = match symbol.place {
        SymbolPlace::Section(index) => match layout.place(occurrence.input, index) {
            Some(place) => {
                let section = places.get(place.output).copied().unwrap_or(0);
                (section, u64::from(place.offset))
            }
            None => (0, 0),
        },
        SymbolPlace::Special(place) => (place, 0),
        SymbolPlace::Undefined | SymbolPlace::Common => (0, 0),
    };
    NewSymbol {
        name,
        kind: symbol.kind,
        binding: symbol.binding,
        other: symbol.other,
        section,
        value: symbol.value.saturating_add(by),
        size: symbol.size,
    }
}
