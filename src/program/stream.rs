//! Streams: text that programs write for their own user, not to the log that all share.

use super::Program;
use crate::sys::bpf;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::AsFd;

/// One of the two text streams that each program has. Since Linux 6.17.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stream {
    /// What the program prints with `bpf_stream_printk`.
    #[doc(alias = "BPF_STREAM_STDOUT")]
    Stdout,
    /// The same, and what the kernel reports: faults in an arena, locks that time out, calls that take too long.
    #[doc(alias = "BPF_STREAM_STDERR")]
    Stderr,
}

impl Stream {
    /// Both streams.
    pub const ALL: &[Self] = &[Self::Stdout, Self::Stderr];

    /// The name used in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    fn id(self) -> u32 {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
        }
    }
}

impl Program {
    /// Moves what the program has written to the stream into `buffer`, and returns the number of bytes: zero if there is
    /// nothing. Never waits. Since Linux 6.17.
    ///
    /// The kernel keeps up to 100,000 bytes per stream; what a program writes beyond that is lost.
    ///
    /// ```no_run
    /// # fn main() -> rawbpf::Result<()> {
    /// # let object = rawbpf::OpenObject::from_file("streams.bpf.o")?.load()?;
    /// use rawbpf::program::Stream;
    ///
    /// let mut text = [0; 4096];
    /// let program = object.program("speak_on_call")?;
    /// while let said @ 1.. = program.read_stream(Stream::Stdout, &mut text)? {
    ///     print!("{}", String::from_utf8_lossy(&text[..said]));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Unsupported` before Linux 6.17.
    #[doc(alias = "bpf_prog_stream_read")]
    pub fn read_stream(&self, stream: Stream, buffer: &mut [u8]) -> Result<usize> {
        bpf::prog_stream_read(self.as_fd(), stream.id(), buffer)
            .map_err(|errno| explain(errno).context(format!("program `{}`", self.name())))
    }
}

fn explain(errno: Errno) -> Error {
    // Every kernel gives this answer to an unknown command.
    if errno != Errno::EINVAL {
        return Error::from_errno(errno, "cannot read its stream");
    }
    let message = "this kernel has no program streams (they need Linux 6.17)";
    Error::new(ErrorKind::Unsupported, message).with_errno(errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_names_the_version() {
        let error = explain(Errno::EINVAL);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("Linux 6.17"));
        assert_ne!(explain(Errno::EPERM).kind(), ErrorKind::Unsupported);
    }
}
