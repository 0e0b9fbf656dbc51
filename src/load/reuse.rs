//! Existing maps instead of those that an object defines.

use super::context::copy_of_map;
use crate::kinds::MapFlags;
use crate::map::Map;
use crate::open::{Held, MapOrigin, OpenMap, OpenMapMut};
use crate::sys::bpf::MapInfo;
use crate::{ErrorKind, Result};

impl OpenMapMut<'_> {
    /// Uses `map` instead of creating one. The definition takes on the type, sizes and flags of `map`, whatever they are;
    /// the verifier decides whether the object's programs can use it. The object's initial contents and inner maps are not
    /// written to the map; programs are still put into a program array.
    ///
    /// The object's name for the map stays. To reuse a pinned map, open it with [`Map::from_pin`].
    ///
    /// # Errors
    /// The kernel does not provide information about the map, or this map cannot be replaced (a `struct_ops` map, or an
    /// arena, which has variables at a fixed address).
    #[doc(alias = "bpf_map__reuse_fd")]
    pub fn reuse(&mut self, map: &Map) -> Result<&mut Self> {
        if self.origin() == MapOrigin::StructOps {
            let message = "a struct_ops map cannot be replaced by one that exists";
            return Err(self.error(ErrorKind::InvalidArgument, message));
        }
        let (info, fd) = shared(map)?;
        Ok(self.change(|own| take_over(own, &info, fd)))
    }

    /// Uses `map` as the template for the inner maps of this map of maps, instead of the template in its definition.
    ///
    /// # Errors
    /// This is not a map of maps, or the kernel does not provide information about `map`.
    #[doc(alias = "bpf_map__set_inner_map_fd")]
    pub fn set_inner_map(&mut self, map: &Map) -> Result<&mut Self> {
        if !self.kind().is_map_of_maps() {
            let message = format!("it is of type {}, which holds no maps", self.kind());
            return Err(self.error(ErrorKind::InvalidArgument, message));
        }
        let (info, fd) = shared(map)?;
        let mut inner = OpenMap {
            name: info.name.clone(),
            kernel_name: info.name.clone(),
            autocreate: true,
            ..OpenMap::default()
        };
        take_over(&mut inner, &info, fd);
        Ok(self.change(|own| own.inner = Some(Box::new(inner))))
    }
}

fn shared(map: &Map) -> Result<(MapInfo, Held)> {
    let info = map.info()?;
    Ok((info, Held::new(copy_of_map(map)?)))
}

fn take_over(own: &mut OpenMap, info: &MapInfo, held: Held) {
    own.kind = info.kind;
    own.key_size = info.key_size;
    own.value_size = info.value_size;
    own.max_entries = info.max_entries;
    own.flags = info.flags.difference(MapFlags::TOKEN_FD).bits();
    own.extra = info.map_extra;
    own.reused = Some(held);
}
