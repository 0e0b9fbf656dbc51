//! What an object needs for USDT probes: two maps that tell its programs where a probe's arguments are.
//!
//! The maps come from the header `usdt.bpf.h` that the object was compiled with. A *spec* says where a probe's arguments
//! are; spec ids belong to the object, since all its programs share the maps.

use crate::map::Map;
use std::sync::{Arc, Mutex, PoisonError};

/// The map of specs by id.
pub(crate) const SPECS: &str = "__bpf_usdt_specs";
/// The map from an instruction's address to its spec's id, for kernels without cookies.
pub(crate) const IP_TO_SPEC_ID: &str = "__bpf_usdt_ip_to_spec_id";

/// An object's maps for USDT probes, and which spec ids are taken.
#[derive(Debug)]
#[doc(alias = "usdt_manager")]
pub(crate) struct UsdtMaps {
    pub(crate) specs: Map,
    pub(crate) ip_to_spec_id: Map,
    /// Whether the programs, as loaded, take the id from the cookie.
    pub(crate) by_cookie: bool,
    ids: Mutex<Ids>,
}

#[derive(Debug, Default)]
struct Ids {
    given_back: Vec<u32>,
    next: u32,
}

impl UsdtMaps {
    /// `None` if the object has no such maps.
    #[doc(alias = "usdt_manager_new")]
    pub(crate) fn find(maps: &[Option<Map>], by_cookie: bool) -> Option<Arc<Self>> {
        let named = |name| {
            let mut maps = maps.iter().flatten();
            maps.find(|map| map.name() == name).cloned()
        };
        Some(Arc::new(Self {
            specs: named(SPECS)?,
            ip_to_spec_id: named(IP_TO_SPEC_ID)?,
            by_cookie,
            ids: Mutex::default(),
        }))
    }

    /// A free id; `None` if the map is full.
    #[doc(alias = "allocate_spec_id")]
    pub(crate) fn take_id(&self) -> Option<u32> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = ids.given_back.pop() {
            return Some(id);
        }
        let id = ids.next;
        (id < self.specs.max_entries()).then(|| {
            ids.next += 1;
            id
        })
    }

    /// Returns ids that are no longer in use.
    pub(crate) fn give_back(&self, taken: &[u32]) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.given_back.extend(taken);
    }
}
