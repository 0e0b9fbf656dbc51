//! Shared by several targets.

/// Splits bytes into a name, up to the first line break, and the rest.
pub fn name_and_rest(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (name, rest) = bytes.split_at(end);
    let name = String::from_utf8_lossy(name).into_owned();
    (name, rest.get(1..).unwrap_or_default())
}
