//! `layout!`, apart from the trait that it implements, because the crate of procedural macros has that, and may not export this.

/// Implements [`Layout`](crate::btf::Layout) for a structure, whose fields must all be listed, or for an enum without fields.
///
/// ```
/// # use zerocopy::{FromBytes, Immutable, IntoBytes};
/// # #[derive(FromBytes, IntoBytes, Immutable)]
/// # #[repr(C)]
/// # struct Key { saddr: [u8; 4], port: u32 }
/// rawbpf::layout!(Key { saddr, port });
/// ```
#[macro_export]
macro_rules! layout {
    ($name:ident) => {
        impl $crate::btf::Layout for $name {
            fn shape() -> $crate::btf::Shape {
                $crate::btf::Shape::Number($crate::btf::Number::Enum)
            }
        }
    };
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::btf::Layout for $name {
            #[allow(clippy::used_underscore_binding, reason = "padding is a field, too")]
            fn shape() -> $crate::btf::Shape {
                // Does not compile unless every field is listed.
                let _ = |value: &$name| { let $name { $($field: _),* } = value; };
                $crate::btf::Shape::Struct(vec![$(
                    $crate::btf::Field::new(
                        stringify!($field),
                        ::std::mem::offset_of!($name, $field),
                        |value: &$name| &value.$field,
                    )
                ),*])
            }
        }
    };
}
