//! Types that say the same, kept once.
//!
//! Two types are the same if they look the same and what they refer to is the same; types refer to each other in circles, so
//! the answer is the coarsest partition of all types for which that holds. It is found by partition refinement (Hopcroft 1971;
//! with the rule that of the parts of a class the largest keeps its number, as in Dovier, Piazza and Policriti 2004): types
//! start in one class if their records without references are equal, and a class falls apart while its types refer to different
//! classes. libbpf compares pairs of graphs instead, from a guess which two may be equal, and keeps what it guesses wrong twice.
//!
//! ```text
//!  strings   each name once, so that equal names have equal offsets
//!  graph     records, and who refers to whom
//!  classes   by looks, then by references, a few rounds over all types
//!  refine    goes on where these are too few, until all types of a class refer to the same classes
//!  forwards  `struct s;` is in the class of `struct s { ... }`, as long as there is one such class only
//!  contexts  a type that only has a forward declaration where another has the type itself is taken for the other
//!  keep      of each class one type is kept; everybody who referred to another refers to it
//! ```
//!
//! A type changes its class at most log2(n) times, so that it takes O((types + references) log n) steps, whatever the types
//! are. Classes are told apart by hashes with a random key; before types are left out, each is compared with the one that
//! stays for it.
//!
//! Variables and sections are never the same as others: two files may have a variable of one name each.

mod classes;
mod contexts;
mod forwards;
mod graph;
mod keep;
mod refine;
mod strings;
#[cfg(test)]
mod tests;

use super::builder::BtfBuilder;
use crate::btf::{BtfError, BtfExt};
use classes::Classes;
use graph::Graph;

use strings::Renamed;

/// So often another key is taken if two hashes were equal by chance, of which one time is unlikely enough.
const MOST_KEYS: usize = 4;
/// So often types are taken for others, by which still others may become the same.
const MOST_ROUNDS: usize = 8;

impl BtfBuilder {
    /// Keeps types that say the same once, resolves forward declarations to the types that they are about where there is one
    /// only, and leaves out strings that nothing refers to. Numbers of types change; those of a base stay.
    ///
    /// Types with references that lead nowhere are an error, which [`finish`](Self::finish) returns.
    #[doc(alias = "btf__dedup")]
    pub fn dedup(&mut self) {
        let done = self.without_copies(None);
        self.noted(done);
    }

    /// Like [`dedup`](Self::dedup), and gives the `.BTF.ext` that belongs to these types the new numbers and strings.
    #[doc(alias = "btf__dedup")]
    pub fn dedup_with(&mut self, ext: &mut BtfExt) {
        let done = self.without_copies(Some(ext));
        self.noted(done);
    }

    fn without_copies(&mut self, mut ext: Option<&mut BtfExt>) -> Result<(), BtfError> {
        let mut graph = Graph::of(self)?;
        let renamed = Renamed::collect(self, &graph, ext.as_deref())?;
        renamed.rename(&mut graph);
        if let Some(ext) = ext.as_deref_mut() {
            ext.map_strings(|offset| renamed.new_offset(offset));
        }
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
            if let Some(kept) = keep::choose(&graph, &classes) {
                if let Some(ext) = ext {
                    ext.map_types(|id| kept.new_id(id));
                }
                keep::apply(self, graph, &kept, renamed.strings);
                return Ok(());
            }
        }
        Err(BtfError::TooMuch(self.next_id()))
    }
}
