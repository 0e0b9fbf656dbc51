//! Maps that a program is tied to.

use super::Program;
use crate::kinds::{MapType, ProgramType};
use crate::map::Map;
use crate::sys::bpf;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::AsFd;

impl Program {
    /// Keeps a map alive as long as the program, though none of its instructions refers to it: a map with data about the program,
    /// say, for those who look at it. Since Linux 5.10.
    #[doc(alias = "bpf_prog_bind_map")]
    pub fn bind_map(&self, map: &Map) -> Result<()> {
        bpf::prog_bind_map(self.as_fd(), map.as_fd(), 0).map_err(|errno| {
            let doing = format!("cannot tie map `{}` to it", map.name());
            match errno {
                // Every kernel answers so to a command that it does not know; there is nothing else to be wrong.
                Errno::EINVAL => self.blame(
                    Error::new(
                        ErrorKind::Unsupported,
                        format!("{doing}: this kernel cannot (that needs Linux 5.10)"),
                    )
                    .with_errno(errno),
                ),
                _ => self.fail(errno, &doing),
            }
        })
    }

    /// Associates the program with a struct_ops map: the functions of the kernel that it calls, and that are about a struct_ops, then
    /// know which one. A program has one such map, for good. Since Linux 6.19.
    ///
    /// # Errors
    /// `InvalidArgument` if the map is not one of struct_ops, or if the program is (those belong to their map anyway);
    /// `Unsupported` before Linux 6.19; `Kernel` with `EBUSY` if the program has another struct_ops map.
    #[doc(alias = "bpf_program__assoc_struct_ops")]
    #[doc(alias = "bpf_prog_assoc_struct_ops")]
    pub fn assoc_struct_ops(&self, map: &Map) -> Result<()> {
        let doing = format!("cannot associate it with map `{}`", map.name());
        let invalid = |why: String| {
            let message = format!("{doing}: {why}");
            Err(self.blame(Error::new(ErrorKind::InvalidArgument, message)))
        };
        if map.kind() != MapType::STRUCT_OPS {
            return invalid(format!(
                "the map is of type {}, not {}",
                map.kind(),
                MapType::STRUCT_OPS
            ));
        }
        if self.kind() == ProgramType::STRUCT_OPS {
            return invalid("a program of struct_ops belongs to its map already".to_owned());
        }
        bpf::prog_assoc_struct_ops(map.as_fd(), self.as_fd()).map_err(|errno| match errno {
            // What else the kernel answers so to was looked at above.
            Errno::EINVAL => self.blame(
                Error::new(
                    ErrorKind::Unsupported,
                    format!("{doing}: this kernel cannot (that needs Linux 6.19)"),
                )
                .with_errno(errno),
            ),
            Errno::EBUSY => self
                .fail(errno, &doing)
                .with_hint("it is associated with another map, and stays so"),
            _ => self.fail(errno, &doing),
        })
    }
}
