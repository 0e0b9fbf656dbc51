//! What an object expects from the kernel: configuration values, symbols, variables and functions.
//!
//! In libbpf's order: configuration, then the addresses of untyped symbols (one pass over the symbol table for all of them),
//! then typed variables and functions. Weak externs may be missing.

use super::core::declarations_are_compatible;
use super::kconfig;
use super::kernel_types::{KernelType, KernelTypes};
use super::plan::Module;
use super::target::Target;
use crate::btf::{Btf, Kind, MAX_CHAIN, essential_name};
use crate::open::{Extern, ExternKind, OpenObject, RelocKind};
use crate::symbols::{self, Addresses};
use crate::{Error, ErrorKind, Result, TypeId};
use std::collections::{BTreeSet, HashMap};

/// The outcome for an extern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    /// A value in the `.kconfig` map.
    Kconfig { offset: u32 },
    /// A kernel variable with a type.
    Variable { id: TypeId, module: Option<Module> },
    /// A kernel function; `index` is that of its module in the descriptor array, 0 for the kernel itself.
    Function {
        id: TypeId,
        module: Option<Module>,
        index: i16,
    },
    /// A symbol's address; 0 if the target has no addresses.
    Address(u64),
    /// Weak and missing.
    Absent,
}

/// The externs of an object, resolved.
#[derive(Debug, Default)]
pub(super) struct Externs {
    /// In the order of the object's externs.
    resolved: Vec<Resolved>,
    /// The image of the `.kconfig` map.
    pub(super) kconfig: Option<Vec<u8>>,
    /// The modules whose functions are called: the descriptor array from index 1 on.
    pub(super) modules: Vec<Module>,
    /// What was assumed to be missing without certainty.
    pub(super) warnings: Vec<Error>,
}

impl Externs {
    /// An extern's name and outcome.
    pub(super) fn get(&self, ext: usize) -> Result<&Resolved> {
        self.resolved.get(ext).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidObject,
                format!("it refers to extern {ext}, which does not exist"),
            )
        })
    }

    /// Resolves all externs of the object.
    ///
    /// # Errors
    /// A strong extern is missing, or is not what the object declares.
    pub(super) fn resolve(
        object: &OpenObject,
        target: &Target,
        types: &KernelTypes<'_>,
    ) -> Result<Self> {
        let mut unresolved: Vec<&Extern> = Vec::new();
        let kconfig = match object.kconfig_map.and_then(|map| object.maps.get(map)) {
            Some(map) => {
                let len = usize::try_from(map.value_size).unwrap_or(0);
                let (image, unset) = kconfig::image(object, target, len)?;
                unresolved.extend(unset);
                Some(image)
            }
            None => None,
        };
        let SymbolAddresses { known, hidden } = addresses(object, target)?;
        let mut externs = Self {
            resolved: Vec::with_capacity(object.externs.len()),
            kconfig,
            modules: Vec::new(),
            warnings: without_address(object, &hidden)?,
        };
        for ext in &object.externs {
            let resolved = match ext.kind {
                ExternKind::Kconfig { offset, .. } => Resolved::Kconfig { offset },
                ExternKind::KsymTypeless => match known.get(ext.name.as_str()) {
                    Some(address) => Resolved::Address(*address),
                    None => Resolved::Absent,
                },
                ExternKind::KsymTyped => variable(object, types, ext)?,
                ExternKind::Kfunc => externs.function(object, types, ext)?,
            };
            if resolved == Resolved::Absent && !ext.weak {
                unresolved.push(ext);
            }
            externs.resolved.push(resolved);
        }
        if unresolved.is_empty() {
            Ok(externs)
        } else {
            Err(not_found(object, &unresolved, target))
        }
    }

    fn function(
        &mut self,
        object: &OpenObject,
        types: &KernelTypes<'_>,
        ext: &Extern,
    ) -> Result<Resolved> {
        let Some(found) = types.find(essential_name(&ext.name), Kind::Func)? else {
            return Ok(Resolved::Absent);
        };
        let kernel = found.btf.get(found.id)?.target().unwrap_or(TypeId::VOID);
        if !is_compatible(object, ext.declared_type, found, kernel) {
            if ext.weak {
                return Ok(Resolved::Absent);
            }
            return Err(mismatch(object, ext, "function", (found, kernel)));
        }
        let index = match found.module {
            Some(module) => self.module_index(module)?,
            None => 0,
        };
        Ok(Resolved::Function {
            id: found.id,
            module: found.module.cloned(),
            index,
        })
    }

    /// A module's index in the descriptor array; index 0 means the kernel itself.
    fn module_index(&mut self, module: &Module) -> Result<i16> {
        let known = self.modules.iter().position(|m| m == module);
        let place = known.unwrap_or(self.modules.len());
        if known.is_none() {
            self.modules.push(module.clone());
        }
        i16::try_from(place + 1).map_err(|_| {
            Error::new(
                ErrorKind::Extern,
                "functions of more than 32767 kernel modules are called",
            )
        })
    }
}

/// The names that have to be looked up among the kernel's types.
pub(super) fn wanted_types(object: &OpenObject, names: &mut BTreeSet<String>) {
    for ext in &object.externs {
        match ext.kind {
            ExternKind::KsymTyped => {
                names.insert(ext.name.clone());
            }
            ExternKind::Kfunc => {
                names.insert(essential_name(&ext.name).to_string());
            }
            ExternKind::Kconfig { .. } | ExternKind::KsymTypeless => {}
        }
    }
}

/// A typed variable. Unlike for functions, a wrong type is an error even if the extern is weak.
fn variable(object: &OpenObject, types: &KernelTypes<'_>, ext: &Extern) -> Result<Resolved> {
    let Some(found) = types.find(&ext.name, Kind::Var)? else {
        return Ok(Resolved::Absent);
    };
    let kernel = found.btf.get(found.id)?.target().unwrap_or(TypeId::VOID);
    let kernel = found.btf.get(kernel)?.resolved()?.id();
    if !is_compatible(object, ext.declared_type, found, kernel) {
        return Err(mismatch(object, ext, "variable", (found, kernel)));
    }
    Ok(Resolved::Variable {
        id: found.id,
        module: found.module.cloned(),
    })
}

/// Whether the object's type and the kernel's are compatible according to CO-RE.
fn is_compatible(
    object: &OpenObject,
    local: TypeId,
    found: KernelType<'_>,
    kernel: TypeId,
) -> bool {
    let Some(btf) = &object.btf else {
        return false;
    };
    // libbpf treats a type that cannot be compared as incompatible.
    declarations_are_compatible((btf, local), (found.btf, kernel)).unwrap_or(false)
}

/// The wanted untyped symbols that the kernel has.
#[derive(Debug, Default)]
struct SymbolAddresses<'o> {
    known: HashMap<&'o str, u64>,
    /// Those whose addresses the kernel hides from this process.
    hidden: BTreeSet<&'o str>,
}

/// The addresses of untyped symbols. The table has about 200,000 lines, so it is read only if one of them is wanted.
fn addresses<'o>(object: &'o OpenObject, target: &Target) -> Result<SymbolAddresses<'o>> {
    let typeless = |ext: &&Extern| ext.kind == ExternKind::KsymTypeless;
    let wanted: BTreeSet<&str> = object
        .externs
        .iter()
        .filter(typeless)
        .map(|ext| ext.name.as_str())
        .collect();
    let mut found: HashMap<&str, u64> = HashMap::new();
    if wanted.is_empty() {
        return Ok(SymbolAddresses::default());
    }
    if !target.tells_addresses() {
        return Ok(SymbolAddresses {
            known: wanted.into_iter().map(|name| (name, 0)).collect(),
            hidden: BTreeSet::new(),
        });
    }
    let mut ambiguous = None;
    let told = target.kallsyms(&mut |symbol| {
        let address = symbol.address;
        // Link-time optimisation adds suffixes to static data, which are ignored; those of functions are not.
        let name = match (symbol.letter, symbol.name.split_once(".llvm.")) {
            ('d', Some((name, _))) => name,
            _ => symbol.name,
        };
        let Some(name) = wanted.get(name) else { return };
        let first = *found.entry(name).or_insert(address);
        if first != address && ambiguous.is_none() {
            ambiguous = Some((*name, first, address));
        }
    })?;
    match ambiguous {
        Some((name, first, second)) => Err(Error::new(
            ErrorKind::Extern,
            format!(
                "extern `{name}`: kernel {} has two symbols of this name, at {first:#x} and {second:#x}",
                target.name()
            ),
        )),
        None if told == Addresses::Hidden => Ok(SymbolAddresses {
            known: HashMap::new(),
            hidden: found.into_keys().collect(),
        }),
        None => Ok(SymbolAddresses {
            known: found,
            hidden: BTreeSet::new(),
        }),
    }
}

/// The outcome for symbols that the kernel has at an unknown address. A strong one is an error. A weak one counts as missing,
/// because an object that does not need it is better off than not loaded at all; its program sees a null pointer, as it does
/// with libbpf (which takes zero for the address, even of strong symbols).
fn without_address(object: &OpenObject, hidden: &BTreeSet<&str>) -> Result<Vec<Error>> {
    let here = object.externs.iter();
    let here = here.filter(|ext| ext.kind == ExternKind::KsymTypeless);
    let (weak, strong): (Vec<_>, Vec<_>) = here
        .filter(|ext| hidden.contains(ext.name.as_str()))
        .partition(|ext| ext.weak);
    if !strong.is_empty() {
        return Err(symbols::hidden(&format!(
            "extern {}",
            named(object, &strong)
        )));
    }
    let warn = |ext: &Extern| {
        let what = format!("weak extern `{}` is taken for absent", ext.name);
        symbols::hidden(&what)
    };
    Ok(weak.into_iter().map(warn).collect())
}

/// `kernel` is the found type and its BTF.
fn mismatch(
    object: &OpenObject,
    ext: &Extern,
    what: &str,
    (found, kernel): (KernelType<'_>, TypeId),
) -> Error {
    let place = match found.module {
        Some(module) => format!("module {}", module.name),
        None => "the kernel".to_string(),
    };
    let name = &ext.name;
    let local = object.btf.as_ref();
    let declared = local.map(|btf| btf.declaration(ext.declared_type, name));
    let message = format!(
        "extern {what} `{name}`: the object declares it as `{}`, which does not agree with `{}` of {place}",
        declared.unwrap_or_default(),
        found.btf.declaration(kernel, essential_name(name))
    );
    let hint = match local.and_then(|btf| announced(btf, ext.declared_type)) {
        Some(ty) => format!(
            "`{ty}` is only announced in the object, and agrees with no type: define it, if only as `{ty} {{}}`"
        ),
        None => format!("declare `{name}` as {place} does"),
    };
    Error::new(ErrorKind::Extern, message).with_hint(hint)
}

/// A struct or union without members that this type, or a function's argument or result, refers to.
fn announced(btf: &Btf<'_>, id: TypeId) -> Option<String> {
    let ty = btf.get(id).ok()?;
    let params = ty.params().map(|param| param.type_id);
    let mut parts = params.chain([id]);
    parts.find_map(|part| announced_behind_pointers(btf, part))
}

fn announced_behind_pointers(btf: &Btf<'_>, id: TypeId) -> Option<String> {
    let mut now = id;
    for _ in 0..MAX_CHAIN {
        let ty = btf.get(now).ok()?;
        if ty.kind() == Kind::Fwd {
            return Some(btf.type_name(now));
        }
        now = ty.target()?;
    }
    None
}

/// One message about everything that is missing, with what might provide the first one.
fn not_found(object: &OpenObject, unresolved: &[&Extern], target: &Target) -> Error {
    let hint = match unresolved.first().map(|ext| ext.kind) {
        Some(ExternKind::Kconfig { .. }) => {
            "the kernel's configuration does not set it: give its value (`--kconfig FILE`, or OpenOptions::kconfig), or declare it __weak"
        }
        Some(ExternKind::Kfunc) => {
            "no such function in the BTF of the kernel or of a loaded module: it may come with a newer kernel or with a module that is not loaded; or declare it __weak"
        }
        Some(ExternKind::KsymTyped) => {
            "no such variable in the BTF of the kernel (many kernels list per-CPU variables only) or of a loaded module; or declare it __weak"
        }
        _ => {
            "no such symbol in /proc/kallsyms: it may be compiled out, inlined, or in a module that is not loaded; or declare it __weak"
        }
    };
    Error::new(
        ErrorKind::Extern,
        format!(
            "extern {} not found in kernel {}",
            named(object, unresolved),
            target.name()
        ),
    )
    .with_hint(hint)
}

/// The names of externs, each with a function that uses it.
fn named(object: &OpenObject, externs: &[&Extern]) -> String {
    let users = users(object);
    let named = |ext: &&Extern| match users.get(ext.name.as_str()) {
        Some(user) => format!("`{}` (used by `{user}`)", ext.name),
        None => format!("`{}`", ext.name),
    };
    let names: Vec<String> = externs.iter().map(named).collect();
    names.join(", ")
}

/// The first function that uses an extern, by the extern's name.
fn users(object: &OpenObject) -> HashMap<&str, &str> {
    let mut users = HashMap::new();
    for function in &object.functions {
        for relocation in &function.relocations {
            let (RelocKind::ExternLoad { ext } | RelocKind::ExternCall { ext }) = relocation.kind
            else {
                continue;
            };
            if let Some(ext) = object.externs.get(ext) {
                users
                    .entry(ext.name.as_str())
                    .or_insert(function.name.as_str());
            }
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Symbols, add_function, an_extern, btf, kernel, object};
    use super::*;
    use crate::KernelVersion;
    use crate::btf::{BtfBuilder, FwdKind, Linkage, Member};
    use std::sync::Arc;

    fn resolve(object: &OpenObject, target: &Target) -> Result<Externs> {
        let mut names = BTreeSet::new();
        wanted_types(object, &mut names);
        Externs::resolve(
            object,
            target,
            &KernelTypes::look_up(target, &names, BTreeSet::new)?,
        )
    }

    /// The outcome for one extern.
    fn one(
        object: &mut OpenObject,
        mut ext: Extern,
        weak: bool,
        target: &Target,
    ) -> Result<Resolved> {
        ext.weak = weak;
        object.externs = vec![ext];
        Ok(resolve(object, target)?.resolved.remove(0))
    }

    fn symbols(list: Vec<(u64, char, &'static str)>) -> Target {
        Target::new(Arc::new(Symbols(list)))
    }

    fn typeless(name: &str) -> Extern {
        an_extern(name, ExternKind::KsymTypeless, TypeId::VOID)
    }

    #[test]
    fn symbols_are_found_by_name() {
        let target = symbols(vec![
            (1, 'T', "start"),
            (2, 'd', "data.llvm.123"),
            (3, 't', "function.llvm.123"),
            (4, 'd', "twice"),
            (4, 'd', "twice"),
            (5, 'd', "unclear"),
            (6, 'd', "unclear"),
        ]);
        let find = |name, weak| one(&mut object(), typeless(name), weak, &target);
        assert_eq!(find("start", false).unwrap(), Resolved::Address(1));
        assert_eq!(find("data", false).unwrap(), Resolved::Address(2));
        assert_eq!(find("twice", false).unwrap(), Resolved::Address(4));
        assert_eq!(find("function", true).unwrap(), Resolved::Absent);
        let error = find("function", false).unwrap_err().to_string();
        assert!(error.contains("`function` not found"), "{error}");
        let error = find("unclear", true).unwrap_err().to_string();
        assert!(error.contains("two symbols"), "{error}");
    }

    #[test]
    fn hidden_addresses_are_unknown_not_zero() {
        let target = symbols(vec![(0, 'T', "start"), (0, 'd', "data"), (0, 'd', "data")]);
        let find = |name, weak| one(&mut object(), typeless(name), weak, &target);
        let error = find("data", false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert!(
            error.message().contains("extern `data`: the kernel hides"),
            "{error}"
        );
        let hint = error.hint().unwrap();
        assert!(
            hint.contains("kptr_restrict") && hint.contains("CAP_SYSLOG"),
            "{hint}"
        );
        // Names are not hidden, so missing symbols are reported as missing.
        let error = find("gone", false).unwrap_err().to_string();
        assert!(error.contains("`gone` not found"), "{error}");
        assert_eq!(find("gone", true).unwrap(), Resolved::Absent);
        assert_eq!(find("data", true).unwrap(), Resolved::Absent);
        let mut object = object();
        object.externs = vec![typeless("data"), typeless("gone")];
        object.externs.iter_mut().for_each(|ext| ext.weak = true);
        let externs = resolve(&object, &target).unwrap();
        let [warning] = &externs.warnings[..] else {
            panic!("{:?}", externs.warnings);
        };
        assert!(
            warning.message().starts_with("weak extern `data` is taken"),
            "{warning}"
        );
    }

    #[test]
    fn one_symbol_at_zero_is_at_zero() {
        let target = symbols(vec![(0, 'A', "first_of_each_cpu"), (1, 'T', "start")]);
        let find = |name, weak| one(&mut object(), typeless(name), weak, &target);
        assert_eq!(
            find("first_of_each_cpu", false).unwrap(),
            Resolved::Address(0)
        );
    }

    #[test]
    fn kernels_from_files_tell_no_addresses() {
        let target = kernel(KernelVersion::new(6, 1, 0), |_| {});
        let found = one(&mut object(), typeless("anything"), false, &target);
        assert_eq!(found.unwrap(), Resolved::Address(0));
    }

    /// A kernel with `int counter` and `void kfunc(int)`; the object's types are built in the same way.
    fn types(editor: &mut BtfBuilder) -> (TypeId, TypeId, TypeId) {
        let int = editor.add_int("int", 4, 1);
        let ptr = editor.add_ptr(int);
        let proto = editor.add_func_proto(TypeId::VOID, &[("n", int)]);
        (int, ptr, proto)
    }

    fn typed_kernel() -> Target {
        kernel(KernelVersion::new(6, 1, 0), |editor| {
            let (int, _, proto) = types(editor);
            editor.add_var("counter", Linkage::Global, int); // 4
            editor.add_func("kfunc", Linkage::Static, proto); // 5
        })
    }

    fn typed_object() -> (OpenObject, (TypeId, TypeId, TypeId)) {
        let mut object = object();
        let mut ids = None;
        object.btf = Some(Arc::new(btf(|editor| {
            // With other ids than the kernel's.
            editor.add_int("padding", 1, 0);
            ids = Some(types(editor));
            add_function(editor, "unrelated", Linkage::Global);
        })));
        (object, ids.unwrap())
    }

    #[test]
    fn variables_must_have_the_type_that_the_object_says_even_if_weak() {
        let target = typed_kernel();
        let (mut object, (int, ptr, _)) = typed_object();
        let variable = |name, ty| an_extern(name, ExternKind::KsymTyped, ty);
        let counter = one(&mut object, variable("counter", int), false, &target).unwrap();
        let expected = Resolved::Variable {
            id: TypeId(4),
            module: None,
        };
        assert_eq!(counter, expected);
        let gone = one(&mut object, variable("gone", int), true, &target).unwrap();
        assert_eq!(gone, Resolved::Absent);
        let error = one(&mut object, variable("counter", ptr), true, &target).unwrap_err();
        assert!(error.to_string().contains("does not agree"), "{error}");
    }

    #[test]
    fn functions_lose_their_flavour_and_may_be_something_else_if_weak() {
        let target = typed_kernel();
        let (mut object, (int, _, proto)) = typed_object();
        let function = |name, ty| an_extern(name, ExternKind::Kfunc, ty);
        let found = one(&mut object, function("kfunc___mine", proto), false, &target);
        let expected = Resolved::Function {
            id: TypeId(5),
            module: None,
            index: 0,
        };
        assert_eq!(found.unwrap(), expected);
        let other = one(&mut object, function("kfunc", int), true, &target).unwrap();
        assert_eq!(other, Resolved::Absent);
        let error = one(&mut object, function("kfunc", int), false, &target).unwrap_err();
        let expected = "declares it as `int kfunc`, which does not agree with `void kfunc(int n)` of the kernel";
        assert!(error.to_string().contains(expected), "{error}");
        let error = one(&mut object, function("gone", proto), false, &target).unwrap_err();
        assert!(error.to_string().contains("`gone` not found"), "{error}");
    }

    /// Callbacks used to be printed as `function(, , ) *`.
    #[test]
    fn prototypes_are_written_out() {
        let target = kernel(KernelVersion::new(6, 1, 0), |editor| {
            let (int, ptr, _) = types(editor);
            let constant = editor.add_const(int);
            let constants = editor.add_ptr(constant);
            let called = editor.add_func_proto(int, &[("", ptr), ("", int), ("", constants)]);
            let callback = editor.add_ptr(called);
            let proto = editor.add_func_proto(int, &[("timer", ptr), ("callback", callback)]);
            editor.add_func("set", Linkage::Static, proto);
        });
        let (mut object, (_, _, proto)) = typed_object();
        let ext = an_extern("set___old", ExternKind::Kfunc, proto);
        let error = one(&mut object, ext, false, &target).unwrap_err();
        let expected = "declares it as `void set___old(int n)`, which does not agree with \
                        `int set(int *timer, int (*callback)(int *, int, const int *))` of the kernel";
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn a_struct_that_is_only_announced_is_named() {
        let target = kernel(KernelVersion::new(6, 1, 0), |editor| {
            let conn = editor.add_struct("conn", 4, Member::NONE);
            let ptr = editor.add_ptr(conn);
            let proto = editor.add_func_proto(TypeId::VOID, &[("it", ptr)]);
            editor.add_func("drop_it", Linkage::Static, proto);
        });
        let mut object = object();
        let mut proto = TypeId::VOID;
        object.btf = Some(Arc::new(btf(|editor| {
            let conn = editor.add_fwd("conn", FwdKind::Struct);
            let ptr = editor.add_ptr(conn);
            proto = editor.add_func_proto(TypeId::VOID, &[("it", ptr)]);
        })));
        let ext = an_extern("drop_it", ExternKind::Kfunc, proto);
        let error = one(&mut object, ext, false, &target).unwrap_err();
        let hint = error.hint().unwrap();
        assert!(
            hint.starts_with("`struct conn` is only announced"),
            "{error}"
        );
    }

    #[test]
    fn functions_of_modules_get_an_index_from_one_on() {
        let base = btf(|editor| {
            types(editor);
        });
        let module = |name: &'static str| {
            // A split blob continues the base's ids and offsets: types from 4, strings from the base's end.
            let mut editor = BtfBuilder::new();
            let func = crate::btf::Info::of(Kind::Func);
            let id = editor.add_raw("", func, 3, &[]);
            let offset = editor.add_string(name);
            let base_strings = u32::try_from(base.string_bytes().len()).unwrap();
            editor.set_raw(id, 0, base_strings + offset);
            (name.to_string(), editor.finish().unwrap())
        };
        let target = Target::offline(super::super::OfflineKernel {
            btf: Some(base.bytes().to_vec()),
            modules: vec![module("one"), module("two")],
            ..Default::default()
        });
        let (mut object, (_, _, proto)) = typed_object();
        for name in ["two", "one"] {
            object
                .externs
                .push(an_extern(name, ExternKind::Kfunc, proto));
        }
        let externs = resolve(&object, &target).unwrap();
        let modules: Vec<&str> = externs.modules.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(modules, ["two", "one"]);
        let indexes: Vec<i16> = externs
            .resolved
            .iter()
            .filter_map(|resolved| match resolved {
                Resolved::Function { index, .. } => Some(*index),
                _ => None,
            })
            .collect();
        assert_eq!(indexes, [1, 2]);
    }
}
