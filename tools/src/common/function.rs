//! A function of the kernel, as the kernel's types describe it.

use super::{Outcome, refused};
use rawbpf::btf::{Btf, Kind, Type, Value};
use rawbpf::reloc::Target;
use rawbpf::{ErrorKind, TypeId};
use std::sync::Arc;

/// As many arguments are passed in registers on x86-64; on arm64 there are two more.
pub(crate) const REGISTERS: usize = 6;

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) parameters: Vec<Parameter>,
    /// The type of its result, unless that is `void`.
    pub(crate) result: Option<TypeId>,
    btf: Arc<Btf<'static>>,
}

pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) type_id: TypeId,
    /// The register that it is passed in; `None` if it does not fit into one, or they are used up.
    pub(crate) register: Option<usize>,
}

/// A number's width and sign.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) bits: u32,
    pub(crate) signed: bool,
}

impl Function {
    /// Looks for it in the types of the kernel, then in those of its modules.
    pub(crate) fn find(target: &Target, name: &str) -> Outcome<Self> {
        let kernel = target.vmlinux_btf()?;
        if let Some(id) = kernel.find(name, Kind::Func) {
            return Self::read(kernel, id);
        }
        for module in target.module_btfs()? {
            if let Some(id) = module.btf.find_own(name, Kind::Func) {
                return Self::read(&module.btf, id);
            }
        }
        let why = format!("the kernel's types describe no function `{name}`");
        Err(refused(ErrorKind::NotFound, why))
    }

    fn read(btf: &Arc<Btf<'static>>, id: TypeId) -> Outcome<Self> {
        let function = btf.get(id)?;
        let prototype = btf.get(function.target().unwrap_or(TypeId::VOID))?;
        let mut used = 0;
        let mut parameters = Vec::new();
        for parameter in prototype.params() {
            // The end of a list of variable arguments has no name and no type.
            let size = btf.size_of(parameter.type_id).unwrap_or_default();
            let words = usize::try_from(size.div_ceil(8).max(1)).unwrap_or(REGISTERS);
            parameters.push(Parameter {
                name: parameter.name.to_owned(),
                type_id: parameter.type_id,
                register: (words == 1 && used < REGISTERS).then_some(used),
            });
            used += words;
        }
        let result = prototype.target().filter(|id| *id != TypeId::VOID);
        Ok(Self {
            name: function.name().to_owned(),
            parameters,
            result,
            btf: Arc::clone(btf),
        })
    }

    /// The parameter with this name.
    pub(crate) fn parameter(&self, name: &str) -> Outcome<&Parameter> {
        let found = self.parameters.iter().find(|one| one.name == name);
        found.ok_or_else(|| {
            let names = self.parameters.iter().map(|one| one.name.as_str());
            let names: Vec<_> = names.collect();
            let (function, names) = (&self.name, names.join(", "));
            let why = format!("`{function}` has no parameter `{name}`; it has: {names}");
            refused(ErrorKind::NotFound, why)
        })
    }

    fn resolved(&self, id: TypeId) -> Outcome<Type<'_>> {
        Ok(self.btf.get(id)?.resolved()?)
    }

    /// A type as C writes it.
    pub(crate) fn type_name(&self, id: TypeId) -> String {
        self.btf.type_name(id)
    }

    /// The width and sign of this type, if it is a number or a pointer.
    pub(crate) fn number(&self, id: TypeId) -> Outcome<Option<Number>> {
        let ty = self.resolved(id)?;
        let signed = match ty.kind() {
            Kind::Int => ty.int_encoding().is_some_and(|encoding| encoding.signed),
            Kind::Enum | Kind::Enum64 => ty.kflag(),
            Kind::Ptr => false,
            _ => return Ok(None),
        };
        let bits = self.btf.size_of(id)?.saturating_mul(8);
        Ok(matches!(bits, 8 | 16 | 32 | 64).then_some(Number { bits, signed }))
    }

    /// What the argument in each register points to. Structures count only if they are wanted.
    pub(crate) fn pointees(&self, structures: bool) -> Outcome<[Option<Pointee>; REGISTERS]> {
        let mut found = [None; REGISTERS];
        for parameter in &self.parameters {
            let place = parameter.register.and_then(|at| found.get_mut(at));
            if let Some(place) = place {
                let pointee = self.pointee(parameter.type_id)?;
                *place = pointee.filter(|one| structures || *one == Pointee::Text);
            }
        }
        Ok(found)
    }

    /// What this type points to: a structure or union with a definition, or constant text.
    fn pointee(&self, id: TypeId) -> Outcome<Option<Pointee>> {
        let pointer = self.resolved(id)?;
        let Some(to) = pointer.target().filter(|_| pointer.kind() == Kind::Ptr) else {
            return Ok(None);
        };
        let ty = self.resolved(to)?;
        Ok(match ty.kind() {
            Kind::Struct | Kind::Union => Some(Pointee::Structure(ty.id(), ty.size_field())),
            // What may be written to is a buffer, whose contents are yet to come.
            Kind::Int if ty.size_field() == 1 && ty.name() == "char" => {
                self.is_const(to)?.then_some(Pointee::Text)
            }
            _ => None,
        })
    }

    /// Whether a type, which is known to resolve, has `const` among its qualifiers.
    fn is_const(&self, mut id: TypeId) -> Outcome<bool> {
        loop {
            let ty = self.btf.get(id)?;
            match (ty.kind(), ty.target()) {
                (Kind::Const, _) => return Ok(true),
                (Kind::Volatile | Kind::Restrict | Kind::TypeTag | Kind::Typedef, Some(target)) => {
                    id = target;
                }
                _ => return Ok(false),
            }
        }
    }

    /// The value of a type that starts with these bytes.
    pub(crate) fn decode(&self, id: TypeId, bytes: &[u8]) -> Outcome<Value> {
        Ok(self.btf.decode(id, bytes)?)
    }
}

/// What a pointer points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pointee {
    Text,
    /// Its type and size.
    Structure(TypeId, u32),
}
