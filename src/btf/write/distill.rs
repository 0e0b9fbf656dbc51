//! A module's distilled base, and relocating the module's types to a different build of its kernel.
//!
//! A module that is built separately from its kernel cannot know the type ids of the kernel that will load it. Its types
//! therefore extend a distilled base (section `.BTF.base`): the names, kinds and sizes of the kernel types that they refer
//! to, without members. The format and its rules are those of libbpf's `btf__distill_base` and `btf__relocate`; the kernel
//! reads it since Linux 6.11.

use super::builder::BtfBuilder;
use super::elements::Signedness;
use crate::btf::{Btf, Enumerator, Kind, Member, NameMatch, Type};
use crate::{Error, ErrorKind, Result, TypeId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

impl Btf<'_> {
    /// This split BTF on a distilled base: integers, floats and forward declarations, and named structures, unions and
    /// enumerations without members. All other types of the base that these refer to (pointers, arrays, typedefs, anonymous
    /// types) move into the split BTF.
    ///
    /// The distilled base is the [`base`](Btf::base) of the result; a module's ELF file has it in `.BTF.base`.
    ///
    /// # Errors
    /// `Btf` if this BTF has no base, or refers to a type that a distilled base cannot contain (a function, a variable).
    #[doc(alias = "btf__distill_base")]
    pub fn distill_base(&self) -> Result<Btf<'static>> {
        let base = self.base().ok_or_else(no_base)?;
        let used = used_of_base(self, base)?;
        let mut ids = HashMap::with_capacity(used.len());
        let mut distilled = BtfBuilder::new();
        for ty in types(base, &used)? {
            if let Some(id) = add_distilled(&mut distilled, &ty) {
                ids.insert(ty.id(), id);
            }
        }
        let distilled = Arc::new(distilled.build()?);
        // Own types come first, in their order; then those taken from the base.
        let taken = used.iter().filter(|id| !ids.contains_key(*id));
        let taken: BTreeSet<TypeId> = taken.copied().collect();
        let own = u32::try_from(self.own_ids().len()).unwrap_or(u32::MAX);
        let new_ids = distilled.end_id().saturating_add(own)..;
        ids.extend(taken.iter().copied().zip(new_ids.map(TypeId)));
        moved(self, distilled, &ids, types(base, &taken)?)
    }

    /// This split BTF, whose base is distilled (see [`distill_base`](Btf::distill_base)), on the base `base`. Each type of
    /// the distilled base is looked up there by name, and by size if the size matters or the name is ambiguous.
    ///
    /// # Errors
    /// `Btf` if this BTF has no base, if its base is not distilled, or if a type of it has no counterpart in `base`, or
    /// several.
    #[doc(alias = "btf__relocate")]
    pub fn relocate(&self, base: &Arc<Btf<'static>>) -> Result<Btf<'static>> {
        let distilled = self.base().ok_or_else(no_base)?;
        let ids = matches(distilled, base, &embedded(self))?;
        moved(self, base.clone(), &ids, Vec::new())
    }
}

/// Split BTF on another base, in which the types of the old base have these ids; `more` types are added to its own.
fn moved(
    split: &Btf<'_>,
    base: Arc<Btf<'static>>,
    ids: &HashMap<TypeId, TypeId>,
    more: Vec<Type<'_>>,
) -> Result<Btf<'static>> {
    let own_start = split.own_ids().start;
    let shift = base.end_id().wrapping_sub(own_start);
    let map = |id: TypeId| {
        if id.0 < own_start {
            ids.get(&id).copied().unwrap_or(TypeId::VOID)
        } else {
            TypeId(id.0.wrapping_add(shift))
        }
    };
    let mut moved = BtfBuilder::split(base);
    for ty in split.records() {
        moved.add_type_with(&ty?, map);
    }
    for ty in more {
        moved.add_type_with(&ty, map);
    }
    Ok(moved.build()?)
}

fn no_base() -> Error {
    Error::new(ErrorKind::Btf, "the BTF has no base")
        .with_hint("only split BTF has one, such as a module's, read by `Btf::from_file_split`")
}

/// The types of the base that the split types refer to, and the types that must be taken along with them.
fn used_of_base(split: &Btf<'_>, base: &Btf<'static>) -> Result<BTreeSet<TypeId>> {
    let own_start = split.own_ids().start;
    let mut used = BTreeSet::new();
    let mut waiting = Vec::new();
    for ty in split.records() {
        waiting.extend(ty?.referenced().filter(|id| id.0 < own_start));
    }
    while let Some(id) = waiting.pop() {
        if id == TypeId::VOID || !used.insert(id) {
            continue;
        }
        let ty = base.get(id)?;
        if is_taken(&ty)? {
            waiting.extend(ty.referenced());
        }
    }
    Ok(used)
}

/// Whether a type of the base is copied as a whole, because a distilled base has no types of its kind, or it has no name.
fn is_taken(ty: &Type<'_>) -> Result<bool> {
    match ty.kind() {
        Kind::Int | Kind::Float | Kind::Fwd => Ok(false),
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => Ok(ty.name().is_empty()),
        Kind::Array
        | Kind::Ptr
        | Kind::Typedef
        | Kind::Const
        | Kind::Volatile
        | Kind::Restrict
        | Kind::FuncProto
        | Kind::TypeTag => Ok(true),
        kind => Err(Error::new(
            ErrorKind::Btf,
            format!(
                "the types refer to {kind} `{}` of their base, which a distilled base cannot hold",
                ty.name()
            ),
        )),
    }
}

/// Adds a type to a distilled base, reduced to what that contains; `None` if it contains no such type.
fn add_distilled(distilled: &mut BtfBuilder, ty: &Type<'_>) -> Option<TypeId> {
    let name = ty.name();
    match ty.kind() {
        Kind::Int | Kind::Float | Kind::Fwd => Some(distilled.add_type(ty)),
        _ if name.is_empty() => None,
        Kind::Struct => Some(distilled.add_struct(name, ty.size_field(), Member::NONE)),
        Kind::Union => Some(distilled.add_union(name, ty.size_field(), Member::NONE)),
        // Enumerations of either width: the size distinguishes them.
        Kind::Enum | Kind::Enum64 => Some(distilled.add_enum(
            name,
            ty.size_field(),
            Signedness::Unsigned,
            Enumerator::NONE,
        )),
        _ => None,
    }
}

fn types<'b>(btf: &'b Btf<'_>, ids: &BTreeSet<TypeId>) -> Result<Vec<Type<'b>>> {
    let types = ids.iter().map(|id| btf.get(*id));
    Ok(types.collect::<std::result::Result<_, _>>()?)
}

/// The structures and unions of the base that own structures embed rather than point to: their size matters.
fn embedded(split: &Btf<'_>) -> HashSet<TypeId> {
    let own_start = split.own_ids().start;
    let mut found = HashSet::new();
    for member in split
        .types()
        .flat_map(|ty| ty.members().collect::<Vec<_>>())
    {
        let mut at = Some(member.type_id);
        let mut steps = 0..crate::btf::MAX_CHAIN;
        while let (Some(id), Some(_)) = (at, steps.next()) {
            if id.0 < own_start {
                found.insert(id);
                break;
            }
            let Ok(ty) = split.get(id) else { break };
            at = match ty.kind() {
                Kind::Ptr | Kind::FuncProto => None,
                _ => ty.array().map(|array| array.element).or(ty.target()),
            };
        }
    }
    found
}

/// For each type of the distilled base, its counterpart in the base.
fn matches(
    distilled: &Btf<'_>,
    base: &Btf<'static>,
    embedded: &HashSet<TypeId>,
) -> Result<HashMap<TypeId, TypeId>> {
    let named: Vec<Type<'_>> = distilled.types().collect();
    let names: Vec<&str> = named.iter().map(Type::name).collect();
    let mut candidates: HashMap<&str, Vec<Type<'_>>> = HashMap::new();
    for hit in base.find_all(&names, NameMatch::Exact) {
        if let (Some(name), Ok(ty)) = (names.get(hit.name), base.get(hit.id)) {
            candidates.entry(name).or_default().push(ty);
        }
    }
    let mut ids = HashMap::with_capacity(named.len());
    for wanted in &named {
        let of_name = candidates.get(wanted.name()).map_or(&[][..], Vec::as_slice);
        let found = counterpart(wanted, of_name, embedded.contains(&wanted.id()))?;
        ids.insert(wanted.id(), found);
    }
    Ok(ids)
}

/// The type with this name that a type of the distilled base represents.
fn counterpart(wanted: &Type<'_>, of_name: &[Type<'_>], is_embedded: bool) -> Result<TypeId> {
    let same_kind = |ty: &&Type<'_>| match wanted.kind() {
        Kind::Enum => ty.kind().is_any_enum(),
        Kind::Int => ty.kind() == Kind::Int && ty.int_encoding() == wanted.int_encoding(),
        Kind::Fwd => ty.kind() == Kind::Fwd && ty.kflag() == wanted.kflag(),
        kind => ty.kind() == kind,
    };
    let same_size = |ty: &&Type<'_>| ty.size_field() == wanted.size_field();
    let what = || {
        let kind = wanted.kind().to_string().to_lowercase();
        let (name, size) = (wanted.name(), wanted.size_field());
        match wanted.kind() {
            Kind::Fwd => format!("{kind} `{name}`"),
            _ => format!("{kind} `{name}` of {size} bytes"),
        }
    };
    let mut left: Vec<&Type<'_>> = of_name.iter().filter(same_kind).collect();
    let size_counts = match wanted.kind() {
        Kind::Struct | Kind::Union => is_embedded || left.len() > 1,
        Kind::Fwd => false,
        Kind::Int | Kind::Float | Kind::Enum => true,
        kind => {
            let message = format!(
                "the base is not distilled: it has {kind} `{}`",
                wanted.name()
            );
            return Err(Error::new(ErrorKind::Btf, message));
        }
    };
    if size_counts {
        left.retain(same_size);
    }
    match left[..] {
        [only] => Ok(only.id()),
        [] => Err(Error::new(
            ErrorKind::Btf,
            format!("the base has no {}", what()),
        )),
        [first, second, ..] => Err(Error::new(
            ErrorKind::Btf,
            format!(
                "the base has more than one {}: types {} and {}",
                what(),
                first.id(),
                second.id()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{FwdKind, IntEncoding};

    /// A kernel with `extra` unused types before the others.
    fn kernel(extra: u32, task_size: u32) -> BtfBuilder {
        let mut types = BtfBuilder::new();
        for index in 0..extra {
            types.add_struct(&format!("unused{index}"), 4, Member::NONE);
        }
        let int = types.add_int("int", 4, IntEncoding::SIGNED);
        types.add_struct("task", task_size, [("pid", int, 0)]);
        types.add_typedef("pid_t", int);
        types.add_enum64("color", 8, Signedness::Unsigned, [("RED", 1)]);
        types.add_fwd("hidden", FwdKind::Struct);
        types.add_struct("by_pointer", 16, [("x", int, 0)]);
        types
    }

    fn module(kernel: &Arc<Btf<'static>>) -> Btf<'static> {
        let id = |name, kind| kernel.find(name, kind).unwrap();
        let mut own = BtfBuilder::split(kernel.clone());
        let hidden = own.add_ptr(id("hidden", Kind::Fwd));
        let other = own.add_ptr(id("by_pointer", Kind::Struct));
        own.add_struct(
            "mine",
            100,
            [
                ("task", id("task", Kind::Struct), 0),
                ("pid", id("pid_t", Kind::Typedef), 320),
                ("color", id("color", Kind::Enum64), 384),
                ("hidden", hidden, 448),
                ("other", other, 512),
            ],
        );
        own.build().unwrap()
    }

    fn shared(types: &BtfBuilder) -> Arc<Btf<'static>> {
        Arc::new(types.build().unwrap())
    }

    /// The members of `mine`, by name, kind and size.
    fn members(module: &Btf<'_>) -> Vec<String> {
        let mine = module
            .get(module.find("mine", Kind::Struct).unwrap())
            .unwrap();
        let member = |member: Member<'_>| {
            let ty = module.get(member.type_id).unwrap();
            let pointee = ty.target().map(|id| module.type_name(id));
            format!(
                "{}: {} {:?} at {}",
                member.name,
                ty.kind(),
                pointee,
                member.bit_offset
            )
        };
        mine.members().map(member).collect()
    }

    #[test]
    fn a_distilled_base_has_only_names_and_sizes() {
        let module = module(&shared(&kernel(3, 40)));
        let module_types = module.distill_base().unwrap();
        let distilled = module_types.base().unwrap();
        let held: Vec<_> = distilled
            .types()
            .map(|ty| (ty.kind(), ty.name().to_string(), ty.size_field(), ty.vlen()))
            .collect();
        let expected = [
            (Kind::Int, "int", 4),
            (Kind::Struct, "task", 40),
            (Kind::Enum, "color", 8),
            (Kind::Fwd, "hidden", 0),
            (Kind::Struct, "by_pointer", 16),
        ];
        assert_eq!(
            held,
            expected.map(|(kind, name, size)| (kind, name.to_string(), size, 0))
        );
        assert_eq!(
            module_types.own_ids().len(),
            module.own_ids().len() + 1,
            "and pid_t"
        );
    }

    #[test]
    fn a_module_fits_another_build_of_its_kernel() {
        let module = module(&shared(&kernel(3, 40)));
        let distilled = module.distill_base().unwrap();
        let other = shared(&kernel(7, 40));
        let fitted = distilled.relocate(&other).unwrap();
        assert_eq!(members(&fitted), members(&module));
        assert!(fitted.base().is_some_and(|base| Arc::ptr_eq(base, &other)));
        // Also from its blob, as a kernel reads it.
        let read = Btf::from_shared_split(Arc::new(fitted.bytes().to_vec()), other).unwrap();
        assert_eq!(members(&read), members(&module));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let distilled = module(&shared(&kernel(0, 40))).distill_base().unwrap();
        let refused = |types: &BtfBuilder| {
            let error = distilled.relocate(&shared(types)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Btf);
            error.message().to_string()
        };
        assert_eq!(
            refused(&kernel(0, 48)),
            "the base has no struct `task` of 40 bytes",
            "it is embedded, so its size counts"
        );
        let mut twice = kernel(0, 40);
        twice.add_struct("by_pointer", 16, Member::NONE);
        assert_eq!(
            refused(&twice),
            "the base has more than one struct `by_pointer` of 16 bytes: types 6 and 7"
        );
        let mut other_size = kernel(0, 40);
        other_size.add_struct("by_pointer", 24, Member::NONE);
        assert!(
            distilled.relocate(&shared(&other_size)).is_ok(),
            "the size tells"
        );
        let whole = kernel(0, 40).build().unwrap();
        assert!(whole.distill_base().is_err() && whole.relocate(&shared(&kernel(0, 40))).is_err());
    }
}
