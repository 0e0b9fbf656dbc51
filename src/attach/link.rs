//! The one type for all attachments.

use super::attachment::Attachment;
use super::unlinked::{Place, Unlinked};
use crate::kernel::by_id;
use crate::map::pin;
use crate::program::Program;
use crate::sys::bpf::{self, LinkDetails, LinkInfo, ObjectKind};
use crate::{Errno, Error, ErrorKind, LinkType, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// An attachment. Dropping it detaches, unless something else refers to it (such as a pin).
///
/// Returned by the `attach` methods of [`Program`] and [`Object`](crate::load::Object). The kernel closes the links of a
/// process that ends, however it ends. What outlives the process are pins, struct_ops maps without `BPF_F_LINK`, attachments to
/// networks and cgroups without a link, and probes created through tracefs, which the next such probe cleans up.
#[derive(Debug)]
#[doc(alias = "bpf_link")]
#[must_use = "dropping a link detaches it at once"]
pub struct Link {
    name: String,
    /// The kernel's link, if the attachment has one.
    fd: Option<OwnedFd>,
    /// What else has to be undone.
    attachment: Option<Box<dyn Attachment>>,
    pin: Option<PathBuf>,
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

impl Link {
    /// An attachment that consists only of a kernel link.
    pub(super) fn kernel(name: &str, fd: OwnedFd) -> Self {
        Self::new(name, Some(fd), None)
    }

    /// An attachment that has something to undo, with or without a kernel link.
    pub(super) fn with(
        name: &str,
        fd: Option<OwnedFd>,
        attachment: impl Attachment + 'static,
    ) -> Self {
        Self::new(name, fd, Some(Box::new(attachment)))
    }

    /// A program that stays attached until it is explicitly detached.
    pub(super) fn unlinked(program: &Program, place: impl Place + 'static) -> Self {
        Self::with(program.name(), None, Unlinked::new(program, place))
    }

    fn new(name: &str, fd: Option<OwnedFd>, attachment: Option<Box<dyn Attachment>>) -> Self {
        Self {
            name: name.to_owned(),
            fd,
            attachment,
            pin: None,
        }
    }

    /// The name of the program (or struct_ops map) that is attached.
    ///
    /// For a link opened from a pin, the name of the pin; for a link opened by id, the kernel's name for the program.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kernel's link. `None` for attachments without one: perf events before Linux 5.15, struct_ops maps without
    /// `BPF_F_LINK`, sockets, and attachments to networks and cgroups without a link.
    #[doc(alias = "bpf_link__fd")]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// The program, if it is attached directly, without a link.
    pub(super) fn unlinked_program(&self) -> Option<&Program> {
        self.attachment.as_ref()?.program()
    }

    pub(super) fn need_fd(&self, to: &str) -> Result<BorrowedFd<'_>> {
        self.fd().ok_or_else(|| {
            let name = &self.name;
            let message = format!("cannot {to} the attachment of `{name}`: it is not a BPF link");
            let error = Error::new(ErrorKind::Unsupported, message);
            match &self.attachment {
                Some(attachment) => error.with_hint(attachment.why_no_link()),
                None => error,
            }
        })
    }

    /// Detaches now, and reports errors. Since Linux 5.9 this takes effect even if the link is pinned or held by others, for
    /// kinds of links that support it (cgroups, network); other kinds detach with the last reference.
    ///
    /// # Errors
    /// If the link is pinned and of a kind that stays attached as long as its pin exists.
    #[doc(alias = "bpf_link__detach")]
    #[doc(alias = "bpf_link__destroy")]
    pub fn detach(mut self) -> Result<()> {
        let detached = self.fd().map_or(Ok(()), bpf::link_detach);
        match (detached, &self.pin) {
            (Err(errno), Some(pin)) => {
                let message = format!(
                    "cannot detach `{}`: its pin at {} keeps it attached",
                    self.name,
                    pin.display()
                );
                Err(Error::from_errno(errno, message).with_hint("unpin it first"))
            }
            // Such a link only has to be closed.
            (Err(_), None) | (Ok(()), _) => self.release(),
        }
    }

    /// Releases the link first, because what it is attached to can be removed only when nothing uses it.
    fn release(&mut self) -> Result<()> {
        self.fd = None;
        match self.attachment.take() {
            Some(mut attachment) => attachment
                .undo()
                .map_err(|e| e.context(format!("detaching `{}`", self.name))),
            None => Ok(()),
        }
    }

    /// Atomically replaces the attached program. Since Linux 5.7; not supported by every kind of link.
    #[doc(alias = "bpf_link__update_program")]
    pub fn update(&self, program: &Program) -> Result<()> {
        self.update_program(program, None)
    }

    /// [`Link::update`], but only if the link currently runs `old`, so that two processes do not undo each other's updates.
    ///
    /// # Errors
    /// `InvalidArgument` with `EPERM` (or `ENOENT`) if the link runs a different program.
    #[doc(alias = "bpf_link_update")]
    pub fn replace(&self, old: &Program, new: &Program) -> Result<()> {
        self.update_program(new, Some(old))
    }

    fn update_program(&self, new: &Program, old: Option<&Program>) -> Result<()> {
        let fd = self.need_fd("update")?;
        bpf::link_update(fd, new.as_fd(), old.map(AsFd::as_fd)).map_err(|errno| {
            let message = format!(
                "cannot put program `{}` into the link of `{}`",
                new.name(),
                self.name
            );
            let error = Error::from_errno(errno, message);
            match (errno, old) {
                (Errno::EPERM | Errno::ENOENT, Some(old)) => {
                    let error = error.with_kind(ErrorKind::InvalidArgument);
                    error.with_hint(format!("it does not run program `{}` now", old.name()))
                }
                (Errno::EINVAL | Errno::EOPNOTSUPP, _) => error.with_hint(
                    "links of tracing programs, probes and perf events cannot be updated; others want a program of the \
                     same type",
                ),
                _ => error,
            }
        })
    }

    /// Pins the link in a BPF file system, so that it stays attached after this process.
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
        pin::pin(fd, pin::Place::At(path))
            .map_err(|e| e.context(format!("link of `{}`", self.name)))?;
        self.pin = Some(path.to_owned());
        Ok(())
    }

    /// Removes the pin that [`Link::pin`] created, or that the link was opened from.
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
        let fd = pin::open(pin::Place::At(path))?;
        check_link(&fd, &format!("what is pinned at {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut link = Self::kernel(&name, fd);
        link.pin = Some(path.to_owned());
        Ok(link)
    }

    /// A link whose descriptor came from elsewhere. It stays attached when this is dropped, as long as somebody else refers
    /// to it.
    ///
    /// # Errors
    /// `InvalidArgument` if it is not the descriptor of a link.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let info = check_link(&fd, "what the descriptor stands for")?;
        Ok(Self::kernel(&kernel_name(&info).unwrap_or_default(), fd))
    }

    /// The ids of all links of the kernel, in ascending order. Since Linux 5.8.
    ///
    /// ```no_run
    /// use rawbpf::attach::Link;
    /// for id in Link::ids() {
    ///     // It may be gone by now.
    ///     if let Ok(link) = Link::from_id(id?) {
    ///         println!("{} {:?}", link.name(), link.info()?);
    ///     }
    /// }
    /// # Ok::<(), rawbpf::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_link_get_next_id")]
    pub fn ids() -> impl Iterator<Item = Result<u32>> {
        by_id::all(ObjectKind::Link)
    }

    /// Opens a link by its id. It stays attached when this is dropped, as long as something else refers to it.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Permission` without `CAP_SYS_ADMIN`.
    #[doc(alias = "bpf_link_get_fd_by_id")]
    pub fn from_id(id: u32) -> Result<Self> {
        let fd = by_id::open(ObjectKind::Link, id)?;
        let name = bpf::link_info(fd.as_fd())
            .ok()
            .and_then(|info| kernel_name(&info));
        Ok(Self::kernel(&name.unwrap_or_default(), fd))
    }

    /// Leaves the program attached for the lifetime of this process, without keeping the link.
    #[doc(alias = "bpf_link__disconnect")]
    pub fn forget(self) {
        std::mem::forget(self);
    }

    /// The type of the link. Since Linux 5.8.
    ///
    /// # Errors
    /// `Unsupported` for an attachment without a link, see [`Link::fd`].
    pub fn kind(&self) -> Result<LinkType> {
        self.info().map(|info| info.kind)
    }

    /// The link's id. Since Linux 5.8.
    ///
    /// # Errors
    /// `Unsupported` for an attachment without a link, see [`Link::fd`].
    pub fn id(&self) -> Result<u32> {
        self.info().map(|info| info.id)
    }

    /// What the kernel reports about the link. Since Linux 5.8.
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

/// What the kernel reports about `what`, which must be a link.
fn check_link(fd: &OwnedFd, what: &str) -> Result<LinkInfo> {
    bpf::link_info(fd.as_fd()).map_err(|errno| {
        let error = Error::from_errno(errno, format!("{what} is not a BPF link"));
        match errno {
            Errno::EINVAL => error.with_kind(ErrorKind::InvalidArgument),
            _ => error,
        }
    })
}

/// The kernel's name for the program, or the struct_ops map, of a link.
fn kernel_name(info: &LinkInfo) -> Option<String> {
    if let LinkDetails::StructOps { map_id } = info.details {
        let map = bpf::fd_by_id(ObjectKind::Map, map_id).ok()?;
        return Some(bpf::map_info(map.as_fd()).ok()?.name);
    }
    let program = bpf::fd_by_id(ObjectKind::Program, info.program_id).ok()?;
    Some(bpf::prog_info(program.as_fd()).ok()?.name)
}
