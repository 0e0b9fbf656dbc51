//! Global functions that take the program's context, for kernels that do not know the tag for it.
//!
//! The verifier checks a global function on its own, so the function's type must say that a parameter is the context. Since
//! Linux 6.8 the declaration tag `arg:ctx` does; before, the parameter had to be a pointer to a structure of a certain name.
//! For such kernels the function's type is copied, once for each program that calls it, with that pointer in place.

use super::plan::ProgramPlan;
use super::target::Target;
use crate::TypeId;
use crate::btf::{Btf, BtfBuilder, Kind, Linkage, Member, Type};
use crate::feature::Feature;
use crate::kinds::ProgramType;
use crate::open::OpenObject;
use std::collections::HashMap;

/// The tag.
const TAG: &str = "arg:ctx";
/// The size of a function record up to and including the type id, in bytes.
const RECORD: usize = 8;

/// The maximum number of parameters.
const MOST_PARAMS: u32 = 255;

/// The tagged parameters of an object, found once.
#[derive(Debug, Default)]
pub(super) struct ContextTags {
    /// The indexes of the tagged parameters, by function.
    by_function: HashMap<TypeId, Vec<u32>>,
}

impl ContextTags {
    /// The tags that have to be replaced for this kernel, which is asked only if there are any.
    pub(super) fn of(object: &OpenObject, target: &Target) -> Self {
        let mut tags = Self::default();
        let Some(btf) = &object.btf else {
            return tags;
        };
        if memchr::memmem::find(btf.string_bytes(), TAG.as_bytes()).is_none()
            || target.supports(Feature::ArgCtxTag)
        {
            return tags;
        }
        for tag in btf.types().filter(|ty| ty.kind() == Kind::DeclTag) {
            if tag.name() == TAG
                && let (Some(function), Some(param)) = (tag.target(), tag.tag_component())
            {
                let list = tags.by_function.entry(function).or_default();
                list.push(param);
            }
        }
        tags
    }

    /// Points the function records of `plan` to types that this kernel understands, which are added to `changed`.
    #[doc(alias = "bpf_program_fixup_func_info")]
    pub(super) fn fix(
        &self,
        object: &OpenObject,
        plan: &mut ProgramPlan,
        changed: &mut Option<BtfBuilder>,
    ) {
        let (Some(btf), Some(context)) = (&object.btf, context_name(plan.kind)) else {
            return;
        };
        if self.by_function.is_empty() {
            return;
        }
        let mut pointer = None;
        let size = usize::try_from(plan.func_info.record_size).unwrap_or(RECORD);
        for record in plan.func_info.bytes.chunks_exact_mut(size.max(RECORD)) {
            let Some(id) = record.get_mut(4..).and_then(<[u8]>::first_chunk_mut) else {
                continue;
            };
            let original = TypeId(u32::from_ne_bytes(*id));
            let mut copy = None;
            for param in self.by_function.get(&original).into_iter().flatten() {
                let Some(function) = tagged_function(btf, original, *param, plan.kind, context)
                else {
                    continue;
                };
                let types = changed.get_or_insert_with(|| BtfBuilder::copy_of(btf));
                let copy = *copy.get_or_insert_with(|| clone_function(types, &function));
                let pointer = *pointer.get_or_insert_with(|| {
                    let structure = types.add_struct(context, 0, Member::NONE);
                    types.add_ptr(structure)
                });
                point(types, copy, *param, pointer);
            }
            if let Some(copy) = copy {
                *id = copy.0.to_ne_bytes();
            }
        }
    }
}

/// The function with this id, if the type of its parameter must be changed.
fn tagged_function<'b>(
    btf: &'b Btf<'b>,
    id: TypeId,
    param: u32,
    kind: ProgramType,
    context: &str,
) -> Option<Type<'b>> {
    let function = btf.get(id).ok()?;
    if function.kind() != Kind::Func || function.linkage() != Some(Linkage::Global) {
        return None;
    }
    let proto = btf.get(function.target()?).ok()?;
    if proto.vlen() > MOST_PARAMS {
        return None;
    }
    let param = proto.params().nth(usize::try_from(param).ok()?)?;
    let pointer = btf.get(param.type_id).ok()?.resolved().ok()?;
    if pointer.kind() != Kind::Ptr {
        return None;
    }
    let pointee = btf.get(pointer.target()?).ok()?.resolved().ok()?;
    needs_change(&pointee, kind, context).then_some(function)
}

/// Whether a pointer to this type may be declared for the context, but is not the one that the kernel recognises.
#[doc(alias = "need_func_arg_type_fixup")]
fn needs_change(pointee: &Type<'_>, kind: ProgramType, context: &str) -> bool {
    let registers = if cfg!(target_arch = "x86_64") {
        "pt_regs"
    } else if cfg!(target_arch = "riscv64") {
        "user_regs_struct"
    } else {
        "user_pt_regs"
    };
    match (pointee.kind(), kind) {
        (Kind::Void, _) => true,
        (Kind::Struct, _) if pointee.name() == context => false,
        (Kind::Struct, ProgramType::KPROBE) => pointee.name() == "pt_regs",
        (Kind::Struct, ProgramType::PERF_EVENT) => pointee.name() == registers,
        (Kind::Int, ProgramType::RAW_TRACEPOINT | ProgramType::RAW_TRACEPOINT_WRITABLE) => {
            pointee.size_field() == 8
        }
        _ => false,
    }
}

/// Copies a function and its prototype; returns the function's id.
fn clone_function(types: &mut BtfBuilder, function: &Type<'_>) -> TypeId {
    let proto = types.duplicate(function.target().unwrap_or(TypeId::VOID));
    let copy = types.duplicate(function.id());
    types.set_target(copy, proto);
    copy
}

/// Gives a parameter of a copied function this pointer type, and tags it like the original.
fn point(types: &mut BtfBuilder, function: TypeId, param: u32, pointer: TypeId) {
    let proto = types.target(function).unwrap_or(TypeId::VOID);
    let index = usize::try_from(param).unwrap_or(usize::MAX);
    types.set_param_type(proto, index, pointer);
    types.add_decl_tag(TAG, function, Some(param));
}

/// The kernel's name for the context of these programs, if it has one.
fn context_name(kind: ProgramType) -> Option<&'static str> {
    Some(match kind {
        ProgramType::CGROUP_DEVICE => "bpf_cgroup_dev_ctx",
        ProgramType::CGROUP_SOCK => "bpf_sock",
        ProgramType::CGROUP_SOCK_ADDR => "bpf_sock_addr",
        ProgramType::CGROUP_SOCKOPT => "bpf_sockopt",
        ProgramType::CGROUP_SYSCTL => "bpf_sysctl",
        ProgramType::KPROBE => "bpf_user_pt_regs_t",
        ProgramType::NETFILTER => "bpf_nf_ctx",
        ProgramType::PERF_EVENT => "bpf_perf_event_data",
        ProgramType::RAW_TRACEPOINT | ProgramType::RAW_TRACEPOINT_WRITABLE => {
            "bpf_raw_tracepoint_args"
        }
        ProgramType::SK_LOOKUP => "bpf_sk_lookup",
        ProgramType::SK_MSG => "sk_msg_md",
        ProgramType::SK_REUSEPORT => "sk_reuseport_md",
        ProgramType::SOCK_OPS => "bpf_sock_ops",
        ProgramType::XDP => "xdp_md",
        ProgramType::CGROUP_SKB
        | ProgramType::FLOW_DISSECTOR
        | ProgramType::LWT_IN
        | ProgramType::LWT_OUT
        | ProgramType::LWT_SEG6LOCAL
        | ProgramType::LWT_XMIT
        | ProgramType::SCHED_ACT
        | ProgramType::SCHED_CLS
        | ProgramType::SK_SKB
        | ProgramType::SOCKET_FILTER => "__sk_buff",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::plan::InfoRecords;
    use super::super::testing::{btf, kernel, object};
    use super::*;
    use crate::KernelVersion;
    use std::sync::Arc;

    /// `int f(int, void *)` with the tag on its second parameter, and `main`.
    fn tagged() -> OpenObject {
        let mut object = object();
        object.btf = Some(Arc::new(btf(|editor| {
            let int = editor.add_int("int", 4, 1); // 1
            let ptr = editor.add_ptr(TypeId::VOID); // 2
            let proto = editor.add_func_proto(int, &[("n", int), ("ctx", ptr)]); // 3
            let f = editor.add_func("f", Linkage::Global, proto); // 4
            editor.add_func("main", Linkage::Global, proto); // 5
            editor.add_decl_tag(TAG, f, Some(1)); // 6
        })));
        object
    }

    /// A program of the functions main and f.
    fn planned(kind: ProgramType, version: KernelVersion) -> (Vec<u32>, Option<Btf<'static>>) {
        let words: [u32; 4] = [0, 5, 7, 4];
        let mut plan = ProgramPlan {
            kind,
            func_info: InfoRecords {
                record_size: 8,
                bytes: words.iter().flat_map(|w| w.to_ne_bytes()).collect(),
            },
            ..ProgramPlan::default()
        };
        let mut changed = None;
        let object = tagged();
        let tags = ContextTags::of(&object, &kernel(version, |_| {}));
        tags.fix(&object, &mut plan, &mut changed);
        let records = plan.func_info.bytes.as_chunks::<4>().0.chunks(2);
        let ids = records.map(|r| u32::from_ne_bytes(r[1]));
        let changed = changed.map(|editor| editor.build().unwrap());
        (ids.collect(), changed)
    }

    #[test]
    fn old_kernels_get_a_copy_with_the_pointer_they_know() {
        let (ids, changed) = planned(ProgramType::XDP, KernelVersion::new(6, 1, 0));
        let changed = changed.unwrap();
        changed.validate().unwrap();
        assert_eq!(ids, [5, 8]);
        let copy = changed.get(TypeId(8)).unwrap();
        assert_eq!((copy.name(), copy.linkage()), ("f", Some(Linkage::Global)));
        let params: Vec<_> = changed
            .get(copy.target().unwrap())
            .unwrap()
            .params()
            .collect();
        assert_eq!((params[0].name, params[0].type_id), ("n", TypeId(1)));
        let pointer = changed.get(params[1].type_id).unwrap();
        let context = changed.get(pointer.target().unwrap()).unwrap();
        assert_eq!((params[1].name, context.name()), ("ctx", "xdp_md"));
    }

    #[test]
    fn others_stay_as_they_are() {
        let (ids, changed) = planned(ProgramType::XDP, KernelVersion::new(6, 8, 0));
        assert_eq!((ids, changed.is_none()), (vec![5, 4], true));
        let (ids, changed) = planned(ProgramType::TRACING, KernelVersion::new(6, 1, 0));
        assert_eq!((ids, changed.is_none()), (vec![5, 4], true));
    }
}
