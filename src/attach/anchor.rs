//! The position of a program among those attached to the same place.
//!
//! tcx, netkit and (since Linux 6.17) cgroups run their programs in an order determined when attaching. Each change of the order
//! changes the place's *revision*, so that an attachment can be made to fail if the order has changed.

use super::link::Link;
use crate::program::Program;
use crate::sys::bpf::{Neighbour, Order};
use crate::{Error, ErrorKind, Result};
use std::os::fd::{AsFd, BorrowedFd};

/// `BPF_F_REPLACE`, `BPF_F_BEFORE`, `BPF_F_AFTER`, `BPF_F_LINK`
pub(super) const REPLACE: u32 = 1 << 2;
pub(super) const BEFORE: u32 = 1 << 3;
const AFTER: u32 = 1 << 4;
const LINK: u32 = 1 << 13;

/// An attached program or link, next to which another one is to be attached. Created from a [`Program`] or a [`Link`], or by
/// id.
#[derive(Debug, Clone, Copy)]
pub struct Anchor<'a>(Inner<'a>);

#[derive(Debug, Clone, Copy)]
enum Inner<'a> {
    Program(BorrowedFd<'a>),
    ProgramId(u32),
    Link(BorrowedFd<'a>),
    LinkId(u32),
    /// An attachment that is neither.
    Nothing,
}

impl Anchor<'_> {
    /// The program with this id.
    pub fn program_id(id: u32) -> Self {
        Self(Inner::ProgramId(id))
    }

    /// The link with this id.
    pub fn link_id(id: u32) -> Self {
        Self(Inner::LinkId(id))
    }

    fn flag_and_neighbour(&self) -> Result<(u32, Neighbour<'_>)> {
        Ok(match self.0 {
            Inner::Program(fd) => (0, Neighbour::Fd(fd)),
            Inner::ProgramId(id) => (0, Neighbour::Id(id)),
            Inner::Link(fd) => (LINK, Neighbour::Fd(fd)),
            Inner::LinkId(id) => (LINK, Neighbour::Id(id)),
            Inner::Nothing => {
                let message = "the anchor is an attachment without link or program, which has no place in an order";
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
        })
    }
}

impl<'a> From<&'a Program> for Anchor<'a> {
    fn from(program: &'a Program) -> Self {
        Self(Inner::Program(program.as_fd()))
    }
}

impl<'a> From<&'a Link> for Anchor<'a> {
    fn from(link: &'a Link) -> Self {
        Self(match (link.fd(), link.unlinked_program()) {
            (Some(fd), _) => Inner::Link(fd),
            (None, Some(program)) => Inner::Program(program.as_fd()),
            (None, None) => Inner::Nothing,
        })
    }
}

/// The requested position in an order; at the end by default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    pub(super) side: Side<'a>,
    pub(super) revision: u64,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Side<'a> {
    #[default]
    Any,
    First,
    Last,
    Before(Anchor<'a>),
    After(Anchor<'a>),
    /// Replacing a program that was attached without a link.
    Instead(BorrowedFd<'a>),
}

/// A position in an order, as the kernel expects it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Raw<'a> {
    pub(super) flags: u32,
    pub(super) order: Order<'a>,
    pub(super) replaced: Option<BorrowedFd<'a>>,
}

impl Raw<'_> {
    /// With further flags.
    pub(super) fn with_flags(mut self, flags: u32) -> Self {
        self.flags |= flags;
        self
    }
}

impl Wanted<'_> {
    /// Whether anything was requested that only ordered attach points support.
    pub(super) fn is_ordered(&self) -> bool {
        self.revision != 0 || !matches!(self.side, Side::Any | Side::Instead(_))
    }

    /// Whether a program is to be replaced, which links cannot do.
    pub(super) fn replaces(&self) -> bool {
        matches!(self.side, Side::Instead(_))
    }

    /// # Errors
    /// `InvalidArgument` for a neighbour that has no position in an order.
    pub(super) fn raw(&self) -> Result<Raw<'_>> {
        let (side, anchor, replaced) = match &self.side {
            Side::Any => (0, None, None),
            Side::First => (BEFORE, None, None),
            Side::Last => (AFTER, None, None),
            Side::Before(anchor) => (BEFORE, Some(anchor), None),
            Side::After(anchor) => (AFTER, Some(anchor), None),
            Side::Instead(program) => (REPLACE, None, Some(*program)),
        };
        let (kind, neighbour) = anchor
            .map(Anchor::flag_and_neighbour)
            .transpose()?
            .unwrap_or_default();
        Ok(Raw {
            flags: side | kind,
            order: Order {
                neighbour,
                expected_revision: self.revision,
            },
            replaced,
        })
    }
}

/// The methods that set the position in an options type with a field `wanted`.
macro_rules! order_methods {
    () => {
        /// Before all others.
        pub fn first(mut self) -> Self {
            self.wanted.side = $crate::attach::anchor::Side::First;
            self
        }

        /// After all others, which is also the default.
        pub fn last(mut self) -> Self {
            self.wanted.side = $crate::attach::anchor::Side::Last;
            self
        }

        /// Directly before this program or link.
        pub fn before(mut self, anchor: impl Into<$crate::attach::Anchor<'a>>) -> Self {
            self.wanted.side = $crate::attach::anchor::Side::Before(anchor.into());
            self
        }

        /// Directly after this program or link.
        pub fn after(mut self, anchor: impl Into<$crate::attach::Anchor<'a>>) -> Self {
            self.wanted.side = $crate::attach::anchor::Side::After(anchor.into());
            self
        }

        /// Replaces a program that was attached without a link. This attachment is not a link either: it
        /// outlives a process that is killed. (A program of a link is replaced by [`Link::update`](crate::attach::Link::update).)
        pub fn replace(mut self, program: &'a $crate::program::Program) -> Self {
            self.wanted.side =
                $crate::attach::anchor::Side::Instead(std::os::fd::AsFd::as_fd(program));
            self
        }

        /// Only if the order still has this revision, which [`AttachPoint::query`](crate::attach::AttachPoint::query)
        /// tells.
        pub fn expected_revision(mut self, revision: u64) -> Self {
            self.wanted.revision = revision;
            self
        }
    };
}

pub(super) use order_methods;

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(side: Side<'_>) -> (u32, String) {
        let wanted = Wanted { side, revision: 7 };
        let raw = wanted.raw().unwrap();
        assert_eq!(raw.order.expected_revision, 7);
        (raw.flags, format!("{:?}", raw.order.neighbour))
    }

    #[test]
    fn sides_are_flags() {
        assert_eq!(raw(Side::Any), (0, "None".into()));
        assert_eq!(raw(Side::First), (8, "None".into()));
        assert_eq!(raw(Side::Last), (16, "None".into()));
        assert_eq!(
            raw(Side::Before(Anchor::program_id(3))),
            (8, "Id(3)".into())
        );
        assert_eq!(
            raw(Side::After(Anchor::link_id(4))),
            (16 | 1 << 13, "Id(4)".into())
        );
    }

    #[test]
    fn an_attachment_that_is_neither_is_no_anchor() {
        let wanted = Wanted {
            side: Side::Before(Anchor(Inner::Nothing)),
            revision: 0,
        };
        assert_eq!(wanted.raw().unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
