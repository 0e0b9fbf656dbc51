//! Compares the layout of a Rust type with that of a BTF type.
//!
//! Sizes alone cannot detect swapped fields. [`Layout`] describes a Rust type; [`Btf::check_layout`] compares it with the type
//! that the object's author compiled, once, before any value is exchanged.

use super::query::MAX_CHAIN;
use crate::btf::{Btf, Kind, Member, Type};
use crate::{Error, ErrorKind, Result, TypeId, did_you_mean};
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64,
};
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

/// Plain data exchanged between programs and user space: keys, values, events, global variables.
///
/// This includes numbers, arrays of them, and `#[repr(C)]` structures without padding that derive zerocopy's traits.
/// [`layout!`](crate::layout) lists their fields, so that names, offsets and sizes are compared with BTF:
///
/// ```
/// use zerocopy::{FromBytes, Immutable, IntoBytes};
///
/// #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
/// #[repr(C)]
/// struct Event {
///     pid: u32,
///     _pad: u32,
///     duration_ns: u64,
/// }
/// rawbpf::layout!(Event { pid, _pad, duration_ns });
/// ```
///
/// `impl Layout for Event {}` works, too, but compares only the size.
///
/// Types for which not all bytes are valid, such as `bool` and enums, derive `TryFromBytes` instead. Reading invalid bytes is an
/// error:
///
/// ```
/// use zerocopy::{Immutable, IntoBytes, TryFromBytes};
///
/// #[derive(Clone, Copy, TryFromBytes, IntoBytes, Immutable)]
/// #[repr(u32)]
/// enum State {
///     Idle = 0,
///     Busy = 1,
/// }
/// rawbpf::layout!(State);
/// ```
pub trait Layout: TryFromBytes + IntoBytes + Immutable {
    /// The structure of the type.
    fn shape() -> Shape {
        Shape::Opaque
    }
}

/// The structure of a Rust type. Returned by [`Layout::shape`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Bytes of unknown structure.
    Opaque,
    /// A number, a `bool` or an enum.
    Number(Number),
    /// An array.
    Array {
        /// The number of elements.
        len: usize,
        /// The size of one.
        size: usize,
        /// The structure of one.
        element: Box<Shape>,
    },
    /// Named fields.
    Struct(Vec<Field>),
}

/// How to interpret the bits of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Number {
    /// Unsigned; also a `bool`.
    Unsigned,
    /// Signed, in two's complement.
    Signed,
    /// Floating point.
    Float,
    /// The discriminant of an enum.
    Enum,
}

/// A field of a Rust structure. A name that starts with `_` means padding and is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Offset in the structure, in bytes.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
    /// Its structure.
    pub shape: Shape,
}

impl Field {
    /// Describes a field of `S`, selected by `get`; see [`layout!`](crate::layout).
    pub fn new<S, F: Layout>(name: &'static str, offset: usize, _get: fn(&S) -> &F) -> Self {
        Self {
            name: name.strip_prefix("r#").unwrap_or(name),
            offset,
            size: size_of::<F>(),
            shape: F::shape(),
        }
    }
}

macro_rules! numbers {
    ($($kind:ident: $($number:ty),*;)*) => {$($(
        impl Layout for $number {
            fn shape() -> Shape {
                Shape::Number(Number::$kind)
            }
        }
    )*)*};
}
numbers!(
    Unsigned: u8, u16, u32, u64, u128, usize, bool, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64;
    Signed: i8, i16, i32, i64, i128, isize, NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64;
    Float: f32, f64;
);

/// No bytes: the key of a queue.
impl Layout for () {}

impl<T: Layout, const N: usize> Layout for [T; N] {
    fn shape() -> Shape {
        Shape::Array {
            len: N,
            size: size_of::<T>(),
            element: Box::new(T::shape()),
        }
    }
}

impl Btf<'_> {
    /// Compares a Rust type with the type `id`.
    ///
    /// Sizes must be equal. A number matches any integer, enumeration, pointer or float of its size, and an array of bytes
    /// matches anything of its size. Each field of a structure must exist in BTF, at the same offset and with a matching
    /// layout.
    ///
    /// # Errors
    /// `InvalidArgument` if they differ; the message says in which field and how.
    pub fn check_layout<T: Layout>(&self, id: TypeId) -> Result<()> {
        let rust = Rust {
            size: size_of::<T>(),
            shape: &T::shape(),
        };
        Comparison {
            btf: self,
            path: Vec::new(),
        }
        .compare(id, rust)
        .map_err(|e| {
            let name = std::any::type_name::<T>();
            e.context(format!("`{name}` as `{}`", self.type_name(id)))
        })
    }
}

#[derive(Clone, Copy)]
struct Rust<'s> {
    size: usize,
    shape: &'s Shape,
}

struct Comparison<'b> {
    btf: &'b Btf<'b>,
    /// The path of fields to this point.
    path: Vec<&'static str>,
}

impl<'b> Comparison<'b> {
    /// The recursion is as deep as the Rust type, whatever the BTF says.
    fn compare(&mut self, id: TypeId, rust: Rust<'_>) -> Result<()> {
        let size = self.btf.size_of(id)?;
        if usize::try_from(size) != Ok(rust.size) {
            return Err(self.differ(id, &format!("{size} bytes, not {}", rust.size)));
        }
        match rust.shape {
            Shape::Opaque | Shape::Array { size: 1, .. } => Ok(()),
            Shape::Number(_) => self.number(id),
            Shape::Array { len, size, element } => {
                let element = Rust {
                    size: *size,
                    shape: element,
                };
                self.array(id, *len, element)
            }
            Shape::Struct(fields) => self.fields(id, fields),
        }
    }

    fn number(&self, id: TypeId) -> Result<()> {
        let mut ty = self.btf.get(id)?.resolved()?;
        for _ in 0..MAX_CHAIN {
            match ty.kind() {
                Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Ptr | Kind::Float | Kind::Union => {
                    return Ok(());
                }
                // A number in a wrapper, such as `struct bpf_spin_lock`.
                Kind::Struct if ty.vlen() == 1 => {
                    let Some(only) = ty.member(0) else { break };
                    ty = self.btf.get(only.type_id)?.resolved()?;
                }
                Kind::Var => ty = self.btf.get(TypeId(ty.size_field()))?.resolved()?,
                _ => break,
            }
        }
        Err(self.differ(id, "not a number"))
    }

    fn array(&mut self, id: TypeId, len: usize, element: Rust<'_>) -> Result<()> {
        let ty = self.value_type(id)?;
        let Some(array) = ty.array() else {
            return Err(self.differ(id, "not an array"));
        };
        if usize::try_from(array.len) != Ok(len) {
            return Err(self.differ(id, &format!("{} elements, not {len}", array.len)));
        }
        self.compare(array.element, element)
    }

    fn fields(&mut self, id: TypeId, fields: &[Field]) -> Result<()> {
        let ty = self.value_type(id)?;
        if !matches!(ty.kind(), Kind::Struct | Kind::Union) {
            return Err(self.differ(id, "not a structure"));
        }
        let members = all_members(self.btf, &ty)?;
        for field in fields.iter().filter(|field| !field.name.starts_with('_')) {
            self.path.push(field.name);
            let Some((member, bits)) = members.iter().find(|(m, _)| m.name == field.name) else {
                let near = did_you_mean(field.name, members.iter().map(|(m, _)| m.name));
                return Err(self.differ(id, &format!("without this field{near}")));
            };
            if member.bitfield_size != 0 {
                return Err(self.differ(member.type_id, "a bit-field"));
            }
            if u64::try_from(field.offset).ok() != Some(bits / 8) {
                let message = format!("at offset {}, not {}", bits / 8, field.offset);
                return Err(self.differ(member.type_id, &message));
            }
            self.compare(
                member.type_id,
                Rust {
                    size: field.size,
                    shape: &field.shape,
                },
            )?;
            self.path.pop();
        }
        Ok(())
    }

    /// The type behind a variable, qualifiers and typedefs.
    fn value_type(&self, id: TypeId) -> Result<Type<'b>> {
        let ty = self.btf.get(id)?.resolved()?;
        if ty.kind() == Kind::Var {
            return Ok(self.btf.get(TypeId(ty.size_field()))?.resolved()?);
        }
        Ok(ty)
    }

    #[cold]
    fn differ(&self, id: TypeId, how: &str) -> Error {
        let name = self.btf.type_name(id);
        let message = if self.path.is_empty() {
            format!("`{name}` is {how}")
        } else {
            format!("field `{}`: `{name}` is {how}", self.path.join("."))
        };
        Error::new(ErrorKind::InvalidArgument, message)
    }
}

/// The named members of a structure with their bit offsets, including those of anonymous members.
fn all_members<'b>(btf: &'b Btf<'b>, ty: &Type<'b>) -> Result<Vec<(Member<'b>, u64)>> {
    let mut found = Vec::new();
    let mut open = vec![(*ty, 0, 0)];
    let mut steps = 0;
    while let Some((ty, base, depth)) = open.pop() {
        for member in ty.members() {
            steps += 1;
            if depth > MAX_CHAIN || steps > MAX_MEMBERS {
                return Err(crate::btf::BtfError::TooDeep(ty.id()).into());
            }
            let bits = base + u64::from(member.bit_offset);
            if member.name.is_empty() {
                let inner = btf.get(member.type_id)?.resolved()?;
                open.push((inner, bits, depth + 1));
            } else {
                found.push((member, bits));
            }
        }
    }
    Ok(found)
}

/// How many members of a structure are visited: types that contain each other twice could be followed endlessly.
const MAX_MEMBERS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::BtfBuilder;
    use zerocopy::FromBytes;

    #[derive(FromBytes, IntoBytes, Immutable)]
    #[repr(C)]
    struct Event {
        pid: u32,
        _pad: u32,
        times: [u64; 2],
        comm: [u8; 16],
    }
    crate::layout!(Event {
        pid,
        _pad,
        times,
        comm
    });

    /// `struct event { int pid; union { u64 times[2]; }; char comm[16]; }`, with the offset of `times` and the width of `comm`.
    fn event(times_at: u32, comm_len: u32) -> (Btf<'static>, TypeId) {
        let mut b = BtfBuilder::new();
        let int = b.add_int("int", 4, 1);
        let long = b.add_int("u64", 8, 0);
        let char = b.add_int("char", 1, 1);
        let times = b.add_array(long, int, 2);
        let comm = b.add_array(char, int, comm_len);
        let union = b.add_union("", 16, &[("times", times, 0)]);
        let members = [
            ("pid", int, 0),
            ("", union, times_at * 8),
            ("comm", comm, (times_at + 16) * 8),
        ];
        let id = b.add_struct("event", 40, &members);
        (b.build().unwrap(), id)
    }

    fn refusal<T: Layout>(btf: &Btf<'_>, id: TypeId) -> String {
        let error = btf.check_layout::<T>(id).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        error.to_string()
    }

    #[test]
    fn equal_layouts_agree_whatever_the_padding_is_called() {
        let (btf, id) = event(8, 16);
        btf.check_layout::<Event>(id).unwrap();
        btf.check_layout::<[u8; 40]>(id).unwrap();
    }

    #[test]
    fn a_difference_names_the_field_and_both_sides() {
        let (btf, id) = event(4, 16);
        let text = refusal::<Event>(&btf, id);
        assert!(
            text.contains("field `times`") && text.contains("at offset 4, not 8"),
            "{text}"
        );
        let (btf, id) = event(8, 12);
        let text = refusal::<Event>(&btf, id);
        assert!(text.contains("`char[12]` is 12 bytes, not 16"), "{text}");
        assert!(text.contains("Event` as `struct event`"), "{text}");
        let text = refusal::<u64>(&btf, id);
        assert!(text.contains("40 bytes, not 8"), "{text}");
    }

    #[test]
    fn a_missing_field_lists_near_names() {
        #[derive(FromBytes, IntoBytes, Immutable)]
        #[repr(C)]
        struct Other {
            pidd: u32,
            _rest: [u8; 36],
        }
        crate::layout!(Other { pidd, _rest });
        let (btf, id) = event(8, 16);
        let text = refusal::<Other>(&btf, id);
        assert!(text.contains("`pidd`") && text.contains("`pid`"), "{text}");
    }

    #[test]
    fn numbers_stand_for_what_holds_one_number() {
        let mut b = BtfBuilder::new();
        let int = b.add_int("int", 4, 1);
        let lock = b.add_struct("bpf_spin_lock", 4, &[("val", int, 0)]);
        let alias = b.add_typedef("pid_t", int);
        let pair = b.add_struct("pair", 8, &[("a", int, 0), ("b", int, 32)]);
        let array = b.add_array(int, int, 2);
        let pointer = b.add_ptr(pair);
        let btf = b.build().unwrap();
        for id in [int, lock, alias] {
            btf.check_layout::<u32>(id).unwrap();
        }
        btf.check_layout::<u64>(pointer).unwrap();
        btf.check_layout::<[u32; 2]>(array).unwrap();
        assert!(refusal::<u64>(&btf, pair).contains("not a number"));
        assert!(refusal::<[u16; 4]>(&btf, array).contains("2 elements, not 4"));
        assert!(refusal::<[u32; 2]>(&btf, pair).contains("not an array"));
    }

    #[test]
    fn a_structure_in_itself_is_no_endless_loop() {
        #[derive(FromBytes, IntoBytes, Immutable)]
        #[repr(C)]
        struct Any {
            a: u32,
        }
        crate::layout!(Any { a });
        let mut b = BtfBuilder::new();
        let this = b.next_id();
        b.add_struct("s", 4, &[("", this, 0), ("", this, 0)]);
        let btf = b.build().unwrap();
        assert!(btf.check_layout::<Any>(this).is_err());
    }
}
