//! The specs that an attachment owns.

use super::layout::SpecLayout;
use crate::elf::usdt::UsdtArg;
use crate::map::UpdateMode;
use crate::program::usdt::UsdtMaps;
use crate::{Errno, Error, ErrorKind, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Entries of the object's maps; released when dropped.
#[derive(Debug)]
pub(super) struct HeldSpecs {
    maps: Arc<UsdtMaps>,
    ids: Vec<u32>,
    /// The instruction addresses in the map from addresses to specs.
    addresses: Vec<u64>,
}

impl Drop for HeldSpecs {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl HeldSpecs {
    pub(super) fn new(maps: &Arc<UsdtMaps>) -> Self {
        Self {
            maps: Arc::clone(maps),
            ids: Vec::new(),
            addresses: Vec::new(),
        }
    }

    /// Called when no probe uses them any more.
    pub(super) fn give_back(&mut self) {
        for address in self.addresses.drain(..) {
            let _ = self.maps.ip_to_spec_id.remove(&address.to_ne_bytes());
        }
        self.maps.give_back(&self.ids);
        self.ids.clear();
    }

    /// Writes a spec for each location and returns the specs' ids. Locations with the same argument description share a spec;
    /// of hundreds of locations, most do.
    pub(super) fn write<'p>(
        &mut self,
        layout: &SpecLayout,
        places: impl Iterator<Item = (&'p str, &'p [UsdtArg])>,
        cookie: u64,
    ) -> Result<Vec<u32>> {
        let mut known = HashMap::new();
        let mut ids = Vec::new();
        for (text, args) in places {
            let id = match known.get(text) {
                Some(id) => *id,
                None => self.write_one(&layout.encode(args, cookie)?)?,
            };
            known.insert(text, id);
            ids.push(id);
        }
        Ok(ids)
    }

    fn write_one(&mut self, spec: &[u8]) -> Result<u32> {
        let id = self.maps.take_id().ok_or_else(|| {
            let room = self.maps.specs.max_entries();
            let message = format!("the object's map `{}` is full: it has room for {room} specs", self.maps.specs.name());
            Error::new(ErrorKind::Kernel, message)
                .with_errno(Errno::E2BIG)
                .with_hint("define BPF_USDT_MAX_SPEC_CNT before including usdt.bpf.h, or make the map larger before loading")
        })?;
        self.ids.push(id);
        self.maps
            .specs
            .insert(&id.to_ne_bytes(), spec, UpdateMode::Any)?;
        Ok(id)
    }

    /// Lets programs find a spec by the instruction's address.
    pub(super) fn write_address(&mut self, address: u64, id: u32) -> Result<()> {
        let (key, value) = (address.to_ne_bytes(), id.to_ne_bytes());
        let map = &self.maps.ip_to_spec_id;
        map.insert(&key, &value, UpdateMode::NoExist)
            .map_err(|error| match error.errno() {
                Some(Errno::EEXIST) => {
                    let message = format!("another attachment of this object is at the address {address:#x} already");
                    Error::new(ErrorKind::Unsupported, message)
                        .with_errno(Errno::EEXIST)
                        .with_hint("an instruction can be probed once by each object; before Linux 5.15 there is no other way")
                }
                Some(Errno::E2BIG) => error.with_hint("define BPF_USDT_MAX_IP_CNT before including usdt.bpf.h"),
                _ => error,
            })?;
        self.addresses.push(address);
        Ok(())
    }
}
