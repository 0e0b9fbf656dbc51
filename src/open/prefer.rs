//! Alternative programs, one of which is enough.

use super::OpenObject;
use crate::kinds::ProgramType;
use crate::{Error, ErrorKind, Result};

impl OpenObject {
    /// Declares that one of these programs is enough: the first that the kernel can load *and attach* is loaded, the others are
    /// turned off (autoload and autoattach), whatever was set before. May be called for any number of groups.
    ///
    /// [`OpenObject::relocate`] makes the choice, also for kernels that are not running here, and records it with the reasons
    /// in [`LoadPlan::choices`](crate::reloc::LoadPlan::choices). A program is passed over if it cannot be relocated, or if
    /// its attach target, type, attach type, or a helper function that it calls is known to be missing. If nothing is known,
    /// it counts as possible; if the kernel then refuses to load it, the next one is tried. If none is left, that is an error
    /// of these programs, with all reasons.
    ///
    /// It cannot be foreseen that a loaded program cannot be attached to a target that is known only when it is attached (a
    /// uprobe's file, a cgroup, an interface).
    ///
    /// ```
    /// # fn main() -> rawbpf::Result<()> {
    /// use rawbpf::reloc::{OfflineKernel, Target};
    /// use rawbpf::{KernelVersion, OpenObject};
    ///
    /// let mut object = OpenObject::from_file("fixtures/prefer.bpf.o")?;
    /// object.prefer(&["vfs_read_fentry", "vfs_read_kprobe"])?;
    /// let mut kernel = OfflineKernel::from_btf_file("fixtures/btf/5.10.btf")?;
    /// kernel.version = Some(KernelVersion::new(5, 10, 0));
    /// let plan = object.relocate(&Target::offline(kernel))?;
    /// let choice = &plan.choices[0];
    /// assert_eq!(choice.chosen.as_deref(), Some("vfs_read_kprobe"));
    /// assert!(choice.passed_over[0].reason.message().contains("bpf_get_func_ip"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound` if no program has one of these names (the message lists similar ones); `InvalidArgument` if there is no
    /// name, if a program is named twice or is in another group, or if it is a `struct_ops` program, which follows its map.
    pub fn prefer(&mut self, names: &[impl AsRef<str>]) -> Result<&mut Self> {
        let refused = |what: String| {
            Err(Error::new(ErrorKind::InvalidArgument, what)
                .context(format!("object {}", self.name)))
        };
        let mut group = Vec::with_capacity(names.len());
        for name in names.iter().map(AsRef::as_ref) {
            let index = self.program_index(name)?;
            if group.contains(&index) {
                return refused(format!("program `{name}` is named twice"));
            }
            if self.is_alternative(index) {
                return refused(format!(
                    "program `{name}` is an alternative of others already"
                ));
            }
            if self.program(name)?.kind == ProgramType::STRUCT_OPS {
                return refused(format!(
                    "struct_ops program `{name}` is loaded if its map is created: it has no alternatives"
                ));
            }
            group.push(index);
        }
        if group.is_empty() {
            return refused("there is no program to choose from".to_owned());
        }
        self.alternatives.push(group);
        Ok(self)
    }

    /// Whether the program with this index is in a group.
    pub(crate) fn is_alternative(&self, index: usize) -> bool {
        self.alternatives.iter().any(|group| group.contains(&index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_checked_at_once() {
        let mut object = OpenObject::empty("test");
        for (name, section) in [
            ("by_fentry", "fentry/vfs_read"),
            ("by_kprobe", "kprobe/vfs_read"),
            ("third", "raw_tp/sys_enter"),
            ("hook", "struct_ops/init"),
        ] {
            object.add_program(name, section, Vec::new(), Vec::new());
        }
        let none: [&str; 0] = [];
        let refused = |object: &mut OpenObject, names: &[&str]| {
            let error = object.prefer(names).unwrap_err();
            (error.kind(), error.message().to_owned())
        };
        let (kind, message) = refused(&mut object, &["by_fentri", "by_kprobe"]);
        assert_eq!(kind, ErrorKind::NotFound);
        assert!(message.contains("did you mean `by_fentry`"), "{message}");
        for (names, words) in [
            (&["third", "third"][..], "named twice"),
            (&["hook"][..], "struct_ops"),
            (&none[..], "no program to choose from"),
        ] {
            let (kind, message) = refused(&mut object, names);
            assert_eq!(kind, ErrorKind::InvalidArgument);
            assert!(message.contains(words), "{message}");
        }
        assert!(
            object.alternatives.is_empty(),
            "refused groups leave nothing"
        );
        object.prefer(&["by_fentry", "by_kprobe"]).unwrap();
        let (kind, message) = refused(&mut object, &["third", "by_kprobe"]);
        assert_eq!(kind, ErrorKind::InvalidArgument);
        assert!(message.contains("of others already"), "{message}");
        object.prefer(&[String::from("third")]).unwrap();
        assert_eq!(object.alternatives, [vec![0, 1], vec![2]]);
    }
}
