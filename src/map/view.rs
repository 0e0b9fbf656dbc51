//! What a map's keys and values are in Rust: bytes, plain data, one value for each CPU, descriptors.
//!
//! [`Map`](super::Map) is written once for all of them, in terms of the two traits of this file.

use super::PerCpu;
use crate::btf::{Layout, Room, not_valid};
use crate::sys::bpf::MapFd;
use crate::{Errno, Result};

/// What a key can be: `[u8]`, or plain data ([`Layout`]).
pub trait Key: private::Sealed {
    /// The owned form of the key.
    type Owned;
    /// Buffer into which the kernel writes a key.
    #[doc(hidden)]
    type Room;

    /// The key as the kernel reads it.
    #[doc(hidden)]
    fn bytes(&self) -> &[u8];
    /// A buffer for a key of `len` bytes.
    #[doc(hidden)]
    fn room(len: usize) -> Self::Room;
    /// The buffer's bytes.
    #[doc(hidden)]
    fn room_bytes(room: &Self::Room) -> &[u8];
    /// The buffer's bytes, to be written.
    #[doc(hidden)]
    fn room_bytes_mut(room: &mut Self::Room) -> &mut [u8];
    /// Converts what the kernel wrote, if it is a key of this type.
    #[doc(hidden)]
    fn from_room(room: Self::Room) -> Result<Self::Owned>;
}

/// What a value can be: `[u8]`, plain data ([`Layout`]), or one of these for each CPU ([`PerCpu`]).
pub trait Value: private::Sealed {
    /// The owned form of the value.
    type Owned;
    /// Buffer into which the kernel writes a value.
    #[doc(hidden)]
    type Room;

    /// The value as the kernel reads it.
    #[doc(hidden)]
    fn bytes(&self) -> &[u8];
    /// A buffer for a value of the map.
    #[doc(hidden)]
    fn room(map: &MapFd) -> Result<Self::Room, Errno>;
    /// The buffer's bytes, to be written.
    #[doc(hidden)]
    fn room_bytes_mut(room: &mut Self::Room) -> &mut [u8];
    /// Converts what the kernel wrote, if it is a value of this type.
    #[doc(hidden)]
    fn from_room(room: Self::Room) -> Result<Self::Owned>;
    /// Checks that these bytes, which have the right length, are valid for this type.
    #[doc(hidden)]
    fn check(bytes: &[u8]) -> Result<()>;
    /// Has `read` overwrite `owned` with a value; `owned` is unchanged if `read` returns `false`.
    #[doc(hidden)]
    fn replace(owned: &mut Self::Owned, read: impl FnOnce(&mut [u8]) -> bool) -> Result<()>;
}

mod private {
    /// Seals the traits.
    pub trait Sealed {}
    impl Sealed for [u8] {}
    impl<T: crate::btf::Layout> Sealed for T {}
    impl<V: ?Sized> Sealed for super::PerCpu<V> {}
}

impl Key for [u8] {
    type Owned = Vec<u8>;
    type Room = Vec<u8>;

    fn bytes(&self) -> &[u8] {
        self
    }

    fn room(len: usize) -> Vec<u8> {
        vec![0; len]
    }

    fn room_bytes(room: &Vec<u8>) -> &[u8] {
        room
    }

    fn room_bytes_mut(room: &mut Vec<u8>) -> &mut [u8] {
        room
    }

    fn from_room(room: Vec<u8>) -> Result<Vec<u8>> {
        Ok(room)
    }
}

impl<K: Layout> Key for K {
    type Owned = K;
    type Room = Room<K>;

    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn room(_: usize) -> Room<K> {
        Room::new()
    }

    fn room_bytes(room: &Room<K>) -> &[u8] {
        room.bytes()
    }

    fn room_bytes_mut(room: &mut Room<K>) -> &mut [u8] {
        room.bytes_mut()
    }

    fn from_room(room: Room<K>) -> Result<K> {
        room.value()
    }
}

impl Value for [u8] {
    type Owned = Vec<u8>;
    type Room = Vec<u8>;

    fn bytes(&self) -> &[u8] {
        self
    }

    fn room(map: &MapFd) -> Result<Vec<u8>, Errno> {
        Ok(vec![0; map.value_len()?])
    }

    fn room_bytes_mut(room: &mut Vec<u8>) -> &mut [u8] {
        room
    }

    fn from_room(room: Vec<u8>) -> Result<Vec<u8>> {
        Ok(room)
    }

    fn check(_: &[u8]) -> Result<()> {
        Ok(())
    }

    fn replace(owned: &mut Vec<u8>, read: impl FnOnce(&mut [u8]) -> bool) -> Result<()> {
        read(owned);
        Ok(())
    }
}

impl<V: Layout> Value for V {
    type Owned = V;
    type Room = Room<V>;

    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn room(_: &MapFd) -> Result<Room<V>, Errno> {
        Ok(Room::new())
    }

    fn room_bytes_mut(room: &mut Room<V>) -> &mut [u8] {
        room.bytes_mut()
    }

    fn from_room(room: Room<V>) -> Result<V> {
        room.value()
    }

    fn check(bytes: &[u8]) -> Result<()> {
        match V::try_read_from_bytes(bytes) {
            Ok(_) => Ok(()),
            Err(_) => Err(not_valid::<V>(bytes)),
        }
    }

    fn replace(owned: &mut V, read: impl FnOnce(&mut [u8]) -> bool) -> Result<()> {
        let mut room = Room::new();
        if read(room.bytes_mut()) {
            *owned = room.value()?;
        }
        Ok(())
    }
}
