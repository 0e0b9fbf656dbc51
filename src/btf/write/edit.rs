//! Changes types of a builder in place, so that no ids change.
//!
//! Changing a type that does not exist, or something that types of its kind do not have, is an error, which
//! [`BtfBuilder::finish`] returns.

use super::builder::BtfBuilder;
use super::record::{HEAD, INFO, Info, NAME, SIZE_OR_TARGET, element_words, kind_of};
use crate::TypeId;
use crate::btf::{BtfError, Kind, Linkage, VarSecinfo};

impl BtfBuilder {
    /// Renames a type.
    pub fn rename(&mut self, id: TypeId, name: &str) {
        let offset = self.add_string(name);
        self.set_word(id, NAME, offset);
    }

    /// Changes the size of an integer, structure, union, enumeration, float or section.
    pub fn set_size(&mut self, id: TypeId, size: u32) {
        let sized = |kind| {
            matches!(
                kind,
                Kind::Int
                    | Kind::Struct
                    | Kind::Union
                    | Kind::Enum
                    | Kind::Enum64
                    | Kind::Float
                    | Kind::Datasec
            )
        };
        if self.demand(id, "size", sized).is_some() {
            self.set_word(id, SIZE_OR_TARGET, size);
        }
    }

    /// Changes what a pointer, typedef, qualifier, function, variable or tag refers to (for a prototype, its result).
    pub fn set_target(&mut self, id: TypeId, target: TypeId) {
        if self.demand(id, "target", Kind::has_target).is_some() {
            self.set_word(id, SIZE_OR_TARGET, target.0);
        }
    }

    /// What an own type refers to; see [`set_target`](Self::set_target).
    pub fn target(&self, id: TypeId) -> Option<TypeId> {
        self.kind(id)?.has_target().then_some(())?;
        self.record(id)?.get(SIZE_OR_TARGET).copied().map(TypeId)
    }

    /// Changes the linkage of a function or variable.
    pub fn set_linkage(&mut self, id: TypeId, linkage: Linkage) {
        let linked = |kind| matches!(kind, Kind::Func | Kind::Var);
        match self.demand(id, "linkage", linked) {
            Some(Kind::Func) => {
                let number = usize::try_from(linkage.number()).unwrap_or(usize::MAX);
                self.set_word(id, INFO, Info::of(Kind::Func).with_vlen(number).word());
            }
            Some(_) => self.set_word(id, HEAD, linkage.number()),
            None => {}
        }
    }

    /// Changes the variable with this index in a section.
    pub fn set_secinfo(&mut self, section: TypeId, index: usize, variable: VarSecinfo) {
        let (kinds, words) = (|kind| kind == Kind::Datasec, variable.words());
        self.set_element(section, index, ("variable", kinds), |raw| {
            raw.iter_mut().zip(words).for_each(|(to, from)| *to = from);
        });
    }

    /// Changes the name of the parameter with this index in a prototype.
    pub fn rename_param(&mut self, proto: TypeId, index: usize, name: &str) {
        let name = self.add_string(name);
        let kinds = |kind| kind == Kind::FuncProto;
        self.set_element(proto, index, ("parameter", kinds), |raw| {
            if let Some(word) = raw.first_mut() {
                *word = name;
            }
        });
    }

    /// Changes the type of the parameter with this index in a prototype.
    pub fn set_param_type(&mut self, proto: TypeId, index: usize, ty: TypeId) {
        let kinds = |kind| kind == Kind::FuncProto;
        self.set_element(proto, index, ("parameter", kinds), |raw| {
            if let Some(word) = raw.get_mut(1) {
                *word = ty.0;
            }
        });
    }

    /// Changes the words of one element of a type, which must be of a kind that has such elements.
    fn set_element(
        &mut self,
        id: TypeId,
        index: usize,
        (what, kinds): (&'static str, fn(Kind) -> bool),
        change: impl FnOnce(&mut [u32]),
    ) {
        let Some(kind) = self.demand(id, what, kinds) else {
            return;
        };
        let words = element_words(kind).unwrap_or(1);
        let raw = self.record_mut(id).and_then(|record| {
            let tail = record.get_mut(HEAD..)?;
            tail.chunks_exact_mut(words).nth(index)
        });
        match raw {
            Some(raw) => change(raw),
            None => self.fail(BtfError::NoElement { id, what, index }),
        }
    }

    /// The kind of a type; records an error unless it is one of these, which have `what`.
    fn demand(
        &mut self,
        id: TypeId,
        what: &'static str,
        has: impl Fn(Kind) -> bool,
    ) -> Option<Kind> {
        let kind = self.kind(id);
        match kind {
            Some(kind) if has(kind) => return Some(kind),
            Some(kind) => self.fail(BtfError::NotOfKind { id, kind, what }),
            None => self.fail(BtfError::NoType(id)),
        }
        None
    }

    /// The kind of an own type.
    pub(super) fn kind(&self, id: TypeId) -> Option<Kind> {
        kind_of(*self.record(id)?.get(INFO)?)
    }

    /// The index of an own type among the own types.
    fn own_index(&self, id: TypeId) -> Option<usize> {
        usize::try_from(id.0.checked_sub(self.first_id)?).ok()
    }

    /// The range of an own type's words.
    fn record_range(&self, id: TypeId) -> Option<std::ops::Range<usize>> {
        let own = self.own_index(id)?;
        let start = *self.starts.get(own)? as usize;
        let next = self.starts.get(own.saturating_add(1));
        Some(start..next.map_or(self.words.len(), |next| *next as usize))
    }

    /// Notes that the next own type starts at the end of the words.
    pub(super) fn start_record(&mut self) {
        // More words than that do not fit into a blob, which `finish` says.
        let start = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.starts.push(start);
    }

    /// The words of an own type.
    pub(super) fn record(&self, id: TypeId) -> Option<&[u32]> {
        self.words.get(self.record_range(id)?)
    }

    /// The words of an own type, for editing.
    pub(super) fn record_mut(&mut self, id: TypeId) -> Option<&mut [u32]> {
        let range = self.record_range(id)?;
        self.words.get_mut(range)
    }

    /// Changes a word of an own type.
    pub(super) fn set_word(&mut self, id: TypeId, index: usize, value: u32) {
        match self.record_mut(id).and_then(|record| record.get_mut(index)) {
            Some(word) => *word = value,
            None => self.fail(BtfError::NoType(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Btf, IntEncoding, Param};

    /// `int`, a variable of it in a section, and a function of two parameters.
    fn sample() -> Btf<'static> {
        let mut types = BtfBuilder::new();
        let int = types.add_int("int", 4, IntEncoding::SIGNED); // 1
        let var = types.add_var("v", Linkage::Extern, int); // 2
        types.add_datasec(".data", 0, &[place(var, 0, 0)]); // 3
        let proto = types.add_func_proto(int, [("a", int), ("", int)]); // 4
        types.add_func("f", Linkage::Extern, proto); // 5
        types.build().unwrap()
    }

    fn place(type_id: TypeId, offset: u32, size: u32) -> VarSecinfo {
        VarSecinfo {
            type_id,
            offset,
            size,
        }
    }

    #[test]
    fn a_copy_keeps_numbers_and_takes_changes() {
        let [int, var, section, proto, func] = [1, 2, 3, 4, 5].map(TypeId);
        let mut copy = BtfBuilder::copy_of(&sample());
        copy.rename(int, "number");
        copy.set_size(section, 4);
        copy.set_secinfo(section, 0, place(var, 8, 4));
        copy.set_linkage(var, Linkage::Global);
        copy.set_linkage(func, Linkage::Static);
        copy.rename_param(proto, 1, "b");
        let ptr = copy.add_ptr(var);
        assert_eq!(ptr, TypeId(6));
        copy.set_target(proto, ptr);
        copy.set_param_type(proto, 0, ptr);

        let btf = copy.build().unwrap();
        assert_eq!(btf.end_id(), 7);
        let get = |id| btf.get(id).unwrap();
        assert_eq!(get(int).name(), "number");
        assert_eq!(get(var).linkage(), Some(Linkage::Global));
        assert_eq!(get(func).linkage(), Some(Linkage::Static));
        assert_eq!(get(section).size_field(), 4);
        let places: Vec<VarSecinfo> = get(section).variables().collect();
        assert_eq!(places, [place(var, 8, 4)]);
        assert_eq!(get(proto).target(), Some(ptr));
        let params: Vec<Param<'_>> = get(proto).params().collect();
        assert_eq!(params, [Param::new("a", ptr), Param::new("b", int)]);
    }

    #[test]
    fn a_change_of_what_is_not_there_is_an_error() {
        let error = |change: fn(&mut BtfBuilder)| {
            let mut copy = BtfBuilder::copy_of(&sample());
            change(&mut copy);
            copy.finish().unwrap_err()
        };
        let none = TypeId(6);
        assert_eq!(error(|b| b.set_size(TypeId(6), 1)), BtfError::NoType(none));
        assert_eq!(error(|b| b.rename(TypeId(6), "x")), BtfError::NoType(none));
        assert_eq!(
            error(|b| b.set_target(TypeId(1), TypeId(2))),
            BtfError::NotOfKind {
                id: TypeId(1),
                kind: Kind::Int,
                what: "target"
            }
        );
        assert_eq!(
            error(|b| b.rename_param(TypeId(4), 2, "c")),
            BtfError::NoElement {
                id: TypeId(4),
                what: "parameter",
                index: 2
            }
        );
    }
}
