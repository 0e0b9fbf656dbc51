//! The links of a whole object, by name.

use super::link::Link;
use std::ops::Index;

/// Links with the names of their programs (or struct_ops maps). Dropping it detaches all of them.
///
/// Returned by [`Object::attach`](crate::load::Object::attach), in the order of attaching.
///
/// ```no_run
/// # let object: rawbpf::load::Object = todo!();
/// let mut links = object.attach()?;
/// println!("{}", links["count_calls"].info()?.id);
/// if let Some(link) = links.take("list_tasks") {
///     link.detach()?;
/// }
/// # Ok::<(), rawbpf::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "dropping links detaches them at once"]
pub struct Links(Vec<Link>);

impl Links {
    pub(super) fn push(&mut self, link: Link) {
        self.0.push(link);
    }

    /// The link with this name.
    pub fn get(&self, name: &str) -> Option<&Link> {
        self.iter().find(|link| link.name() == name)
    }

    /// The link with this name, to pin or unpin it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Link> {
        self.0.iter_mut().find(|link| link.name() == name)
    }

    /// Removes and returns the link with this name.
    pub fn take(&mut self, name: &str) -> Option<Link> {
        let at = self.iter().position(|link| link.name() == name)?;
        Some(self.0.remove(at))
    }

    /// All links, in the order of attaching.
    pub fn iter(&self) -> std::slice::Iter<'_, Link> {
        self.0.iter()
    }

    /// The number of links.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no links.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Index<&str> for Links {
    type Output = Link;

    /// # Panics
    /// If there is no link with this name; [`Links::get`] does not.
    fn index(&self, name: &str) -> &Link {
        let names = || self.iter().map(Link::name).collect::<Vec<_>>().join(", ");
        self.get(name)
            .unwrap_or_else(|| panic!("no link `{name}` among {}", names()))
    }
}

impl<'l> IntoIterator for &'l Links {
    type Item = &'l Link;
    type IntoIter = std::slice::Iter<'l, Link>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Links {
    type Item = Link;
    type IntoIter = std::vec::IntoIter<Link>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
