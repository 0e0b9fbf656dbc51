//! The one public [`Error`]: a kind, the kernel's error number if there was one, the chain of contexts, a hint, and the
//! verifier's log.
//!
//! Each stage has its own small error enum next to its code ([`crate::btf::BtfError`] and others), converted into [`Error`]
//! at the boundary of the stage, where the file, the program and the section are known.

use crate::printing::one_line;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The result of every fallible operation in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of error this is; stable enough to match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file could not be read or written, for a reason other than that it does not exist ([`ErrorKind::NotFound`]) or that
    /// this user may not use it ([`ErrorKind::Permission`]).
    Io,
    /// The file is not an ELF file that a BPF loader can use.
    Elf,
    /// The type information (`.BTF`, `.BTF.ext`, a kernel's BTF) is malformed.
    Btf,
    /// The object is well-formed ELF, but breaks a rule of BPF objects.
    InvalidObject,
    /// The caller asked for something invalid: a wrong size, a value out of range, a map or program of the wrong type, a wrong
    /// state.
    InvalidArgument,
    /// It does not exist: no map, program, variable, type or symbol of that name; no pin, file, process or interface; nothing
    /// with that id.
    NotFound,
    /// A CO-RE relocation could not be resolved against the kernel's types.
    Core,
    /// An extern (`.kconfig`, `.ksyms`, a kfunc) could not be resolved.
    Extern,
    /// The kernel (or this library) does not have the feature.
    Unsupported,
    /// A capability is missing, or the permission to use a file.
    Permission,
    /// The verifier refused a program; see [`Error::verifier_log`].
    Verifier,
    /// The kernel refused a system call for another reason; see [`Error::errno`].
    Kernel,
    /// Data read from the kernel or from shared memory is inconsistent, or is not a valid value of the type it was read as.
    Corrupt,
    /// The caller asked to stop before the work was done; what had been created was undone.
    Interrupted,
}

macro_rules! kind_names {
    ($($kind:ident: $name:literal),* $(,)?) => {
        impl ErrorKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// A name for logs and for other programs, such as `"not_found"`; it never changes.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name),*
                }
            }
        }
    };
}

kind_names! {
    Io: "io",
    Elf: "elf",
    Btf: "btf",
    InvalidObject: "invalid_object",
    InvalidArgument: "invalid_argument",
    NotFound: "not_found",
    Core: "core",
    Extern: "extern",
    Unsupported: "unsupported",
    Permission: "permission",
    Verifier: "verifier",
    Kernel: "kernel",
    Corrupt: "corrupt",
    Interrupted: "interrupted",
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error number of the kernel: Linux's, whatever system this was built for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident = $number:literal),* $(,)?) => {
        impl Errno {
            $(#[doc = concat!("`", stringify!($name), "`")] pub const $name: Self = Self($number);)*

            /// The symbolic name, such as `"EINVAL"`; `None` for numbers without a common name.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    Self::ENOTSUPP => Some("ENOTSUPP"),
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7, ENOEXEC = 8, EBADF = 9, ECHILD = 10,
    EAGAIN = 11, ENOMEM = 12, EACCES = 13, EFAULT = 14, EBUSY = 16, EEXIST = 17, EXDEV = 18, ENODEV = 19,
    ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENFILE = 23, EMFILE = 24, ENOTTY = 25, ETXTBSY = 26, EFBIG = 27,
    ENOSPC = 28, ESPIPE = 29, EROFS = 30, EMLINK = 31, EPIPE = 32, EDOM = 33, ERANGE = 34, EDEADLK = 35,
    ENAMETOOLONG = 36, ENOSYS = 38, ENOTEMPTY = 39, ELOOP = 40, ENODATA = 61, EPROTO = 71, EOVERFLOW = 75,
    EILSEQ = 84, EUSERS = 87, EMSGSIZE = 90, EPROTONOSUPPORT = 93, EOPNOTSUPP = 95, EADDRINUSE = 98,
    EADDRNOTAVAIL = 99, ENETDOWN = 100, ENOBUFS = 105, ETIMEDOUT = 110, EALREADY = 114, ESTALE = 116,
    ECANCELED = 125, ENOPROTOOPT = 92,
}

impl Errno {
    /// The kernel's internal "not supported" (524), which leaks out of some BPF commands.
    pub const ENOTSUPP: Self = Self(524);

    /// Whether the process or the machine has run out of something: such an error says nothing about what was asked for, least
    /// of all that it does not exist.
    pub(crate) fn is_shortage(self) -> bool {
        matches!(self, Self::EMFILE | Self::ENFILE | Self::ENOMEM)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl std::error::Error for Errno {}

/// What went wrong, to what, why, and what to do about it.
///
/// `Display` prints one paragraph: the chain of things that were being worked on, outermost first, then the reason, then
/// the kernel's error number, then (on lines of their own) details, if there are some, and the hint.
///
/// Names in it come from files that nobody vouches for. Whatever could end a line, or order a terminal about, stands there as a
/// visible escape ([`printing::one_line`](crate::printing::one_line)): lines end where this type ends them. The verifier's log, which
/// is not part of `Display`, is kept as it is.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    suggestion: Option<Suggestion>,
    /// Innermost first; printed in reverse.
    context: Vec<String>,
    errno: Option<Errno>,
    hint: Option<String>,
    log: Option<VerifierLog>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// An ending of the message that takes time to compute, and is computed when somebody reads it.
#[derive(Clone)]
struct Suggestion {
    find: Arc<dyn Fn() -> String + Send + Sync>,
    whole: OnceLock<String>,
}

impl Error {
    /// A new error of this kind. The message is lower case, names the offending value, and is one line.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: safe(message.into()),
            suggestion: None,
            context: Vec::new(),
            errno: None,
            hint: None,
            log: None,
            source: None,
        }))
    }

    /// A failed system call: the kind follows from the number. `EPERM` and `EACCES` are [`ErrorKind::Permission`]; `ENOENT`,
    /// `ESRCH` (no such process) and `ENODEV` (no such interface) are [`ErrorKind::NotFound`].
    #[cold]
    pub fn from_errno(errno: Errno, message: impl Into<String>) -> Self {
        let kind = match errno {
            Errno::EPERM | Errno::EACCES => ErrorKind::Permission,
            Errno::ENOENT | Errno::ESRCH | Errno::ENODEV => ErrorKind::NotFound,
            Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::ENOTSUPP => ErrorKind::Unsupported,
            _ => ErrorKind::Kernel,
        };
        Self::new(kind, message).with_errno(errno)
    }

    /// A failed file operation on `path`: [`ErrorKind::NotFound`] if there is no such file, [`ErrorKind::Permission`] if this
    /// user may not use it, else [`ErrorKind::Io`].
    #[cold]
    pub fn from_io(error: std::io::Error, doing: &str, path: &std::path::Path) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied => ErrorKind::Permission,
            _ => ErrorKind::Io,
        };
        let mut result = Self::new(kind, format!("cannot {doing} {}: {error}", path.display()));
        result.0.errno = error.raw_os_error().map(Errno);
        result.0.source = Some(Arc::new(error));
        result
    }

    /// Adds a context, one step further out: `"program opensnoop"`, then `"object x.bpf.o"`.
    #[must_use]
    #[cold]
    pub fn context(mut self, what: impl Into<String>) -> Self {
        self.0.context.push(safe(what.into()));
        self
    }

    /// Adds the object as a context: by its file, or by its name if it did not come from a file.
    #[must_use]
    #[cold]
    pub(crate) fn of_object(self, path: Option<&std::path::Path>, name: &str) -> Self {
        match path {
            Some(path) => self.context(format!("object {}", path.display())),
            None => self.context(format!("object {name}")),
        }
    }

    /// Adds (or replaces) the hint, which is printed on its own line.
    #[must_use]
    #[cold]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(safe(hint.into()));
        self
    }

    /// Adds lines below the message: places that were tried, say, each with its reason.
    #[must_use]
    #[cold]
    pub fn with_details<'l>(mut self, lines: impl IntoIterator<Item = &'l str>) -> Self {
        for line in lines {
            self.0.message.push('\n');
            // The verifier quotes lines of source.
            for (at, part) in line.split('\t').enumerate() {
                if at > 0 {
                    self.0.message.push('\t');
                }
                self.0.message.push_str(&one_line(part));
            }
        }
        self
    }

    /// Adds an ending to the message that is computed when the message is read: for example, which of a kernel's hundred
    /// thousand names resemble a missing one. A caller that tries many programs may never need it.
    #[must_use]
    #[cold]
    pub(crate) fn with_suggestion(
        mut self,
        find: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        self.0.suggestion = Some(Suggestion {
            find: Arc::new(find),
            whole: OnceLock::new(),
        });
        self
    }

    /// The same error, about nothing in particular.
    #[must_use]
    #[cold]
    pub(crate) fn without_context(mut self) -> Self {
        self.0.context.clear();
        self
    }

    /// Says what sort of error it really is, where its number alone says something else.
    #[must_use]
    #[cold]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds the kernel's error number.
    #[must_use]
    #[cold]
    pub fn with_errno(mut self, errno: Errno) -> Self {
        self.0.errno = Some(errno);
        self
    }

    /// Adds the verifier's log.
    #[must_use]
    #[cold]
    pub fn with_verifier_log(mut self, log: VerifierLog) -> Self {
        self.0.log = Some(log);
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    #[cold]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The kernel's error number, if a system call failed.
    #[doc(alias = "libbpf_get_error")]
    pub fn errno(&self) -> Option<Errno> {
        self.0.errno
    }

    /// The hint, if there is one.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The verifier's log, if a program was refused.
    pub fn verifier_log(&self) -> Option<&VerifierLog> {
        self.0.log.as_ref()
    }

    /// The reason alone, without the chain, the number and the hint; if it has details, they are further lines.
    pub fn message(&self) -> &str {
        match &self.0.suggestion {
            None => &self.0.message,
            Some(suggestion) => suggestion
                .whole
                .get_or_init(|| format!("{}{}", self.0.message, one_line(&(suggestion.find)()))),
        }
    }

    /// The contexts, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        self.0.context.iter().rev().map(String::as_str)
    }
}

/// The same text, with nothing in it that ends a line.
fn safe(text: String) -> String {
    match one_line(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in self.chain() {
            write!(f, "{what}: ")?;
        }
        // The number goes with the reason; further lines of the message are details.
        let message = self.message();
        let (reason, details) = match message.find('\n') {
            Some(end) => message.split_at(end),
            None => (message, ""),
        };
        f.write_str(reason)?;
        if let Some(errno) = self.0.errno
            && self.0.source.is_none()
        {
            write!(f, " ({errno})")?;
        }
        f.write_str(details)?;
        if let Some(hint) = &self.0.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// The same as `Display`, because `Debug` is what people see when `main` returns an error or one is unwrapped.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|e| e as &(dyn std::error::Error + 'static))
    }
}

/// What the verifier said about a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifierLog {
    full: String,
    summary: String,
}

impl VerifierLog {
    /// Keeps `full` as it is, together with its summary (see `verifier_log`).
    pub fn new(full: String, summary: String) -> Self {
        Self { full, summary }
    }

    /// The summary: the failing instruction, its source line and the reason, in one to three lines; for an accepted program,
    /// how much there was to verify.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Every line the verifier wrote; for a log longer than
    /// [`LoadOptions::log_limit`](crate::load::LoadOptions::log_limit), its end, after a line that says how much is missing.
    pub fn full(&self) -> &str {
        &self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_shows_chain_reason_number_and_hint() {
        let error = Error::from_errno(Errno::EPERM, "cannot create the map")
            .context("map `events`")
            .context("object x.bpf.o")
            .with_hint("run as root");
        assert_eq!(
            error.to_string(),
            "object x.bpf.o: map `events`: cannot create the map (EPERM)\nhint: run as root"
        );
        assert_eq!(error.kind(), ErrorKind::Permission);
    }

    #[test]
    fn hostile_names_stay_on_their_line() {
        let name = "a\n\u{1b}[2Jerror: b`\r\u{202e}";
        let shown = "a\\n\\u{1b}[2Jerror: b`\\r\\u{202e}";
        let error = Error::new(ErrorKind::NotFound, format!("no `{name}`"))
            .with_suggestion(|| format!("; did you mean `{}`?", "x\ny"))
            .context(format!("map `{name}`"))
            .with_hint(format!("is it `{name}`?"));
        assert_eq!(
            error.to_string(),
            format!("map `{shown}`: no `{shown}`; did you mean `x\\ny`?\nhint: is it `{shown}`?")
        );
        let error = Error::from_errno(Errno::EACCES, "refused").with_details(["  a\nb", "\tc\r"]);
        assert_eq!(error.to_string(), "refused (EACCES)\n  a\\nb\n\tc\\r");
        assert_eq!(error.message(), "refused\n  a\\nb\n\tc\\r");
        let io = std::io::Error::from_raw_os_error(libc::ENOENT);
        let error = Error::from_io(io, "read", std::path::Path::new("/a\nb"));
        assert!(
            error.message().starts_with("cannot read /a\\nb: "),
            "{error}"
        );
    }

    /// It is what `main` prints of an error that it returns, and what `unwrap` prints.
    #[test]
    fn debug_prints_what_display_does() {
        let error = Error::from_errno(Errno::ENOENT, "no such thing")
            .context("object x.bpf.o")
            .with_hint("look elsewhere");
        assert_eq!(format!("{error:?}"), error.to_string());
        assert_eq!(
            format!("{error:#?}"),
            "object x.bpf.o: no such thing (ENOENT)\nhint: look elsewhere"
        );
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> =
            ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), ErrorKind::ALL.len());
        for kind in ErrorKind::ALL {
            let name = kind.name();
            let is_snake_case = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(is_snake_case, "{name}");
            assert_eq!(name.replace('_', ""), format!("{kind:?}").to_lowercase());
            assert_eq!(kind.to_string(), name);
        }
    }

    #[test]
    fn the_same_absence_is_the_same_kind() {
        for errno in [Errno::ENOENT, Errno::ESRCH, Errno::ENODEV] {
            assert_eq!(Error::from_errno(errno, "x").kind(), ErrorKind::NotFound);
        }
        let path = std::path::Path::new("/no/such");
        let of = |number| std::io::Error::from_raw_os_error(number);
        for (number, kind) in [
            (libc::ENOENT, ErrorKind::NotFound),
            (libc::EACCES, ErrorKind::Permission),
            (libc::EIO, ErrorKind::Io),
        ] {
            let error = Error::from_io(of(number), "read", path);
            assert_eq!(error.kind(), kind);
            assert_eq!(error.errno(), Some(Errno(number)));
        }
    }

    #[test]
    fn a_suggestion_is_looked_for_when_the_message_is_read_and_once() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU32, Ordering};
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        let error = Error::new(ErrorKind::NotFound, "no `a`").with_suggestion(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            "; did you mean `b`?".to_owned()
        });
        let error = error.context("program p");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        assert_eq!(error.to_string(), "program p: no `a`; did you mean `b`?");
        assert_eq!(error.message(), "no `a`; did you mean `b`?");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
