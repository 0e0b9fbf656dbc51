//! Symbol resolution: which of several definitions of a name is chosen, and what declarations refer to.
//!
//! A strong definition is preferred to weak ones, a weak one to declarations; among equals, the first one is chosen. A name is
//! strong if any file says so, and hidden if any file says so.

use super::declared::{Declaration, Declared};
use super::input::{Input, invalid};
use super::jump_tables::JUMP_TABLES;
use super::layout::Layout;
use crate::elf::{Symbol, SymbolPlace};
use crate::{Error, Result};
use std::collections::HashMap;

/// The result of resolving an input symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is dropped with its section.
    Nothing,
    /// The start of this output section.
    Section(usize),
    /// A symbol local to its file, by its index in [`Resolved::locals`].
    Local(usize),
    /// A symbol that files share, by its index in [`Resolved::globals`].
    Global(usize),
}

/// A symbol of an input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occurrence {
    pub(super) input: usize,
    pub(super) symbol: Symbol,
}

/// How a name is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Defined {
    No,
    Weakly,
    Strongly,
}

/// A name that files share.
#[derive(Debug)]
pub(super) struct Global<'b> {
    pub(super) name: &'b str,
    pub(super) defined: Defined,
    /// Whether it is weak in all files.
    pub(super) is_weak: bool,
    pub(super) is_hidden: bool,
    /// The chosen definition; the first declaration if there is none.
    pub(super) chosen: Occurrence,
    /// Its declaration in the types of the chosen symbol's file.
    pub(super) declared: Declaration<'b>,
}

/// The results for all symbols.
#[derive(Debug, Default)]
pub(super) struct Resolved<'b> {
    /// For each input, the results by symbol index.
    meanings: Vec<Vec<Meaning>>,
    pub(super) locals: Vec<Occurrence>,
    pub(super) globals: Vec<Global<'b>>,
    by_name: HashMap<&'b str, usize>,
}

impl<'b> Resolved<'b> {
    /// Resolves the symbols of all inputs.
    #[doc(alias = "linker_append_elf_syms")]
    pub(super) fn of(
        inputs: &'b [Input<'b>],
        declared: &[Declared<'b>],
        layout: &Layout<'_>,
    ) -> Result<Self> {
        let mut resolved = Self::default();
        for (number, (input, declared)) in inputs.iter().zip(declared).enumerate() {
            let mut meanings = Vec::with_capacity(input.symbols.len());
            for symbol in input.symbols.iter() {
                let occurrence = Occurrence {
                    input: number,
                    symbol,
                };
                let meaning = resolved.take(inputs, declared, layout, occurrence);
                meanings.push(meaning.map_err(|e| {
                    let name = input.symbol_name(&symbol);
                    e.context(format!("symbol `{name}`"))
                        .context(input.name.to_owned())
                })?);
            }
            resolved.meanings.push(meanings);
        }
        Ok(resolved)
    }

    fn take(
        &mut self,
        inputs: &'b [Input<'b>],
        declared: &Declared<'b>,
        layout: &Layout<'_>,
        new: Occurrence,
    ) -> Result<Meaning> {
        let (Some(input), symbol) = (inputs.get(new.input), new.symbol) else {
            return Ok(Meaning::Nothing);
        };
        if symbol.index == 0 {
            return Ok(Meaning::Nothing);
        }
        let mut is_shared = !symbol.is_local();
        if let SymbolPlace::Section(section) = symbol.place {
            let Some(place) = layout.place(new.input, section) else {
                return Ok(Meaning::Nothing);
            };
            if symbol.kind == Symbol::SECTION {
                return Ok(Meaning::Section(place.output));
            }
            is_shared &= layout.name(place.output) != JUMP_TABLES;
        }
        if !is_shared {
            self.locals.push(new);
            return Ok(Meaning::Local(self.locals.len().saturating_sub(1)));
        }
        let declaration = declared.find(input.symbols.name(&symbol)?)?;
        self.share(inputs, declaration, new)
    }

    #[doc(alias = "linker_append_elf_sym")]
    fn share(
        &mut self,
        inputs: &'b [Input<'b>],
        declared: Declaration<'b>,
        new: Occurrence,
    ) -> Result<Meaning> {
        let input = |number| inputs.get(number);
        let symbol = new.symbol;
        let name = match input(new.input) {
            Some(input) => input.symbols.name(&symbol)?,
            None => return Ok(Meaning::Nothing),
        };
        let defined = match (symbol.place, symbol.is_weak()) {
            (SymbolPlace::Undefined, _) => Defined::No,
            (_, true) => Defined::Weakly,
            (_, false) => Defined::Strongly,
        };
        let is_hidden = symbol.other & 3 == Symbol::HIDDEN;
        let next = self.globals.len();
        let index = *self.by_name.entry(name).or_insert(next);
        let Some(global) = self.globals.get_mut(index) else {
            self.globals.push(Global {
                name,
                defined,
                is_weak: symbol.is_weak(),
                is_hidden,
                chosen: new,
                declared,
            });
            return Ok(Meaning::Global(index));
        };
        if defined == Defined::Strongly && global.defined == Defined::Strongly {
            let other = input(global.chosen.input).map_or("?", |input| input.name);
            return Err(defined_twice(other));
        }
        global.is_weak &= symbol.is_weak();
        global.is_hidden |= is_hidden;
        if defined > global.defined {
            global.defined = defined;
            global.chosen = new;
            global.declared = declared;
        }
        Ok(Meaning::Global(index))
    }

    /// The result for the input symbol with this index; `None` if there is no such symbol.
    pub(super) fn meaning(&self, input: usize, symbol: usize) -> Option<Meaning> {
        self.meanings.get(input)?.get(symbol).copied()
    }

    /// The shared symbol of this name.
    pub(super) fn global(&self, name: &str) -> Option<&Global<'b>> {
        self.globals.get(*self.by_name.get(name)?)
    }

    /// All input symbols that refer to a shared name, with that name.
    pub(super) fn shared(&self) -> impl Iterator<Item = (usize, usize, &Global<'b>)> {
        let inputs = self.meanings.iter().enumerate();
        inputs.flat_map(move |(input, meanings)| {
            let symbols = meanings.iter().enumerate();
            symbols.filter_map(move |(symbol, meaning)| match meaning {
                Meaning::Global(index) => Some((input, symbol, self.globals.get(*index)?)),
                _ => None,
            })
        })
    }
}

#[cold]
fn defined_twice(other: &str) -> Error {
    invalid(format!("it is defined here and in {other}")).with_hint(
        "rename one of them; make it `static` if only its own file uses it, or `__weak` if the other is to take its place",
    )
}
