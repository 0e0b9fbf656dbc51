//! Which kernel functions one link attaches to: by a pattern, or by a list.

use crate::{Error, ErrorKind, Result};

/// Functions; `N` identifies a function that is not given by name.
#[derive(Debug, Clone)]
pub(super) enum Wanted<N> {
    Pattern(String),
    Names(Vec<String>),
    Numbers(Vec<N>),
}

impl<N> Wanted<N> {
    pub(super) fn names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Names(names.into_iter().map(Into::into).collect())
    }

    /// How messages refer to them.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Pattern(pattern) => format!("kernel functions `{pattern}`"),
            Self::Names(names) => format!("{} kernel functions", names.len()),
            Self::Numbers(numbers) => format!("{} kernel functions", numbers.len()),
        }
    }

    /// Cookies require a list, with one cookie per function.
    pub(super) fn check_cookies(&self, cookies: &[u64]) -> Result<()> {
        let fits = match self {
            Self::Pattern(_) => false,
            Self::Names(names) => names.len() == cookies.len(),
            Self::Numbers(numbers) => numbers.len() == cookies.len(),
        };
        if fits || cookies.is_empty() {
            return Ok(());
        }
        let message = format!("{} cookies do not go with {}", cookies.len(), self.what());
        Err(Error::new(ErrorKind::InvalidArgument, message))
    }
}
