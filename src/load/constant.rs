//! Global constants after loading, which nothing can change any more.

use super::globals::Live;
use crate::Result;
use crate::btf::Layout;
use std::fmt;
use zerocopy::FromBytes;

/// A global constant (`.rodata`) of a loaded object: a [`Live`] variable without a way to set it.
pub struct Constant<T>(Live<T>);

impl<T> From<Live<T>> for Constant<T> {
    fn from(live: Live<T>) -> Self {
        Self(live)
    }
}

impl<T: Layout + FromBytes> Constant<T> {
    /// Its value.
    #[inline]
    pub fn get(&self) -> T {
        self.0.get()
    }
}

impl<T: Layout> Constant<T> {
    /// Its value, if valid, see [`Live::try_get`].
    ///
    /// # Errors
    /// `Corrupt` if the value is none of its type.
    pub fn try_get(&self) -> Result<T> {
        self.0.try_get()
    }
}

impl<T> Clone for Constant<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Constant<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Constant").field(&self.0).finish()
    }
}
