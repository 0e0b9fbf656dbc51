//! Tries the next alternative when the kernel refuses a program ([`OpenObject::prefer`](crate::OpenObject::prefer)).

use super::object::Object;
use super::session::Session;
use crate::reloc::{Choice, LoadPlan, PassedOver, Target, is_refusal, obstacle};
use crate::{Error, ErrorKind, Result};

impl Session<'_> {
    /// Loads the program with this index or, if the kernel refuses it, the next alternative that it accepts.
    pub(super) fn load_preferred(&mut self, index: usize, target: &Target) -> Result<usize> {
        match self.load_program(index) {
            Ok(()) => Ok(index),
            Err(refused) => self.load_next(index, refused, target),
        }
    }

    /// Loads an alternative to the program with this index, which was refused; returns its index.
    ///
    /// # Errors
    /// There is none, or the kernel accepts none; or the attempt failed for a reason other than a refusal.
    pub(super) fn load_next(
        &mut self,
        index: usize,
        refused: Error,
        target: &Target,
    ) -> Result<usize> {
        let plan = self.plan;
        let is_the_one = |choice: &Choice| chosen(plan, choice) == Some(index);
        let Some(at) = self.made.choices.iter().position(is_the_one) else {
            return Err(refused);
        };
        let Some(mut choice) = self.made.choices.get(at).cloned() else {
            return Err(refused);
        };
        let log = refused.verifier_log().cloned();
        choice.pass_over(refused)?;
        while let Some(next) = choice.chosen.as_ref().and_then(|_| chosen(plan, &choice)) {
            match self.try_alternative(next, target) {
                Ok(()) => {
                    if let Some(place) = self.made.choices.get_mut(at) {
                        *place = choice;
                    }
                    return Ok(next);
                }
                Err(error) => choice.pass_over(error)?,
            }
        }
        let error = choice.error();
        Err(match log {
            Some(log) => error.with_verifier_log(log),
            None => error,
        })
    }

    fn try_alternative(&mut self, index: usize, target: &Target) -> Result<()> {
        if let Some(program) = self.plan.programs.get(index) {
            let known = program.error.clone();
            let known = known.or_else(|| obstacle(program, &self.plan.maps, target));
            known.map_or(Ok(()), Err)?;
        }
        self.load_program(index)
    }

    /// Whether the program with this index, once loaded, is attached with the others. An alternative follows the program that
    /// it replaced.
    pub(super) fn autoattach(&self, index: usize) -> bool {
        let plan = self.plan;
        let attaches = |index: usize| plan.programs.get(index).is_some_and(|p| p.autoattach);
        let choices = plan.choices.iter().zip(&self.made.choices);
        let mut stands_in = choices.filter(|(_, made)| chosen(plan, made) == Some(index));
        attaches(index) || stands_in.any(|(planned, _)| chosen(plan, planned).is_some_and(attaches))
    }
}

/// The index of the program that was chosen.
fn chosen(plan: &LoadPlan, choice: &Choice) -> Option<usize> {
    let chosen = choice.chosen.as_ref()?;
    plan.programs.iter().position(|p| p.name == *chosen)
}

impl Choice {
    /// Chooses the next alternative.
    ///
    /// # Errors
    /// The given error, if it is not a refusal of the program.
    fn pass_over(&mut self, reason: Error) -> Result<()> {
        if !is_refusal(&reason) {
            return Err(reason);
        }
        if let Some(name) = self.chosen.take() {
            let mut names = self.names.iter().skip_while(|other| **other != name);
            self.chosen = names.nth(1).cloned();
            self.passed_over.push(PassedOver { name, reason });
        }
        Ok(())
    }
}

impl Object {
    /// Which alternatives were chosen ([`OpenObject::prefer`](crate::OpenObject::prefer)), and why others were passed over, some
    /// of them perhaps only when the kernel refused them.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Why there is no program with this name, if another one was chosen.
    pub(super) fn not_chosen(&self, name: &str) -> Option<Error> {
        let choice = self
            .choices
            .iter()
            .find(|choice| choice.names.iter().any(|other| other == name))?;
        let instead = choice.chosen.as_deref().unwrap_or_default();
        let passed_over = choice.passed_over.iter().find(|one| one.name == name);
        let why = match passed_over {
            Some(one) => format!("it was passed over: {}", one.reason.message()),
            None => "it was not needed".to_owned(),
        };
        let message = format!("object {}: program `{name}` was not loaded", self.name);
        let hint = format!("`{instead}` was loaded instead; {why}");
        Some(Error::new(ErrorKind::NotFound, message).with_hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;

    fn choice() -> Choice {
        Choice {
            names: ["a", "b", "c"].map(str::to_owned).to_vec(),
            chosen: Some("a".to_owned()),
            passed_over: Vec::new(),
        }
    }

    #[test]
    fn a_refusal_leads_to_the_next_until_there_is_none() {
        let mut choice = choice();
        for next in [Some("b"), Some("c"), None] {
            let refusal = Error::new(ErrorKind::Verifier, "no").with_errno(Errno::EACCES);
            choice.pass_over(refusal).unwrap();
            assert_eq!(choice.chosen.as_deref(), next);
        }
        let names: Vec<_> = choice.passed_over.iter().map(|one| &one.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let error = choice.error().to_string();
        assert_eq!(error.matches(": no").count(), 3, "{error}");
    }

    #[test]
    fn what_is_no_refusal_of_the_program_ends_the_load() {
        for errno in [Errno::ENOMEM, Errno::EINTR, Errno::EAGAIN] {
            let mut choice = choice();
            let error = Error::from_errno(errno, "not now");
            assert_eq!(choice.pass_over(error).unwrap_err().errno(), Some(errno));
            assert_eq!(choice.chosen.as_deref(), Some("a"));
        }
        let interrupted = Error::new(ErrorKind::Interrupted, "stop");
        assert!(choice().pass_over(interrupted).is_err());
    }
}
