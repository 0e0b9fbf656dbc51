//! A blob under construction: types are added one at a time, each kind by its own method.

use super::elements::{FwdKind, Signedness, checked_vlen};
use super::record::{HEAD, Info, element_words};
use super::strings::Strings;
use crate::TypeId;
use crate::btf::{
    Btf, BtfError, ByteOrder, Enumerator, IntEncoding, Kind, Linkage, Member, Param, VarSecinfo,
};
use std::sync::Arc;

/// The highest name offset that a kernel accepts.
#[doc(alias = "BTF_MAX_NAME_OFFSET")]
pub const MAX_NAME_OFFSET: u32 = 0x00ff_ffff;
/// The highest type id that a kernel accepts.
#[doc(alias = "BTF_MAX_TYPE")]
pub const MAX_TYPE: u32 = 0x000f_ffff;

/// Type information that is being written, or a copy that is being changed.
///
/// A method that adds a type returns its id, by which other types refer to it; a type may refer to one that is added later. The
/// first error (a constant that is too large, a name with a NUL, a change of a type that does not exist) is recorded, and
/// returned by [`finish`](Self::finish) and [`build`](Self::build).
///
/// ```
/// use rawbpf::btf::{BtfBuilder, IntEncoding, Kind};
///
/// let mut types = BtfBuilder::new();
/// let int = types.add_int("int", 4, IntEncoding::SIGNED);
/// let point = types.add_struct("point", 8, [("x", int, 0), ("y", int, 32)]);
/// types.add_ptr(point);
/// let btf = types.build()?;
/// assert_eq!(btf.find("point", Kind::Struct), Some(point));
/// # Ok::<(), rawbpf::btf::BtfError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BtfBuilder {
    pub(super) base: Option<Arc<Btf<'static>>>,
    /// The id of the first own type.
    pub(super) first_id: u32,
    /// The records of all own types.
    pub(super) words: Vec<u32>,
    /// The index in `words` at which each record starts.
    pub(super) starts: Vec<u32>,
    pub(super) strings: Strings,
    pub(super) layout: Vec<u8>,
    pub(super) order: ByteOrder,
    /// The number of types that were copied: these are accepted, whatever the limits of a kernel.
    pub(super) copied: usize,
    /// The first error.
    pub(super) error: Option<BtfError>,
}

impl Default for BtfBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BtfBuilder {
    /// A builder without types.
    #[doc(alias = "btf__new_empty")]
    pub fn new() -> Self {
        Self::on(None)
    }

    /// A builder for split BTF, without types other than those of `base`.
    #[doc(alias = "btf__new_empty_split")]
    pub fn split(base: Arc<Btf<'static>>) -> Self {
        Self::on(Some(base))
    }

    fn on(base: Option<Arc<Btf<'static>>>) -> Self {
        Self {
            first_id: base.as_ref().map_or(1, |base| base.end_id()),
            words: Vec::new(),
            starts: Vec::new(),
            strings: Strings::new(base.clone()),
            base,
            layout: Vec::new(),
            order: ByteOrder::Native,
            copied: 0,
            error: None,
        }
    }

    /// The id of the next type that is added.
    #[doc(alias = "btf__type_cnt")]
    pub fn next_id(&self) -> TypeId {
        let own = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        TypeId(self.first_id.saturating_add(own))
    }

    /// The first error, if there is one.
    pub fn error(&self) -> Option<BtfError> {
        self.error
    }

    /// Records an error, unless there already is one.
    pub(super) fn fail(&mut self, error: BtfError) {
        self.error.get_or_insert(error);
    }

    /// The value; an error is recorded.
    pub(super) fn noted<T: Default>(&mut self, value: Result<T, BtfError>) -> T {
        value.unwrap_or_else(|error| {
            self.fail(error);
            T::default()
        })
    }

    /// The offset of this string, which is added if it does not exist yet.
    #[doc(alias = "btf__add_str")]
    pub fn add_string(&mut self, text: &str) -> u32 {
        self.add_bytes(text.as_bytes())
    }

    /// The offset of this string, if it exists.
    #[doc(alias = "btf__find_str")]
    pub fn find_string(&mut self, text: &str) -> Option<u32> {
        self.strings.find(text.as_bytes())
    }

    pub(super) fn add_bytes(&mut self, string: &[u8]) -> u32 {
        if memchr::memchr(0, string).is_some() {
            self.fail(BtfError::NulInName(self.next_id()));
            return 0;
        }
        let before = self.strings.end();
        let offset = self.strings.add(string);
        if offset >= before && offset > MAX_NAME_OFFSET {
            self.fail(BtfError::NameOffset(offset));
        }
        offset
    }

    /// Adds a record.
    pub(super) fn push(&mut self, name: &str, info: Info, third: u32, tail: &[u32]) -> TypeId {
        let name = self.add_string(name);
        self.push_named(name, info, third, tail)
    }

    /// Adds a record whose name is at this offset.
    pub(super) fn push_named(&mut self, name: u32, info: Info, third: u32, tail: &[u32]) -> TypeId {
        let id = self.next_id();
        self.start_record();
        self.words.reserve(HEAD.saturating_add(tail.len()));
        self.words.extend([name, info.word(), third]);
        self.words.extend_from_slice(tail);
        id
    }

    /// Adds a type that has only a name and a target.
    fn reference(&mut self, kind: Kind, name: &str, target: TypeId) -> TypeId {
        self.push(name, Info::of(kind), target.0, &[])
    }

    /// Records an error if the name, which the kernel requires for this kind, is empty.
    fn demand_name(&mut self, kind: Kind, name: &str) {
        if name.is_empty() {
            self.fail(BtfError::NoName {
                id: self.next_id(),
                kind,
            });
        }
    }

    /// Records an error unless the size is one of these.
    fn demand_size(&mut self, size: u32, possible: &[u32]) {
        if !possible.contains(&size) {
            let id = self.next_id();
            self.fail(BtfError::Size { id, size });
        }
    }

    /// Adds an integer of `size` bytes, all of whose bits are used; `flags` as in [`IntEncoding`].
    #[doc(alias = "btf__add_int")]
    pub fn add_int(&mut self, name: &str, size: u32, flags: u8) -> TypeId {
        let bits = u8::try_from(size.saturating_mul(8)).unwrap_or(u8::MAX);
        self.add_int_with(name, size, IntEncoding::new(flags, 0, bits))
    }

    /// Adds an integer of `size` bytes of which some bits are used.
    pub fn add_int_with(&mut self, name: &str, size: u32, encoding: IntEncoding) -> TypeId {
        self.demand_name(Kind::Int, name);
        self.demand_size(size, &[1, 2, 4, 8, 16]);
        let known = IntEncoding::SIGNED | IntEncoding::CHAR | IntEncoding::BOOL;
        if encoding.flags & !known != 0 {
            self.fail(BtfError::IntEncoding(self.next_id()));
        }
        self.push(name, Info::of(Kind::Int), size, &[encoding.word()])
    }

    /// Adds a floating-point number of 2, 4, 8, 12 or 16 bytes. Since Linux 5.13.
    #[doc(alias = "btf__add_float")]
    pub fn add_float(&mut self, name: &str, size: u32) -> TypeId {
        self.demand_name(Kind::Float, name);
        self.demand_size(size, &[2, 4, 8, 12, 16]);
        self.push(name, Info::of(Kind::Float), size, &[])
    }

    /// Adds a pointer.
    #[doc(alias = "btf__add_ptr")]
    pub fn add_ptr(&mut self, target: TypeId) -> TypeId {
        self.reference(Kind::Ptr, "", target)
    }

    /// Adds an array.
    #[doc(alias = "btf__add_array")]
    pub fn add_array(&mut self, element: TypeId, index: TypeId, len: u32) -> TypeId {
        self.push("", Info::of(Kind::Array), 0, &[element.0, index.0, len])
    }

    /// Adds a structure of `size` bytes. Members are name, type, and bit offset, or [`Member`]s. If one of them is a bitfield,
    /// all offsets are limited to 24 bits.
    #[doc(alias("btf__add_struct", "btf__add_field"))]
    pub fn add_struct<'m>(
        &mut self,
        name: &str,
        size: u32,
        members: impl IntoIterator<Item: Into<Member<'m>>>,
    ) -> TypeId {
        self.composite(Kind::Struct, name, size, members)
    }

    /// Adds a union of `size` bytes; see [`add_struct`](Self::add_struct).
    #[doc(alias("btf__add_union", "btf__add_field"))]
    pub fn add_union<'m>(
        &mut self,
        name: &str,
        size: u32,
        members: impl IntoIterator<Item: Into<Member<'m>>>,
    ) -> TypeId {
        self.composite(Kind::Union, name, size, members)
    }

    fn composite<'m>(
        &mut self,
        kind: Kind,
        name: &str,
        size: u32,
        members: impl IntoIterator<Item: Into<Member<'m>>>,
    ) -> TypeId {
        let members: Vec<Member<'m>> = members.into_iter().map(Into::into).collect();
        let kflag = members.iter().any(|member| member.bitfield_size != 0);
        let mut tail = Vec::with_capacity(members.len().saturating_mul(3));
        // The name is added first, as in the output of compilers.
        let name = self.add_string(name);
        for (index, member) in members.iter().enumerate() {
            let place = self.noted(member.place(index, kflag));
            tail.extend([self.add_string(member.name), member.type_id.0, place]);
        }
        let info = self.info(kind, members.len()).flagged(kflag);
        self.push_named(name, info, size, &tail)
    }

    /// The info word of a type with this many elements.
    fn info(&mut self, kind: Kind, count: usize) -> Info {
        let vlen = self.noted(checked_vlen(count, !self.layout.is_empty()));
        Info::of(kind).with_vlen(vlen)
    }

    /// Adds an enumeration of at most 32 bits. Constants are names and values, or [`Enumerator`]s. Kernels support the sign
    /// since Linux 6.0.
    #[doc(alias("btf__add_enum", "btf__add_enum_value"))]
    pub fn add_enum<'m>(
        &mut self,
        name: &str,
        size: u32,
        signedness: Signedness,
        constants: impl IntoIterator<Item: Into<Enumerator<'m>>>,
    ) -> TypeId {
        let name = self.add_string(name);
        let mut tail = Vec::new();
        for (index, constant) in constants.into_iter().enumerate() {
            let constant = constant.into();
            let value = self.noted(constant.narrow(index, signedness));
            tail.extend([self.add_string(constant.name), value]);
        }
        self.enumeration(Kind::Enum, name, size, signedness, &tail)
    }

    /// Adds an enumeration of 64 bits. Since Linux 6.0.
    #[doc(alias("btf__add_enum64", "btf__add_enum64_value"))]
    pub fn add_enum64<'m>(
        &mut self,
        name: &str,
        size: u32,
        signedness: Signedness,
        constants: impl IntoIterator<Item: Into<Enumerator<'m>>>,
    ) -> TypeId {
        let name = self.add_string(name);
        let mut tail = Vec::new();
        for constant in constants {
            let constant = constant.into();
            let [low, high] = constant.wide();
            tail.extend([self.add_string(constant.name), low, high]);
        }
        self.enumeration(Kind::Enum64, name, size, signedness, &tail)
    }

    fn enumeration(
        &mut self,
        kind: Kind,
        name: u32,
        size: u32,
        signedness: Signedness,
        tail: &[u32],
    ) -> TypeId {
        self.demand_size(size, &[1, 2, 4, 8]);
        let words = element_words(kind).unwrap_or(1);
        let info = self.info(kind, tail.len() / words);
        self.push_named(name, info.flagged(signedness.is_signed()), size, tail)
    }

    /// Adds a forward declaration.
    #[doc(alias = "btf__add_fwd")]
    pub fn add_fwd(&mut self, name: &str, of: FwdKind) -> TypeId {
        self.demand_name(Kind::Fwd, name);
        let info = Info::of(Kind::Fwd).flagged(of == FwdKind::Union);
        self.push(name, info, 0, &[])
    }

    /// Adds a typedef.
    #[doc(alias = "btf__add_typedef")]
    pub fn add_typedef(&mut self, name: &str, target: TypeId) -> TypeId {
        self.demand_name(Kind::Typedef, name);
        self.reference(Kind::Typedef, name, target)
    }

    /// Adds the qualifier `volatile`.
    #[doc(alias = "btf__add_volatile")]
    pub fn add_volatile(&mut self, target: TypeId) -> TypeId {
        self.reference(Kind::Volatile, "", target)
    }

    /// Adds the qualifier `const`.
    #[doc(alias = "btf__add_const")]
    pub fn add_const(&mut self, target: TypeId) -> TypeId {
        self.reference(Kind::Const, "", target)
    }

    /// Adds the qualifier `restrict`.
    #[doc(alias = "btf__add_restrict")]
    pub fn add_restrict(&mut self, target: TypeId) -> TypeId {
        self.reference(Kind::Restrict, "", target)
    }

    /// Adds a type tag. Since Linux 5.17.
    #[doc(alias = "btf__add_type_tag")]
    pub fn add_type_tag(&mut self, tag: &str, target: TypeId) -> TypeId {
        self.demand_name(Kind::TypeTag, tag);
        self.reference(Kind::TypeTag, tag, target)
    }

    /// Adds a compiler attribute on a type. Since Linux 6.15.
    #[doc(alias = "btf__add_type_attr")]
    pub fn add_type_attr(&mut self, attribute: &str, target: TypeId) -> TypeId {
        self.demand_name(Kind::TypeTag, attribute);
        let info = Info::of(Kind::TypeTag).flagged(true);
        self.push(attribute, info, target.0, &[])
    }

    /// Adds a function with this prototype.
    #[doc(alias = "btf__add_func")]
    pub fn add_func(&mut self, name: &str, linkage: Linkage, proto: TypeId) -> TypeId {
        self.demand_name(Kind::Func, name);
        let linkage = usize::try_from(linkage.number()).unwrap_or(usize::MAX);
        self.push(name, Info::of(Kind::Func).with_vlen(linkage), proto.0, &[])
    }

    /// Adds a function's prototype. Parameters are names and types, or [`Param`]s.
    #[doc(alias("btf__add_func_proto", "btf__add_func_param"))]
    pub fn add_func_proto<'m>(
        &mut self,
        result: TypeId,
        params: impl IntoIterator<Item: Into<Param<'m>>>,
    ) -> TypeId {
        let mut tail = Vec::new();
        for param in params {
            let param = param.into();
            tail.extend([self.add_string(param.name), param.type_id.0]);
        }
        let info = self.info(Kind::FuncProto, tail.len() / 2);
        self.push_named(0, info, result.0, &tail)
    }

    /// Adds a variable.
    #[doc(alias = "btf__add_var")]
    pub fn add_var(&mut self, name: &str, linkage: Linkage, ty: TypeId) -> TypeId {
        self.demand_name(Kind::Var, name);
        self.push(name, Info::of(Kind::Var), ty.0, &[linkage.number()])
    }

    /// Adds a section with its variables. Compilers do not know its size, and write 0.
    #[doc(alias("btf__add_datasec", "btf__add_datasec_var_info"))]
    pub fn add_datasec(&mut self, name: &str, size: u32, variables: &[VarSecinfo]) -> TypeId {
        self.demand_name(Kind::Datasec, name);
        let words = variables.iter().flat_map(VarSecinfo::words);
        let tail: Vec<u32> = words.collect();
        let info = self.info(Kind::Datasec, variables.len());
        self.push(name, info, size, &tail)
    }

    /// Adds a tag on a declaration (a structure, function, variable or typedef), or on its member or parameter with this index.
    /// Since Linux 5.16.
    #[doc(alias = "btf__add_decl_tag")]
    pub fn add_decl_tag(&mut self, tag: &str, target: TypeId, component: Option<u32>) -> TypeId {
        self.decl_tag(Info::of(Kind::DeclTag), tag, target, component)
    }

    /// Adds a compiler attribute on a declaration; see [`add_decl_tag`](Self::add_decl_tag). Since Linux 6.15.
    #[doc(alias = "btf__add_decl_attr")]
    pub fn add_decl_attr(
        &mut self,
        attribute: &str,
        target: TypeId,
        component: Option<u32>,
    ) -> TypeId {
        let info = Info::of(Kind::DeclTag).flagged(true);
        self.decl_tag(info, attribute, target, component)
    }

    fn decl_tag(
        &mut self,
        info: Info,
        tag: &str,
        target: TypeId,
        component: Option<u32>,
    ) -> TypeId {
        self.demand_name(Kind::DeclTag, tag);
        self.push(tag, info, target.0, &[component.unwrap_or(u32::MAX)])
    }
}

impl VarSecinfo {
    pub(super) fn words(&self) -> [u32; 3] {
        [self.type_id.0, self.offset, self.size]
    }
}

#[cfg(test)]
impl BtfBuilder {
    /// Adds a record from arbitrary words: tests need types that are invalid.
    pub(crate) fn add_raw(
        &mut self,
        name: &str,
        info: Info,
        size_or_target: u32,
        tail: &[u32],
    ) -> TypeId {
        self.push(name, info, size_or_target, tail)
    }

    /// Changes a word of a type's record, or adds words to the last one.
    pub(crate) fn set_raw(&mut self, id: TypeId, index: usize, value: u32) {
        let own = usize::try_from(id.0 - self.first_id).unwrap();
        self.words[self.starts[own] as usize + index] = value;
    }

    /// Appends words to the last type.
    pub(in crate::btf) fn push_words(&mut self, words: &[u32]) {
        self.words.extend(words);
    }

    /// Gives the blob a layout section of `kinds` entries in which one kind has these sizes.
    pub(in crate::btf) fn set_layout_for_tests(
        &mut self,
        kinds: usize,
        kind: usize,
        sizes: [u8; 2],
    ) {
        self.layout = vec![0; kinds * 4];
        self.layout[kind * 4..][..2].copy_from_slice(&sizes);
    }
}
