//! What the kernel or its configuration must provide: undefined symbols, described by the sections `.kconfig` and `.ksyms` of
//! the BTF.

use super::collect::{Collected, invalid};
use super::{Extern, ExternKind, KconfigType};
use crate::btf::{Btf, Kind, Linkage, Type};
use crate::elf::Symbol;
use crate::{Error, ErrorKind, Result, TypeId};
use std::cmp::Reverse;
use std::collections::HashMap;

const UNDEFINED_HINT: &str = "declare what the kernel provides with __ksym or __kconfig; link this file first with the \
                              object that defines the rest (`rawbpf gen object`)";

/// The externs of an object, and where their declarations are.
#[derive(Debug, Default)]
pub(super) struct Externs {
    /// First those of `.kconfig`, by alignment, size and name, in the order of their values in the map; then kernel symbols
    /// by name.
    pub(super) list: Vec<Extern>,
    /// The extern that each undefined symbol refers to.
    pub(super) by_symbol: HashMap<usize, usize>,
    /// The `DATASEC` types with declarations, if they contain any extern.
    pub(super) kconfig_section: Option<TypeId>,
    pub(super) ksyms_section: Option<TypeId>,
    /// The size of the values of `.kconfig`, in bytes.
    pub(super) kconfig_size: u32,
}

impl Externs {
    /// Finds all externs and lays out those of `.kconfig`.
    #[doc(alias = "bpf_object__collect_externs")]
    pub(super) fn collect(file: &Collected<'_>, btf: Option<&Btf<'_>>) -> Result<Self> {
        let mut found: Vec<(usize, Extern)> = Vec::new();
        let mut externs = Self::default();
        let mut declarations = None;
        for symbol in file.symbols.iter().filter(Symbol::is_extern) {
            let name = file.symbols.name(&symbol)?;
            if name.is_empty() {
                continue;
            }
            let Some(btf) = btf else {
                return Err(no_type_information(name));
            };
            let declarations = declarations.get_or_insert_with(|| Declarations::of(btf));
            let ext = declarations
                .read(&mut externs, name, &symbol)
                .map_err(|e| e.context(format!("extern `{name}`")))?;
            found.push((symbol.index, ext));
        }
        found.sort_by(|(_, a), (_, b)| order(a).cmp(&order(b)));
        for (index, (symbol, ext)) in found.into_iter().enumerate() {
            externs.by_symbol.insert(symbol, index);
            externs.list.push(ext);
        }
        externs.lay_out_kconfig()?;
        Ok(externs)
    }

    fn lay_out_kconfig(&mut self) -> Result<()> {
        /// More than any configuration value needs.
        const MOST: u32 = 1 << 20;
        let mut end: u32 = 0;
        for ext in &mut self.list {
            if let ExternKind::Kconfig {
                size,
                align,
                offset,
                ..
            } = &mut ext.kind
            {
                let next = end.checked_next_multiple_of(*align).and_then(|at| {
                    *offset = at;
                    at.checked_add(*size)
                });
                end = next.filter(|end| *end <= MOST).ok_or_else(|| {
                    invalid(format!(
                        "extern `{}`: the values of `.kconfig` take more than {MOST} bytes",
                        ext.name
                    ))
                })?;
            }
        }
        self.kconfig_size = end;
        Ok(())
    }
}

/// Kconfig values before kernel symbols, by decreasing alignment, then increasing size, then name.
#[doc(alias = "cmp_externs")]
fn order(ext: &Extern) -> (bool, Reverse<u32>, u32, &str) {
    match ext.kind {
        ExternKind::Kconfig { size, align, .. } => (false, Reverse(align), size, &ext.name),
        _ => (true, Reverse(0), 0, &ext.name),
    }
}

fn no_type_information(name: &str) -> Error {
    Error::new(
        ErrorKind::Btf,
        format!("extern `{name}` cannot be understood: the object has no type information"),
    )
    .with_hint("compile with `-g`, so that clang writes the section .BTF")
}

/// The declarations in an object's BTF, by name.
struct Declarations<'b> {
    btf: &'b Btf<'b>,
    /// The first variable or function with each name.
    by_name: HashMap<&'b str, TypeId>,
    /// The first section that lists each of them.
    section: HashMap<TypeId, TypeId>,
}

impl<'b> Declarations<'b> {
    fn of(btf: &'b Btf<'b>) -> Self {
        let mut by_name = HashMap::new();
        let mut section = HashMap::new();
        for ty in btf.types() {
            match ty.kind() {
                Kind::Var | Kind::Func => {
                    by_name.entry(ty.name()).or_insert(ty.id());
                }
                Kind::Datasec => {
                    for variable in ty.variables() {
                        section.entry(variable.type_id).or_insert(ty.id());
                    }
                }
                _ => {}
            }
        }
        Self {
            btf,
            by_name,
            section,
        }
    }

    fn read(&self, externs: &mut Externs, name: &str, symbol: &Symbol) -> Result<Extern> {
        let id = self
            .by_name
            .get(name)
            .ok_or_else(|| invalid("it has no declaration in the type information"))?;
        let declared = self.btf.get(*id)?;
        if declared.linkage() != Some(Linkage::Extern) {
            return Err(invalid(format!(
                "the type information declares it ([{id}]) as defined here, but no section holds it"
            )));
        }
        let section = self.section.get(id).ok_or_else(|| {
            invalid("it stands in no section of the type information").with_hint(UNDEFINED_HINT)
        })?;
        let kind = match self.btf.get(*section)?.name() {
            ".kconfig" => {
                externs.kconfig_section = Some(*section);
                self.kconfig(&declared)?
            }
            ".ksyms" => {
                externs.ksyms_section = Some(*section);
                self.ksym(&declared)?
            }
            other => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("externs of section `{other}` are not supported"),
                )
                .with_hint(UNDEFINED_HINT));
            }
        };
        Ok(Extern {
            name: name.to_string(),
            weak: symbol.is_weak(),
            declared_type: self.target(&declared)?.id(),
            kind,
        })
    }

    /// The declared type of a variable or function, without qualifiers and typedefs.
    fn target(&self, declared: &Type<'b>) -> Result<Type<'b>> {
        let target = self.btf.get(TypeId(declared.size_field()))?;
        Ok(target.resolved()?)
    }

    fn ksym(&self, declared: &Type<'b>) -> Result<ExternKind> {
        Ok(match declared.kind() {
            Kind::Func => ExternKind::Kfunc,
            _ if self.target(declared)?.kind() == Kind::Void => ExternKind::KsymTypeless,
            _ => ExternKind::KsymTyped,
        })
    }

    fn kconfig(&self, declared: &Type<'b>) -> Result<ExternKind> {
        if declared.kind() == Kind::Func {
            return Err(invalid("a function cannot be a value of `.kconfig`"));
        }
        let target = TypeId(declared.size_field());
        // The type is checked first: the alignment of a structure may take long to compute.
        let kind = kconfig_type(self.btf, target)?.ok_or_else(|| {
            invalid("its type cannot hold a kernel configuration value").with_hint(
                "use bool, char, an integer, enum libbpf_tristate, or an array of characters",
            )
        })?;
        let (size, align) = (self.btf.size_of(target)?, self.btf.align_of(target)?);
        Ok(ExternKind::Kconfig {
            kind,
            size,
            align,
            offset: 0,
        })
    }
}

/// How a value of this type is read; `None` if it is not.
#[doc(alias = "find_kcfg_type")]
fn kconfig_type(btf: &Btf<'_>, id: TypeId) -> Result<Option<KconfigType>> {
    let ty = btf.get(id)?.resolved()?;
    let tristate = ty.name() == "libbpf_tristate";
    Ok(match ty.kind() {
        Kind::Int => int_type(&ty),
        Kind::Enum if tristate && ty.size_field() == 4 => Some(KconfigType::Tristate),
        Kind::Enum64 if tristate => Some(KconfigType::Tristate),
        Kind::Array => {
            let Some(array) = ty.array().filter(|array| array.len > 0) else {
                return Ok(None);
            };
            // One level is enough: only an array of characters is allowed.
            let element = btf.get(array.element)?.resolved()?;
            let is_char = element.kind() == Kind::Int
                && matches!(int_type(&element), Some(KconfigType::Char));
            is_char.then_some(KconfigType::String)
        }
        _ => None,
    })
}

fn int_type(ty: &Type<'_>) -> Option<KconfigType> {
    let encoding = ty.int_encoding()?;
    let signed = encoding.signed;
    match ty.size_field() {
        1 if encoding.bool => Some(KconfigType::Bool),
        _ if encoding.bool => None,
        1 => Some(KconfigType::Char),
        2 | 4 | 8 => Some(KconfigType::Int { signed }),
        _ => None,
    }
}
