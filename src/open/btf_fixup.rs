//! Prepares the object's BTF for the kernel: clang leaves out the sizes and offsets of sections, and the kernel accepts no
//! externs.

use super::collect::{Collected, invalid};
use super::externs::Externs;
use super::globals::zeroed_size;
use super::{Extern, ExternKind};
use crate::btf::{Btf, BtfBuilder, BtfExt, Kind, Linkage, Type, VarSecinfo};
use crate::elf::{Section, Symbol, Visibility};
use crate::{Error, ErrorKind, Result, TypeId};
use std::collections::{HashMap, HashSet};

/// The variable that represents kernel functions in `.ksyms`.
const DUMMY: &str = "dummy_ksym";

/// The object's `.BTF` and `.BTF.ext`, as they are in the file.
///
/// # Errors
/// They are missing or malformed, and something in the object depends on them.
#[doc(alias = "bpf_object__init_btf")]
pub(super) fn read<'a>(
    file: &Collected<'a>,
    bytes: &[u8],
) -> Result<(Option<Btf<'a>>, Option<BtfExt>)> {
    let needed = file.needs_btf();
    let required = |error: Error| match needed {
        Some(what) => Err(error.context(format!("{what} need type information"))),
        None => Ok(()),
    };
    let Some(bytes) = file.btf else {
        return match from_debug_information(bytes) {
            Ok(Some(btf)) => Ok((Some(btf), None)),
            Ok(None) => required(no_types()).map(|()| (None, None)),
            Err(error) => required(error).map(|()| (None, None)),
        };
    };
    let btf = Btf::parse(bytes).and_then(|btf| btf.validate().map(|()| btf));
    let btf = match btf {
        Ok(btf) => btf,
        Err(error) => {
            let error = Error::from(error).context("section .BTF");
            required(error)?;
            return Ok((None, None));
        }
    };
    let ext = match file.btf_ext.map(BtfExt::parse) {
        Some(Err(error)) => {
            required(Error::from(error).context("section .BTF.ext"))?;
            None
        }
        Some(Ok(ext)) => Some(ext),
        None => None,
    };
    Ok((Some(btf), ext))
}

#[cold]
fn no_types() -> Error {
    let hint = if cfg!(feature = "dwarf") {
        "compile with `-g`, so that clang writes type information"
    } else {
        "compile with `-g`, so that clang writes type information; or build rawbpf with the feature `dwarf`, which takes it from \
         the debug information of older compilers"
    };
    Error::new(ErrorKind::Btf, "the object has no section .BTF").with_hint(hint)
}

/// The types of an object that was compiled with `-g` before clang wrote BTF, from its debug information; `None` if it has none.
#[cfg(feature = "dwarf")]
fn from_debug_information(object: &[u8]) -> Result<Option<Btf<'static>>> {
    let types = match crate::dwarf::Encoder::new().encode(&object) {
        Ok(types) => types,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.context("its debug information")),
    };
    let btf = Btf::from_vec(types)?;
    btf.validate()?;
    Ok(Some(btf))
}

#[cfg(not(feature = "dwarf"))]
#[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
fn from_debug_information(_object: &[u8]) -> Result<Option<Btf<'static>>> {
    Ok(None)
}

/// A copy of the types in which the sizes and offsets of sections are filled in from the file, hidden variables are made
/// static, and externs are made ordinary variables.
#[doc(alias("bpf_object_fixup_btf", "btf_fixup_datasec"))]
pub(super) fn fix(file: &Collected<'_>, btf: &Btf<'_>, externs: &Externs) -> Result<Btf<'static>> {
    let mut fixer = Fixer {
        btf,
        types: BtfBuilder::copy_of(btf),
        file_sections: HashMap::new(),
        symbols: HashMap::new(),
        dummy: None,
        int: TypeId::VOID,
        named: HashSet::new(),
    };
    for section in file.sections() {
        fixer.file_sections.entry(section.name).or_insert(section);
    }
    let is_variable = |s: &Symbol| s.kind == Symbol::OBJECT && s.is_global();
    for symbol in file.symbols.iter().filter(is_variable) {
        if let Ok(name) = file.symbols.name(&symbol) {
            fixer.symbols.entry(name).or_insert(symbol);
        }
    }
    fixer.int = first_int(btf);
    fixer.add_dummy();
    for section in btf.types().filter(|ty| ty.kind() == Kind::Datasec) {
        fixer.section(&section, externs).map_err(|e| {
            e.context(format!(
                "section `{}` of the type information",
                section.name()
            ))
        })?;
    }
    Ok(fixer.types.build()?)
}

struct Fixer<'b, 'f> {
    btf: &'b Btf<'b>,
    types: BtfBuilder,
    /// The first section with each name.
    file_sections: HashMap<&'f str, &'f Section<'f>>,
    /// The first global variable with each name.
    symbols: HashMap<&'f str, Symbol>,
    /// The variable that represents functions, if `.ksyms` has any.
    dummy: Option<TypeId>,
    /// The first 32-bit integer.
    int: TypeId,
    /// Prototypes whose parameters all have names already.
    named: HashSet<TypeId>,
}

impl Fixer<'_, '_> {
    #[doc(alias = "add_dummy_ksym_var")]
    fn add_dummy(&mut self) {
        let is_func = |v: VarSecinfo| {
            self.btf
                .get(v.type_id)
                .is_ok_and(|t| t.kind() == Kind::Func)
        };
        let ksyms = self.btf.find_own(".ksyms", Kind::Datasec);
        let ksyms = ksyms.and_then(|id| self.btf.get(id).ok());
        if ksyms.is_some_and(|section| section.variables().any(is_func)) {
            self.dummy = Some(self.types.add_var(DUMMY, Linkage::Global, self.int));
        }
    }

    fn section(&mut self, section: &Type<'_>, externs: &Externs) -> Result<()> {
        self.btf.string_bytes_at(section.name_offset())?;
        let mut variables: Vec<VarSecinfo> = section.variables().collect();
        let id = Some(section.id());
        if id == externs.ksyms_section {
            let by_name = by_name(&externs.list);
            for (index, variable) in variables.iter_mut().enumerate() {
                self.ksym(variable, &by_name)?;
                variable.offset = u32::try_from(index * 4).unwrap_or(u32::MAX);
                variable.size = 4;
            }
            let size = u32::try_from(variables.len() * 4).unwrap_or(u32::MAX);
            self.types.set_size(section.id(), size);
        } else if id == externs.kconfig_section {
            let by_name = by_name(&externs.list);
            for variable in &mut variables {
                self.kconfig(variable, &by_name)?;
            }
            self.types.set_size(section.id(), externs.kconfig_size);
        } else if !matches!(section.name(), ".kconfig" | ".ksyms") {
            self.data(section, &mut variables)?;
        }
        variables.sort_by_key(|variable| variable.offset);
        for (index, variable) in variables.into_iter().enumerate() {
            self.types.set_secinfo(section.id(), index, variable);
        }
        Ok(())
    }

    /// Turns the declaration of a kernel symbol into that of a global integer, that of a function into a reference to the
    /// dummy variable.
    fn ksym(&mut self, variable: &mut VarSecinfo, externs: &HashMap<&str, &Extern>) -> Result<()> {
        let declared = self.btf.get(variable.type_id)?;
        if !externs.contains_key(declared.name()) {
            return Err(no_symbol(&declared));
        }
        if declared.kind() != Kind::Func {
            self.types.set_linkage(declared.id(), Linkage::Global);
            self.types.set_target(declared.id(), self.int);
            return Ok(());
        }
        self.types.set_linkage(declared.id(), Linkage::Global);
        self.name_params(TypeId(declared.size_field()))?;
        variable.type_id = self.dummy.unwrap_or_default();
        Ok(())
    }

    /// Gives every parameter a name, which the kernel requires for functions that are not extern.
    fn name_params(&mut self, proto: TypeId) -> Result<()> {
        if !self.named.insert(proto) {
            return Ok(());
        }
        for (index, param) in self.btf.get(proto)?.params().enumerate() {
            if param.name.is_empty() && !param.type_id.is_void() {
                self.types.rename_param(proto, index, DUMMY);
            }
        }
        Ok(())
    }

    fn kconfig(
        &mut self,
        variable: &mut VarSecinfo,
        externs: &HashMap<&str, &Extern>,
    ) -> Result<()> {
        let declared = self.btf.get(variable.type_id)?;
        let ext = externs
            .get(declared.name())
            .ok_or_else(|| no_symbol(&declared))?;
        if let ExternKind::Kconfig { offset, .. } = ext.kind {
            variable.offset = offset;
        }
        self.types.set_linkage(declared.id(), Linkage::Global);
        Ok(())
    }

    /// Fixes a section of the file. A linker has already filled in sizes and offsets; a compiler has not.
    fn data(&mut self, section: &Type<'_>, variables: &mut [VarSecinfo]) -> Result<()> {
        let unknown = section.size_field() == 0;
        if unknown {
            let size = match self.file_sections.get(section.name()) {
                Some(section) if section.size > 0 => zeroed_size(section),
                _ => {
                    return Err(invalid(
                        "its size cannot be found: the file has no such section, or an empty one",
                    ));
                }
            };
            if size == 0 {
                return Err(invalid("it has a multiple of 4 GiB, which no map can hold"));
            }
            self.types.set_size(section.id(), size);
        }
        for variable in variables {
            let var = self.btf.get(variable.type_id)?;
            if var.kind() != Kind::Var {
                return Err(invalid(format!(
                    "it lists [{}], which is no variable but a {}",
                    var.id(),
                    var.kind()
                )));
            }
            if matches!(var.linkage(), Some(Linkage::Static | Linkage::Extern)) {
                continue;
            }
            let symbol = self.symbols.get(var.name());
            let symbol = symbol.ok_or_else(|| no_symbol(&var))?;
            if unknown {
                variable.offset = u32::try_from(symbol.value).map_err(|_| {
                    invalid(format!(
                        "variable `{}` lies at offset {:#x}",
                        var.name(),
                        symbol.value
                    ))
                })?;
            }
            if symbol.visibility == Visibility::Hidden {
                self.types.set_linkage(var.id(), Linkage::Static);
            }
        }
        Ok(())
    }
}

fn by_name(externs: &[Extern]) -> HashMap<&str, &Extern> {
    externs.iter().map(|ext| (ext.name.as_str(), ext)).collect()
}

fn no_symbol(declared: &Type<'_>) -> Error {
    // There is no symbol with a name that cannot be read.
    if let Err(error) = declared.btf().string_bytes_at(declared.name_offset()) {
        return error.into();
    }
    let kind = match declared.kind() {
        Kind::Var => "variable",
        kind => kind.name(),
    };
    invalid(format!(
        "there is no symbol of {kind} `{}`",
        declared.name()
    ))
}

#[doc(alias = "find_int_btf_id")]
fn first_int(btf: &Btf<'_>) -> TypeId {
    btf.types()
        .find(|ty| ty.int_encoding().is_some_and(|int| int.bits == 32))
        .map_or(TypeId::VOID, |ty| ty.id())
}
