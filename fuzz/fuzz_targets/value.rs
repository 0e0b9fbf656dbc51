//! Reads the first half of arbitrary bytes as types, and the rest as a value of each: as text, JSON and a table row.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::Btf;
use rawbpf::btf::value::Columns;

fuzz_target!(|bytes: &[u8]| {
    let Some((len, rest)) = bytes.split_first_chunk() else {
        return;
    };
    let len = usize::from(u16::from_le_bytes(*len));
    let Some((types, value)) = rest.split_at_checked(len) else {
        return;
    };
    let Ok(btf) = Btf::parse(types) else {
        return;
    };
    for ty in btf.types().take(64) {
        let Ok(decoded) = btf.decode(ty.id(), value) else {
            continue;
        };
        let columns = Columns::for_type(&btf, ty.id(), &decoded);
        let _ = (columns.heading(), columns.row(&decoded));
        let _ = (decoded.to_string(), decoded.json().to_string());
    }
});
