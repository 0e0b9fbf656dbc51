//! Creates a single map of a plan.

use super::context::LoadContext;
use super::log::LogText;
use super::modules::ModuleFds;
use super::{exclusive, fill, pin};
use crate::feature::Feature;
use crate::kernel::advice;
use crate::kinds::{MapFlags, MapType};
use crate::map::Map;
use crate::map::no_map;
use crate::reloc::{MapPlan, ProgramPlan, Target, map_rules};
use crate::sys::bpf::{self, Log, MapCreate, MapFd};
use crate::sys::fd;
use crate::{Errno, Error, Result};
use std::fmt::Write as _;
use std::os::fd::{AsFd, BorrowedFd};

/// The kernel writes a line or two about a map.
const LOG_SIZE: usize = 1024;

/// What creating a map needs to know about the load.
#[derive(Debug)]
pub(super) struct MapContext<'a> {
    /// What the kernel supports.
    pub(super) target: &'a Target,
    /// The object's uploaded types.
    pub(super) btf: Option<BorrowedFd<'a>>,
    /// Why the kernel refused them.
    pub(super) without_btf: Option<&'a Error>,
    /// Whether the kernel accepts names.
    pub(super) named: bool,
    /// The token whose permissions are used in addition to this process's.
    pub(super) token: Option<BorrowedFd<'a>>,
    /// The plan's maps, for the names of inner maps.
    pub(super) maps: &'a [MapPlan],
    /// The plan's programs, for exclusive maps.
    pub(super) programs: &'a [ProgramPlan],
    /// The modules that were opened.
    pub(super) modules: &'a ModuleFds,
    /// The caller's maps.
    pub(super) given: &'a LoadContext,
}

/// Where a map of a load comes from.
#[derive(Debug)]
pub(super) enum Made {
    /// It existed before: pinned, or provided by the caller.
    Found(MapFd),
    /// The load created it.
    New(MapFd),
}

impl Made {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Found(map) | Self::New(map) => map.as_fd(),
        }
    }
}

/// Opens the pinned map, or uses the caller's, or creates and fills a new one; then pins it.
///
/// `others` are those of the plan's maps that have been created so far.
#[doc(alias = "bpf_object__create_maps")]
pub(super) fn make(
    context: &MapContext<'_>,
    plan: &MapPlan,
    others: &[Option<Map>],
    pins: &mut pin::NewPins,
) -> Result<Made> {
    let place = pin::place(plan);
    let pinned = place.map(|place| pin::reuse(place, plan)).transpose()?;
    if let Some(map) = pinned.flatten() {
        return Ok(Made::Found(map));
    }
    let made = if plan.given {
        Made::Found(handed_over(context.given.given_map(&plan.name)?)?)
    } else {
        Made::New(create_and_fill(context, plan, others)?)
    };
    let Some(place) = place else {
        return Ok(made);
    };
    match pins.add(made.as_fd(), place)? {
        pin::Pinned::New => Ok(made),
        // Another process pinned one in the meantime.
        pin::Pinned::Exists => {
            let other = pin::reuse(place, plan)?;
            other
                .map(Made::Found)
                .ok_or_else(|| pin::taken(place.path()))
        }
    }
}

fn handed_over(fd: BorrowedFd<'_>) -> Result<MapFd> {
    let own = fd::duplicate(fd).map_err(|errno| {
        let message = "cannot copy the descriptor of the map that is to be reused";
        Error::from_errno(errno, message)
    })?;
    let (map, _) = MapFd::from_fd(own).map_err(|no| no_map("what was given to be reused", no))?;
    Ok(map)
}

fn create_and_fill(
    context: &MapContext<'_>,
    plan: &MapPlan,
    others: &[Option<Map>],
) -> Result<MapFd> {
    let fd = create(context, plan)?;
    fill::initial(&fd, plan)?;
    fill::inner_maps(&fd, plan, context.maps, others)?;
    Ok(fd)
}

#[doc(alias = "bpf_object__create_map")]
pub(super) fn create(context: &MapContext<'_>, plan: &MapPlan) -> Result<MapFd> {
    // The kernel copies the template's attributes, and does not keep the map.
    let template = match plan.inner.as_deref() {
        Some(inner) if !inner.given => {
            let made = create(context, inner);
            Some(made.map_err(|e| e.context(format!("inner map `{}`", inner.name)))?)
        }
        _ => None,
    };
    let given = plan.inner.as_deref().filter(|inner| inner.given);
    let given = given.map(|_| context.given.given_inner_map(&plan.name));
    let inner_map = match &template {
        Some(template) => Some(template.as_fd()),
        None => given.transpose()?,
    };
    let value_type_btf = match &plan.value_type_module {
        Some(module) => context.modules.get(module),
        None => None,
    };
    let only = plan.exclusive_program;
    let only = only.and_then(|index| context.programs.get(index));
    let hash = only.map(|program| exclusive::program_hash(&program.insns));
    let request = MapCreate {
        kind: plan.kind,
        key_size: plan.key_size,
        value_size: plan.value_size,
        max_entries: plan.max_entries,
        flags: MapFlags::from_bits_retain(plan.flags),
        inner_map,
        numa_node: plan.numa_node,
        name: if context.named { &plan.kernel_name } else { "" },
        // The kernel requires the object's BTF as well, although the value's type is one of its own.
        btf: context.btf.filter(|_| plan.kind == MapType::STRUCT_OPS),
        btf_vmlinux_value_type: plan.btf_vmlinux_value_type_id,
        map_extra: plan.extra,
        ifindex: plan.ifindex,
        exclusive_program: hash.as_ref(),
        value_type_btf,
        token: context.token,
        ..MapCreate::default()
    };
    if !is_typed(plan) || context.btf.is_none() {
        let made = bpf::map_create(&request);
        return made.or_else(|errno| create_with_log(context, plan, &request, errno));
    }
    let with_types = MapCreate {
        btf: context.btf,
        btf_key_type: plan.btf_key_type_id,
        btf_value_type: plan.btf_value_type_id,
        ..request
    };
    // Most maps do not need types, so it may work without them.
    let made = bpf::map_create(&with_types).or_else(|_| bpf::map_create(&request));
    made.or_else(|errno| create_with_log(context, plan, &with_types, errno))
}

/// Repeats a refused request to find out why, on kernels that can say why. `errno` is the original error.
fn create_with_log(
    context: &MapContext<'_>,
    plan: &MapPlan,
    request: &MapCreate<'_>,
    errno: Errno,
) -> Result<MapFd> {
    let mut log = LogText::default();
    if context.target.supports(Feature::SyscallCommonAttrs) {
        let mut buffer = [0; LOG_SIZE];
        if let Ok(fd) = bpf::map_create_with_log(request, &mut Log::new(1, &mut buffer)) {
            return Ok(fd);
        }
        log = LogText::from(buffer.as_slice());
    }
    // The kernel checks no rules for a type that it does not know.
    let broken = match advice::newer_map(plan.kind) {
        Some(_) => Vec::new(),
        None => map_rules::broken(errno, plan, context.target.page_size()),
    };
    let error = refused(errno, plan, &broken, log.end());
    let hint = match context.without_btf {
        Some(refusal) if is_typed(plan) && errno == Errno::EINVAL => {
            Some(for_want_of_types(refusal))
        }
        // The rule says what to do, except for what the object leaves to its user.
        _ if !broken.is_empty() => advice::left_to_the_user(plan),
        _ => advice::for_map(errno, plan),
    };
    Err(match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    })
}

fn is_typed(plan: &MapPlan) -> bool {
    !plan.btf_key_type_id.is_void() || !plan.btf_value_type_id.is_void()
}

/// Most maps do not need the object's types, but some do.
fn for_want_of_types(refusal: &Error) -> String {
    let hint = refusal
        .hint()
        .unwrap_or("without them some maps are refused");
    format!("{}: {hint}", refusal.message())
}

/// `broken` are the rules that were broken; `log` is the kernel's explanation, if any.
fn refused(errno: Errno, plan: &MapPlan, broken: &[String], log: &str) -> Error {
    let mut message = match broken {
        [] => format!("the kernel does not create it: {}", described(plan)),
        broken => format!(
            "the kernel does not create it: {} (asked for was: {})",
            broken.join("; "),
            described(plan)
        ),
    };
    for line in log.lines() {
        let _ = write!(message, "; the kernel says: {}", line.trim_end_matches('.'));
    }
    Error::from_errno(errno, message)
}

/// The requested attributes.
fn described(plan: &MapPlan) -> String {
    let mut text = format!(
        "type {}, key of {} bytes, value of {} bytes, {} entries, flags {:#x}",
        plan.kind, plan.key_size, plan.value_size, plan.max_entries, plan.flags
    );
    if plan.flags & MapFlags::NUMA_NODE.bits() != 0 {
        let _ = write!(text, ", NUMA node {}", plan.numa_node);
    }
    if plan.extra != 0 {
        let _ = write!(text, ", map_extra {:#x}", plan.extra);
    }
    text
}
