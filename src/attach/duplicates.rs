//! Kernel functions whose name is not unique: static functions in different files or modules.

use crate::reloc::Target;
use crate::symbols;
use crate::{Error, ErrorKind, Result, did_you_mean};

/// The name that represents the kernel itself where a module's name is expected.
pub(super) const KERNEL: &str = "vmlinux";
/// How many are listed in a message.
const LISTED: usize = 8;

/// One of the functions with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Function {
    /// Zero if the kernel hides it.
    address: u64,
    module: String,
}

/// All functions with this name.
fn functions(kernel: &Target, name: &str) -> Result<Vec<Function>> {
    let mut found = Vec::new();
    kernel.kallsyms(&mut |symbol| {
        if symbol.name == name && symbol.is_function() {
            found.push(Function {
                address: symbol.address,
                module: symbol.module.unwrap_or(KERNEL).to_owned(),
            });
        }
    })?;
    Ok(found)
}

/// The address of the only function with this name in a module (or the kernel itself).
pub(super) fn in_module(kernel: &Target, name: &str, module: &str) -> Result<u64> {
    let all = functions(kernel, name)?;
    let here: Vec<&Function> = all.iter().filter(|f| f.module == module).collect();
    match here[..] {
        [Function { address: 0, .. }, ..] => {
            let what = format!("cannot find the function `{name}` of `{module}`");
            Err(symbols::hidden(&what))
        }
        [function] => Ok(function.address),
        [] => {
            let near = did_you_mean(module, all.iter().map(|f| f.module.as_str()));
            let elsewhere = match all.first() {
                Some(other) if near.is_empty() => format!("; it is in `{}`", other.module),
                _ => near,
            };
            let message = format!("there is no function `{name}` in `{module}`{elsewhere}");
            Err(Error::new(ErrorKind::NotFound, message)
                .with_hint("`vmlinux` means the kernel proper; is the module loaded?"))
        }
        _ => Err(several(name, &here)),
    }
}

/// Explains why the kernel does not choose one of several functions.
#[cold]
pub(super) fn ambiguous(kernel: &Target, name: &str) -> Error {
    let all = functions(kernel, name).unwrap_or_default();
    several(name, &all.iter().collect::<Vec<_>>())
}

fn several(name: &str, functions: &[&Function]) -> Error {
    let mut list: Vec<String> = functions
        .iter()
        .take(LISTED)
        .map(|f| match f.address {
            0 => f.module.clone(),
            address => format!("{address:#x} ({})", f.module),
        })
        .collect();
    if functions.len() > LISTED {
        list.push(format!("and {} more", functions.len() - LISTED));
    }
    let message = format!(
        "this kernel has several functions `{name}`: {}",
        list.join(", ")
    );
    Error::new(ErrorKind::InvalidArgument, message).with_hint(
        "choose one by its module with Kprobe::module, or by its address with Kprobe::address",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_listed_with_their_modules() {
        let functions: Vec<Function> = (1..12)
            .map(|address| Function {
                address,
                module: KERNEL.into(),
            })
            .collect();
        let error = several("m_start", &functions.iter().collect::<Vec<_>>());
        assert!(
            error.message().contains("`m_start`: 0x1 (vmlinux), "),
            "{error}"
        );
        assert!(
            error.message().ends_with("0x8 (vmlinux), and 3 more"),
            "{error}"
        );
        // Zero means an unknown address.
        let hidden = Function {
            address: 0,
            module: "veth".into(),
        };
        let error = several("m_start", &[&hidden, &hidden]);
        assert!(
            error.message().ends_with("`m_start`: veth, veth"),
            "{error}"
        );
    }
}
