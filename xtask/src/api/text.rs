//! Types and signatures as text.

use super::listing::Paths;
use rustdoc_types::{
    AssocItemConstraintKind, Crate, Function, GenericArg, GenericArgs, GenericBound,
    GenericParamDef, GenericParamDefKind, Generics, Impl, Path, PreciseCapturingArg, Term,
    TraitBoundModifier, Type, WherePredicate,
};
use std::cell::RefCell;
use std::collections::BTreeSet;

pub(super) struct Text<'k> {
    krate: &'k Crate,
    paths: &'k Paths,
    /// The item whose signature is being written.
    place: String,
    /// Types of the crate that are used in signatures and have no documented path.
    unknown: RefCell<BTreeSet<String>>,
}

fn list(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<_>>().join(", ")
}

impl<'k> Text<'k> {
    pub(super) fn new(krate: &'k Crate, paths: &'k Paths) -> Self {
        Self {
            krate,
            paths,
            place: String::new(),
            unknown: RefCell::default(),
        }
    }

    /// Starts the item at this path.
    pub(super) fn enter(&mut self, path: &str) {
        path.clone_into(&mut self.place);
    }

    /// Types without a documented path, and where they are used.
    pub(super) fn unknown(&self) -> BTreeSet<String> {
        self.unknown.borrow().clone()
    }

    fn is_known(&self, path: &Path) -> bool {
        self.paths.contains_key(&path.id)
            || self
                .krate
                .paths
                .get(&path.id)
                .is_some_and(|p| p.crate_id != 0)
    }

    /// Whether it can be understood from documented items alone.
    pub(super) fn all_known(&self, of: &Impl) -> bool {
        let for_known = match &of.for_ {
            Type::ResolvedPath(path) => self.is_known(path),
            _ => true,
        };
        for_known && of.trait_.as_ref().is_some_and(|path| self.is_known(path))
    }

    fn path(&self, path: &Path) -> String {
        let name = match self.paths.get(&path.id) {
            Some(known) => known.clone(),
            None => match self.krate.paths.get(&path.id) {
                Some(found) if found.crate_id != 0 => outside(&found.path),
                _ => {
                    let place = &self.place;
                    let mut unknown = self.unknown.borrow_mut();
                    unknown.insert(format!("{}, needed by {place}", path.path));
                    path.path.clone()
                }
            },
        };
        match &path.args {
            Some(args) => name + &self.args(args),
            None => name,
        }
    }

    fn args(&self, args: &GenericArgs) -> String {
        match args {
            GenericArgs::AngleBracketed { args, constraints } => {
                let args = args.iter().map(|arg| match arg {
                    GenericArg::Lifetime(lifetime) => lifetime.clone(),
                    GenericArg::Type(ty) => self.ty(ty),
                    GenericArg::Const(constant) => constant.expr.clone(),
                    GenericArg::Infer => "_".to_owned(),
                });
                let constraints = constraints.iter().map(|constraint| {
                    let name = &constraint.name;
                    match &constraint.binding {
                        AssocItemConstraintKind::Equality(term) => {
                            format!("{name} = {}", self.term(term))
                        }
                        AssocItemConstraintKind::Constraint(bounds) => {
                            format!("{name}{}", self.bounds(bounds))
                        }
                    }
                });
                let inside = list(args.chain(constraints));
                if inside.is_empty() {
                    inside
                } else {
                    format!("<{inside}>")
                }
            }
            GenericArgs::Parenthesized { inputs, output } => {
                let inputs = list(inputs.iter().map(|ty| self.ty(ty)));
                format!("({inputs}){}", self.output(output.as_ref()))
            }
            GenericArgs::ReturnTypeNotation => "(..)".to_owned(),
        }
    }

    fn term(&self, term: &Term) -> String {
        match term {
            Term::Type(ty) => self.ty(ty),
            Term::Constant(constant) => constant.expr.clone(),
        }
    }

    fn output(&self, output: Option<&Type>) -> String {
        output.map_or_else(String::new, |ty| format!(" -> {}", self.ty(ty)))
    }

    pub(super) fn ty(&self, ty: &Type) -> String {
        match ty {
            Type::ResolvedPath(path) => self.path(path),
            Type::Generic(name) | Type::Primitive(name) => name.clone(),
            Type::Tuple(types) => format!("({})", list(types.iter().map(|ty| self.ty(ty)))),
            Type::Slice(ty) => format!("[{}]", self.ty(ty)),
            Type::Array { type_, len } => format!("[{}; {len}]", self.ty(type_)),
            Type::Pat { type_, .. } => self.ty(type_),
            Type::Infer => "_".to_owned(),
            Type::ImplTrait(bounds) => format!("impl {}", self.sum(bounds)),
            Type::DynTrait(of) => {
                let traits = of.traits.iter().map(|of| self.path(&of.trait_));
                let parts: Vec<_> = traits.chain(of.lifetime.clone()).collect();
                format!("dyn {}", parts.join(" + "))
            }
            Type::RawPointer { is_mutable, type_ } => {
                let word = if *is_mutable { "mut" } else { "const" };
                format!("*{word} {}", self.ty(type_))
            }
            Type::BorrowedRef {
                lifetime,
                is_mutable,
                type_,
            } => {
                let lifetime = lifetime
                    .as_ref()
                    .map_or_else(String::new, |l| format!("{l} "));
                let word = if *is_mutable { "mut " } else { "" };
                format!("&{lifetime}{word}{}", self.ty(type_))
            }
            Type::QualifiedPath {
                name,
                self_type,
                trait_,
                ..
            } => match trait_ {
                Some(trait_) if !trait_.path.is_empty() => {
                    format!("<{} as {}>::{name}", self.ty(self_type), self.path(trait_))
                }
                _ => format!("{}::{name}", self.ty(self_type)),
            },
            Type::FunctionPointer(of) => {
                let inputs = list(of.sig.inputs.iter().map(|(_, ty)| self.ty(ty)));
                format!("fn({inputs}){}", self.output(of.sig.output.as_ref()))
            }
        }
    }

    fn sum(&self, bounds: &[GenericBound]) -> String {
        let parts: Vec<_> = bounds.iter().map(|bound| self.bound(bound)).collect();
        parts.join(" + ")
    }

    /// `: A + B`, or nothing.
    pub(super) fn bounds(&self, bounds: &[GenericBound]) -> String {
        if bounds.is_empty() {
            String::new()
        } else {
            format!(": {}", self.sum(bounds))
        }
    }

    fn bound(&self, bound: &GenericBound) -> String {
        match bound {
            GenericBound::TraitBound {
                trait_, modifier, ..
            } => {
                // A trait that cannot be named prevents other crates from implementing a trait that requires it.
                if !self.is_known(trait_) {
                    return "sealed".to_owned();
                }
                let maybe = match modifier {
                    TraitBoundModifier::Maybe => "?",
                    TraitBoundModifier::None | TraitBoundModifier::MaybeConst => "",
                };
                format!("{maybe}{}", self.path(trait_))
            }
            GenericBound::Outlives(lifetime) => lifetime.clone(),
            GenericBound::Use(args) => {
                let args = args.iter().map(|arg| match arg {
                    PreciseCapturingArg::Lifetime(name) | PreciseCapturingArg::Param(name) => {
                        name.clone()
                    }
                });
                format!("use<{}>", list(args))
            }
        }
    }

    /// Generic parameters with their bounds, and the `where` clause.
    pub(super) fn generics(&self, generics: &Generics) -> (String, String) {
        let params = list(generics.params.iter().filter_map(|param| self.param(param)));
        let params = if params.is_empty() {
            params
        } else {
            format!("<{params}>")
        };
        let wheres = list(generics.where_predicates.iter().map(|of| match of {
            WherePredicate::BoundPredicate { type_, bounds, .. } => {
                format!("{}{}", self.ty(type_), self.bounds(bounds))
            }
            WherePredicate::LifetimePredicate { lifetime, outlives } => {
                format!("{lifetime}: {}", outlives.join(" + "))
            }
            WherePredicate::EqPredicate { lhs, rhs } => {
                format!("{} = {}", self.ty(lhs), self.term(rhs))
            }
        }));
        let wheres = if wheres.is_empty() {
            wheres
        } else {
            format!(" where {wheres}")
        };
        (params, wheres)
    }

    fn param(&self, param: &GenericParamDef) -> Option<String> {
        let name = &param.name;
        Some(match &param.kind {
            GenericParamDefKind::Lifetime { outlives } if outlives.is_empty() => name.clone(),
            GenericParamDefKind::Lifetime { outlives } => {
                format!("{name}: {}", outlives.join(" + "))
            }
            // `impl Trait` is written at the argument.
            GenericParamDefKind::Type {
                is_synthetic: true, ..
            } => return None,
            GenericParamDefKind::Type {
                bounds, default, ..
            } => {
                let default = default
                    .as_ref()
                    .map_or_else(String::new, |ty| format!(" = {}", self.ty(ty)));
                format!("{name}{}{default}", self.bounds(bounds))
            }
            GenericParamDefKind::Const { type_, .. } => {
                format!("const {name}: {}", self.ty(type_))
            }
        })
    }

    /// A function, with its full name.
    pub(super) fn function(&self, visibility: &str, name: &str, of: &Function) -> String {
        let mut words = visibility.to_owned();
        for (is, word) in [
            (of.header.is_const, "const "),
            (of.header.is_async, "async "),
            (of.header.is_unsafe, "unsafe "),
        ] {
            if is {
                words.push_str(word);
            }
        }
        let (params, wheres) = self.generics(&of.generics);
        let inputs = list(of.sig.inputs.iter().map(|(name, ty)| {
            let ty = self.ty(ty);
            match (name.as_str(), ty.as_str()) {
                ("self", "Self") => "self".to_owned(),
                ("self", "&Self") => "&self".to_owned(),
                ("self", "&mut Self") => "&mut self".to_owned(),
                _ => format!("{name}: {ty}"),
            }
        }));
        let output = self.output(of.sig.output.as_ref());
        format!("{words}fn {name}{params}({inputs}){output}{wheres}")
    }

    /// The first line of an implementation of a trait.
    pub(super) fn implementation(&self, of: &Impl) -> String {
        let (params, wheres) = self.generics(&of.generics);
        let not = if of.is_negative { "!" } else { "" };
        let trait_ = of
            .trait_
            .as_ref()
            .map_or_else(String::new, |p| self.path(p));
        format!(
            "impl{params} {not}{trait_} for {}{wheres}",
            self.ty(&of.for_)
        )
    }
}

/// Well-known types need no path.
fn outside(path: &[String]) -> String {
    match path {
        [first, .., last] if matches!(first.as_str(), "core" | "alloc" | "std") => last.clone(),
        _ => path.join("::"),
    }
}
