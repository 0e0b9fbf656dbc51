//! What a kernel was asked, and its answers: each question is asked once.

use super::target::KernelSource;
use crate::feature::Feature;
use crate::kinds::{AttachType, ProbeKind, ProbePmu, ProgramType};
use std::collections::HashMap;
use std::hash::Hash;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A kernel, and those of its answers that stay valid as long as it runs. Shared by all targets that describe the kernel.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) source: Arc<dyn KernelSource>,
    features: [OnceLock<bool>; Feature::ALL.len()],
    probe_pmus: [OnceLock<Option<ProbePmu>>; ProbeKind::ALL.len()],
    /// With the flags that were asked about.
    attach_types: Kept<(AttachType, u32)>,
    links: Kept<(LoadedFor, AttachType)>,
}

/// What a program was loaded as, which determines what it can be attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LoadedFor {
    pub(crate) kind: ProgramType,
    /// `None` if only the kernel knows.
    pub(crate) attach_type: Option<AttachType>,
}

impl Answers {
    pub(super) fn of(source: Arc<dyn KernelSource>) -> Self {
        Self {
            source,
            features: [const { OnceLock::new() }; Feature::ALL.len()],
            probe_pmus: [const { OnceLock::new() }; ProbeKind::ALL.len()],
            attach_types: Kept::default(),
            links: Kept::default(),
        }
    }

    pub(super) fn supports(&self, feature: Feature) -> bool {
        match self.features.get(feature as usize) {
            Some(cell) => *cell.get_or_init(|| self.source.supports(feature)),
            None => self.source.supports(feature),
        }
    }

    /// The features that have been asked about so far.
    pub(super) fn known_features(&self) -> impl Iterator<Item = (Feature, bool)> {
        let known = Feature::ALL.iter().zip(&self.features);
        known.filter_map(|(feature, cell)| Some((*feature, *cell.get()?)))
    }

    pub(super) fn probe_pmu(&self, kind: ProbeKind) -> Option<ProbePmu> {
        let cell = self.probe_pmus.get(kind as usize)?;
        if let Some(known) = cell.get() {
            return *known;
        }
        // What cannot be determined now may be known later.
        let found = self.source.probe_pmu(kind).ok()?;
        *cell.get_or_init(|| found)
    }

    pub(super) fn knows_attach_type(&self, attach_type: AttachType, flags: u32) -> bool {
        let ask = || self.source.knows_attach_type(attach_type, flags);
        self.attach_types.answer((attach_type, flags), ask)
    }

    pub(super) fn has_links(
        &self,
        program: BorrowedFd<'_>,
        loaded: LoadedFor,
        attach_type: AttachType,
    ) -> bool {
        let ask = || self.source.has_links(program, attach_type);
        if loaded.attach_type.is_none() {
            // Another program of this type may have been loaded for something else.
            return ask().unwrap_or(true);
        }
        self.links.answer((loaded, attach_type), ask)
    }
}

/// Answers by question.
#[derive(Debug)]
struct Kept<Q>(Mutex<HashMap<Q, bool>>);

impl<Q> Default for Kept<Q> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Q: Eq + Hash> Kept<Q> {
    /// The answer to `question`, asked for if it is not known yet. If the kernel does not answer, it is yes, and not cached.
    fn answer(&self, question: Q, ask: impl FnOnce() -> Option<bool>) -> bool {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&question).copied();
        if let Some(answer) = known {
            return answer;
        }
        // Others need not wait for the kernel.
        let Some(answer) = ask() else { return true };
        *lock().entry(question).or_insert(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_was_answered_is_not_asked_again() {
        let kept = Kept::default();
        let asked = Cell::new(0);
        let answer = |question, answer| {
            kept.answer(question, || {
                asked.set(asked.get() + 1);
                answer
            })
        };
        assert!(!answer("links", Some(false)));
        assert!(!answer("links", Some(true)));
        assert_eq!(asked.get(), 1);
        // A missing answer counts as yes, and the question is asked again.
        assert!(answer("flags", None));
        assert!(!answer("flags", Some(false)));
        assert_eq!(asked.get(), 3);
    }
}
