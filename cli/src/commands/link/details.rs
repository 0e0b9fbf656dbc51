//! What a link is attached to, as bpftool's JSON has it.

use crate::commands::listing::{Named, interface};
use rawbpf::attach::{IterScope, LinkDetails, LinkInfo, PerfEventDetails};
use rawbpf::program::Program;
use rawbpf::reloc::Target;
use rawbpf::{AttachType, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The fields that depend on the kind of link.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Details(Map<String, Value>);

/// Functions by address, read once for all links that need them.
#[derive(Debug, Default)]
pub(super) struct Lookup(Option<BTreeMap<u64, (String, Option<String>)>>);

impl Details {
    pub(super) fn of(info: &LinkInfo, lookup: &mut Lookup) -> Self {
        let value = match &info.details {
            LinkDetails::RawTracepoint { name, cookie } => {
                json!({"tp_name": name, "cookie": cookie})
            }
            LinkDetails::Tracing {
                attach_type,
                target_id,
                function,
                cookie,
            } => json!({
                "prog_type": program_type(info.program_id),
                "attach_type": named(*attach_type),
                "target_obj_id": target_id,
                "target_btf_id": function.0,
                "cookie": cookie,
            }),
            LinkDetails::TracingMulti {
                attach_type,
                target_id,
                functions,
                addresses,
                cookies,
            } => json!({
                "attach_type": named(*attach_type),
                "target_obj_id": target_id,
                "func_cnt": functions.len(),
                "btf_ids": functions.iter().map(|id| id.0).collect::<Vec<_>>(),
                "funcs": lookup.functions(addresses, cookies),
            }),
            LinkDetails::Cgroup {
                cgroup_id,
                attach_type,
            } => {
                json!({"cgroup_id": cgroup_id, "attach_type": named(*attach_type)})
            }
            LinkDetails::Iter { name, scope } => iterator(name, *scope),
            LinkDetails::Netns { inode, attach_type } => {
                json!({"netns_ino": inode, "attach_type": named(*attach_type)})
            }
            LinkDetails::Xdp { interface } => device(*interface, None),
            LinkDetails::Tcx {
                interface,
                attach_type,
            }
            | LinkDetails::Netkit {
                interface,
                attach_type,
            } => device(*interface, Some(*attach_type)),
            LinkDetails::StructOps { map_id } => json!({"map_id": map_id}),
            LinkDetails::Netfilter {
                family,
                hook,
                priority,
                flags,
            } => {
                json!({"pf": family, "hook": hook, "prio": priority, "flags": flags})
            }
            LinkDetails::KprobeMulti {
                addresses,
                cookies,
                flags,
                missed,
            } => json!({
                "retprobe": flags & 1 != 0,
                "func_cnt": addresses.len(),
                "missed": missed,
                "funcs": lookup.functions(addresses, cookies),
            }),
            LinkDetails::UprobeMulti {
                path,
                offsets,
                ref_ctr_offsets,
                cookies,
                flags,
                pid,
            } => json!({
                "retprobe": flags & 1 != 0,
                "path": path,
                "func_cnt": offsets.len(),
                "pid": pid,
                "funcs": places(offsets, ref_ctr_offsets, cookies),
            }),
            LinkDetails::PerfEvent(event) => perf_event(event),
            LinkDetails::Sockmap {
                map_id,
                attach_type,
            } => {
                json!({"map_id": map_id, "attach_type": named(*attach_type)})
            }
            _ => json!({}),
        };
        match value {
            Value::Object(fields) => Self(fields),
            _ => Self(Map::new()),
        }
    }
}

fn named(attach_type: AttachType) -> Value {
    json!(Named(attach_type.0, attach_type.name()))
}

/// The type of a program; nothing once it is gone.
fn program_type(id: u32) -> Option<Value> {
    let kind = Program::from_id(id).ok()?.kind();
    Some(json!(Named(kind.0, kind.name())))
}

fn iterator(name: &str, scope: IterScope) -> Value {
    let mut fields = json!({"target_name": name});
    let more = match scope {
        IterScope::Map { map_id } => json!({"map_id": map_id}),
        IterScope::Cgroups { cgroup_id, order } => {
            json!({"cgroup_id": cgroup_id, "order": order_name(order)})
        }
        IterScope::Tasks { tid, .. } if tid != 0 => json!({"tid": tid}),
        IterScope::Tasks { pid, .. } if pid != 0 => json!({"pid": pid}),
        _ => json!({}),
    };
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

/// The names that bpftool gives to `enum bpf_cgroup_iter_order`.
fn order_name(order: u32) -> &'static str {
    match order {
        1 => "self_only",
        2 => "descendants_pre",
        3 => "descendants_post",
        4 => "ancestors_up",
        5 => "children",
        _ => "order_unspec",
    }
}

fn device(index: u32, attach_type: Option<AttachType>) -> Value {
    let name = match index {
        0 => "(detached)".to_owned(),
        index => interface(index).unwrap_or_else(|| "(unknown)".to_owned()),
    };
    match attach_type {
        Some(attach_type) => {
            json!({"devname": name, "ifindex": index, "attach_type": named(attach_type)})
        }
        None => json!({"devname": name, "ifindex": index}),
    }
}

fn places(offsets: &[u64], semaphores: &[u64], cookies: &[u64]) -> Value {
    let at = |list: &[u64], index: usize| list.get(index).copied().unwrap_or_default();
    offsets
        .iter()
        .enumerate()
        .map(|(index, offset)| {
            json!({"offset": offset, "ref_ctr_offset": at(semaphores, index), "cookie": at(cookies, index)})
        })
        .collect()
}

fn perf_event(event: &PerfEventDetails) -> Value {
    match event {
        PerfEventDetails::Kprobe {
            on_return,
            function,
            offset,
            address,
            missed,
            cookie,
        } => json!({
            "retprobe": on_return, "addr": address, "func": function, "offset": offset, "missed": missed, "cookie": cookie,
        }),
        PerfEventDetails::Uprobe {
            on_return,
            path,
            offset,
            ref_ctr_offset,
            cookie,
        } => json!({
            "retprobe": on_return, "file": path, "offset": offset, "ref_ctr_offset": ref_ctr_offset, "cookie": cookie,
        }),
        PerfEventDetails::Tracepoint { name, cookie } => {
            json!({"tracepoint": name, "cookie": cookie})
        }
        PerfEventDetails::Event {
            kind,
            config,
            cookie,
        } => {
            let kind = Named(*kind, event_type(*kind));
            json!({"event_type": kind, "event_config": config, "cookie": cookie})
        }
        _ => json!({}),
    }
}

/// The names that bpftool gives to `PERF_TYPE_*`.
fn event_type(kind: u32) -> Option<&'static str> {
    let names = [
        "hardware",
        "software",
        "tracepoint",
        "hw-cache",
        "raw",
        "breakpoint",
    ];
    names.get(usize::try_from(kind).ok()?).copied()
}

impl Lookup {
    /// Functions with their names, in the order of their addresses.
    fn functions(&mut self, addresses: &[u64], cookies: &[u64]) -> Value {
        let known = self
            .0
            .get_or_insert_with(|| all_functions().unwrap_or_default());
        let mut found: Vec<_> = addresses
            .iter()
            .enumerate()
            .map(|(index, address)| (*address, cookies.get(index).copied().unwrap_or_default()))
            .collect();
        found.sort_unstable();
        found
            .into_iter()
            .map(|(address, cookie)| {
                let named = known.get(&address);
                let name = named.map(|(name, _)| name.as_str());
                let module = named.and_then(|(_, module)| module.as_deref());
                json!({"addr": address, "func": name, "module": module, "cookie": cookie})
            })
            .collect()
    }
}

/// The kernel's functions by address.
fn all_functions() -> Result<BTreeMap<u64, (String, Option<String>)>> {
    let mut found = BTreeMap::new();
    Target::running().kallsyms(&mut |symbol| {
        if symbol.is_function() {
            found
                .entry(symbol.address)
                .or_insert_with(|| (symbol.name.to_owned(), symbol.module.map(str::to_owned)));
        }
    })?;
    Ok(found)
}
