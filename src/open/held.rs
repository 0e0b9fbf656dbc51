//! What a caller attaches to an object for a later stage.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Something that opening and relocating neither inspect nor copy: the descriptor of a map or program that the caller
/// provides, which loading will use. A plan only says where it is used.
#[derive(Clone)]
pub(crate) struct Held(Arc<dyn Any + Send + Sync>);

impl Held {
    /// Keeps `thing`.
    pub(crate) fn new(thing: Arc<impl Any + Send + Sync>) -> Self {
        Self(thing)
    }

    /// The value, if it is of this type.
    pub(crate) fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.0).downcast().ok()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(..)")
    }
}
