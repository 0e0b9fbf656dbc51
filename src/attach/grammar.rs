//! What follows the slash in a section name: where a program is to be attached.
//!
//! Pure. Without a target in its section name, a program has to be attached by call.

use crate::{Error, ErrorKind, Result};

/// `function` or `function+offset`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FunctionPlace<'s> {
    pub(super) function: &'s str,
    pub(super) offset: u64,
}

/// `binary:function+offset`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BinaryPlace<'s> {
    pub(super) binary: &'s str,
    pub(super) at: FunctionPlace<'s>,
}

/// What follows the first slash; `None` if there is none.
pub(super) fn tail(section: &str) -> Option<&str> {
    section.split_once('/').map(|(_, tail)| tail)
}

/// `vfs_read`, `vfs_read+0x10`, `veth:veth_xmit`: the module, if any, and the function. libbpf accepts no module here.
#[doc(alias = "attach_kprobe")]
pub(super) fn kernel_function(tail: &str) -> Result<(Option<&str>, FunctionPlace<'_>)> {
    let (module, function) = module_and_rest(tail);
    let place = function_and_offset(function)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let is_name = |name: &str| !name.is_empty() && name.chars().all(plain);
    if !is_name(place.function) || !module.is_none_or(is_name) {
        return Err(bad(
            tail,
            "a kernel function, as in `vfs_read`, `vfs_read+0x10` or `module:function`",
        ));
    }
    Ok((module, place))
}

/// What precedes a colon, and what follows it.
pub(super) fn module_and_rest(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((module, rest)) => (Some(module), rest),
        None => (None, text),
    }
}

/// `/usr/bin/bash:readline`, `libc.so.6:malloc+4`
#[doc(alias = "attach_uprobe")]
pub(super) fn user_function(tail: &str) -> Result<BinaryPlace<'_>> {
    let wanted = "a file and a function in it, as in `/usr/bin/bash:readline`";
    let (binary, function) = tail.split_once(':').ok_or_else(|| bad(tail, wanted))?;
    // A name may contain a `+`.
    let at = function_and_offset(function).unwrap_or(FunctionPlace {
        function,
        offset: 0,
    });
    if binary.is_empty() || at.function.is_empty() {
        return Err(bad(tail, wanted));
    }
    Ok(BinaryPlace { binary, at })
}

/// `tcp_*`, `veth:veth_*`
#[doc(alias = "attach_kprobe_multi")]
pub(super) fn kernel_glob(tail: &str) -> Result<&str> {
    let (module, pattern) = module_and_rest(tail);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let is_pattern = |c: char| plain(c) || c == '*' || c == '?';
    let is_module = |name: &str| !name.is_empty() && name.chars().all(plain);
    if pattern.is_empty() || !pattern.chars().all(is_pattern) || !module.is_none_or(is_module) {
        return Err(bad(
            tail,
            "a pattern of kernel functions, as in `tcp_*` or `module:function_*`",
        ));
    }
    Ok(tail)
}

/// `libc.so.6:mem*`
#[doc(alias = "attach_uprobe_multi")]
pub(super) fn user_glob(tail: &str) -> Result<(&str, &str)> {
    match tail.split_once(':') {
        Some((binary, pattern)) if !binary.is_empty() && !pattern.is_empty() => {
            Ok((binary, pattern))
        }
        _ => Err(bad(
            tail,
            "a file and a pattern of its functions, as in `libc.so.6:mem*`",
        )),
    }
}

/// `sched/sched_switch`
#[doc(alias = "attach_tp")]
pub(super) fn tracepoint(tail: &str) -> Result<(&str, &str)> {
    match tail.split_once('/') {
        Some((category, name)) if !category.is_empty() && !name.is_empty() => Ok((category, name)),
        _ => Err(bad(
            tail,
            "a tracepoint with its category, as in `sched/sched_switch`",
        )),
    }
}

/// `/usr/bin/python3:python:gc__start`
#[doc(alias = "attach_usdt")]
pub(super) fn usdt(tail: &str) -> Result<[&str; 3]> {
    let parts: Vec<&str> = tail.split(':').collect();
    match parts[..] {
        [binary, provider, name] if parts.iter().all(|part| !part.is_empty()) => {
            Ok([binary, provider, name])
        }
        _ => Err(bad(
            tail,
            "a file, a provider and a probe, as in `/usr/bin/python3:python:gc__start`",
        )),
    }
}

fn function_and_offset(text: &str) -> Result<FunctionPlace<'_>> {
    let Some((function, offset)) = text.rsplit_once('+') else {
        return Ok(FunctionPlace {
            function: text,
            offset: 0,
        });
    };
    let offset = number(offset).ok_or_else(|| bad(text, "a number of bytes after the `+`"))?;
    Ok(FunctionPlace { function, offset })
}

/// A number in C notation: `16`, `0x10`, `020`.
fn number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

fn bad(text: &str, wanted: &str) -> Error {
    Error::new(
        ErrorKind::InvalidObject,
        format!("the section's name ends in `{text}`, which is not {wanted}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(function: &str, offset: u64) -> FunctionPlace<'_> {
        FunctionPlace { function, offset }
    }

    #[test]
    fn kernel_functions_may_have_an_offset_of_any_base() {
        let of = |text| match kernel_function(text).ok()? {
            (None, place) => Some(place),
            (Some(_), _) => None,
        };
        assert_eq!(of("vfs_read"), Some(place("vfs_read", 0)));
        assert_eq!(
            of("vfs_read.isra.0+0x10"),
            Some(place("vfs_read.isra.0", 16))
        );
        assert_eq!(of("f+8"), Some(place("f", 8)));
        assert_eq!(of("f+010"), Some(place("f", 8)));
        assert_eq!(of("f+0"), Some(place("f", 0)));
        for bad in [
            "", "+4", "f+", "f+x", "f+-1", "f*", "a b", ":f", "m:", "m:n:f", "m*:f",
        ] {
            assert!(kernel_function(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kernel_functions_may_have_a_module() {
        let of = |text| kernel_function(text).expect("a place");
        assert_eq!(of("veth:veth_xmit"), (Some("veth"), place("veth_xmit", 0)));
        assert_eq!(of("vmlinux:f+4"), (Some("vmlinux"), place("f", 4)));
        assert_eq!(kernel_glob("veth:veth_*").ok(), Some("veth:veth_*"));
        for bad in ["veth:", ":v*", "v*:v", "a:b:c"] {
            assert!(kernel_glob(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn user_functions_have_a_file() {
        let parsed = user_function("/usr/bin/bash:readline+0x4").expect("a place");
        assert_eq!(
            (parsed.binary, parsed.at),
            ("/usr/bin/bash", place("readline", 4))
        );
        let versioned = user_function("libc.so.6:memcpy@@GLIBC_2.14").expect("a place");
        assert_eq!(versioned.at, place("memcpy@@GLIBC_2.14", 0));
        for name in [
            "main.(*T).Run",
            "core::fn<u8>",
            "f+z",
            "x/y.F[go.shape.int]",
        ] {
            let text = format!("./server:{name}");
            let parsed = user_function(&text).expect("a place");
            assert_eq!((parsed.binary, parsed.at), ("./server", place(name, 0)));
        }
        for bad in ["/bin/bash", ":f", "/bin/bash:"] {
            assert!(user_function(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn patterns_have_stars() {
        assert_eq!(kernel_glob("tcp_?4*").ok(), Some("tcp_?4*"));
        assert!(kernel_glob("tcp-*").is_err() && kernel_glob("").is_err());
        assert_eq!(
            user_glob("libc.so.6:mem*").ok(),
            Some(("libc.so.6", "mem*"))
        );
        assert!(user_glob("libc.so.6").is_err() && user_glob(":x").is_err());
    }

    #[test]
    fn usdt_probes_have_three_names() {
        assert_eq!(
            usdt("/usr/bin/python3:python:gc__start").ok(),
            Some(["/usr/bin/python3", "python", "gc__start"])
        );
        for bad in ["", "a", "a:b", ":b:c", "a::c", "a:b:", "a:b:c:d"] {
            assert!(usdt(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tracepoints_have_a_category() {
        assert_eq!(
            tracepoint("sched/sched_switch").ok(),
            Some(("sched", "sched_switch"))
        );
        assert!(tracepoint("sched_switch").is_err());
        assert!(tracepoint("sched/").is_err());
    }

    #[test]
    fn a_bare_section_has_no_tail() {
        assert_eq!(tail("kprobe"), None);
        assert_eq!(tail("kprobe/f"), Some("f"));
        assert_eq!(tail("uprobe//bin/sh:main"), Some("/bin/sh:main"));
    }
}
