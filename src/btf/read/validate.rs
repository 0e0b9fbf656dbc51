//! Validates a whole blob: every type id and every string offset must be valid.

use crate::TypeId;
use crate::btf::{Btf, BtfError, Kind, Type};

impl Btf<'_> {
    /// Checks all own types: that the types and strings they refer to exist, and that functions refer to prototypes.
    ///
    /// Reading does not depend on it (a dangling reference is an error when it is followed); libbpf rejects such blobs as a
    /// whole, and so does opening an object.
    ///
    /// # Errors
    /// The first type that refers to something that does not exist.
    #[doc(alias = "btf_sanity_check")]
    pub fn validate(&self) -> Result<(), BtfError> {
        let end = self.end_id();
        self.records()
            .try_for_each(|record| self.validate_type(&record?, end))
    }

    fn validate_type(&self, ty: &Type<'_>, end: u32) -> Result<(), BtfError> {
        let known = |target: TypeId| {
            if target.0 < end {
                Ok(())
            } else {
                Err(BtfError::NoType(target))
            }
        };
        // As in libbpf, the offset of a name is checked but not its length: a kernel that finds a name too long rejects the
        // types, and most objects can do without them.
        self.strings_from(ty.name_offset())?;
        if let Some(target) = ty.target() {
            known(target)?;
        }
        match ty.kind() {
            Kind::Array => {
                if let Some(array) = ty.array() {
                    known(array.element)?;
                    known(array.index)?;
                }
            }
            Kind::Struct | Kind::Union | Kind::FuncProto | Kind::Enum | Kind::Enum64 => {
                for (name_off, target) in ty.element_words() {
                    self.strings_from(name_off)?;
                    if !ty.kind().is_any_enum() {
                        known(TypeId(target))?;
                    }
                }
            }
            Kind::Datasec => ty
                .variables()
                .try_for_each(|variable| known(variable.type_id))?,
            Kind::Func => {
                let target = TypeId(ty.size_field());
                if self.get(target)?.kind() != Kind::FuncProto {
                    return Err(BtfError::Reference {
                        id: ty.id(),
                        target,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{BtfBuilder, Linkage};

    fn check<T>(build: impl FnOnce(&mut BtfBuilder) -> T) -> Result<(), BtfError> {
        let mut editor = BtfBuilder::new();
        build(&mut editor);
        editor.build()?.validate()
    }

    #[test]
    fn dangling_references_are_found() {
        let gone = TypeId(77);
        let no_type = Err(BtfError::NoType(gone));
        assert_eq!(check(|b| b.add_ptr(gone)), no_type);
        assert_eq!(check(|b| b.add_array(gone, TypeId(1), 1)), no_type);
        assert_eq!(
            check(|b| b.add_func_proto(TypeId::VOID, &[("a", gone)])),
            no_type
        );
        assert_eq!(check(|b| b.add_union("u", 4, &[("m", gone, 0)])), no_type);
        let bad_name = |b: &mut BtfBuilder| {
            let id = b.add_int("int", 4, 0);
            b.set_raw(id, 0, 1000);
        };
        assert_eq!(check(bad_name), Err(BtfError::NoString(1000)));
    }

    #[test]
    fn a_function_must_refer_to_a_prototype() {
        let build = |b: &mut BtfBuilder| {
            let int = b.add_int("int", 4, 0);
            b.add_func("f", Linkage::Static, int);
        };
        let error = BtfError::Reference {
            id: TypeId(2),
            target: TypeId(1),
        };
        assert_eq!(check(build), Err(error));
    }
}
