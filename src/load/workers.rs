//! Loads programs in parallel on several threads.

use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// With fewer programs, starting threads takes longer than loading.
const FEWEST: usize = 8;

/// How many threads load `programs` programs by default.
pub(super) fn default_for(programs: usize) -> usize {
    if programs < FEWEST {
        return 1;
    }
    thread::available_parallelism().map_or(1, usize::from)
}

/// Calls `load` with each item, in order, on up to `workers` threads including this one. After a failure, no further item
/// is started.
///
/// # Errors
/// The error of the item that failed, or of the first in order if several did: all items before it were started and awaited.
pub(super) fn side_by_side<T: Send>(
    items: &[usize],
    workers: usize,
    load: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<(usize, T)>, (usize, Error)> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        while !failed.load(Ordering::Relaxed)
            && let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let result = load(*item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((*item, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers.min(items.len()) {
            // If no more threads can be started, fewer do the work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(item, _)| *item);
    let each = results.into_iter().map(|(item, result)| match result {
        Ok(loaded) => Ok((item, loaded)),
        Err(error) => Err((item, error)),
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::collections::HashSet;
    use std::sync::Barrier;

    fn failure(item: usize) -> Error {
        Error::new(ErrorKind::Verifier, format!("item {item}"))
    }

    #[test]
    fn every_item_is_loaded_once_and_told_in_order() {
        let items: Vec<usize> = (0..1000).filter(|n| n % 3 != 0).collect();
        for workers in [0, 1, 2, 7] {
            let loaded = side_by_side(&items, workers, |item| Ok(item * 2)).unwrap();
            let expected: Vec<_> = items.iter().map(|item| (*item, item * 2)).collect();
            assert_eq!(loaded, expected);
        }
    }

    #[test]
    fn threads_work_at_the_same_time() {
        let barrier = Barrier::new(3);
        let threads = side_by_side(&[0, 1, 2], 3, |_| {
            barrier.wait();
            Ok(thread::current().id())
        });
        let threads: HashSet<_> = threads.unwrap().into_iter().map(|(_, id)| id).collect();
        assert_eq!(threads.len(), 3);
    }

    /// The second item fails at once, the first one after it.
    #[test]
    fn the_first_failure_in_order_is_told() {
        let second_failed = Barrier::new(2);
        let begun = Mutex::new(Vec::new());
        let outcome = side_by_side(&[0, 1, 2, 3], 2, |item| {
            begun.lock().unwrap().push(item);
            if item < 2 {
                second_failed.wait();
            }
            Err::<(), _>(failure(item))
        });
        let (item, error) = outcome.unwrap_err();
        assert_eq!((item, error.message()), (0, "item 0"));
        assert!(begun.into_inner().unwrap().len() <= 3);
    }
}
