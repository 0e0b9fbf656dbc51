//! Rewrites type information for kernels that do not know all of it.
//!
//! Every kind that a kernel does not know is replaced by one that it does know with a record of the same size, so that no
//! type ids change:
//!
//! ```text
//!  VAR, DECL_TAG   INT of one byte               FUNC_PROTO  ENUM, its parameters the constants
//!  DATASEC         STRUCT of its variables       FUNC        TYPEDEF, or a static FUNC
//!  FLOAT           empty STRUCT of its size      TYPE_TAG    CONST
//!  ENUM64          UNION of one-byte members     signed ENUM the same, unsigned
//! ```

use super::builder::BtfBuilder;
use super::record::{HEAD, INFO, Info, NAME, SIZE_OR_TARGET};
use crate::TypeId;
use crate::btf::{Btf, BtfError, Kind, Linkage, Type};
use crate::feature::Feature;

/// The encoding of an 8-bit integer.
const EIGHT_BITS: u32 = 8;

/// A copy of a blob that is created when the first change is necessary.
struct Copy<'b> {
    btf: &'b Btf<'b>,
    builder: Option<BtfBuilder>,
    /// The integer that replaces the constants of 64-bit enumerations.
    placeholder: Option<TypeId>,
}

impl Btf<'_> {
    /// This blob in the form that a kernel with these features accepts; `None` if it accepts the blob as it is.
    ///
    /// `supports` is only asked about what the blob contains.
    ///
    /// # Errors
    /// The size of a record is not a multiple of four bytes, so that it cannot be rewritten.
    #[doc(alias = "bpf_object__sanitize_btf")]
    pub fn sanitize(
        &self,
        supports: &dyn Fn(Feature) -> bool,
    ) -> Result<Option<Vec<u8>>, BtfError> {
        let mut copy = Copy {
            btf: self,
            builder: None,
            placeholder: None,
        };
        for ty in self.types() {
            copy.sanitize(&ty, supports);
        }
        if !self.layout_bytes().is_empty() && !supports(Feature::BtfLayout) {
            copy.edit().drop_layout();
        }
        copy.builder.map(|builder| builder.finish()).transpose()
    }
}

impl Copy<'_> {
    fn edit(&mut self) -> &mut BtfBuilder {
        self.builder
            .get_or_insert_with(|| BtfBuilder::copy_of(self.btf))
    }

    fn sanitize(&mut self, ty: &Type<'_>, supports: &dyn Fn(Feature) -> bool) {
        match ty.kind() {
            Kind::Var if !supports(Feature::BtfDatasec) => self.one_byte_int(ty),
            Kind::DeclTag if !supports(Feature::BtfDeclTag) => self.one_byte_int(ty),
            Kind::Datasec if !supports(Feature::BtfDatasec) => self.datasec_to_struct(ty),
            Kind::Datasec if ty.name().starts_with('?') && !supports(Feature::BtfQmarkDatasec) => {
                self.rename(ty, |first, byte| first && byte == b'?');
            }
            Kind::FuncProto if !supports(Feature::BtfFunc) => {
                self.turn(ty, Info::of(Kind::Enum).with_vlen(vlen(ty)));
                self.edit().set_word(ty.id(), SIZE_OR_TARGET, 4);
            }
            Kind::Func if !supports(Feature::BtfFunc) => self.turn(ty, Info::of(Kind::Typedef)),
            Kind::Func
                if ty.linkage() != Some(Linkage::Static) && !supports(Feature::BtfGlobalFunc) =>
            {
                self.turn(ty, Info::of(Kind::Func));
            }
            Kind::Float if !supports(Feature::BtfFloat) => {
                self.edit().set_word(ty.id(), NAME, 0);
                self.turn(ty, Info::of(Kind::Struct));
            }
            Kind::TypeTag if !supports(Feature::BtfTypeTag) => {
                self.edit().set_word(ty.id(), NAME, 0);
                self.turn(ty, Info::of(Kind::Const));
            }
            Kind::Enum if ty.kflag() && !supports(Feature::BtfEnum64) => {
                self.turn(ty, Info::of(Kind::Enum).with_vlen(vlen(ty)));
            }
            Kind::Enum64 if !supports(Feature::BtfEnum64) => self.enum64_to_union(ty),
            _ => {}
        }
    }

    /// Changes a type's kind to one with a record of the same size.
    fn turn(&mut self, ty: &Type<'_>, info: Info) {
        self.edit().set_word(ty.id(), INFO, info.word());
    }

    /// One byte is the safest size: a variable may be that small.
    fn one_byte_int(&mut self, ty: &Type<'_>) {
        self.turn(ty, Info::of(Kind::Int));
        self.edit().set_word(ty.id(), SIZE_OR_TARGET, 1);
        self.edit().set_word(ty.id(), HEAD, EIGHT_BITS);
    }

    fn datasec_to_struct(&mut self, ty: &Type<'_>) {
        self.rename(ty, |_, byte| byte == b'.' || byte == b'?');
        self.turn(ty, Info::of(Kind::Struct).with_vlen(vlen(ty)));
        for (index, variable) in ty.variables().enumerate() {
            let name = self.btf.get(variable.type_id).map(|v| v.name_offset());
            let words = [
                name.unwrap_or(0),
                variable.type_id.0,
                variable.offset.wrapping_mul(8),
            ];
            self.set_twelve_bytes(ty.id(), index, words);
        }
    }

    /// Each constant takes twelve bytes, like a member: its name stays, its value is replaced by a type and an offset.
    fn enum64_to_union(&mut self, ty: &Type<'_>) {
        let placeholder = match self.placeholder {
            Some(id) => id,
            None => self.edit().add_int("enum64_placeholder", 1, 0),
        };
        self.placeholder = Some(placeholder);
        self.turn(ty, Info::of(Kind::Union).with_vlen(vlen(ty)));
        for (index, (name, _)) in ty.element_words().enumerate() {
            self.set_twelve_bytes(ty.id(), index, [name, placeholder.0, 0]);
        }
    }

    /// Changes an element of a structure, union, section or 64-bit enumeration.
    fn set_twelve_bytes(&mut self, id: TypeId, index: usize, words: [u32; 3]) {
        let record = self.edit().record_mut(id).unwrap_or_default();
        let tail = record.get_mut(HEAD..).unwrap_or_default();
        if let Some(element) = tail.as_chunks_mut::<3>().0.get_mut(index) {
            *element = words;
        }
    }

    /// Replaces characters of a name with `_` in place, so that everything that shares the string sees the change, too.
    fn rename(&mut self, ty: &Type<'_>, unfit: impl Fn(bool, u8) -> bool) {
        let strings = &mut self.edit().strings;
        strings.change(ty.name_offset(), |index, byte| {
            if unfit(index == 0, *byte) {
                *byte = b'_';
            }
        });
    }
}

fn vlen(ty: &Type<'_>) -> usize {
    usize::try_from(ty.vlen()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{IntEncoding, Param, Signedness, VarSecinfo};

    /// One type of each kind that may have to be rewritten, with ids that the tests know.
    fn every_kind() -> Btf<'static> {
        let mut editor = BtfBuilder::new();
        let int = editor.add_int("int", 4, IntEncoding::SIGNED); // 1
        let var = editor.add_var("counter", Linkage::Global, int); // 2
        let place = VarSecinfo {
            type_id: var,
            offset: 8,
            size: 4,
        };
        editor.add_datasec("?.data.x", 12, &[place]); // 3
        let proto = editor.add_func_proto(int, &[("arg", int)]); // 4
        editor.add_func("function", Linkage::Global, proto); // 5
        editor.add_float("float", 4); // 6
        editor.add_decl_tag("tag", var, None); // 7
        editor.add_type_tag("user", int); // 8
        editor.add_enum64(
            "wide",
            8,
            Signedness::Unsigned,
            &[("BIG", 1 << 40), ("SMALL", 1)],
        ); // 9
        editor.add_enum("signed", 4, Signedness::Signed, [("MINUS", -1)]); // 10
        editor.build().unwrap()
    }

    fn without(missing: &'static [Feature]) -> Btf<'static> {
        let blob = every_kind().sanitize(&|feature| !missing.contains(&feature));
        let btf = Btf::from_vec(blob.unwrap().unwrap()).unwrap();
        btf.validate().unwrap();
        btf
    }

    fn kind_of(btf: &Btf<'_>, id: u32) -> Kind {
        btf.get(TypeId(id)).unwrap().kind()
    }

    #[test]
    fn a_kernel_that_knows_all_gets_the_blob_as_it_is() {
        assert_eq!(every_kind().sanitize(&|_| true), Ok(None));
    }

    #[test]
    fn only_what_is_there_is_asked_for() {
        let mut editor = BtfBuilder::new();
        let int = editor.add_int("int", 4, 0);
        editor.add_func_proto(int, Param::NONE);
        let btf = editor.build().unwrap();
        let asked = std::cell::RefCell::new(Vec::new());
        let as_it_is = btf.sanitize(&|feature| {
            asked.borrow_mut().push(feature);
            true
        });
        assert_eq!(as_it_is, Ok(None));
        assert_eq!(asked.into_inner(), [Feature::BtfFunc]);
    }

    #[test]
    fn sections_become_structures_and_variables_integers() {
        let btf = without(&[Feature::BtfDatasec]);
        let section = btf.get(TypeId(3)).unwrap();
        assert_eq!((section.kind(), section.name()), (Kind::Struct, "__data_x"));
        let member = section.member(0).unwrap();
        assert_eq!((member.name, member.bit_offset), ("counter", 64));
        assert_eq!(btf.size_of(member.type_id), Ok(1));
        assert_eq!(kind_of(&btf, 2), Kind::Int);
    }

    #[test]
    fn a_question_mark_becomes_an_underscore() {
        let btf = without(&[Feature::BtfQmarkDatasec]);
        let section = btf.get(TypeId(3)).unwrap();
        assert_eq!(
            (section.kind(), section.name()),
            (Kind::Datasec, "_.data.x")
        );
    }

    #[test]
    fn functions_become_typedefs_of_enumerations_or_static() {
        let btf = without(&[Feature::BtfFunc]);
        assert_eq!(
            (kind_of(&btf, 5), kind_of(&btf, 4)),
            (Kind::Typedef, Kind::Enum)
        );
        assert_eq!(btf.size_of(TypeId(5)), Ok(4));
        let btf = without(&[Feature::BtfGlobalFunc]);
        assert_eq!(btf.get(TypeId(5)).unwrap().linkage(), Some(Linkage::Static));
    }

    #[test]
    fn floats_and_tags_become_what_old_kernels_know() {
        let btf = without(&[Feature::BtfFloat, Feature::BtfDeclTag, Feature::BtfTypeTag]);
        let float = btf.get(TypeId(6)).unwrap();
        assert_eq!(
            (float.kind(), float.name(), float.size_field()),
            (Kind::Struct, "", 4)
        );
        assert_eq!(kind_of(&btf, 7), Kind::Int);
        let tag = btf.get(TypeId(8)).unwrap();
        assert_eq!((tag.kind(), tag.name()), (Kind::Const, ""));
    }

    #[test]
    fn wide_enumerations_become_unions_and_signed_ones_lose_their_sign() {
        let btf = without(&[Feature::BtfEnum64]);
        let wide = btf.get(TypeId(9)).unwrap();
        assert_eq!((wide.kind(), wide.size_field()), (Kind::Union, 8));
        let members: Vec<_> = wide.members().map(|m| (m.name, m.bit_offset)).collect();
        assert_eq!(members, [("BIG", 0), ("SMALL", 0)]);
        let member = wide.member(1).unwrap().type_id;
        assert_eq!(btf.get(member).unwrap().name(), "enum64_placeholder");
        assert_eq!(btf.end_id(), 12);
        assert!(!btf.get(TypeId(10)).unwrap().kflag());
    }

    #[test]
    fn the_layout_is_left_out() {
        let mut editor = BtfBuilder::new();
        editor.add_int("int", 4, IntEncoding::SIGNED);
        editor.set_layout_for_tests(20, 1, [4, 0]);
        let btf = editor.build().unwrap();
        assert_eq!(btf.sanitize(&|_| true), Ok(None));
        let blob = btf.sanitize(&|feature| feature != Feature::BtfLayout);
        let blob = blob.unwrap().unwrap();
        assert_eq!(
            blob.len(),
            btf.bytes().len() - 8 - 20 * 4,
            "header and section"
        );
        let old = Btf::from_vec(blob).unwrap();
        assert!(old.layout_bytes().is_empty());
        assert_eq!(old.get(TypeId(1)).unwrap().name(), "int");
    }

    #[test]
    fn a_kernel_that_knows_nothing_gets_integers_structures_and_enumerations() {
        let blob = every_kind().sanitize(&|_| false).unwrap().unwrap();
        let btf = Btf::from_vec(blob).unwrap();
        btf.validate().unwrap();
        let known = [
            Kind::Int,
            Kind::Struct,
            Kind::Union,
            Kind::Enum,
            Kind::Typedef,
            Kind::Const,
        ];
        for ty in btf.types() {
            assert!(known.contains(&ty.kind()), "{} {}", ty.id(), ty.kind());
        }
    }
}
