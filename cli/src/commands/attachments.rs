//! What links are attached to, as text for tables; and the links of each program.

use super::listing::{Named, interface};
use super::which;
use rawbpf::TypeId;
use rawbpf::attach::{IterScope, Link, LinkDetails, LinkInfo, PerfEventDetails};
use rawbpf::btf::Btf;
use rawbpf::reloc::Target;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A link of a program.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attached {
    link_id: u32,
    #[serde(rename = "type")]
    kind: Named,
    #[serde(skip_serializing_if = "String::is_empty")]
    target: String,
}

/// The links of all programs.
#[derive(Debug, Default)]
pub(crate) struct Attachments(BTreeMap<u32, Vec<Attached>>);

impl Attachments {
    /// All that the kernel has now and this process may see.
    pub(crate) fn now() -> Self {
        let mut found = Self::default();
        let mut functions = Functions::default();
        for (_, info) in which::each::<Link>(None).flatten() {
            found.0.entry(info.program_id).or_default().push(Attached {
                link_id: info.id,
                kind: kind_of(&info),
                target: target(&info.details, &mut functions),
            });
        }
        found
    }

    /// Those of one program.
    pub(crate) fn of(&self, program_id: u32) -> &[Attached] {
        self.0.get(&program_id).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind.text())?;
        if !self.target.is_empty() {
            write!(f, " {}", self.target)?;
        }
        Ok(())
    }
}

/// The link's type.
pub(crate) fn kind_of(info: &LinkInfo) -> Named {
    Named(info.kind.0, info.kind.name())
}

/// What a link is attached to, in a few words; empty if that is not known.
pub(crate) fn target(details: &LinkDetails, functions: &mut Functions) -> String {
    match details {
        LinkDetails::RawTracepoint { name, .. } => name.clone(),
        LinkDetails::Tracing {
            attach_type,
            target_id,
            function,
            ..
        } => {
            format!("{attach_type} {}", functions.name(*target_id, *function))
        }
        LinkDetails::TracingMulti {
            attach_type,
            functions: all,
            ..
        } => {
            format!("{attach_type} of {} functions", all.len())
        }
        LinkDetails::Cgroup {
            cgroup_id,
            attach_type,
        } => format!("{attach_type} of cgroup {cgroup_id}"),
        LinkDetails::Iter { name, scope } => match scope {
            IterScope::Map { map_id } => format!("{name} of map {map_id}"),
            _ => name.clone(),
        },
        LinkDetails::Netns { inode, attach_type } => format!("{attach_type} of netns {inode}"),
        LinkDetails::Xdp { interface } => device(*interface),
        LinkDetails::StructOps { map_id } => format!("map {map_id}"),
        LinkDetails::Netfilter {
            family,
            hook,
            priority,
            ..
        } => {
            format!("family {family} hook {hook} priority {priority}")
        }
        LinkDetails::KprobeMulti { addresses, .. } => format!("{} functions", addresses.len()),
        LinkDetails::UprobeMulti { path, offsets, .. } => {
            format!("{path} at {} offsets", offsets.len())
        }
        LinkDetails::PerfEvent(event) => perf_event(event),
        LinkDetails::Tcx {
            interface,
            attach_type,
        }
        | LinkDetails::Netkit {
            interface,
            attach_type,
        } => {
            format!("{attach_type} of {}", device(*interface))
        }
        LinkDetails::Sockmap {
            map_id,
            attach_type,
        } => format!("{attach_type} of map {map_id}"),
        _ => String::new(),
    }
}

fn perf_event(event: &PerfEventDetails) -> String {
    let way = |on_return| if on_return { "return of " } else { "" };
    match event {
        PerfEventDetails::Kprobe {
            on_return,
            function,
            offset,
            address,
            ..
        } => {
            let place = match (function.as_str(), offset) {
                ("", _) => format!("{address:#x}"),
                (name, 0) => name.to_owned(),
                (name, offset) => format!("{name}+{offset:#x}"),
            };
            format!("{}{place}", way(*on_return))
        }
        PerfEventDetails::Uprobe {
            on_return,
            path,
            offset,
            ..
        } => {
            format!("{}{path}+{offset:#x}", way(*on_return))
        }
        PerfEventDetails::Tracepoint { name, .. } => name.clone(),
        PerfEventDetails::Event { kind, config, .. } => format!("event {kind}:{config}"),
        _ => String::new(),
    }
}

/// An interface by name, or by number if it is in another network namespace.
fn device(index: u32) -> String {
    match (index, interface(index)) {
        (0, _) => "an interface that is gone".to_owned(),
        (_, Some(name)) => name,
        (_, None) => format!("interface {index}"),
    }
}

/// Names of kernel functions, looked up in the kernel's types, which are read when they are first needed.
#[derive(Debug, Default)]
pub(crate) struct Functions(BTreeMap<u32, Option<Arc<Btf<'static>>>>);

impl Functions {
    fn name(&mut self, target_id: u32, function: TypeId) -> String {
        let types = self
            .0
            .entry(target_id)
            .or_insert_with(|| types_of(target_id));
        let name = types
            .as_ref()
            .and_then(|btf| btf.get(function).ok().map(|ty| ty.name().to_owned()));
        name.filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("function {} of {target_id}", function.0))
    }
}

/// The types of the kernel or of a module. `None` for functions of programs: their target is no BTF, but the program.
fn types_of(btf_id: u32) -> Option<Arc<Btf<'static>>> {
    let info = Btf::info(btf_id).ok().filter(|info| info.is_kernel)?;
    let target = Target::running();
    let vmlinux = target.vmlinux_btf().ok()?;
    if info.name == "vmlinux" {
        return Some(Arc::clone(vmlinux));
    }
    Btf::from_id(btf_id, Some(vmlinux)).ok().map(Arc::new)
}
