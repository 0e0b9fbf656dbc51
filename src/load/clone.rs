//! Loads a program of a prepared object again, for another purpose.

use super::context::copy_of_program;
use super::options::LoadOptions;
use super::prepared::PreparedObject;
use crate::kinds::{AttachType, ProgramFlags};
use crate::open::{Held, OpenProgram};
use crate::program::Program;
use crate::reloc::attach_target_of;
use crate::{Error, ErrorKind, Result, did_you_mean};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// How a clone differs from its program; everything else stays the same. For [`PreparedObject::clone_program`].
#[derive(Debug, Default)]
pub struct CloneOptions {
    attach_type: Option<AttachType>,
    attach_target: Option<String>,
    attach_program: Option<Arc<OwnedFd>>,
    flags: Option<ProgramFlags>,
    ifindex: Option<u32>,
    load: LoadOptions,
}

impl CloneOptions {
    /// No difference.
    pub fn new() -> Self {
        Self::default()
    }

    /// The attach type to load it with.
    #[doc(alias = "expected_attach_type")]
    pub fn attach_type(mut self, attach_type: AttachType) -> Self {
        self.attach_type = Some(attach_type);
        self
    }

    /// The target function, tracepoint or hook, as written in a section name: `vfs_read`, or
    /// `module:function`. See [`OpenProgram::set_attach_target`].
    #[doc(alias = "attach_btf_id")]
    #[doc(alias = "attach_btf_obj_fd")]
    pub fn attach_target(mut self, name: impl Into<String>) -> Self {
        self.attach_target = Some(name.into());
        self
    }

    /// The loaded program that contains the target function. See [`OpenProgram::set_attach_program`].
    ///
    /// # Errors
    /// The descriptor cannot be copied.
    #[doc(alias = "attach_prog_fd")]
    pub fn attach_program(mut self, program: impl AsFd) -> Result<Self> {
        self.attach_program = Some(copy_of_program(program.as_fd())?);
        Ok(self)
    }

    /// Its flags, instead of those of the program.
    #[doc(alias = "prog_flags")]
    pub fn flags(mut self, flags: ProgramFlags) -> Self {
        self.flags = Some(flags);
        self
    }

    /// The network interface that it is for; see [`OpenProgram::set_ifindex`].
    #[doc(alias = "prog_ifindex")]
    pub fn ifindex(mut self, ifindex: u32) -> Self {
        self.ifindex = Some(ifindex);
        self
    }

    /// Options for loading it, such as a log.
    pub fn load_options(mut self, options: LoadOptions) -> Self {
        self.load = options;
        self
    }

    fn has_other_target(&self) -> bool {
        self.attach_type.is_some() || self.attach_target.is_some() || self.attach_program.is_some()
    }

    /// The program as the clone would have been opened.
    fn edit(&self, program: &mut OpenProgram) -> Result<()> {
        if let Some(attach_type) = self.attach_type {
            program.set_attach_type(attach_type);
        }
        if let Some(name) = &self.attach_target {
            program.set_attach_target(name.as_str())?;
        }
        if let Some(other) = &self.attach_program {
            program.attach_program = Some(Held::new(Arc::clone(other)));
        }
        Ok(())
    }
}

impl PreparedObject {
    /// Loads a copy of a program now, separately from the others, with some changes: for example, to trace many functions that
    /// each need their own program. It uses the maps of this object, and outlives the object.
    ///
    /// Unlike the programs of [`PreparedObject::load`], it is not bound to the object's constants: see [`Program::bind_map`].
    ///
    /// ```no_run
    /// # fn main() -> rawbpf::Result<()> {
    /// use rawbpf::OpenObject;
    /// use rawbpf::load::CloneOptions;
    ///
    /// let mut prepared = OpenObject::from_file("trace.bpf.o")?.prepare()?;
    /// let mut links = Vec::new();
    /// for function in ["vfs_read", "vfs_write"] {
    ///     let at = CloneOptions::new().attach_target(function);
    ///     links.push(prepared.clone_program("on_entry", &at)?.attach_tracing()?);
    /// }
    /// prepared.skip_program("on_entry")?;
    /// let object = prepared.load()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound` if there is no such program or target; `InvalidArgument` if its autoload was off when the object was
    /// prepared, so that it was not relocated; or the kernel's refusal.
    #[doc(alias = "bpf_program__clone")]
    pub fn clone_program(&mut self, name: &str, options: &CloneOptions) -> Result<Program> {
        let cloned = self
            .clone_one(name, options)
            .map_err(|e| e.context(format!("clone of program `{name}`")));
        cloned.map_err(|e| self.open.blame(e))
    }

    /// Skips a program when the object is loaded, such as one that only exists to be [cloned](Self::clone_program).
    ///
    /// # Errors
    /// `NotFound` if there is no such program.
    #[doc(alias = "bpf_program__set_autoload")]
    pub fn skip_program(&mut self, name: &str) -> Result<()> {
        let index = self.index_of(name).map_err(|e| self.open.blame(e))?;
        if let Some(plan) = self.plan.programs.get_mut(index) {
            plan.autoload = false;
        }
        Ok(())
    }

    fn index_of(&self, name: &str) -> Result<usize> {
        let programs = &self.plan.programs;
        let found = programs.iter().position(|program| program.name == name);
        found.ok_or_else(|| {
            let near = did_you_mean(name, programs.iter().map(|p| p.name.as_str()));
            let message = format!("there is no program `{name}`{near}");
            Error::new(ErrorKind::NotFound, message)
        })
    }

    fn clone_one(&mut self, name: &str, options: &CloneOptions) -> Result<Program> {
        let index = self.index_of(name)?;
        if !self.relocated.get(index).copied().unwrap_or_default() {
            let message = "it was not relocated: its autoload was off when the object was prepared";
            return Err(
                Error::new(ErrorKind::InvalidArgument, message).with_hint(
                    "leave its autoload on, and leave it out of the load with PreparedObject::skip_program",
                ),
            );
        }
        let (Some(plan), Some(program)) =
            (self.plan.programs.get(index), self.open.programs.get(index))
        else {
            return Err(Error::new(ErrorKind::NotFound, "the program is gone"));
        };
        let mut plan = plan.clone();
        if let Some(flags) = options.flags {
            plan.flags = flags.bits();
        }
        if let Some(ifindex) = options.ifindex {
            plan.ifindex = ifindex;
        }
        if options.load.level() != 0 {
            plan.log_level = options.load.level();
        }
        if options.has_other_target() {
            let mut program = program.clone();
            options.edit(&mut program)?;
            plan.expected_attach_type = options.attach_type.unwrap_or(plan.expected_attach_type);
            program.set_attach_type(plan.expected_attach_type);
            plan.attach_target = attach_target_of(&program, &self.target)?;
            plan.attach_program = program.attach_program.is_some();
        }
        let mut load = options.load.for_object(&self.open);
        if let Some(other) = &options.attach_program {
            load = load.attach_program(name, other);
        }
        self.made.load_apart(&self.plan, &plan, &load)
    }
}
