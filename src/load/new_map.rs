//! Creates a single map without an object.

use super::context::LoadContext;
use super::map::{MapContext, create};
use super::modules::ModuleFds;
use super::upload;
use crate::feature::Feature;
use crate::kernel::{self, advice, memlock};
use crate::kinds::MapFlags;
use crate::map::{Map, NewMap};
use crate::reloc::{MapPlan, Target};
use crate::{Error, ErrorKind, Result, TypeId};
use std::os::fd::AsFd;

impl Map {
    /// Creates a map without an object. It is freed when the last handle is dropped, unless it is pinned or something in the
    /// kernel refers to it.
    ///
    /// ```no_run
    /// use rawbpf::MapType;
    /// use rawbpf::map::{Map, NewMap};
    ///
    /// let map = Map::create(&NewMap::new(MapType::HASH, 4, 8, 1024).name("counts"))?;
    /// let counts = map.typed::<u32, u64>()?;
    /// # Ok::<(), rawbpf::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if the kernel does not accept the name; the kernel's refusal, with the broken rule of the map's type.
    #[doc(alias = "bpf_map_create")]
    pub fn create(new: &NewMap) -> Result<Self> {
        Self::create_for(new, &kernel::target())
    }

    /// [`Map::create`] for `target`, which describes the running kernel, with the permissions of its token. When creating
    /// many maps, one target probes the kernel's features only once.
    pub fn create_for(new: &NewMap, target: &Target) -> Result<Self> {
        let created = check_name(&new.name).and_then(|()| create_new(new, target));
        created.map_err(|e| match new.name.as_str() {
            "" => e.context(format!("new map of type {}", new.kind)),
            name => e.context(format!("map `{name}`")),
        })
    }
}

fn create_new(new: &NewMap, target: &Target) -> Result<Map> {
    memlock::ensure(target);
    let token = target.token()?;
    let types = new.types.as_ref();
    let btf = types.map(|types| upload::btf(types.btf.bytes(), token, upload::LOG_LIMIT));
    let btf = btf.transpose()?;
    let plan = plan(new);
    let given = match &new.inner {
        Some(inner) => LoadContext::new().inner_map(new.name.as_str(), inner)?,
        None => LoadContext::new(),
    };
    let context = MapContext {
        target,
        btf: btf.as_ref().map(AsFd::as_fd),
        without_btf: None,
        named: target.supports(Feature::ProgName),
        token,
        maps: &[],
        programs: &[],
        modules: &ModuleFds::default(),
        given: &given,
    };
    let fd = create(&context, &plan).map_err(|error| match advice::left_to_the_user(&plan) {
        Some(_) => error.with_hint("NewMap::new is told the sizes and the number of elements"),
        None => error,
    })?;
    let map = Map::new(fd, new.name.clone());
    if let Some(types) = types {
        map.set_types(types.clone());
    }
    Ok(map)
}

/// The plan of a map with these attributes.
fn plan(new: &NewMap) -> MapPlan {
    let mut flags = new.flags;
    if new.numa_node.is_some() {
        flags |= MapFlags::NUMA_NODE;
    }
    let type_of =
        |id: fn(&crate::map::MapTypes) -> TypeId| new.types.as_ref().map_or(TypeId::VOID, id);
    MapPlan {
        name: new.name.clone(),
        kernel_name: new.name.clone(),
        kind: new.kind,
        key_size: new.key_size,
        value_size: new.value_size,
        max_entries: new.max_entries,
        flags: flags.bits(),
        extra: new.extra,
        numa_node: new.numa_node.unwrap_or_default(),
        ifindex: new.ifindex,
        btf_key_type_id: type_of(|types| types.key),
        btf_value_type_id: type_of(|types| types.value),
        inner: new.inner.as_ref().map(template).map(Box::new),
        ..MapPlan::default()
    }
}

/// An existing map, as the template for the inner maps of a map of maps.
fn template(inner: &Map) -> MapPlan {
    MapPlan {
        name: inner.name().to_owned(),
        kind: inner.kind(),
        given: true,
        ..MapPlan::default()
    }
}

/// Letters, digits, dots and underscores.
fn check_name(name: &str) -> Result<()> {
    let refused = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    match name.chars().find(|c| refused(*c)) {
        None => Ok(()),
        Some(wrong) => {
            let message = format!("the kernel takes no name with {wrong:?} in it");
            Err(Error::new(ErrorKind::InvalidArgument, message)
                .with_hint("letters, digits, dots and underscores make a name"))
        }
    }
}
