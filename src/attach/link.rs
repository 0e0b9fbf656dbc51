//! The one type of all attachments.

use super::legacy::LegacyProbe;
use crate::load::Program;
use crate::map::{Map, pin};
use crate::sys::bpf::{self, LinkInfo};
use crate::sys::perf_event;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// An attachment. Dropping it detaches, unless somebody else holds it, too (a pin does).
///
/// Returned by the `attach` methods of [`Program`] and [`Object`](crate::load::Object).
#[derive(Debug)]
#[doc(alias = "bpf_link")]
#[must_use = "dropping a link detaches it at once"]
pub struct Link {
    name: String,
    held: Held,
    pin: Option<PathBuf>,
}

/// What keeps the program attached.
#[derive(Debug)]
enum Held {
    /// A link of the kernel.
    Link(OwnedFd),
    /// A perf event, with the program on it; held by a link of the kernel where there are such links.
    PerfEvent(PerfHold),
    /// A struct_ops map whose value is set.
    Map(RegisteredMap),
}

#[derive(Debug)]
struct PerfHold {
    // Fields are dropped in this order: a legacy probe can be removed only when nothing uses it.
    link: Option<OwnedFd>,
    event: OwnedFd,
    _legacy: Option<LegacyProbe>,
}

impl Drop for PerfHold {
    fn drop(&mut self) {
        // A pinned link goes on.
        if self.link.is_none() {
            let _ = perf_event::disable(self.event.as_fd());
        }
    }
}

#[derive(Debug)]
struct RegisteredMap(Map);

impl Drop for RegisteredMap {
    fn drop(&mut self) {
        let _ = self.0.remove(&[0; 4]);
    }
}

impl Link {
    pub(super) fn kernel(name: &str, link: OwnedFd) -> Self {
        Self::new(name, Held::Link(link))
    }

    pub(super) fn perf_event(
        name: &str,
        event: OwnedFd,
        link: Option<OwnedFd>,
        legacy: Option<LegacyProbe>,
    ) -> Self {
        Self::new(
            name,
            Held::PerfEvent(PerfHold {
                link,
                event,
                _legacy: legacy,
            }),
        )
    }

    pub(super) fn registered(name: &str, map: Map) -> Self {
        Self::new(name, Held::Map(RegisteredMap(map)))
    }

    fn new(name: &str, held: Held) -> Self {
        Self {
            name: name.to_owned(),
            held,
            pin: None,
        }
    }

    /// The name of the program (or struct_ops map) that is attached.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kernel's link. `None` for attachments that are none: perf events before Linux 5.15, struct_ops maps without
    /// `BPF_F_LINK`.
    #[doc(alias = "bpf_link__fd")]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.held {
            Held::Link(link) => Some(link.as_fd()),
            Held::PerfEvent(hold) => hold.link.as_ref().map(AsFd::as_fd),
            Held::Map(_) => None,
        }
    }

    fn need_fd(&self, to: &str) -> Result<BorrowedFd<'_>> {
        self.fd().ok_or_else(|| {
            let message = format!(
                "cannot {to} the attachment of `{}`: it is no link",
                self.name
            );
            Error::new(ErrorKind::Unsupported, message).with_hint(match self.held {
                Held::Map(_) => "declare the map in SEC(\".struct_ops.link\")",
                _ => "perf events can be links since Linux 5.15",
            })
        })
    }

    /// Detaches now, and says whether that worked. Since Linux 5.9 this takes effect even if the link is pinned or held by
    /// others, for the kinds of links that can (cgroups, network); others detach when the last holder lets go.
    ///
    /// # Errors
    /// If the link is pinned and of a kind that stays attached as long as its pin exists.
    #[doc(alias = "bpf_link__detach")]
    #[doc(alias = "bpf_link__destroy")]
    pub fn detach(self) -> Result<()> {
        if let Held::Map(map) = &self.held {
            return map.0.remove(&[0; 4]).map(drop);
        }
        let Some(fd) = self.fd() else {
            return Ok(());
        };
        match (bpf::link_detach(fd), &self.pin) {
            (Ok(()), _) | (Err(_), None) => Ok(()),
            (Err(errno), Some(pin)) => {
                let message = format!(
                    "cannot detach `{}`: its pin at {} keeps it attached",
                    self.name,
                    pin.display()
                );
                Err(Error::from_errno(errno, message).with_hint("unpin it first"))
            }
        }
    }

    /// Runs another program in place of the attached one, without a gap. Since Linux 5.7; not every kind of link can.
    #[doc(alias = "bpf_link__update_program")]
    pub fn update(&self, program: &Program) -> Result<()> {
        let fd = self.need_fd("update")?;
        bpf::link_update(fd, program.as_fd(), None).map_err(|errno| {
            let message = format!("cannot put program `{}` into the link of `{}`", program.name(), self.name);
            let error = Error::from_errno(errno, message);
            match errno {
                Errno::EINVAL => error.with_hint(
                    "links of tracing programs and perf events cannot be updated; others want a program of the same type",
                ),
                _ => error,
            }
        })
    }

    /// Gives the link a name in a BPF file system: it stays attached after this process.
    #[doc(alias = "bpf_link__pin")]
    pub fn pin(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if let Some(pin) = &self.pin {
            let message = format!(
                "the link of `{}` is pinned at {} already",
                self.name,
                pin.display()
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let fd = self.need_fd("pin")?;
        pin::pin(fd, path).map_err(|e| e.context(format!("link of `{}`", self.name)))?;
        self.pin = Some(path.to_owned());
        Ok(())
    }

    /// Removes the pin that [`Link::pin`] made, or that the link was opened from.
    #[doc(alias = "bpf_link__unpin")]
    pub fn unpin(&mut self) -> Result<()> {
        let Some(path) = &self.pin else {
            let message = format!("the link of `{}` is not pinned", self.name);
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        };
        pin::unpin(path)?;
        self.pin = None;
        Ok(())
    }

    /// Where the link is pinned.
    #[doc(alias = "bpf_link__pin_path")]
    pub fn pin_path(&self) -> Option<&Path> {
        self.pin.as_deref()
    }

    /// Opens a pinned link.
    #[doc(alias = "bpf_link__open")]
    pub fn from_pin(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fd = pin::open(path)?;
        bpf::link_info(fd.as_fd()).map_err(|errno| {
            Error::from_errno(
                errno,
                format!("what is pinned at {} is no link", path.display()),
            )
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            pin: Some(path.to_owned()),
            ..Self::kernel(&name, fd)
        })
    }

    /// Leaves the program attached as long as this process lives, without anybody holding the link.
    #[doc(alias = "bpf_link__disconnect")]
    pub fn forget(self) {
        std::mem::forget(self);
    }

    /// What the kernel tells about the link. Since Linux 5.8.
    #[doc(alias = "bpf_link_get_info_by_fd")]
    pub fn info(&self) -> Result<LinkInfo> {
        let fd = self.need_fd("ask the kernel about")?;
        bpf::link_info(fd).map_err(|errno| {
            Error::from_errno(
                errno,
                format!("cannot ask the kernel about the link of `{}`", self.name),
            )
        })
    }
}
