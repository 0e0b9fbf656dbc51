//! Changing a blob: types patched in place, types and strings added at the end, so that no number changes.

use crate::TypeId;
use crate::btf::read::header::{HEADER_LEN, MAGIC};
use crate::btf::{Btf, Kind, VarSecinfo};
use std::collections::HashMap;

/// A BTF blob under construction, or a copy of one that is being changed.
///
/// Numbers given to its methods must be of types that exist; a change of a type that does not exist is ignored, as is one
/// of a word past the type's end. The result should be read again with [`Btf::from_vec`].
#[derive(Debug, Clone)]
pub struct BtfEditor {
    types: Vec<u8>,
    strings: Vec<u8>,
    layout: Vec<u8>,
    offsets: Vec<usize>,
    /// Offsets of the strings that were added here.
    added: HashMap<String, u32>,
}

impl Default for BtfEditor {
    fn default() -> Self {
        Self::new()
    }
}

impl BtfEditor {
    /// An empty blob.
    #[doc(alias = "btf__new_empty")]
    pub fn new() -> Self {
        Self {
            types: Vec::new(),
            strings: vec![0],
            layout: Vec::new(),
            offsets: Vec::new(),
            added: HashMap::new(),
        }
    }

    /// A copy of `btf` itself, without its base.
    pub fn copy_of(btf: &Btf<'_>) -> Self {
        let mut strings = btf.string_bytes().to_vec();
        if strings.is_empty() {
            strings.push(0);
        }
        Self {
            types: btf.type_bytes().to_vec(),
            strings,
            layout: btf.layout_bytes().to_vec(),
            offsets: btf.starts().collect(),
            added: HashMap::new(),
        }
    }

    /// The number that the next added type gets.
    pub fn next_id(&self) -> TypeId {
        TypeId(
            u32::try_from(self.offsets.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1),
        )
    }

    /// The offset of this string, which is added if it was not added before.
    #[doc(alias = "btf__add_str")]
    pub fn add_string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(offset) = self.added.get(text) {
            return *offset;
        }
        let offset = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        self.added.insert(text.to_string(), offset);
        offset
    }

    /// The string section, to be changed in place; its length stays.
    pub fn strings_mut(&mut self) -> &mut [u8] {
        &mut self.strings
    }

    /// Adds a type from its words: what follows the common header is `tail`.
    pub fn add_type(
        &mut self,
        name: &str,
        info: Info,
        size_or_target: u32,
        tail: &[u32],
    ) -> TypeId {
        let id = self.next_id();
        let name_off = self.add_string(name);
        self.offsets.push(self.types.len());
        let head = [name_off, info.word(), size_or_target];
        for word in head.iter().chain(tail) {
            self.types.extend_from_slice(&word.to_ne_bytes());
        }
        id
    }

    /// Adds an integer of `size` bytes; `flags` as in [`IntEncoding`](crate::btf::IntEncoding).
    #[doc(alias = "btf__add_int")]
    pub fn add_int(&mut self, name: &str, size: u32, flags: u8) -> TypeId {
        let encoding = u32::from(flags) << 24 | size.saturating_mul(8) & 0xff;
        self.add_type(name, Info::of(Kind::Int), size, &[encoding])
    }

    /// Adds a pointer, typedef, qualifier, forward declaration, function or type tag: what has a name and a target only.
    pub fn add_reference(&mut self, kind: Kind, name: &str, target: TypeId) -> TypeId {
        self.add_type(name, Info::of(kind), target.0, &[])
    }

    /// Adds an array.
    #[doc(alias = "btf__add_array")]
    pub fn add_array(&mut self, element: TypeId, index: TypeId, len: u32) -> TypeId {
        self.add_type("", Info::of(Kind::Array), 0, &[element.0, index.0, len])
    }

    /// Adds a structure or union; members are name, type, and offset in bits.
    #[doc(alias("btf__add_struct", "btf__add_union"))]
    pub fn add_composite(
        &mut self,
        kind: Kind,
        name: &str,
        size: u32,
        members: &[(&str, TypeId, u32)],
    ) -> TypeId {
        let mut tail = Vec::with_capacity(members.len() * 3);
        for (member, ty, bit_offset) in members {
            tail.extend([self.add_string(member), ty.0, *bit_offset]);
        }
        self.add_type(name, Info::of(kind).with_vlen(members.len()), size, &tail)
    }

    /// Adds an enumeration of 32 bits.
    #[doc(alias = "btf__add_enum")]
    pub fn add_enum(&mut self, name: &str, size: u32, constants: &[(&str, i32)]) -> TypeId {
        let mut tail = Vec::with_capacity(constants.len() * 2);
        for (constant, value) in constants {
            tail.extend([self.add_string(constant), value.cast_unsigned()]);
        }
        self.add_type(
            name,
            Info::of(Kind::Enum).with_vlen(constants.len()),
            size,
            &tail,
        )
    }

    /// Adds an enumeration of 64 bits.
    #[doc(alias = "btf__add_enum64")]
    pub fn add_enum64(&mut self, name: &str, size: u32, constants: &[(&str, u64)]) -> TypeId {
        let mut tail = Vec::with_capacity(constants.len() * 3);
        for (constant, value) in constants {
            let [low, high] = halves(*value);
            tail.extend([self.add_string(constant), low, high]);
        }
        self.add_type(
            name,
            Info::of(Kind::Enum64).with_vlen(constants.len()),
            size,
            &tail,
        )
    }

    /// Adds a function's prototype; parameters are name and type.
    #[doc(alias = "btf__add_func_proto")]
    pub fn add_func_proto(&mut self, result: TypeId, params: &[(&str, TypeId)]) -> TypeId {
        let mut tail = Vec::with_capacity(params.len() * 2);
        for (param, ty) in params {
            tail.extend([self.add_string(param), ty.0]);
        }
        self.add_type(
            "",
            Info::of(Kind::FuncProto).with_vlen(params.len()),
            result.0,
            &tail,
        )
    }

    /// Adds a variable; linkage 0 is static, 1 global, 2 extern.
    #[doc(alias = "btf__add_var")]
    pub fn add_var(&mut self, name: &str, ty: TypeId, linkage: u32) -> TypeId {
        self.add_type(name, Info::of(Kind::Var), ty.0, &[linkage])
    }

    /// Adds a section with its variables.
    #[doc(alias = "btf__add_datasec")]
    pub fn add_datasec(&mut self, name: &str, size: u32, variables: &[VarSecinfo]) -> TypeId {
        let tail: Vec<u32> = variables
            .iter()
            .flat_map(|v| [v.type_id.0, v.offset, v.size])
            .collect();
        self.add_type(
            name,
            Info::of(Kind::Datasec).with_vlen(variables.len()),
            size,
            &tail,
        )
    }

    fn word_mut(&mut self, id: TypeId, index: usize) -> Option<&mut [u8; 4]> {
        let own = usize::try_from(id.0.checked_sub(1)?).ok()?;
        let start = *self.offsets.get(own)?;
        let end = self
            .offsets
            .get(own + 1)
            .copied()
            .unwrap_or(self.types.len());
        let record = self.types.get_mut(start..end)?;
        record.get_mut(index.checked_mul(4)?..)?.first_chunk_mut()
    }

    /// The `index`-th 32-bit word of a type's record: 0 name, 1 info, 2 size or target, then what follows.
    pub fn word(&mut self, id: TypeId, index: usize) -> Option<u32> {
        self.word_mut(id, index)
            .map(|bytes| u32::from_ne_bytes(*bytes))
    }

    /// Changes the `index`-th 32-bit word of a type's record.
    pub fn set_word(&mut self, id: TypeId, index: usize, value: u32) {
        if let Some(word) = self.word_mut(id, index) {
            *word = value.to_ne_bytes();
        }
    }

    /// Changes a type's name.
    pub fn set_name(&mut self, id: TypeId, name: &str) {
        let offset = self.add_string(name);
        self.set_word(id, 0, offset);
    }

    /// Changes a type's kind, element count and flag. The bytes that the new kind takes must be those of the old one.
    pub fn set_info(&mut self, id: TypeId, info: Info) {
        self.set_word(id, 1, info.word());
    }

    /// Changes a type's size or target.
    pub fn set_size_or_target(&mut self, id: TypeId, value: u32) {
        self.set_word(id, 2, value);
    }

    /// Changes the `index`-th variable of a section.
    pub fn set_variable(&mut self, id: TypeId, index: usize, variable: VarSecinfo) {
        let words = [variable.type_id.0, variable.offset, variable.size];
        for (word, value) in words.into_iter().enumerate() {
            self.set_word(id, 3 + index.saturating_mul(3).saturating_add(word), value);
        }
    }

    /// Leaves the layout section out (kernels before 7.1 refuse it).
    pub fn drop_layout(&mut self) {
        self.layout.clear();
    }

    /// The blob.
    #[doc(alias = "btf__raw_data")]
    pub fn finish(&self) -> Vec<u8> {
        let layout_header = if self.layout.is_empty() { 0 } else { 8 };
        let header_len = HEADER_LEN + layout_header;
        let total = header_len + self.layout.len() + self.types.len() + self.strings.len();
        let mut blob = Vec::with_capacity(total);
        blob.extend_from_slice(&MAGIC.to_ne_bytes());
        blob.extend_from_slice(&[1, 0]);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let type_off = self.layout.len();
        let str_off = type_off + self.types.len();
        let mut fields = vec![
            number(header_len),
            number(type_off),
            number(self.types.len()),
            number(str_off),
            number(self.strings.len()),
        ];
        if layout_header > 0 {
            fields.extend([0, number(self.layout.len())]);
        }
        for field in fields {
            blob.extend_from_slice(&field.to_ne_bytes());
        }
        blob.extend_from_slice(&self.layout);
        blob.extend_from_slice(&self.types);
        blob.extend_from_slice(&self.strings);
        blob
    }
}

#[cfg(test)]
impl BtfEditor {
    /// Appends words to the last type.
    pub(in crate::btf) fn push_words(&mut self, words: &[u32]) {
        self.types
            .extend(words.iter().flat_map(|word| word.to_ne_bytes()));
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

/// Kind, element count and flag of a type: the second word of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// The kind.
    pub kind: Kind,
    /// How many elements follow; the linkage of a function.
    pub vlen: u32,
    /// The flag.
    pub kflag: bool,
}

impl Info {
    /// Without elements and flag.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            vlen: 0,
            kflag: false,
        }
    }

    /// With this many elements (at most 2^24 - 1).
    pub fn with_vlen(self, vlen: usize) -> Self {
        Self {
            vlen: u32::try_from(vlen).unwrap_or(u32::MAX).min(0x00ff_ffff),
            ..self
        }
    }

    /// With the flag set.
    pub fn with_kflag(self) -> Self {
        Self {
            kflag: true,
            ..self
        }
    }

    /// As it is stored.
    pub fn word(self) -> u32 {
        u32::from(self.kflag) << 31 | u32::from(self.kind as u8) << 24 | self.vlen & 0x00ff_ffff
    }
}

/// The low and high half of a 64-bit number.
fn halves(value: u64) -> [u32; 2] {
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
    let high = u32::try_from(value >> 32).unwrap_or_default();
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{IntEncoding, Linkage};

    #[test]
    fn every_kind_can_be_written_and_read() {
        let mut editor = BtfEditor::new();
        let int = editor.add_int("int", 4, IntEncoding::SIGNED);
        let array = editor.add_array(int, int, 7);
        let ptr = editor.add_reference(Kind::Ptr, "", int);
        let point = editor.add_composite(
            Kind::Struct,
            "point",
            32,
            &[("x", array, 0), ("y", int, 224)],
        );
        let color = editor.add_enum("color", 4, &[("RED", 1), ("GREEN", -2)]);
        let wide = editor.add_enum64("wide", 8, &[("BIG", 1 << 40)]);
        let proto = editor.add_func_proto(int, &[("p", ptr)]);
        let func = editor.add_type(
            "f",
            Info {
                kind: Kind::Func,
                vlen: 1,
                kflag: false,
            },
            proto.0,
            &[],
        );
        let var = editor.add_var("v", point, 1);
        let place = VarSecinfo {
            type_id: var,
            offset: 0,
            size: 32,
        };
        let datasec = editor.add_datasec(".data", 32, &[place]);

        let btf = Btf::from_vec(editor.finish()).unwrap();
        assert_eq!(btf.find("point", Kind::Struct), Some(point));
        assert_eq!(btf.size_of(array), Ok(28));
        assert_eq!(btf.size_of(ptr), Ok(8));
        assert_eq!(btf.align_of(point), Ok(4));
        let names: Vec<&str> = btf.get(point).unwrap().members().map(|m| m.name).collect();
        assert_eq!(names, ["x", "y"]);
        let values = |id| {
            btf.get(id)
                .unwrap()
                .enumerators()
                .map(|e| e.value)
                .collect::<Vec<_>>()
        };
        assert_eq!(values(color), [1, i64::from((-2_i32).cast_unsigned())]);
        assert_eq!(values(wide), [1 << 40]);
        assert_eq!(btf.get(func).unwrap().linkage(), Some(Linkage::Global));
        assert_eq!(btf.get(var).unwrap().linkage(), Some(Linkage::Global));
        assert_eq!(
            btf.get(datasec).unwrap().variables().collect::<Vec<_>>(),
            [place]
        );
        assert!(btf.validate().is_ok());
    }

    #[test]
    fn a_copy_keeps_numbers_and_takes_changes() {
        let mut editor = BtfEditor::new();
        let int = editor.add_int("int", 4, 0);
        let var = editor.add_var("v", int, 2);
        let btf = Btf::from_vec(editor.finish()).unwrap();

        let mut copy = BtfEditor::copy_of(&btf);
        copy.set_word(var, 3, 1);
        copy.set_name(int, "number");
        copy.set_word(TypeId(9), 0, 1);
        copy.set_word(int, 99, 1);
        let added = copy.add_reference(Kind::Ptr, "", var);
        assert_eq!(added, TypeId(3));
        let changed = Btf::from_vec(copy.finish()).unwrap();
        assert_eq!(changed.get(var).unwrap().linkage(), Some(Linkage::Global));
        assert_eq!(changed.get(int).unwrap().name(), "number");
        assert_eq!(changed.end_id(), 4);
    }
}
