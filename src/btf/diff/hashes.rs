//! Hashes of types: equal hashes mean equal types. The key of the hash is random, so that nobody can craft two types that seem
//! equal.

use super::key::{Key, one_enum};
use crate::TypeId;
use crate::btf::{Btf, Kind, Type};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

/// The maximum nesting of types without a name; anything deeper counts as equal.
const DEEPEST: usize = 64;

/// The tags of a declaration: the index of the component, and the text.
pub(super) type Tags<'b> = Vec<(Option<u32>, &'b str)>;

/// The hashes of one side's types.
pub(super) struct Hashes<'b> {
    btf: &'b Btf<'b>,
    key: RandomState,
    tags: HashMap<TypeId, Tags<'b>>,
    of_nameless: HashMap<TypeId, u64>,
}

impl<'b> Hashes<'b> {
    /// Both sides need the same key.
    pub(super) fn new(btf: &'b Btf<'b>, key: RandomState) -> Self {
        let mut tags: HashMap<TypeId, Tags<'b>> = HashMap::new();
        for ty in btf.types().filter(|ty| ty.kind() == Kind::DeclTag) {
            let of = tags.entry(ty.target().unwrap_or_default()).or_default();
            of.push((ty.tag_component(), ty.name()));
        }
        for tags in tags.values_mut() {
            tags.sort_unstable();
        }
        Self {
            btf,
            key,
            tags,
            of_nameless: HashMap::new(),
        }
    }

    /// The tags of a declaration, sorted.
    pub(super) fn tags(&self, id: TypeId) -> &[(Option<u32>, &'b str)] {
        self.tags.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The hash of a definition, including its tags.
    pub(super) fn definition(&mut self, ty: &Type<'b>) -> u64 {
        let mut hasher = self.key.build_hasher();
        self.content(ty, 0, &mut hasher);
        self.tags(ty.id()).hash(&mut hasher);
        hasher.finish()
    }

    /// The hash of a reference to a type: of its name, or of everything that it refers to up to the next names.
    pub(super) fn reference(&mut self, id: TypeId) -> u64 {
        self.reference_at(id, 0)
    }

    fn reference_at(&mut self, id: TypeId, depth: usize) -> u64 {
        if let Some(known) = self.of_nameless.get(&id) {
            return *known;
        }
        let Some(ty) = untagged(self.btf, id) else {
            return 0;
        };
        let mut hasher = self.key.build_hasher();
        if !ty.name().is_empty() {
            declared_kind(&ty).hash(&mut hasher);
            ty.name().hash(&mut hasher);
            return hasher.finish();
        }
        if depth > DEEPEST {
            return 0;
        }
        // Recursion ends here.
        self.of_nameless.insert(id, 1);
        self.content(&ty, depth.saturating_add(1), &mut hasher);
        let hash = hasher.finish();
        self.of_nameless.insert(id, hash);
        hash
    }

    fn content(&mut self, ty: &Type<'b>, depth: usize, hasher: &mut impl Hasher) {
        one_enum(ty.kind()).hash(hasher);
        ty.name().hash(hasher);
        if let Some(target) = ty.target() {
            self.reference_at(target, depth).hash(hasher);
        } else {
            ty.size_field().hash(hasher);
        }
        if let Some(array) = ty.array() {
            (self.reference_at(array.element, depth), array.len).hash(hasher);
        }
        match ty.kind() {
            Kind::Struct | Kind::Union => {
                for member in ty.members() {
                    (member.name, member.bit_offset, member.bitfield_size).hash(hasher);
                    self.reference_at(member.type_id, depth).hash(hasher);
                }
            }
            Kind::Enum | Kind::Enum64 => {
                ty.kflag().hash(hasher);
                for constant in ty.enumerators() {
                    (constant.name, constant.value).hash(hasher);
                }
            }
            Kind::FuncProto => {
                for param in ty.params() {
                    self.reference_at(param.type_id, depth).hash(hasher);
                }
                ty.vlen().hash(hasher);
            }
            Kind::Datasec => {
                for variable in ty.variables() {
                    (variable.offset, variable.size).hash(hasher);
                    self.reference_at(variable.type_id, depth).hash(hasher);
                }
            }
            Kind::Int => ty
                .int_encoding()
                .map(|e| (e.flags, e.offset, e.bits))
                .hash(hasher),
            Kind::Fwd => ty.kflag().hash(hasher),
            Kind::Func | Kind::Var => ty.linkage().map(linkage).hash(hasher),
            _ => {}
        }
    }
}

/// The type behind type tags.
fn untagged<'b>(btf: &'b Btf<'b>, id: TypeId) -> Option<Type<'b>> {
    let mut ty = btf.get(id).ok()?;
    for _ in 0..crate::btf::MAX_CHAIN {
        if ty.kind() != Kind::TypeTag {
            return Some(ty);
        }
        ty = btf.get(ty.target()?).ok()?;
    }
    None
}

/// The kind that a name refers to: a forward declaration counts as what it declares.
fn declared_kind(ty: &Type<'_>) -> Kind {
    match ty.kind() {
        Kind::Fwd if ty.kflag() => Kind::Union,
        Kind::Fwd => Kind::Struct,
        kind => one_enum(kind),
    }
}

fn linkage(linkage: crate::btf::Linkage) -> u32 {
    linkage.number()
}

/// The types of a side that have keys, by key, in order of their ids.
pub(super) fn by_key<'b>(btf: &'b Btf<'b>) -> HashMap<Key<'b>, Vec<Type<'b>>> {
    let mut types: HashMap<Key<'b>, Vec<Type<'b>>> = HashMap::new();
    for ty in btf.types() {
        if let Some(key) = Key::of(&ty) {
            types.entry(key).or_default().push(ty);
        }
    }
    types
}
