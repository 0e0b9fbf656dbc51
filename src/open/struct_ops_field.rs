//! Access to single data members of a `struct_ops` variable before the object is loaded.

use super::OpenMapMut;
use super::value_text::Encoder;
use crate::btf::{Kind, Layout};
use crate::{Error, ErrorKind, Result, TypeId};
use std::ops::Range;

/// A data member.
struct Field {
    ty: TypeId,
    size: u32,
    place: Range<usize>,
}

impl OpenMapMut<'_> {
    /// The bytes of a data member of a `struct_ops` variable.
    ///
    /// # Errors
    /// It is not a `struct_ops` map, has no such member, or the member is not data.
    pub fn field(&self, member: &str) -> Result<&[u8]> {
        let field = self.find_field(member)?;
        let Range { start, end } = field.place;
        end.checked_sub(start)
            .and_then(|size| self.object().part_of_image(self.index(), start, size))
            .ok_or_else(|| self.outside(member))
    }

    /// Sets a data member of a `struct_ops` variable to a value that fits its type, such as flags or a name; see
    /// [`VariableMut::set`](super::VariableMut::set). Functions are set by [`OpenMapMut::set_member`].
    ///
    /// # Errors
    /// It is not a `struct_ops` map, has no such member, the member is not data, or size or type differ (the message contains
    /// both).
    #[doc(alias = "shadow")]
    pub fn set_field<T: Layout>(&mut self, member: &str, value: &T) -> Result<&mut Self> {
        let field = self.find_field(member)?;
        let bytes = value.as_bytes();
        self.check_field_size(member, &field, bytes)?;
        let fits = self.encoder().check(field.ty, value);
        fits.map_err(|e| e.context(format!("member `{member}`")))?;
        self.write_field(member, field, bytes)
    }

    /// Sets a data member of a `struct_ops` variable from text, according to the member's type: a number, the name of an
    /// enumeration's constant, a string for an array of characters.
    ///
    /// # Errors
    /// As for [`OpenMapMut::set_field`]; or the text is not a value of the type.
    pub fn set_field_from_text(&mut self, member: &str, text: &str) -> Result<&mut Self> {
        let field = self.find_field(member)?;
        let bytes = self.encoder().encode(field.ty, field.size, text);
        let bytes = bytes.map_err(|e| e.context(format!("member `{member}`")))?;
        self.write_field(member, field, &bytes)
    }

    fn encoder(&self) -> Encoder<'_> {
        Encoder {
            btf: self.object().btf.as_deref(),
            order: self.object().byte_order,
        }
    }

    fn check_field_size(&self, member: &str, field: &Field, bytes: &[u8]) -> Result<()> {
        if usize::try_from(field.size) == Ok(bytes.len()) {
            return Ok(());
        }
        let (size, given) = (field.size, bytes.len());
        let message = format!("member `{member}` takes {size} bytes, the value has {given}");
        Err(self.error(ErrorKind::InvalidArgument, message))
    }

    fn write_field(&mut self, member: &str, field: Field, bytes: &[u8]) -> Result<&mut Self> {
        self.check_field_size(member, &field, bytes)?;
        let outside = self.outside(member);
        let index = self.index();
        let image = self.object_mut().image_mut(index);
        match image.get_mut(field.place) {
            Some(place) => place.copy_from_slice(bytes),
            None => return Err(outside),
        }
        Ok(self)
    }

    fn find_field(&self, name: &str) -> Result<Field> {
        let index = self.member_index(name)?;
        let Some(btf) = &self.object().btf else {
            return Err(self.outside(name));
        };
        let member = btf.get(self.value_type)?.member(index);
        let Some(member) = member else {
            return Err(self.outside(name));
        };
        if member.bitfield_size != 0 {
            let message = format!("member `{name}` is a bitfield, which struct_ops does not know");
            return Err(self.error(ErrorKind::Unsupported, message));
        }
        if btf.get(member.type_id)?.resolved()?.kind() == Kind::Ptr {
            let message = format!("member `{name}` is a pointer");
            let error = self.error(ErrorKind::InvalidArgument, message);
            return Err(error.with_hint("name the program of a function with set_member"));
        }
        let size = btf.size_of(member.type_id)?;
        let start = usize::try_from(member.bit_offset / 8).ok();
        let end = start.zip(usize::try_from(size).ok());
        let end = end.and_then(|(start, size)| start.checked_add(size));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(self.outside(name));
        };
        Ok(Field {
            ty: member.type_id,
            size,
            place: start..end,
        })
    }

    fn outside(&self, member: &str) -> Error {
        let message = format!("member `{member}` lies outside the variable");
        self.error(ErrorKind::Corrupt, message)
    }
}
