//! Opens arbitrary bytes as an object and looks at everything in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::OpenObject;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut object) = OpenObject::from_bytes(bytes) else {
        return;
    };
    for variable in object.variables() {
        // Larger ones are made of zeros when they are asked for, which costs what it must.
        if variable.size() <= 4 << 20 {
            assert!(object.value_of(variable).len() <= 4 << 20);
        }
    }
    for program in object.programs() {
        let _ = rawbpf::insn::disassemble(object.instructions(program));
    }
    let _ = object.core_relocations().count();
    // Setting a variable allocates the whole section that it is in.
    if object.maps().iter().any(|map| map.value_size() > 1 << 28) {
        return;
    }
    let names: Vec<String> = object
        .variables()
        .iter()
        .map(|v| v.name().to_string())
        .collect();
    for name in names.iter().take(16) {
        if let Ok(mut variable) = object.variable_mut(name) {
            let _ = variable.set_from_text("1");
        }
    }
    let maps: Vec<String> = object.maps().iter().map(|m| m.name().to_string()).collect();
    for name in maps.iter().take(4) {
        if let Ok(mut map) = object.map_mut(name) {
            let _ = map.set_value_size(4096);
        }
    }
});
