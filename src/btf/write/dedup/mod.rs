//! Deduplicates types.
//!
//! Two types are equal if they look the same and what they refer to is equal; types can refer to each other in cycles, so the
//! answer is the coarsest partition of all types for which that holds. It is found by partition refinement (Hopcroft 1971;
//! with the rule that the largest part of a class keeps its number, as in Dovier, Piazza and Policriti 2004): types start in
//! one class if their records without references are equal, and a class is split while its types refer to different classes.
//! libbpf compares pairs of graphs instead, starting from a guess at which two may be equal, and keeps a type twice if it
//! guesses wrong.
//!
//! ```text
//!  strings   each name once, so that equal names have equal offsets
//!  graph     records, one after the other, and who refers to whom
//!  record    what a type looks like, and what it refers to
//!  classes   by looks, then by references, in a few rounds over all types
//!  refine    continues where these are not enough, until all types of a class refer to the same classes
//!  forwards  `struct s;` is in the class of `struct s { ... }`, as long as there is one such class only
//!  contexts  a type that only has a forward declaration where another has the type itself is replaced by the other
//!  keep      of each class one type is kept; references to the others are redirected
//! ```
//!
//! A type changes its class at most log2(n) times, so that this takes O((types + references) log n) steps, whatever the types
//! are. Classes are distinguished by hashes with a random key; before types are removed, each is compared with the one that
//! replaces it.
//!
//! Variables and sections are never equal to others: two files may each have a variable with the same name.

mod classes;
mod contexts;
mod forwards;
mod graph;
mod keep;
mod record;
mod refine;
mod strings;
#[cfg(test)]
mod tests;

use super::builder::BtfBuilder;
use crate::btf::{BtfError, BtfExt};
use classes::Classes;
use graph::Graph;
use strings::Renamed;

/// How many times a new key is tried after a hash collision, which is unlikely to happen even once.
const MOST_KEYS: usize = 4;
/// How many times types are replaced by others, after which still more types may be equal.
const MOST_ROUNDS: usize = 8;

impl BtfBuilder {
    /// Deduplicates types, resolves forward declarations to the types that they refer to if there is only one, and removes
    /// strings that nothing refers to. Type ids change, except those of a base.
    ///
    /// Types with dangling references are an error, which [`finish`](Self::finish) returns.
    #[doc(alias = "btf__dedup")]
    pub fn dedup(&mut self) {
        let done = self.without_copies(None);
        self.noted(done);
    }

    /// Like [`dedup`](Self::dedup), and updates the type ids and string offsets in the `.BTF.ext` that belongs to these
    /// types.
    #[doc(alias = "btf__dedup")]
    pub fn dedup_with(&mut self, ext: &mut BtfExt) {
        let done = self.without_copies(Some(ext));
        self.noted(done);
    }

    fn without_copies(&mut self, mut ext: Option<&mut BtfExt>) -> Result<(), BtfError> {
        let mut graph = Graph::of(self)?;
        let renamed = Renamed::take(self, &graph, ext.as_deref())?;
        renamed.rename(&mut graph);
        if let Some(ext) = ext.as_deref_mut() {
            ext.map_strings(|offset| renamed.new_offset(offset));
        }
        self.strings = renamed.strings;
        let mut rounds = MOST_ROUNDS;
        for _ in 0..MOST_KEYS {
            let mut classes = Classes::of(&graph);
            while rounds > 0 {
                let said = contexts::said_by_others(&graph, &classes);
                if said.is_empty() {
                    break;
                }
                graph.take(&said);
                classes = Classes::of(&graph);
                rounds -= 1;
            }
            if let Some(kept) = keep::choose(&graph, classes) {
                if let Some(ext) = ext {
                    ext.map_types(|id| kept.new_id(id));
                }
                (self.words, self.starts) = graph.keep(&kept.stay, |id| kept.new_id(id));
                return Ok(());
            }
        }
        Err(BtfError::TooMuch(self.next_id()))
    }
}
