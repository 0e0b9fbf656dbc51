//! The elements of a map, decoded.

use crate::show::json::Hex;
use rawbpf::btf::Value;
use rawbpf::map::{Map, MapTypes};
use rawbpf::symbols::{Frame, StackEntry, Symbolizer};
use rawbpf::{Error, ErrorKind, MapFlags, MapType, Result, TypeId};

/// One element; of a per-CPU map, possibly the value of one CPU.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) key: Value,
    pub(crate) cpu: Option<usize>,
    pub(crate) value: Value,
}

/// Refuses a map whose elements cannot be listed, with the reason.
pub(crate) fn check_kind(name: &str, kind: MapType) -> Result<()> {
    let why = match kind {
        MapType::RINGBUF | MapType::PERF_EVENT_ARRAY => {
            "its events are printed as they arrive, without --map"
        }
        MapType::QUEUE | MapType::STACK | MapType::BLOOM_FILTER | MapType::USER_RINGBUF => {
            "its elements have no keys"
        }
        MapType::ARENA | MapType::STRUCT_OPS | MapType::CGROUP_ARRAY => "it cannot be read by key",
        kind if kind.is_local_storage() => "its keys are descriptors, which cannot be listed",
        _ => return Ok(()),
    };
    let message = format!("map `{name}` of type {kind} cannot be shown as a table: {why}");
    Err(Error::new(ErrorKind::InvalidArgument, message))
}

/// The elements with these keys. Per-CPU values are added up where they are numbers, unless each is asked for.
pub(crate) fn read(
    map: &Map,
    keys: impl Iterator<Item = Result<Vec<u8>>>,
    each_cpu: bool,
) -> Result<Vec<Element>> {
    let types = map.types()?;
    let mut elements = Vec::new();
    for key in keys {
        let key = key?;
        if map.kind().is_per_cpu() {
            let Some(values) = map.get_per_cpu(&key)? else {
                continue;
            };
            let values = values.iter().map(|bytes| decode(types, false, bytes));
            elements.extend(of_cpus(
                &decode(types, true, &key),
                values.collect(),
                each_cpu,
            ));
        } else if let Some(value) = map.get(&key)? {
            elements.push(Element {
                key: decode(types, true, &key),
                cpu: None,
                value: decode(types, false, &value),
            });
        }
    }
    Ok(elements)
}

/// The element's values one by one, or their sum.
fn of_cpus(key: &Value, values: Vec<Value>, each_cpu: bool) -> Vec<Element> {
    let element = |cpu, value| Element {
        key: key.clone(),
        cpu,
        value,
    };
    let mut rest = values.iter();
    let mut total = rest.next().cloned().unwrap_or(Value::Missing);
    if !each_cpu && rest.all(|value| add(&mut total, value)) {
        return vec![element(None, total)];
    }
    let values = values.into_iter().enumerate();
    values
        .map(|(cpu, value)| element(Some(cpu), value))
        .collect()
}

/// Adds numbers member by member; returns whether there were only numbers.
fn add(total: &mut Value, other: &Value) -> bool {
    match (total, other) {
        (Value::Int(sum), Value::Int(n)) => *sum = sum.wrapping_add(*n),
        (Value::Uint(sum), Value::Uint(n)) => *sum = sum.wrapping_add(*n),
        (Value::Array(sums), Value::Array(all)) => {
            return sums.iter_mut().zip(all).all(|(sum, n)| add(sum, n));
        }
        (Value::Struct(sums), Value::Struct(all)) => {
            return sums
                .iter_mut()
                .zip(all)
                .all(|((_, sum), (_, n))| add(sum, n));
        }
        _ => return false,
    }
    true
}

/// Decodes by type; without one, bytes as wide as a number are shown as a number.
fn decode(types: Option<&MapTypes>, is_key: bool, bytes: &[u8]) -> Value {
    let decoded = types.and_then(|types| {
        let id = if is_key { types.key } else { types.value };
        let known = id != TypeId::VOID;
        known.then(|| types.btf.decode(id, bytes).ok()).flatten()
    });
    decoded.unwrap_or_else(|| number(bytes).unwrap_or_else(|| Value::Text(Hex(bytes).to_string())))
}

fn number(bytes: &[u8]) -> Option<Value> {
    let number = match *bytes {
        [a] => a.into(),
        [a, b] => u16::from_ne_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]).into(),
        _ => u64::from_ne_bytes(bytes.try_into().ok()?).into(),
    };
    Some(Value::Uint(number))
}

/// The call stacks of a stack-trace map: each frame's function, innermost first, with files and lines where known.
///
/// The map does not record which process user-space addresses belong to: they remain numbers unless the user names it.
pub(crate) fn read_stacks(
    map: &Map,
    keys: impl Iterator<Item = Result<Vec<u8>>>,
    names: &mut Symbolizer,
    process: Option<u32>,
) -> Result<Vec<Element>> {
    let by_build_id = map.flags().contains(MapFlags::STACK_BUILD_ID);
    let mut stacks = Vec::new();
    for key in keys {
        let key = key?;
        let Some(bytes) = map.get(&key)? else {
            continue;
        };
        let frames = if by_build_id {
            names.build_ids(&StackEntry::parse_all(&bytes))
        } else {
            frames(&bytes, names, process)
        };
        let frames = frames.iter().map(|frame| Value::Text(frame.to_string()));
        stacks.push(Element {
            key: decode(None, true, &key),
            cpu: None,
            value: Value::Array(frames.collect()),
        });
    }
    Ok(stacks)
}

fn frames(bytes: &[u8], names: &mut Symbolizer, process: Option<u32>) -> Vec<Frame> {
    let (addresses, _) = bytes.as_chunks::<8>();
    let addresses = addresses
        .iter()
        .map(|address| u64::from_ne_bytes(*address))
        .take_while(|address| *address != 0);
    let addresses: Vec<u64> = addresses.collect();
    // The upper half of the address space is the kernel's. One stack contains addresses of one half only.
    match (addresses.first(), process) {
        (Some(first), Some(pid)) if first >> 63 == 0 => names.process(pid, &addresses),
        _ => names.kernel(&addresses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawbpf::symbols::Symbols;

    #[test]
    fn numbers_of_all_cpus_are_added_up() {
        let value = |n| {
            Value::Struct(vec![
                ("packets".into(), Value::Uint(n)),
                ("sizes".into(), Value::Array(vec![Value::Int(-1)])),
            ])
        };
        let values = vec![value(1), value(2), value(3)];
        let sum = of_cpus(&Value::Uint(9), values.clone(), false);
        assert_eq!(sum.len(), 1);
        assert_eq!(sum[0].value.to_string(), "{packets: 6, sizes: [-3]}");
        let each = of_cpus(&Value::Uint(9), values, true);
        assert_eq!(
            each.iter().map(|e| e.cpu.unwrap()).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        let texts = vec![Value::Text("a".into()), Value::Text("b".into())];
        assert_eq!(
            of_cpus(&Value::Uint(9), texts, false).len(),
            2,
            "text has no sum"
        );
    }

    #[test]
    fn frames_have_names_in_the_kernel_only() {
        let kernel = Symbols::from_kallsyms(b"ffffffff81000000 T _text\n");
        let mut names = Symbolizer::new(kernel);
        let mut shown = |stack: &[u64], process| {
            let stack: Vec<u8> = stack.iter().flat_map(|a| a.to_ne_bytes()).collect();
            let frames = frames(&stack, &mut names, process);
            frames.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let stack = [0xffff_ffff_8100_0010, 0x5555_0000, 0, 7];
        assert_eq!(shown(&stack, None), ["_text+0x10", "0x55550000"]);
        let here = frames as *const () as u64;
        let own = std::process::id();
        assert_eq!(shown(&[here], None), [format!("{here:#x}")]);
        let named = shown(&[here], Some(own));
        assert!(
            named[0].contains("frames") && named[0].contains("elements.rs:"),
            "{named:?}"
        );
        assert_eq!(shown(&[], Some(own)), [""; 0]);
    }

    #[test]
    fn maps_without_keys_are_refused_with_the_reason() {
        let error = check_kind("q", MapType::QUEUE).unwrap_err().to_string();
        assert!(
            error.contains("`q` of type queue") && error.contains("no keys"),
            "{error}"
        );
        check_kind("h", MapType::HASH).unwrap();
    }
}
