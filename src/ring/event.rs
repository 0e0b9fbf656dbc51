//! What the records of a buffer are in Rust.

use super::typed;
use crate::Result;
use crate::btf::CharArray;
use zerocopy::{Immutable, KnownLayout, TryFromBytes};

/// A type whose values can be events: plain data without pointers, which mean nothing outside of the kernel.
///
/// Generated types that have no pointers are (see [`bindings`](crate::bindings)); for others, `impl PlainEvent for T {}`
/// promises it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an event: it has a pointer, or is not known to have none",
    label = "events of this type",
    note = "a pointer of the kernel has no meaning here: let the program copy what it points to"
)]
pub trait PlainEvent: TryFromBytes + KnownLayout + Immutable {}

/// What the records of a buffer are: [`PlainEvent`]s, or bytes of any length (`[u8]`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an event: it has a pointer, or is not known to have none",
    label = "events of this type",
    note = "a pointer of the kernel has no meaning here; let the program copy what it points to, or `RingBuffer::new(&map)` to read bytes"
)]
pub trait Event: private::Sealed {
    /// A record as an event, in place.
    #[doc(hidden)]
    fn view(record: &[u8]) -> Result<&Self>;
}

mod private {
    /// Seals the trait.
    pub trait Sealed {}
    impl Sealed for [u8] {}
    impl<T: super::PlainEvent> Sealed for T {}
}

impl Event for [u8] {
    fn view(record: &[u8]) -> Result<&Self> {
        Ok(record)
    }
}

#[diagnostic::do_not_recommend]
impl<T: PlainEvent> Event for T {
    fn view(record: &[u8]) -> Result<&Self> {
        typed::view(record)
    }
}

macro_rules! plain {
    ($($number:ty),*) => {$(
        impl PlainEvent for $number {}
    )*};
}
plain!(
    u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, bool, f32, f64
);

impl<T: PlainEvent, const N: usize> PlainEvent for [T; N] {}

impl<const N: usize> PlainEvent for CharArray<N> {}
