//! The macro that declares a kernel struct together with the proof of its layout.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The argument block of a `bpf(2)` command.
///
/// `SENT` is what the kernel is told: the bytes up to the command's last field. A kernel that knows fewer fields accepts
/// the rest as long as it is zero.
pub(in crate::sys) trait Attr:
    FromBytes + IntoBytes + Immutable + KnownLayout
{
    const SENT: u32;
}

/// Declares `repr(C)` structs whose fields are preceded by their offsets in the kernel's header:
/// `/// doc  Name: 16 sent 12 { 0 fd: u32, 4 len: u32, 8 flags: u32, 12 pad: u32 }`, where `sent N` makes it an [`Attr`].
macro_rules! kernel_struct {
    ($($(#[$meta:meta])* $name:ident: $size:literal $(sent $sent:literal)? {
        $($offset:literal $field:ident: $type:ty),* $(,)?
    })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        #[derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)]
        #[repr(C)]
        pub(in crate::sys) struct $name {
            $(pub(in crate::sys) $field: $type,)*
        }

        impl Default for $name {
            /// All zeros, which the kernel takes as every field left out.
            fn default() -> Self {
                zerocopy::FromZeros::new_zeroed()
            }
        }

        const _: () = assert!(size_of::<$name>() == $size);
        $(const _: () = assert!(std::mem::offset_of!($name, $field) == $offset);)*
        $(
            const _: () = assert!($sent <= $size && $sent + 8 > $size);
            impl $crate::sys::attr::Attr for $name {
                const SENT: u32 = $sent;
            }
        )?
    )*};
}

pub(super) use kernel_struct;
