//! `vmlinux.h`: all types of a kernel or module, and its kfuncs.

use super::Definitions;
use crate::TypeId;
use crate::btf::show::sorted::{Order, sorted};
use crate::btf::{Btf, BtfError, Kind, Type};
use std::fmt::Write as _;

/// A header with the definitions of a kernel's or module's types, for BPF programs and for other code.
///
/// Accesses to fields of these types use CO-RE (`preserve_access_index`), unless `BPF_NO_PRESERVE_ACCESS_INDEX` is defined
/// before the header is included. Functions that kernels export to programs (kfuncs) are declared unless
/// `BPF_NO_KFUNC_PROTOTYPES` is.
///
/// ```no_run
/// use rawbpf::btf::{Btf, c::Header};
///
/// let btf = Btf::from_file("/sys/kernel/btf/vmlinux")?;
/// std::fs::write("vmlinux.h", Header::new(&btf).write()?.text())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Header<'b> {
    btf: &'b Btf<'b>,
    order: Order,
    roots: Vec<TypeId>,
}

const START: &str = "\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#if defined(__clang__) && defined(__bpf__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored \"-Wattributes\"
#pragma GCC diagnostic ignored \"-Wpacked-not-aligned\"
#endif

";

const FUNCTIONS_START: &str = "\
#ifndef BPF_NO_KFUNC_PROTOTYPES
#ifndef __ksym
#define __ksym __attribute__((section(\".ksyms\")))
#endif

#ifndef __weak
#define __weak __attribute__((weak))
#endif

#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

";

const FUNCTIONS_END: &str = "#endif

";

const END: &str = "\
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#if defined(__clang__) && defined(__bpf__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
";

impl<'b> Header<'b> {
    /// A header with all types; of the base of a module, only those that the module's own need.
    pub fn new(btf: &'b Btf<'b>) -> Self {
        Self {
            btf,
            order: Order::default(),
            roots: Vec::new(),
        }
    }

    /// Sets the order of the types.
    pub fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// Restricts the header to these types and what they need, in this order. Functions among them are declared if kernels
    /// export them to programs.
    pub fn only(self, roots: impl IntoIterator<Item = TypeId>) -> Self {
        Self {
            roots: roots.into_iter().collect(),
            ..self
        }
    }

    /// Writes the header. [`Definitions::text`] returns the text.
    ///
    /// # Errors
    /// `TooMuch` if the output would be too large for the size of the types.
    pub fn write(&self) -> Result<Definitions<'b>, BtfError> {
        let whole = self.roots.is_empty();
        if whole {
            self.btf.expect_walks();
        }
        let mut definitions = Definitions::new(self.btf);
        definitions.text.push_str(START);
        if whole {
            // About as long, and what stays unused costs nothing.
            definitions.text.reserve(self.btf.type_bytes().len());
            for id in sorted(self.btf, self.order) {
                definitions.add(id)?;
            }
        } else {
            for id in &self.roots {
                definitions.add(*id)?;
            }
        }
        self.functions(&mut definitions)?;
        definitions.text.push_str(END);
        Ok(definitions)
    }

    /// Declares the kfuncs.
    fn functions(&self, definitions: &mut Definitions<'b>) -> Result<(), BtfError> {
        let is_exported =
            |ty: &Type<'b>| ty.kind() == Kind::Func && definitions.tags.has(ty.id(), "bpf_kfunc");
        let mut functions: Vec<_> = if self.roots.is_empty() {
            self.btf.types().filter(is_exported).collect()
        } else {
            let roots = self.roots.iter().filter_map(|id| self.btf.get(*id).ok());
            roots.filter(is_exported).collect()
        };
        if functions.is_empty() {
            return Ok(());
        }
        if self.order == Order::Names {
            functions.sort_by_cached_key(Type::name);
        }
        definitions.text.push_str(FUNCTIONS_START);
        for function in functions {
            definitions.function(&function)?;
        }
        definitions.text.push_str(FUNCTIONS_END);
        Ok(())
    }
}

impl<'b> Definitions<'b> {
    fn function(&mut self, ty: &Type<'b>) -> Result<(), BtfError> {
        let prototype = ty.target().unwrap_or_default();
        self.prepare(prototype, TypeId::VOID, 0);
        let name = self.names.ordinary(super::names::identifier(ty.name()));
        if self.tags.has(ty.id(), "bpf_fastcall") {
            self.text.push_str("__bpf_fastcall ");
        }
        self.text.push_str("extern ");
        self.declare(prototype, &name, 0, None);
        // Writing to a string does not fail.
        let _ = writeln!(self.text, " __weak __ksym;");
        self.check()
    }
}
