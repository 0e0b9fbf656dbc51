//! Loads a single program of a plan.

use super::context::copy_of_program;
use super::log::{LogText, load_with_log};
use super::modules::ModuleFds;
use super::options::LoadOptions;
use crate::btf::{Btf, Kind};
use crate::insn::Insn;
use crate::kernel::{advice, device};
use crate::kinds::{ProgramFlags, ProgramType};
use crate::map::Map;
use crate::open::{Held, OpenProgram};
use crate::reloc::{AttachTarget, InfoRecords, MapPlan, Module, ProgramPlan, Ref, RefKind};
use crate::sys::bpf::{self, FdArray, ObjectKind, ProgLoad, Records};
use crate::verifier_log::{LogNames, summarize};
use crate::{Errno, Error, ErrorKind, KernelVersion, Result, TypeId, VerifierLog};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What loading a program needs to know about the load as a whole.
#[derive(Debug)]
pub(super) struct ProgramContext<'a> {
    pub(super) license: &'a CStr,
    pub(super) kernel_version: KernelVersion,
    /// The object's uploaded types.
    pub(super) btf: Option<BorrowedFd<'a>>,
    /// Whether the kernel accepts names.
    pub(super) named: bool,
    /// The token whose permissions are used in addition to this process's.
    pub(super) token: Option<BorrowedFd<'a>>,
    /// The plan's maps, and what was created for each.
    pub(super) map_plans: &'a [MapPlan],
    pub(super) maps: &'a [Option<Map>],
    pub(super) modules: &'a ModuleFds,
    pub(super) options: &'a LoadOptions,
}

/// The modules whose types a program refers to.
pub(super) fn modules(plan: &ProgramPlan) -> impl Iterator<Item = &Module> {
    let in_code = plan.refs.iter().filter_map(|r| match &r.kind {
        RefKind::BtfId { module } | RefKind::Kfunc { module } => module.as_ref(),
        _ => None,
    });
    let target = match &plan.attach_target {
        Some(AttachTarget::Btf { module, .. }) => module.as_ref(),
        _ => None,
    };
    in_code.chain(&plan.fd_array).chain(target)
}

/// Loads the program.
#[doc(alias = "bpf_object_load_prog")]
pub(super) fn load(context: &ProgramContext<'_>, plan: &ProgramPlan) -> Result<LoadedProgram> {
    if plan.kind == ProgramType::UNSPEC {
        return Err(unknown_section(plan));
    }
    let insns = with_descriptors(context, plan)?;
    let fds = fd_array(context, plan)?;
    let (attach_btf_id, attach_fd) = attach_target(context, plan)?;
    let with_info = context
        .btf
        .filter(|_| !plan.func_info.is_empty() || !plan.line_info.is_empty());
    let request = ProgLoad {
        kind: plan.kind,
        insns: &insns,
        license: context.license,
        kernel_version: context.kernel_version,
        flags: ProgramFlags::from_bits_retain(plan.flags),
        name: if context.named { &plan.name } else { "" },
        ifindex: plan.ifindex,
        expected_attach_type: plan.expected_attach_type,
        btf: context.btf,
        func_info: with_info.map_or_else(Records::default, |_| records(&plan.func_info)),
        line_info: with_info.map_or_else(Records::default, |_| records(&plan.line_info)),
        attach_btf_id,
        attach_to: attach_fd.as_ref().map(Descriptor::as_fd),
        fd_array: if fds.is_empty() {
            FdArray::None
        } else {
            FdArray::Sparse(&fds)
        },
        token: context.token,
        stop: context.options.stop(),
        ..ProgLoad::default()
    };
    let options = context.options;
    let level = match plan.log_level {
        0 => options.level(),
        own => own,
    };
    let limit = options.limit();
    match load_with_log(level, limit, |log| bpf::prog_load(&request, log)) {
        // A log that was not requested belongs to a refusal that did not happen again.
        (Ok(fd), _) if level == 0 => Ok(LoadedProgram { fd, log: None }),
        (Ok(fd), log) => Ok(LoadedProgram::new(fd, log)),
        (Err(errno), log) => {
            // A refusal means nothing if the verifier was interrupted.
            options.go_on()?;
            Err(Refusal { errno, log }.into_error(context, plan))
        }
    }
}

fn unknown_section(plan: &ProgramPlan) -> Error {
    let message = format!(
        "the section name `{}` does not say what type of program this is",
        plan.section
    );
    Error::new(ErrorKind::InvalidObject, message).with_hint(
        "use a name that libbpf knows, such as SEC(\"kprobe/FUNCTION\"), or set the program's type",
    )
}

fn records(info: &InfoRecords) -> Records<'_> {
    Records {
        size: info.record_size,
        bytes: &info.bytes,
    }
}

/// The plan's instructions, with descriptors filled in.
fn with_descriptors(context: &ProgramContext<'_>, plan: &ProgramPlan) -> Result<Vec<Insn>> {
    let mut insns = plan.insns.clone();
    for reference in &plan.refs {
        let (at, fd) = match &reference.kind {
            RefKind::Map { map } | RefKind::MapValue { map } => {
                let map = context.maps.get(*map).and_then(Option::as_ref);
                let map = map.ok_or_else(|| no_map(&reference.name))?;
                (reference.insn, map.as_fd())
            }
            RefKind::BtfId {
                module: Some(module),
            } => (
                reference.insn.saturating_add(1),
                module_fd(context, module)?,
            ),
            RefKind::BtfId { module: None }
            | RefKind::Kfunc { .. }
            | RefKind::Ksym
            | RefKind::Func => continue,
        };
        let insn = insns.get_mut(at).ok_or_else(|| past_the_end(reference))?;
        insn.imm = fd.as_raw_fd();
    }
    Ok(insns)
}

fn no_map(name: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!("it uses map `{name}`, which was not created"),
    )
}

fn past_the_end(reference: &Ref) -> Error {
    let message = format!(
        "the plan refers to `{}` in instruction {}, past the end",
        reference.name, reference.insn
    );
    Error::new(ErrorKind::InvalidArgument, message)
}

fn module_fd<'a>(context: &ProgramContext<'a>, module: &Module) -> Result<BorrowedFd<'a>> {
    context.modules.get(module).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("the types of module {} were not opened", module.name),
        )
    })
}

/// Index 0 is the kernel itself, whose functions need no descriptor.
fn fd_array<'a>(context: &ProgramContext<'a>, plan: &ProgramPlan) -> Result<Vec<BorrowedFd<'a>>> {
    let of_modules = || plan.fd_array.iter().map(|m| module_fd(context, m));
    of_modules().take(1).chain(of_modules()).collect()
}

/// A module's types, or another program.
type Descriptor<'a> = BorrowedFd<'a>;

/// The type of the program's target, and the descriptor of the BTF or program that has this type.
#[doc(alias = "libbpf_find_attach_btf_id")]
fn attach_target<'a>(
    context: &ProgramContext<'a>,
    plan: &'a ProgramPlan,
) -> Result<(TypeId, Option<Descriptor<'a>>)> {
    match &plan.attach_target {
        None => Ok((TypeId::VOID, None)),
        Some(AttachTarget::Btf {
            id, module: None, ..
        }) => Ok((*id, None)),
        Some(AttachTarget::Btf {
            id,
            module: Some(module),
            ..
        }) => Ok((*id, Some(module_fd(context, module)?))),
        Some(AttachTarget::Program { function }) => {
            let program = context.options.given().given_program(&plan.name);
            let program = program.ok_or_else(|| {
                let message =
                    format!("it is written for the function `{function}` of another program");
                Error::new(ErrorKind::InvalidArgument, message)
                    .with_hint("name that program with OpenProgram::set_attach_program")
            })?;
            Ok((
                function_of(program, function, context.token)?,
                Some(program),
            ))
        }
    }
}

impl OpenProgram {
    /// Sets the loaded program that contains the target function (see [`OpenProgram::set_attach_target`]), instead of the
    /// kernel: for `SEC("freplace/FUNCTION")`, which replaces a global function, and for `SEC("fentry/FUNCTION")` and
    /// `SEC("fexit/FUNCTION")` that trace a program.
    ///
    /// The other program must have been loaded with BTF. Its descriptor is copied.
    ///
    /// # Errors
    /// The descriptor cannot be copied.
    #[doc(alias = "bpf_program__set_attach_target")]
    pub fn set_attach_program(&mut self, program: impl AsFd) -> Result<&mut Self> {
        let copy = copy_of_program(program.as_fd());
        let copy = copy.map_err(|e| e.context(format!("program `{}`", self.name)))?;
        self.attach_program = Some(Held::new(copy));
        Ok(self)
    }
}

/// The id of the function in the BTF of a loaded program.
#[doc(alias = "libbpf_find_prog_btf_id")]
pub(crate) fn function_of(
    program: BorrowedFd<'_>,
    function: &str,
    token: Option<BorrowedFd<'_>>,
) -> Result<TypeId> {
    let cannot =
        |errno| Error::from_errno(errno, "cannot read the types of the program that it is for");
    let info = bpf::prog_info(program).map_err(cannot)?;
    if info.btf_id == 0 {
        let message = format!(
            "program `{}`, which it is for, was loaded without type information",
            info.name
        );
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    let btf = match token {
        Some(token) => bpf::btf_by_id_with_token(info.btf_id, token),
        None => bpf::fd_by_id(ObjectKind::Btf, info.btf_id),
    };
    let btf = btf.map_err(cannot)?;
    let types = Btf::from_vec(bpf::btf_data(btf.as_fd()).map_err(cannot)?).map_err(Error::from)?;
    types.find(function, Kind::Func).ok_or_else(|| {
        let functions = types.types().filter(|ty| ty.kind() == Kind::Func);
        let near = crate::did_you_mean(function, functions.map(|ty| ty.name()));
        Error::new(
            ErrorKind::NotFound,
            format!("program `{}` has no function `{function}`{near}", info.name),
        )
    })
}

/// A program that the kernel accepted.
#[derive(Debug)]
pub(super) struct LoadedProgram {
    pub(super) fd: OwnedFd,
    /// The verifier's log, if it was requested.
    pub(super) log: Option<VerifierLog>,
}

impl AsFd for LoadedProgram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl LoadedProgram {
    fn new(fd: OwnedFd, log: LogText) -> Self {
        let full = (!log.is_empty()).then(|| log.into_full());
        let log = full.map(|full| {
            let count = full.lines().rfind(|line| line.starts_with("processed "));
            let summary = count.unwrap_or_default().to_owned();
            VerifierLog::new(full, summary)
        });
        Self { fd, log }
    }
}

/// A refused load: the kernel's error number, and the verifier's log.
struct Refusal {
    errno: Errno,
    log: LogText,
}

impl Refusal {
    fn into_error(self, context: &ProgramContext<'_>, plan: &ProgramPlan) -> Error {
        let maps = context.map_plans.iter();
        let maps: Vec<_> = maps.map(|map| map.name.as_str()).collect();
        let names = LogNames {
            core: &plan.core,
            refs: &plan.refs,
            maps: &maps,
        };
        let gist = summarize(self.log.end(), names);
        let error = if gist.is_empty() {
            let message = format!("the kernel does not load it (type {})", plan.kind);
            Error::from_errno(self.errno, message)
        } else {
            let mut lines = gist.lines();
            let reason = lines.next().unwrap_or_default();
            let message = format!("the verifier refused it: {reason}");
            let details: Vec<_> = lines.map(|line| format!("    {line}")).collect();
            Error::new(ErrorKind::Verifier, message)
                .with_details(details.iter().map(String::as_str))
                .with_errno(self.errno)
        };
        let error = if self.log.is_empty() {
            error
        } else {
            error.with_verifier_log(VerifierLog::new(self.log.into_full(), gist.clone()))
        };
        let flags = ProgramFlags::from_bits_retain(plan.flags);
        let advice = if gist.is_empty() {
            device::for_program(self.errno, plan).or_else(|| {
                advice::for_program(
                    self.errno,
                    plan.kind,
                    plan.expected_attach_type,
                    flags,
                    plan.insns.len(),
                )
            })
        } else {
            let attach_type = plan.expected_attach_type;
            advice::newer_program(plan.kind, attach_type)
                .or_else(|| advice::newer_sleepable(plan.kind, attach_type, flags))
                .or_else(|| advice::newer_callbacks(&plan.refs))
                .or_else(|| advice::newer_helper(&gist, plan.kind, attach_type))
                .or_else(|| advice::for_words(&gist))
        };
        match advice {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}
