//! The instruction streams that the reference passes to the kernel, captured with strace.
//!
//! `strace -v -X raw` prints every field of every instruction of a `BPF_PROG_LOAD`. A loader must produce the result bit for
//! bit, except for the numbers of file descriptors, which are set to zero here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The programs that the reference tries to load from an object: a line each, name and hex.
///
/// It stops at the first program that the running kernel refuses, which is the last one here.
pub(crate) fn of_object(command: &Command) -> Result<Vec<String>> {
    let trace = tempfile::NamedTempFile::new()?;
    let mut strace = Command::new("strace");
    strace
        .args(["-v", "-X", "raw", "-s", "64", "-e", "trace=bpf", "-o"])
        .arg(trace.path());
    let output = strace
        .arg(command.get_program())
        .args(command.get_args())
        .output();
    output.context("running strace (Debian: apt-get install strace)")?;
    programs(trace.path())
}

fn programs(trace: &Path) -> Result<Vec<String>> {
    let text = String::from_utf8_lossy(&fs::read(trace)?).into_owned();
    let (mut streams, mut seen) = (Vec::new(), BTreeSet::new());
    for call in text.lines().filter(|line| line.starts_with("bpf(0x5, ")) {
        let Some(name) = between(call, "prog_name=\"", "\"") else {
            continue;
        };
        // The reference's own probes have no name or one of these; a refused program appears twice.
        let probe = name.is_empty() || name == "libbpf_nametest" || name == "det_arg_ctx";
        if probe || !seen.insert(name.to_owned()) {
            continue;
        }
        let list = between(call, "insns=[{", "}]").context("a load without instructions")?;
        streams.push(format!("{name} {}", hex(list)?));
    }
    Ok(streams)
}

/// The text between the first occurrences of two others.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

/// The bytes of instructions that strace printed, in hex.
fn hex(list: &str) -> Result<String> {
    let mut stream = String::new();
    for insn in list.split("}, {") {
        let insn = bytes(insn).with_context(|| format!("an instruction like `{insn}`"))?;
        stream.extend(insn.map(|byte| format!("{byte:02x}")));
    }
    ensure!(!stream.is_empty(), "a program without instructions");
    Ok(stream)
}

/// `code=0|0x18|0, dst_reg=0x1, src_reg=0x2, off=0, imm=0x4`, as the kernel's eight bytes.
fn bytes(insn: &str) -> Option<[u8; 8]> {
    let mut fields = insn
        .split(", ")
        .map(|field| field.split_once('=').map(|(_, value)| value));
    let mut next = || fields.next().flatten();
    // strace adds a comment to what it does not know.
    let code = next()?.split(" /*").next()?.split('|');
    let code = code
        .map(number)
        .try_fold(0, |code, part| Some(code | part?))?;
    let (dst, src) = (number(next()?)?, number(next()?)?);
    let (off, imm) = (number(next()?)?, number(next()?)?);
    let (code, src) = (u8::try_from(code).ok()?, u8::try_from(src).ok()?);
    let off = i16::try_from(off).ok()?.to_le_bytes();
    // The first half of a 64-bit load from a map, or from its value: a file descriptor.
    let descriptor = code == 0x18 && (src == 1 || src == 2);
    let imm = if descriptor {
        0
    } else {
        u32::try_from(imm & 0xffff_ffff).ok()?
    }
    .to_le_bytes();
    let registers = u8::try_from(dst).ok()? | src << 4;
    Some([
        code, registers, off[0], off[1], imm[0], imm[1], imm[2], imm[3],
    ])
}

/// A number as strace prints it: decimal, or hexadecimal after `0x`.
fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_become_bytes() {
        let list = "code=0x5|0|0x80, dst_reg=0, src_reg=0, off=0, imm=0xe}, \
                    {code=0x6|0x58 /* BPF_??? */, dst_reg=0x1, src_reg=0, off=-13, imm=0xffffffff";
        assert_eq!(hex(list).unwrap(), "850000000e0000005e01f3ffffffffff");
    }

    #[test]
    fn descriptors_become_zero() {
        let value = "code=0|0x18|0, dst_reg=0x1, src_reg=0x2, off=0, imm=0x4";
        assert_eq!(bytes(value).unwrap(), [0x18, 0x21, 0, 0, 0, 0, 0, 0]);
        let number = "code=0|0x18|0, dst_reg=0x1, src_reg=0, off=0, imm=0x4";
        assert_eq!(bytes(number).unwrap(), [0x18, 0x01, 0, 0, 4, 0, 0, 0]);
    }

    #[test]
    fn probes_and_second_tries_are_left_out() {
        let trace = tempfile::NamedTempFile::new().unwrap();
        let call = |name: &str| {
            format!(
                "bpf(0x5, {{prog_type=0x1, insn_cnt=1, insns=[{{code=0x5|0|0x90, dst_reg=0, \
                 src_reg=0, off=0, imm=0}}], license=\"GPL\", prog_name=\"{name}\"}}, 168) = 3\n"
            )
        };
        let lines = [call(""), call("libbpf_nametest"), call("ask"), call("ask")].concat();
        fs::write(trace.path(), lines).unwrap();
        assert_eq!(programs(trace.path()).unwrap(), ["ask 9500000000000000"]);
    }
}
