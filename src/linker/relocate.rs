//! Relocations of all files, moved to their new offsets and changed to refer to the symbols of the output.
//!
//! Most refer to a symbol by name: only their symbol index changes. Those that refer to a section symbol have an offset in that
//! section in the instruction itself; it changes if that input's part does not start the output section.

use super::input::{Input, Role, describe, invalid, unsupported};
use super::jump_tables::JumpTables;
use super::layout::{Layout, Place, Stored};
use super::output::Numbering;
use super::resolve::{Meaning, Resolved};
use crate::elf::{NewRel, Rel, Section, Symbol, SymbolPlace};
use crate::ids::ByteOrder;
use crate::insn::INSN_SIZE;
use crate::{Error, Result, SectionIndex};

/// `call`.
const CALL: u8 = 0x85;
/// Size of an instruction in bytes.
const INSN_LEN: u32 = 8;
const _: () = assert!(INSN_LEN as usize == INSN_SIZE);

/// Moves the relocations of all inputs to the output.
#[doc(alias = "linker_append_elf_relos")]
pub(super) fn relocate(
    inputs: &[Input<'_>],
    resolved: &Resolved<'_>,
    numbering: &Numbering,
    layout: &mut Layout<'_>,
) -> Result<()> {
    for (number, input) in inputs.iter().enumerate() {
        let mut tables = JumpTables::of(input);
        for section in input.with_role(Role::Relocations) {
            let target = SectionIndex(section.info);
            let Some(place) = layout.place(number, target) else {
                continue;
            };
            let Some((about, _)) = input.section(target) else {
                continue;
            };
            let mover = Mover {
                input,
                number,
                resolved,
                numbering,
                about,
                place,
            };
            let rels = input.rels(section).map_err(Error::from);
            let moved = rels.and_then(|rels| {
                for (index, rel) in rels.enumerate() {
                    mover
                        .move_one(layout, &mut tables, rel)
                        .map_err(|e| e.context(format!("relocation {index}")))?;
                }
                Ok(())
            });
            moved.map_err(|e| e.context(describe(section)).context(input.name.to_owned()))?;
        }
    }
    Ok(())
}

/// What the relocations of one section have in common.
struct Mover<'m, 'b> {
    input: &'m Input<'b>,
    number: usize,
    resolved: &'m Resolved<'b>,
    numbering: &'m Numbering,
    /// The section that is relocated.
    about: &'m Section<'b>,
    place: Place,
}

impl Mover<'_, '_> {
    fn move_one(&self, layout: &mut Layout<'_>, tables: &mut JumpTables, rel: Rel) -> Result<()> {
        self.check(rel)?;
        let symbol = self.symbol(rel)?;
        let meaning = self.resolved.meaning(self.number, rel.symbol);
        let number = match meaning {
            Some(Meaning::Nothing) | None => {
                let name = self.input.symbol_name(&symbol);
                return Err(invalid(format!(
                    "it refers to `{name}`, which is left out with its section"
                ))
                .with_hint(
                    "what `license` and `version` hold, and debug information, cannot be referred to in objects that are linked",
                ));
            }
            Some(meaning) => self.numbering.of(meaning),
        };
        let offset = rel.offset.saturating_add(u64::from(self.place.offset));
        let by = if symbol.kind == Symbol::SECTION {
            self.moved_by(layout, &symbol)?
        } else {
            0
        };
        let order = self.input.byte_order();
        if self.about.is_executable() {
            let file = (self.number, order);
            tables.used(file, &symbol, self.place.offset, layout)?;
        }
        let Some(stored) = layout.stored_mut(self.place.output) else {
            return Ok(());
        };
        if by != 0 {
            self.add(stored, order, offset, by)?;
        }
        stored.rels.push(NewRel {
            offset,
            symbol: number,
            kind: rel.kind,
        });
        Ok(())
    }

    fn symbol(&self, rel: Rel) -> Result<Symbol> {
        let symbol = self.input.symbols.get(rel.symbol);
        symbol.filter(|symbol| symbol.index != 0).ok_or_else(|| {
            let number = rel.symbol;
            invalid(format!(
                "it refers to symbol {number}, which does not exist"
            ))
        })
    }

    fn check(&self, rel: Rel) -> Result<()> {
        let len = match rel.kind {
            Rel::BPF_64_64 if self.about.is_executable() => 16,
            Rel::BPF_64_64 | Rel::BPF_64_ABS64 | Rel::BPF_64_32 => 8,
            Rel::BPF_64_ABS32 => 4,
            kind => {
                return Err(unsupported(format!(
                    "it is of type {kind}, which is none of those for BPF's instructions and data"
                )));
            }
        };
        let whole = !self.about.is_executable() || rel.offset.is_multiple_of(u64::from(INSN_LEN));
        let end = rel.offset.checked_add(len);
        if whole && end.is_some_and(|end| end <= self.about.size) {
            return Ok(());
        }
        Err(invalid(format!(
            "it is about offset {:#x} of section `{}`, where no instruction or data of {len} bytes is",
            rel.offset, self.about.name
        )))
    }

    /// By how many bytes the part of a section is moved in the output.
    fn moved_by(&self, layout: &Layout<'_>, symbol: &Symbol) -> Result<u32> {
        let SymbolPlace::Section(section) = symbol.place else {
            return Err(invalid("it refers to the start of no section"));
        };
        let about = self.input.section(section).map(|(about, _)| about);
        let is_code = about.is_some_and(Section::is_executable);
        if !self.about.is_executable() && !is_code {
            let name = self.input.symbol_name(symbol);
            return Err(unsupported(format!(
                "data refers to an offset in section `{name}`, which no loader resolves"
            ))
            .with_hint(
                "an initialiser has the address of a static variable; set it when the program runs, or make the variable global",
            ));
        }
        let place = layout.place(self.number, section);
        Ok(place.map_or(0, |place| place.offset))
    }

    /// Adds to the section offset that is stored in an instruction or in data.
    fn add(&self, stored: &mut Stored, order: ByteOrder, offset: u64, by: u32) -> Result<()> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| stored.data.get_mut(offset..));
        let nothing = || invalid("it refers to a section's start where the file has no bytes");
        let rest = rest.ok_or_else(nothing)?;
        if !self.about.is_executable() {
            let word = rest.first_chunk_mut::<8>().ok_or_else(nothing)?;
            let moved = order.u64(*word).wrapping_add(u64::from(by));
            *word = order.u64(moved.to_ne_bytes()).to_ne_bytes();
            return Ok(());
        }
        let [code, _, _, _, imm @ ..] = rest.first_chunk_mut::<8>().ok_or_else(nothing)?;
        let by = if *code == CALL { by / INSN_LEN } else { by };
        let moved = order.u32(*imm).wrapping_add(by);
        *imm = order.u32(moved.to_ne_bytes()).to_ne_bytes();
        Ok(())
    }
}
