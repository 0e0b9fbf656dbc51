//! Untrusted files: whatever names are in them, the command prints nothing that a terminal would obey, and uses no more
//! memory than the file justifies.

#[path = "../../tests/hostile/object.rs"]
mod object;

use object::{EXIT, FUNC, OBJECT, Object, Place, btf_ext};
use rawbpf::btf::{BtfBuilder, Linkage, VarSecinfo};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Sets a terminal's title and colours, deletes, reverses the direction of text.
const ORDERS: &str = "\u{1b}]0;x\u{7}\u{9b}31m\u{7f}\u{202e}\u{2066}\r";

fn named(name: &str) -> String {
    format!("{name}{ORDERS}")
}

/// An object in which every name contains terminal controls. Its first program can be planned.
fn with_orders_in_names() -> Object {
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, 1);
    let own = b.add_int(&named("type"), 4, 1);
    let wanted = b.add_struct(&named("wanted"), 4, [(named("member").as_str(), int, 0)]);
    let length = b.add_array(int, int, 2);
    let length = b.add_ptr(length);
    let definition = b.add_struct("", 16, &[("type", length, 0), ("max_entries", length, 64)]);
    let map = b.add_var(&named("map"), Linkage::Global, definition);
    let variable = b.add_var(&named("variable"), Linkage::Global, own);
    for (section, var, size) in [(".maps", map, 16), (".data", variable, 4)] {
        let place = VarSecinfo {
            type_id: var,
            offset: 0,
            size,
        };
        b.add_datasec(section, size, &[place]);
    }
    let section = b.add_string("socket");
    let access = b.add_string("0:0");
    let core = [vec![16, wanted.0, access, 0]];

    let mut object = Object::default();
    let load = [0x18, 1, 0, 0, 0, 0, 0, 0].into_iter().chain([0; 8]);
    let code: Vec<u8> = load
        .chain([0xb7, 1, 0, 0, 0, 0, 0, 0])
        .chain(EXIT)
        .collect();
    let size = code.len();
    let first = object.add_code("socket", code);
    let second = object.add_code(named("unknown"), EXIT.to_vec());
    let third = object.add_code(named("fentry/function"), EXIT.to_vec());
    let maps = object.add(".maps", 3, vec![0; 16]);
    let data = object.add(".data", 3, vec![1; 4]);
    object.add("license", 0, named("GPL\n").into_bytes());
    object.add(".BTF", 0, b.finish().unwrap());
    object.add(
        ".BTF.ext",
        0,
        btf_ext(section, [(8, &[]), (16, &[]), (16, &core)]),
    );
    let mut symbol = |name: &str, kind, section, size| {
        let name = object.add_string(named(name));
        object.add_symbol(
            name,
            kind,
            Place {
                section,
                at: 0,
                size,
            },
        )
    };
    symbol("second", FUNC, second, 8);
    symbol("third", FUNC, third, 8);
    symbol("variable", OBJECT, data, 4);
    let map = symbol("map", OBJECT, maps, 16);
    symbol("first", FUNC, first, size);
    object.add_relocations(first, &[(0, map, 1)]);
    object
}

fn rawbpf(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    command.args(arguments).output().unwrap()
}

/// The printed text, which contains nothing that a terminal would obey.
fn harmless(bytes: Vec<u8>, of: &[&str]) -> String {
    let text = String::from_utf8(bytes).expect("text");
    let order = text.chars().find(|c| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(order, None, "{of:?}: {text:?}");
    text
}

#[test]
fn no_name_gives_orders_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let object = with_orders_in_names();
    let btf = object.sections.iter().find(|s| s.name == b".BTF").unwrap();
    let btf = write("kernel", btf.data.clone());
    let object = write(&named("x.bpf.o"), object.bytes());
    let missing = folder.path().join(named("missing"));
    let text: [&[&str]; 8] = [
        &["inspect", &object],
        &["plan", &object, "--btf", &btf],
        &["plan", "--all", &object, "--btf", &btf],
        &["load", &object],
        &["load", "--each", "--log-level", "1", &object],
        &["run", "--duration", "1", &object],
        &["run", "--map", ORDERS, "--event", "map=x", &object],
        &["inspect", missing.to_str().unwrap()],
    ];
    for arguments in text {
        let output = rawbpf(arguments);
        let printed = [output.stdout, output.stderr].map(|bytes| harmless(bytes, arguments));
        assert!(
            printed.concat().contains("\\u{1b}]0;x"),
            "{arguments:?}: {printed:?}"
        );
    }
    let json: [&[&str]; 4] = [
        &["inspect", "--json", &object],
        &["plan", "--json", &object, "--btf", &btf],
        &["load", "--json", &object],
        &["load", "--json", "--each", &object],
    ];
    for arguments in json {
        let output = rawbpf(arguments);
        harmless(output.stderr, arguments);
        let printed = harmless(output.stdout, arguments);
        let document: Value = serde_json::from_str(&printed).expect("JSON");
        let program = &document["programs"][0]["name"];
        assert_eq!(program.as_str().unwrap(), named("first"), "{arguments:?}");
    }
    let printed = harmless(rawbpf(&["inspect", &object]).stdout, &[]);
    for name in [
        "first", "second", "third", "map", "variable", "type", "wanted", "unknown",
    ] {
        let shown =
            format!("{name}\\u{{1b}}]0;x\\u{{7}}\\u{{9b}}31m\\u{{7f}}\\u{{202e}}\\u{{2066}}\\r");
        assert!(printed.contains(&shown), "{name}: {printed}");
    }
}

/// What a command prints about a file, within a memory limit.
fn within(kilobytes: u32, arguments: &str, file: &Path) -> Vec<u8> {
    let script = format!("ulimit -v {kilobytes}; exec \"$0\" {arguments} \"$1\"");
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_rawbpf")])
        .arg(file)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {message}");
    output.stdout
}

/// 20 000 relocations to one type with a megabyte name: a table of all rows would take twenty gigabytes.
#[test]
fn a_long_name_is_not_copied_for_each_relocation() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.bpf.o");
    for (name_len, is_shown) in [(1 << 20, false), (500, true)] {
        fs::write(&file, object::relocated_to_long_name(20_000, name_len)).unwrap();
        for arguments in ["inspect", "inspect --json"] {
            let printed = String::from_utf8(within(200_000, arguments, &file)).unwrap();
            let of_each = printed.len() / 20_000;
            assert!((20..1_500).contains(&of_each), "{of_each} bytes for each");
            let is_there = printed.contains(&"a".repeat(name_len));
            assert_eq!(is_there, is_shown, "{arguments}");
        }
    }
}
