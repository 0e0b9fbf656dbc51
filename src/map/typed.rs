//! From a map of bytes to a view of plain data: whether it fits is checked once, here.

use super::{Fd, Key, Map, PerCpu};
use crate::btf::Layout;
use crate::{Error, ErrorKind, Result, TypeId};

/// What the keys of a view can be: plain data, or descriptors ([`Fd`]).
pub trait ViewKey: private::Sealed {
    /// Checks that the map's keys are of this type.
    #[doc(hidden)]
    fn check_key(map: &Map) -> Result<()>;
}

/// What the values of a view can be: plain data, plain data for each CPU ([`PerCpu`]), or descriptors ([`Fd`]).
pub trait ViewValue: private::Sealed {
    /// Checks that the map's values are of this type.
    #[doc(hidden)]
    fn check_value(map: &Map) -> Result<()>;
}

mod private {
    /// Seals the traits.
    pub trait Sealed {}
    impl<T: crate::btf::Layout> Sealed for T {}
    impl<V> Sealed for super::PerCpu<V> {}
    impl Sealed for super::Fd {}
}

impl Map {
    /// A view of the map with keys `K` and values `V`. Whether they fit is checked now, and only now.
    ///
    /// Sizes must match the map's. If the map's types are known ([`Map::types`]), their layout is compared as well, see
    /// [`Btf::check_layout`](crate::btf::Btf::check_layout). Queues, stacks and bloom filters have keys of type `()`.
    ///
    /// ```no_run
    /// # fn main() -> rawbpf::Result<()> {
    /// # let map = rawbpf::map::Map::from_id(1)?;
    /// use rawbpf::map::UpdateMode;
    ///
    /// let counts = map.typed::<u32, u64>()?;
    /// counts.insert(&7, &1, UpdateMode::Any)?;
    /// assert_eq!(counts.get(&7)?, Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if a size, the layout or the map type does not fit; the message shows both sides.
    pub fn typed<K: ViewKey, V: ViewValue>(&self) -> Result<Map<K, V>> {
        K::check_key(self)?;
        V::check_value(self)?;
        Ok(self.view_as())
    }

    fn check_type<T: Layout>(&self, what: &str, size: usize) -> Result<()> {
        let name = std::any::type_name::<T>();
        if size_of::<T>() != size {
            let message = format!(
                "`{name}` has {} bytes, but the map's {what}s have {size}",
                size_of::<T>()
            );
            return Err(self.misfit(message));
        }
        let types = self.types()?;
        let id = |types: &super::MapTypes| match what {
            "key" => types.key,
            _ => types.value,
        };
        match types.map(|types| (&types.btf, id(types))) {
            Some((btf, id)) if id != TypeId::VOID => btf
                .check_layout::<T>(id)
                .map_err(|e| self.blame(e.context(what))),
            _ => Ok(()),
        }
    }

    fn misfit(&self, message: impl Into<String>) -> Error {
        self.blame(Error::new(ErrorKind::InvalidArgument, message))
    }
}

impl<K: Layout> ViewKey for K {
    fn check_key(map: &Map) -> Result<()> {
        if map.kind().is_local_storage() {
            let message = "the keys of a local storage map are descriptors";
            return Err(map.misfit(message).with_hint("see `rawbpf::map::Fd`"));
        }
        map.check_type::<K>("key", map.key_size())
    }
}

impl<V: Layout> ViewValue for V {
    fn check_value(map: &Map) -> Result<()> {
        if map.kind().is_per_cpu() {
            let message = format!("a map of type {} has one value for each CPU", map.kind());
            let name = std::any::type_name::<V>();
            return Err(map
                .misfit(message)
                .with_hint(format!("use `PerCpu<{name}>` as the value type")));
        }
        map.check_type::<V>("value", map.value_size())
    }
}

impl<V: Layout> ViewValue for PerCpu<V> {
    fn check_value(map: &Map) -> Result<()> {
        map.check_per_cpu()?;
        map.check_type::<V>("value", map.value_size())
    }
}

impl ViewKey for Fd {
    fn check_key(map: &Map) -> Result<()> {
        if map.kind().is_local_storage() && map.key_size() == size_of::<i32>() {
            return Ok(());
        }
        let message = format!(
            "the keys of a map of type {} are not descriptors",
            map.kind()
        );
        Err(map.misfit(message))
    }
}

impl ViewValue for Fd {
    fn check_value(map: &Map) -> Result<()> {
        let fits = matches!(map.value_size(), 4 | 8);
        if fits && (map.kind().is_fd_map() || map.kind().holds_sockets()) {
            return Ok(());
        }
        let message = format!(
            "the values of a map of type {} are not descriptors",
            map.kind()
        );
        Err(map.misfit(message))
    }
}

/// The key as bytes. A byte slice must have the map's key size; plain data was checked when the view was made.
pub(super) fn key_bytes<'k, K: Key + ?Sized, V: ?Sized>(
    map: &Map<K, V>,
    key: &'k K,
) -> Result<&'k [u8]> {
    let bytes = key.bytes();
    map.check_key(bytes)?;
    Ok(bytes)
}
