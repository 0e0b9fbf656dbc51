//! Counts, in tests, the steps that readers of untrusted bytes take: twice the input may cost about twice the steps.

/// Adds this many steps: bytes looked at, cells filled in. Does nothing outside of tests.
#[inline]
pub(crate) fn did(steps: usize) {
    #[cfg(test)]
    count::add(steps);
    #[cfg(not(test))]
    let _ = steps;
}

#[cfg(test)]
pub(crate) use count::steps_of;

#[cfg(test)]
mod count {
    use std::cell::Cell;

    thread_local! {
        /// Each test runs on its own thread.
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn add(steps: usize) {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        STEPS.with(|all| all.set(all.get().saturating_add(steps)));
    }

    /// How many steps `job` takes.
    pub(crate) fn steps_of<T>(job: impl FnOnce() -> T) -> (T, u64) {
        let before = STEPS.with(Cell::get);
        let result = job();
        (result, STEPS.with(Cell::get) - before)
    }
}
