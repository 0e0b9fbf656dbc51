//! Forward declarations that may refer to several types: their context tells which one.
//!
//! One file has `struct s;` and `struct user { struct s *p; }`, two others have different definitions of `s`, and one of
//! these has the same `user` with it. So the first `user` is the second one with less information. In general, a type is
//! *subsumed* by another if they look the same, and whatever the first refers to is subsumed by what the second refers to; a
//! forward declaration is subsumed by any type that it may refer to. That is a greatest fixed point over pairs of types,
//! found by assuming all pairs and striking out those that do not hold. Structures and unions that are subsumed by another
//! are replaced by it, and the forward declarations that they lead to by what its references lead to, in that file alone:
//! elsewhere they may refer to something else.

use super::classes::Classes;
use super::graph::{Graph, Indexed, Referring, VOID};
use super::keep::first_of_each;
use super::record::Record;
use crate::btf::write::hash::Key;
use crate::keyed_hash::{Set, Table};
use crate::work;

/// How many pairs per type are examined, plus a few. Others are considered false.
const PAIRS_FOR_EACH: usize = 4;
const MORE_PAIRS: usize = 1 << 10;

/// A pair of classes, the first of which may be subsumed by the second: what that requires, until the pair is struck out.
struct Pair {
    holds: bool,
    /// The pairs that depend on it.
    needed_by: Vec<usize>,
}

/// What is known about pairs.
struct Pairs<'g> {
    graph: Indexed<'g>,
    classes: &'g Classes,
    first: Vec<u32>,
    looks: Key,
    numbers: Table<(u32, u32), usize>,
    all: Vec<Pair>,
    open: Vec<(u32, u32)>,
    crossed_out: Vec<usize>,
}

/// Structures and unions that are subsumed by others, paired with those, by node.
pub(super) fn said_by_others(graph: &Graph, classes: &Classes) -> Vec<(u32, u32)> {
    let ambiguous = classes.forwards.ambiguous();
    if ambiguous.is_empty() {
        return Vec::new();
    }
    let reach = reaching(graph, ambiguous);
    let mut pairs = Pairs {
        graph: graph.indexed(),
        classes,
        first: first_of_each(graph, classes),
        looks: Key::random(),
        numbers: Table::default(),
        all: Vec::new(),
        open: Vec::new(),
        crossed_out: Vec::new(),
    };
    let candidates = pairs.candidates(&reach);
    pairs.expand();
    pairs.cross_out();
    let mut said: Table<u32, u32> = Table::default();
    for (less, more, number) in candidates {
        // Two types may be subsumed by each other, if they refer to different variables or to a declaration in the base.
        if pairs.all.get(number).is_some_and(|pair| pair.holds)
            && !said.contains_key(&less)
            && last(&mut said, more) != less
        {
            said.insert(less, more);
        }
    }
    let nodes = (0..).zip(&classes.of);
    let moves = nodes.filter_map(|(node, class)| {
        let most = last(&mut said, *class);
        let to = *pairs.first.get(most as usize)?;
        (most != *class).then_some((node, to))
    });
    let mut moves: Vec<(u32, u32)> = moves.collect();
    let forwards = pairs.meant_forwards(&moves);
    moves.extend(forwards);
    moves
}

/// The end of the chain of classes that starts with this one. The chain is made shorter on the way, for the next time.
fn last(said: &mut Table<u32, u32>, mut class: u32) -> u32 {
    while let Some(next) = said.get(&class).copied() {
        if let Some(after) = said.get(&next).copied() {
            said.insert(class, after);
        }
        class = next;
    }
    class
}

/// Which nodes lead to one of these.
fn reaching(graph: &Graph, mut open: Vec<u32>) -> Vec<bool> {
    let referring = Referring::of(graph);
    let mut reach = vec![false; graph.len()];
    while let Some(node) = open.pop() {
        if let Some(known) = reach.get_mut(node as usize)
            && !std::mem::replace(known, true)
        {
            open.extend(referring.to(node));
        }
    }
    reach
}

impl<'g> Pairs<'g> {
    /// The first node of a class; see [`first_of_each`].
    fn first(&self, class: u32) -> Option<u32> {
        let first = self.first.get(class as usize).copied();
        first.filter(|first| *first != VOID)
    }

    /// Its record.
    fn record(&self, class: u32) -> Option<Record<'g>> {
        self.graph.record(self.first(class)?)
    }

    /// Pairs of structures and unions that look the same, the first of which leads to a forward declaration.
    fn candidates(&mut self, reach: &[bool]) -> Vec<(u32, u32, usize)> {
        let mut by_looks: Table<u64, Vec<u32>> = Table::default();
        let taken = |node: &u32| self.graph.graph().taken_for(*node).is_some();
        for (class, node) in (0..).zip(&self.first) {
            let record = self.graph.record(*node).filter(Record::is_named_composite);
            if let Some(record) = record.filter(|_| !taken(node)) {
                let looks = record.looks_hash(&self.looks);
                by_looks.entry(looks).or_default().push(class);
            }
        }
        let mut groups: Vec<Vec<u32>> = by_looks.into_values().collect();
        groups.retain(|group| group.len() > 1);
        groups.sort_unstable_by_key(|group| group.first().and_then(|class| self.first(*class)));
        let mut candidates = Vec::new();
        for group in groups {
            for less in &group {
                let node = self.first(*less).unwrap_or(VOID);
                let own =
                    !self.graph.graph().is_of_base(node) && reach.get(node as usize) == Some(&true);
                for more in group.iter().filter(|more| own && *more != less) {
                    if let Some(number) = self.number(*less, *more) {
                        candidates.push((*less, *more, number));
                    }
                }
            }
        }
        candidates
    }

    /// The number of a pair of different classes; `None` if there are too many.
    fn number(&mut self, less: u32, more: u32) -> Option<usize> {
        if let Some(known) = self.numbers.get(&(less, more)) {
            return Some(*known);
        }
        let most = self.classes.count.saturating_mul(PAIRS_FOR_EACH);
        if self.all.len() >= most.saturating_add(MORE_PAIRS) {
            return None;
        }
        let number = self.all.len();
        self.all.push(Pair {
            holds: true,
            needed_by: Vec::new(),
        });
        self.numbers.insert((less, more), number);
        self.open.push((less, more));
        Some(number)
    }

    /// Finds what each pair requires, and the pairs that cannot hold.
    fn expand(&mut self) {
        while let Some((less, more)) = self.open.pop() {
            let number = self
                .numbers
                .get(&(less, more))
                .copied()
                .unwrap_or(usize::MAX);
            if self.needs(number, less, more).is_none() {
                self.crossed_out.push(number);
            }
        }
    }

    /// Records the pairs that this one requires; `None` if it cannot hold.
    fn needs(&mut self, number: usize, less: u32, more: u32) -> Option<()> {
        let (one, two) = (self.record(less)?, self.record(more)?);
        if self.classes.forwards.may_be_about(&one, &two) {
            return Some(());
        }
        if !one.looks_like(&two) {
            return None;
        }
        let mut targets = one.targets().zip(two.targets());
        targets.try_for_each(|(one, two)| {
            work::did(1);
            let (one, two) = (self.classes.class(one), self.classes.class(two));
            if one == two {
                return Some(());
            }
            let needed = self.number(one, two)?;
            self.all.get_mut(needed)?.needed_by.push(number);
            Some(())
        })
    }

    /// What the forward declarations refer to that these nodes lead to: each file has its own, so that what is found in one
    /// context is true in the others. Those that would refer to two types are left out.
    fn meant_forwards(&self, moves: &[(u32, u32)]) -> Vec<(u32, u32)> {
        let mut meant: Table<u32, Option<u32>> = Table::default();
        let mut open = moves.to_vec();
        let mut seen: Set<(u32, u32)> = Set::default();
        let most = self.graph.graph().len().saturating_mul(PAIRS_FOR_EACH);
        while let Some((less, more)) = open.pop() {
            let same = self.classes.class(less) == self.classes.class(more);
            if same || seen.len() > most || !seen.insert((less, more)) {
                continue;
            }
            let [Some(one), Some(two)] = [less, more].map(|node| self.graph.record(node)) else {
                continue;
            };
            if self.classes.forwards.may_be_about(&one, &two) {
                let class = self.classes.class(more);
                let first = self.first.get(class as usize).copied();
                let known = meant.entry(less).or_insert(first);
                *known = known.filter(|known| Some(*known) == first);
            } else {
                work::did(1);
                open.extend(one.targets().zip(two.targets()));
            }
        }
        let own = meant
            .into_iter()
            .filter(|(node, _)| !self.graph.graph().is_of_base(*node));
        let mut own: Vec<(u32, u32)> = own.filter_map(|(node, to)| Some((node, to?))).collect();
        own.sort_unstable();
        own
    }

    /// Strikes out the pairs that depend on ones that do not hold.
    fn cross_out(&mut self) {
        while let Some(number) = self.crossed_out.pop() {
            if let Some(pair) = self.all.get_mut(number)
                && std::mem::replace(&mut pair.holds, false)
            {
                self.crossed_out.append(&mut pair.needed_by);
            }
        }
    }
}
