//! Applies one relocation after the other, for all programs of an object.

use super::answer::Answer;
use super::budget::Budget;
use super::candidates::{Candidate, Candidates};
use super::error::CoreError;
use super::kind::{RelocKind, kind_word};
use super::matching::{Mismatch, match_candidate};
use super::patch::patch;
use super::spec::{Spec, described};
use super::used::UsedTypes;
use super::value::Verdict;
use crate::btf::{Btf, CoreRelo, essential_name};
use crate::insn::Insn;
use crate::reloc::{CoreOutcome, CoreStep, Target};
use crate::{Error, Result, TypeId};
use std::collections::{BTreeSet, HashSet};

/// How many candidates a step names; the others are only counted.
const SHOWN: usize = 8;

/// More than an object has relocations without an answer, if it is to be of use on this kernel at all.
const MOST_SUGGESTIONS: u32 = 256;

/// Why a load cannot use a field that was found.
const UNFIT_WIDTH: &str = "the field has another width in the kernel, and a load can be widened or narrowed only for \
                           pointers and unsigned integers";

/// Answers the CO-RE relocations of one object from one kernel's types.
///
/// Relocations of one local type narrow each other's candidates, so the order in which they are applied matters. A clone
/// goes its own way from there on: programs that are not to be loaded are best relocated with one.
#[derive(Debug, Clone)]
pub(crate) struct CoreResolver<'a> {
    local: &'a Btf<'static>,
    candidates: Candidates<'a>,
    budget: Budget,
    /// How many more missing fields get a suggestion: it takes a comparison with all fields there are.
    suggestions: u32,
}

impl<'a> CoreResolver<'a> {
    /// For an object with the types `local`.
    pub(crate) fn new(local: &'a Btf<'static>, target: &'a Target) -> Self {
        Self {
            local,
            candidates: Candidates::new(target),
            budget: Budget::default(),
            suggestions: MOST_SUGGESTIONS,
        }
    }

    /// Looks all types up that these relocations ask for, in one pass over the kernel's types, but for those that are
    /// `known`, by essential name.
    ///
    /// # Errors
    /// The kernel has no types, or they cannot be read. Errors in a record are reported by [`Self::apply`].
    pub(crate) fn prepare<'r>(
        &mut self,
        records: impl IntoIterator<Item = &'r CoreRelo>,
        known: impl Fn(&str) -> Option<&'r [TypeId]>,
    ) -> Result<()> {
        let wanted = wanted_names(self.local, records);
        for name in &wanted {
            if let Some(types) = known(name) {
                self.candidates.know(name, types);
            }
        }
        self.candidates.look_up(wanted)
    }

    /// Applies one relocation to the instruction at `insn`.
    ///
    /// # Errors
    /// Whatever makes a load fail: a malformed record, an instruction that does not contain what the object's own types
    /// imply, or several types in the kernel that give different answers. No answer at all is not an error, see
    /// [`CoreOutcome::Poisoned`].
    #[doc(alias = "bpf_core_resolve_relo")]
    pub(crate) fn apply(
        &mut self,
        insns: &mut [Insn],
        insn: usize,
        record: &CoreRelo,
    ) -> Result<CoreStep> {
        let at = |error: Error| error.context(format!("CO-RE relocation of instruction {insn}"));
        let local = self.question(record).map_err(|e| at(e.into()))?;
        let answer = self
            .answer(&local)
            .map_err(|e| at(e.context(described(&local))))?;
        let patched = patch(insns, insn, &answer.verdict)
            .map_err(|e| at(Error::from(e).context(described(&local))))?;
        let mut mismatches = answer.mismatches;
        let poisoned = patched.outcome == CoreOutcome::Poisoned;
        if poisoned && answer.verdict.after.is_some() {
            mismatches.push(UNFIT_WIDTH.to_string());
        }
        Ok(CoreStep {
            insn,
            kind: local.kind.name(),
            spec: described(&local),
            candidates: answer.matching,
            missing: poisoned.then(|| local.in_words()),
            mismatches,
            value_before: patched.before,
            value_after: answer.verdict.after.filter(|_| !poisoned),
            outcome: patched.outcome,
        })
    }

    /// Notes what the answer to a record depends on, whatever other records have done to its candidates.
    ///
    /// # Errors
    /// The record is malformed.
    pub(crate) fn note(&mut self, record: &CoreRelo, used: &mut UsedTypes<'a>) -> Result<()> {
        let local = self.question(record)?;
        if !needs_search(local.kind) {
            return Ok(());
        }
        for candidate in self.candidates.of(&local.root, &mut self.budget)? {
            if let Ok(found) = match_candidate(&local, candidate.ty, &mut self.budget)? {
                used.note(candidate, &found)?;
            }
        }
        Ok(())
    }

    /// The record in terms of the object's own types.
    pub(super) fn question(&mut self, record: &CoreRelo) -> Result<Spec<'a>, CoreError> {
        let kind =
            RelocKind::from_number(record.kind).ok_or(CoreError::UnknownKind(record.kind))?;
        let root = self.local.get(record.type_id)?;
        let access = self.local.string_bytes_at(record.access_str_off)?;
        let access = std::str::from_utf8(access)
            .map_err(|_| CoreError::AccessString(String::from_utf8_lossy(access).into_owned()))?;
        self.budget.spend_on(access)?;
        Spec::parse(kind, root, access)
    }

    /// What the kernel's types say.
    #[doc(alias = "bpf_core_calc_relo_insn")]
    pub(super) fn answer(&mut self, local: &Spec<'a>) -> Result<Conclusion> {
        let before = Answer::from_path(local)?;
        if !needs_search(local.kind) {
            return Ok(Conclusion::of(Verdict::found(&before, &before)));
        }
        let candidates = self.candidates.of(&local.root, &mut self.budget)?;
        let mut search = Search::default();
        for candidate in candidates {
            match match_candidate(local, candidate.ty, &mut self.budget)? {
                Ok(spec) => {
                    let after = Answer::from_path(&spec)?;
                    search.agree(candidate, spec, Verdict::found(&before, &after))?;
                }
                Err(mismatch) => search.rejected.push((candidate, mismatch)),
            }
        }
        let not_found = Verdict::not_found(local.kind, &before);
        let suggest = search.kept.is_empty() && not_found.after.is_none() && self.suggestions > 0;
        if suggest {
            self.suggestions -= 1;
        }
        let mut conclusion = search.conclude(not_found, suggest);
        if search.kept.is_empty() && search.rejected.is_empty() {
            let (kind, name) = (
                kind_word(local.root.kind()),
                essential_name(local.root.name()),
            );
            let nothing = format!("the kernel has no {kind} named `{name:.200}`");
            conclusion.mismatches.push(nothing);
        }
        if !search.kept.is_empty() {
            self.candidates.narrow(&local.root, search.kept);
        }
        Ok(conclusion)
    }
}

/// The essential names of the kernel types that these relocations ask for; `local` are the object's types.
pub(crate) fn wanted_names<'a, 'r>(
    local: &'a Btf<'_>,
    records: impl IntoIterator<Item = &'r CoreRelo>,
) -> BTreeSet<&'a str> {
    let searched = records
        .into_iter()
        .filter(|record| RelocKind::from_number(record.kind).is_some_and(needs_search));
    let ids: HashSet<TypeId> = searched.map(|record| record.type_id).collect();
    let types = ids.into_iter().filter_map(|id| local.get(id).ok());
    let names = types.map(|ty| essential_name(ty.name()));
    names.filter(|name| !name.is_empty()).collect()
}

/// Whether the answer depends on the kernel.
fn needs_search(kind: RelocKind) -> bool {
    kind != RelocKind::TypeIdLocal
}

/// The answer to a question, and how it was found.
pub(super) struct Conclusion {
    pub(super) verdict: Verdict,
    pub(super) matching: Vec<String>,
    pub(super) mismatches: Vec<String>,
}

impl Conclusion {
    fn of(verdict: Verdict) -> Self {
        Self {
            verdict,
            matching: Vec::new(),
            mismatches: Vec::new(),
        }
    }
}

/// The outcome of the candidates so far.
#[derive(Default)]
struct Search<'a> {
    first: Option<(Candidate<'a>, Spec<'a>, Verdict)>,
    kept: Vec<Candidate<'a>>,
    shown: Vec<String>,
    rejected: Vec<(Candidate<'a>, Mismatch<'a>)>,
}

impl<'a> Search<'a> {
    /// Adds a matching candidate. All of them must agree on where the field is and on the patched instruction, because
    /// nobody can say which of them the program means.
    fn agree(
        &mut self,
        candidate: Candidate<'a>,
        spec: Spec<'a>,
        verdict: Verdict,
    ) -> Result<(), CoreError> {
        if let Some((other, first, decided)) = &self.first
            && (first.bit_offset != spec.bit_offset || decided.after != verdict.after)
        {
            return Err(CoreError::Ambiguous {
                first: show(other, first),
                first_answer: answer_text(first, decided),
                second: show(&candidate, &spec),
                second_answer: answer_text(&spec, &verdict),
            });
        }
        if self.shown.len() < SHOWN {
            self.shown.push(show(&candidate, &spec));
        }
        self.kept.push(candidate);
        if self.first.is_none() {
            self.first = Some((candidate, spec, verdict));
        }
        Ok(())
    }

    fn conclude(&mut self, not_found: Verdict, suggest: bool) -> Conclusion {
        if let Some((_, _, verdict)) = self.first {
            return Conclusion {
                matching: with_rest(std::mem::take(&mut self.shown), self.kept.len()),
                ..Conclusion::of(verdict)
            };
        }
        let reasons = self.rejected.iter().take(SHOWN);
        let reasons = reasons.map(|(candidate, why)| {
            let place = why.place(&candidate.ty);
            let place = place.map_or_else(String::new, |place| format!(" in its {place}"));
            let near = if suggest {
                why.suggestion()
            } else {
                String::new()
            };
            format!("{candidate} {why}{place}{near}")
        });
        Conclusion {
            mismatches: with_rest(reasons.collect(), self.rejected.len()),
            ..Conclusion::of(not_found)
        }
    }
}

fn show(candidate: &Candidate<'_>, spec: &Spec<'_>) -> String {
    match candidate.module {
        Some(module) => format!("{} of module {module}", described(spec)),
        None => described(spec),
    }
}

fn answer_text(spec: &Spec<'_>, verdict: &Verdict) -> String {
    match verdict.after {
        Some(value) if !spec.bit_offset.is_multiple_of(8) => {
            format!("{value} (at bit {})", spec.bit_offset)
        }
        Some(value) => value.to_string(),
        None => "no answer".to_string(),
    }
}

fn with_rest(mut shown: Vec<String>, all: usize) -> Vec<String> {
    let rest = all.saturating_sub(shown.len());
    if rest > 0 {
        shown.push(format!("and {rest} more"));
    }
    shown
}
