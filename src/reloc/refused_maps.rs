//! Predicts which maps a kernel is going to reject, without asking it.

use super::map_rules;
use super::plan::{LoadPlan, MapPlan};
use super::target::Target;
use crate::{Errno, Error, ErrorKind};

impl LoadPlan {
    /// The maps that the kernel is going to reject, according to the rules for their types: an error for each, with every
    /// rule that it breaks. Loading does not use this: the kernel has the last word.
    pub fn maps_to_be_refused(&self, target: &Target) -> Vec<Error> {
        let made = self.maps.iter();
        let made = made.filter(|map| map.autocreate && !map.given);
        let refused = made.filter_map(|map| {
            let (broken, inner) = broken_somewhere(map, target.page_size())?;
            let message = format!("the kernel is going to refuse it: {}", broken.join("; "));
            let error = Error::new(ErrorKind::InvalidArgument, message);
            let error = match inner {
                Some(inner) => error.context(format!("inner map `{}`", inner.name)),
                None => error,
            };
            Some(error.context(format!("map `{}`", map.name)))
        });
        refused.collect()
    }
}

/// The rules that a map or its template breaks, and the template if that is the one that breaks them.
fn broken_somewhere(map: &MapPlan, page_size: u32) -> Option<(Vec<String>, Option<&MapPlan>)> {
    // Here, the rules apply whatever error the kernel would return.
    let broken = |map| {
        Some(map_rules::broken(Errno::EINVAL, map, page_size)).filter(|rules| !rules.is_empty())
    };
    if let Some(rules) = broken(map) {
        return Some((rules, None));
    }
    let inner = map.inner.as_deref().filter(|inner| !inner.given)?;
    Some((broken(inner)?, Some(inner)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{kernel, object};
    use super::*;
    use crate::KernelVersion;
    use crate::kinds::MapType;

    #[test]
    fn maps_and_their_templates_are_judged_without_the_kernel() {
        let target = kernel(KernelVersion::new(6, 1, 0), |_| {});
        let named = |name: &str, map: MapPlan| MapPlan {
            name: name.into(),
            autocreate: true,
            ..map
        };
        let plan = |kind, key_size| MapPlan {
            kind,
            key_size,
            value_size: 4,
            max_entries: 1,
            ..MapPlan::default()
        };
        let good = named("good", plan(MapType::HASH, 4));
        let bad = named("bad", plan(MapType::ARRAY, 8));
        let holder = MapPlan {
            inner: Some(Box::new(bad.clone())),
            ..named("holder", plan(MapType::HASH_OF_MAPS, 4))
        };
        let deep = MapPlan {
            inner: Some(Box::new(MapPlan {
                inner: Some(Box::new(good.clone())),
                ..named("middle", plan(MapType::ARRAY_OF_MAPS, 4))
            })),
            ..named("deep", plan(MapType::ARRAY_OF_MAPS, 4))
        };
        let left_out = MapPlan {
            autocreate: false,
            ..bad.clone()
        };
        let judged = |maps| {
            let mut plan = object().relocate(&target).unwrap();
            plan.maps = maps;
            let errors = plan.maps_to_be_refused(&target);
            errors.iter().map(Error::to_string).collect::<Vec<_>>()
        };
        assert!(judged(vec![good, left_out]).is_empty());
        let words = "a map of type array has a key of 4 bytes: key_size must not be 8";
        assert_eq!(
            judged(vec![bad, holder, deep]),
            [
                format!("map `bad`: the kernel is going to refuse it: {words}"),
                format!("map `holder`: inner map `bad`: the kernel is going to refuse it: {words}"),
                "map `deep`: the kernel is going to refuse it: a map of type array_of_maps holds maps that hold no maps themselves".to_owned(),
            ]
        );
    }
}
