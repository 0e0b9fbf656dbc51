//! Plans as plain data: copied, changed, loaded more than once, with holes filled by the caller.

use crate::support::{Need, fixture};
use rawbpf::load::{LoadContext, LoadOptions, Object};
use rawbpf::map::{Map, NewMap};
use rawbpf::reloc::Target;
use rawbpf::{ErrorKind, MapType, OpenObject};

#[test]
fn a_plan_gives_the_object_that_its_file_would() {
    require!(Need::Bpf, Need::Btf, Need::Linux(5, 5));
    let open = || OpenObject::from_file(fixture("globals.bpf.o")).unwrap();
    let target = Target::running();
    let plan = open().relocate(&target).unwrap();
    let of_plan = plan.load(&target).unwrap();
    let of_file = open().load().unwrap();
    let names = |object: &Object| -> Vec<String> {
        let all = object.variables().iter();
        all.map(|variable| variable.name().to_owned()).collect()
    };
    assert!(!names(&of_plan).is_empty());
    assert_eq!(names(&of_plan), names(&of_file));
    let blob = |object: &Object| object.btf().unwrap().bytes().to_vec();
    assert_eq!(blob(&of_plan), blob(&of_file));
    assert_eq!(of_plan.live::<u32>("counter").unwrap().get(), 7);
    let types = |object: &Object| {
        let types = object.map(".data").unwrap().types().unwrap();
        types.map(|types| (types.key, types.value))
    };
    assert!(types(&of_plan).is_some());
    assert_eq!(types(&of_plan), types(&of_file));
}

#[test]
fn a_plan_is_copied_changed_and_loaded_again() {
    require!(Need::Bpf, Need::Btf);
    let target = Target::running();
    let open = OpenObject::from_file(fixture("globals.bpf.o")).unwrap();
    let plan = open.relocate(&target).unwrap();
    let mut other = plan.clone();
    other.object_name = "other".to_owned();
    for program in &mut other.programs {
        program.autoload = false;
    }
    let [first, second] = [&plan, &other].map(|plan| plan.load(&target).unwrap());
    assert!(!first.programs().is_empty());
    assert!(second.programs().is_empty());
    assert_eq!(second.name(), "other");
    assert_ne!(
        first.map(".data").unwrap().id().unwrap(),
        second.map(".data").unwrap().id().unwrap()
    );
}

fn counter() -> Map {
    Map::create(&NewMap::new(MapType::ARRAY, 4, 8, 1)).unwrap()
}

#[test]
fn a_hole_of_a_plan_is_filled_when_it_is_loaded() {
    require!(Need::Bpf, Need::Btf);
    let (map, another) = (counter(), counter());
    let target = Target::running();
    let mut open = OpenObject::from_file(fixture("maps_pinned.bpf.o")).unwrap();
    let mut own = open.map_mut("rawbpf_pinned").unwrap();
    own.set_pin_path(None).reuse(&map).unwrap();
    let plan = open.relocate(&target).unwrap();
    let hole = plan.maps.iter().find(|map| map.given);
    assert_eq!(hole.unwrap().name, "rawbpf_pinned");

    let empty = plan.load(&target).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::InvalidArgument, "{empty}");
    assert!(empty.to_string().contains("map `rawbpf_pinned`"), "{empty}");
    assert!(
        empty.hint().unwrap().contains("LoadContext::map"),
        "{empty}"
    );

    let load = |context| {
        let options = LoadOptions::new().context(context);
        let object = plan.load_with(&target, &options).unwrap();
        object.map("rawbpf_pinned").unwrap().id().unwrap()
    };
    assert_eq!(load(LoadContext::of(&open)), map.id().unwrap());
    let other = LoadContext::new().map("rawbpf_pinned", &another).unwrap();
    assert_eq!(load(other), another.id().unwrap());
}
