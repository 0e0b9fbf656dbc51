//! What keys and values of a map are to Rust: bytes, plain data, one value for each CPU, descriptors.
//!
//! [`Map`](super::Map) is written once for all of them, over the two traits of this file.

use super::PerCpu;
use crate::Errno;
use crate::btf::Layout;
use crate::sys::bpf::MapFd;

/// What a key may be: `[u8]`, or plain data ([`Layout`]).
pub trait Key: private::Sealed {
    /// The key by itself, when it is not borrowed.
    type Owned;

    /// The key as the kernel reads it.
    fn bytes(&self) -> &[u8];
    /// A key of `len` zeros.
    fn zeroed(len: usize) -> Self::Owned;
    /// Room for the kernel to write a key into.
    fn bytes_mut(owned: &mut Self::Owned) -> &mut [u8];
    /// What the kernel wrote.
    fn borrow(owned: &Self::Owned) -> &Self;
}

/// What a value may be: `[u8]`, plain data ([`Layout`]), or one of those for each CPU ([`PerCpu`]).
pub trait Value: private::Sealed {
    /// The value by itself, when it is not borrowed.
    type Owned;

    /// The value as the kernel reads it.
    fn bytes(&self) -> &[u8];
    /// Zeros, as many as the map's values have.
    fn zeroed(map: &MapFd) -> Result<Self::Owned, Errno>;
    /// Room for the kernel to write a value into.
    fn bytes_mut(owned: &mut Self::Owned) -> &mut [u8];
}

mod private {
    /// Keeps the traits to the types of this file.
    pub trait Sealed {}
    impl Sealed for [u8] {}
    impl<T: crate::btf::Layout> Sealed for T {}
    impl<V: ?Sized> Sealed for super::PerCpu<V> {}
}

impl Key for [u8] {
    type Owned = Vec<u8>;

    fn bytes(&self) -> &[u8] {
        self
    }

    fn zeroed(len: usize) -> Vec<u8> {
        vec![0; len]
    }

    fn bytes_mut(owned: &mut Vec<u8>) -> &mut [u8] {
        owned
    }

    fn borrow(owned: &Vec<u8>) -> &[u8] {
        owned
    }
}

impl<K: Layout> Key for K {
    type Owned = K;

    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn zeroed(_: usize) -> K {
        K::new_zeroed()
    }

    fn bytes_mut(owned: &mut K) -> &mut [u8] {
        owned.as_mut_bytes()
    }

    fn borrow(owned: &K) -> &K {
        owned
    }
}

impl Value for [u8] {
    type Owned = Vec<u8>;

    fn bytes(&self) -> &[u8] {
        self
    }

    fn zeroed(map: &MapFd) -> Result<Vec<u8>, Errno> {
        Ok(vec![0; map.value_len()?])
    }

    fn bytes_mut(owned: &mut Vec<u8>) -> &mut [u8] {
        owned
    }
}

impl<V: Layout> Value for V {
    type Owned = V;

    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn zeroed(_: &MapFd) -> Result<V, Errno> {
        Ok(V::new_zeroed())
    }

    fn bytes_mut(owned: &mut V) -> &mut [u8] {
        owned.as_mut_bytes()
    }
}
