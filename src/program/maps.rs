//! Maps that are bound to or associated with a program.

use super::Program;
use crate::kinds::{MapType, ProgramType};
use crate::map::Map;
use crate::sys::bpf;
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::AsFd;

impl Program {
    /// Keeps a map alive as long as the program, even if none of its instructions refers to it: for example, a map with
    /// metadata about the program. Since Linux 5.10.
    #[doc(alias = "bpf_prog_bind_map")]
    pub fn bind_map(&self, map: &Map) -> Result<()> {
        bpf::prog_bind_map(self.as_fd(), map.as_fd(), 0).map_err(|errno| {
            let doing = format!("cannot bind map `{}` to it", map.name());
            match errno {
                // Every kernel gives this answer to an unknown command; nothing else can be wrong here.
                Errno::EINVAL => self.blame(
                    Error::new(
                        ErrorKind::Unsupported,
                        format!("{doing}: this kernel does not support it (it needs Linux 5.10)"),
                    )
                    .with_errno(errno),
                ),
                _ => self.fail(errno, &doing),
            }
        })
    }

    /// Associates the program with a struct_ops map: the kernel functions it calls that act on a struct_ops then know which
    /// one. A program has one such map, permanently. Since Linux 6.19.
    ///
    /// # Errors
    /// `InvalidArgument` if the map is not a struct_ops map, or the program is a struct_ops program (which belongs to its
    /// map anyway); `Unsupported` before Linux 6.19; `Kernel` with `EBUSY` if the program has another struct_ops map.
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
            return invalid("a struct_ops program already belongs to its map".to_owned());
        }
        bpf::prog_assoc_struct_ops(map.as_fd(), self.as_fd()).map_err(|errno| match errno {
            // The other causes of this answer were checked above.
            Errno::EINVAL => self.blame(
                Error::new(
                    ErrorKind::Unsupported,
                    format!("{doing}: this kernel does not support it (it needs Linux 6.19)"),
                )
                .with_errno(errno),
            ),
            Errno::EBUSY => self
                .fail(errno, &doing)
                .with_hint("it is already associated with another map, permanently"),
            _ => self.fail(errno, &doing),
        })
    }
}
