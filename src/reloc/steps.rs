//! Relocation as a whole, in libbpf's order: externs, maps, CO-RE, subprograms, references, attach targets, BTF.

use super::alternatives;
use super::arg_ctx::ContextTags;
use super::attach_target;
use super::core_relos::{self, Code};
use super::externs::{self, Externs};
use super::info::InfoTables;
use super::jump_tables::JumpTables;
use super::kernel_types::KernelTypes;
use super::maps::{self, ArenaPlace};
use super::missing_types;
use super::plan::{LoadPlan, MapPlan, ProgramPlan, RefKind};
use super::references::{References, SharedNames};
use super::struct_ops::{self, Bindings};
use super::subprog::{Linked, Linker};
use super::target::Target;
use super::{btf_upload, sanitize_insns};
use crate::btf::{BtfBuilder, ByteOrder};
use crate::feature::Feature;
use crate::kinds::{AttachType, ProgramFlags, ProgramType};
use crate::open::{MapOrigin, OpenObject, OpenProgram, SectionFlags};
use crate::{Error, ErrorKind, Result};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which programs a plan loads.
#[derive(Debug, Clone, Copy)]
enum Selection<'s> {
    /// Those with autoload on, except these (by index, in ascending order).
    AllBut(&'s [usize]),
    /// The one with this index.
    Only(usize),
}

impl Selection<'_> {
    fn has(self, index: usize, program: &OpenProgram) -> bool {
        match self {
            Self::AllBut(others) => program.autoload && others.binary_search(&index).is_err(),
            Self::Only(only) => index == only,
        }
    }
}

impl OpenObject {
    /// Computes everything that loading this object into `target` will request from the kernel.
    ///
    /// An error of a single program is kept in its [`ProgramPlan::error`] and reported when the program is to be loaded.
    /// Programs with autoload off are listed with the instructions of the file.
    ///
    /// # Errors
    /// Whatever makes libbpf reject the whole object: a missing strong extern, a subprogram's CO-RE relocation that cannot be
    /// resolved, no kernel BTF although it is needed.
    #[doc(alias("bpf_object__prepare", "bpf_object__relocate"))]
    pub fn relocate(&self, target: &Target) -> Result<LoadPlan> {
        let all = alternatives::all_wanted(self);
        let mut plan = all.relocate_apart(target, |index| self.is_alternative(index))?;
        alternatives::choose(self, &mut plan, target);
        Ok(plan)
    }

    /// Like [`OpenObject::relocate`], as if only this program (by its index) had autoload on.
    pub fn relocate_only(&self, target: &Target, program: usize) -> Result<LoadPlan> {
        Assembler::assemble(self, target, Selection::Only(program)).map_err(|e| self.blame(e))
    }

    /// Like [`OpenObject::relocate`], but if a program needs kernel types that are not available, only that program has an
    /// error, instead of the whole object.
    ///
    /// # Errors
    /// Errors that occur even without any program.
    pub fn relocate_each(&self, target: &Target) -> Result<LoadPlan> {
        let all = alternatives::all_wanted(self);
        let mut plan = all.relocate_apart(target, |_| true)?;
        alternatives::choose(self, &mut plan, target);
        Ok(plan)
    }

    /// Relocates what has autoload on. If a program for which `is_apart` is true needs kernel types that are not available,
    /// only that program has an error.
    fn relocate_apart(
        &self,
        target: &Target,
        is_apart: impl Fn(usize) -> bool,
    ) -> Result<LoadPlan> {
        let relocate = |but: &[usize]| {
            Assembler::assemble(self, target, Selection::AllBut(but)).map_err(|e| self.blame(e))
        };
        let whole = match relocate(&[]) {
            Ok(plan) => return Ok(plan),
            Err(error) => error,
        };
        // Nothing else that a single program needs makes the whole object fail.
        let mut mistakes = missing_types::of_programs(self, target);
        mistakes.retain(|(index, _)| {
            is_apart(*index) && self.programs.get(*index).is_some_and(|p| p.autoload)
        });
        let apart: Vec<usize> = mistakes.iter().map(|(index, _)| *index).collect();
        let (false, Ok(mut plan)) = (apart.is_empty(), relocate(&apart)) else {
            return Err(whole);
        };
        for (index, error) in mistakes {
            if let Some(program) = plan.programs.get_mut(index) {
                program.autoload = true;
                program.error = Some(error.context(format!("program `{}`", program.name)));
            }
        }
        Ok(plan)
    }
}

/// The maximum size in bytes of the descriptions of CO-RE relocations in all programs of an object. Each program has copies
/// of its subprograms' descriptions.
const MOST_DESCRIBED: usize = 1 << 28;

/// What programs add to the object's maps and types.
struct Output<'o> {
    tables: JumpTables<'o>,
    types: Option<BtfBuilder>,
    tags: ContextTags,
    /// How many more bytes the descriptions of CO-RE relocations may take.
    room: usize,
}

struct Assembler<'o> {
    object: &'o OpenObject,
    target: &'o Target,
    types: KernelTypes<'o>,
    externs: Externs,
    maps: Vec<MapPlan>,
    arena: ArenaPlace,
    names: SharedNames,
    bindings: Bindings,
    infos: InfoTables<'o>,
    /// For each program, whether it is to be loaded.
    autoload: Vec<bool>,
}

impl<'o> Assembler<'o> {
    fn assemble(
        object: &'o OpenObject,
        target: &'o Target,
        selection: Selection<'_>,
    ) -> Result<LoadPlan> {
        if object.byte_order == ByteOrder::Foreign {
            return Err(Error::new(
                ErrorKind::InvalidObject,
                "it is of the other byte order, so no kernel of this machine can load it",
            )
            .with_hint("compile it with -target bpf (or bpfel, bpfeb) for this machine"));
        }
        let mut autoload: Vec<bool> = object
            .programs
            .iter()
            .enumerate()
            .map(|(index, program)| selection.has(index, program))
            .collect();
        // This comes first, so that features are probed with its permissions.
        target.token()?;
        let types = KernelTypes::look_up(target, &wanted_types(object, &autoload), || {
            core_relos::wanted_types(object, target, &wanted_functions(object, &autoload))
        })?;
        let externs = Externs::resolve(object, target, &types)?;
        let arena = ArenaPlace::of(object, target)?;
        let mut maps = maps::plan(object, target, externs.kconfig.as_deref(), arena)?;
        let bindings = Bindings::bind(object, &types, &mut maps)?;
        if matches!(selection, Selection::AllBut(_)) {
            bindings.adjust_autoload(object, &mut autoload);
        }
        let infos = match &object.btf_ext {
            Some(ext) if autoload.contains(&true) => InfoTables::new(object, ext),
            _ => InfoTables::default(),
        };
        let names = SharedNames::of(object, &maps);
        let assembler = Self {
            object,
            target,
            types,
            externs,
            maps,
            arena,
            names,
            bindings,
            infos,
            autoload,
        };
        assembler.run()
    }

    fn run(self) -> Result<LoadPlan> {
        let object = self.object;
        let wanted = wanted_functions(object, &self.autoload);
        let mut code = Code::relocate(object, self.target, &wanted, &self.types)?;
        let errors = self.program_errors(&mut code)?;
        let mut linker = Linker::new(object, &code);
        let mut output = Output {
            tables: JumpTables::new(object),
            types: None,
            tags: if self.infos.is_empty() {
                ContextTags::default()
            } else {
                ContextTags::of(object, self.target)
            },
            room: MOST_DESCRIBED,
        };
        let mut programs = Vec::with_capacity(object.programs.len());
        let chosen = self.autoload.iter().zip(errors).enumerate();
        for (program, (index, (autoload, error))) in object.programs.iter().zip(chosen) {
            let mut plan = listed(program, *autoload);
            if !*autoload {
                let function = object.functions.get(program.function);
                plan.insns = function.map(|f| f.insns.clone()).unwrap_or_default();
            } else if let Some(error) = error {
                // What was done before the error is worth seeing.
                plan.insns = code.insns(program.function).to_vec();
                plan.core = code.steps(program.function).to_vec();
                plan.error = Some(error);
            } else if let Err(error) = self.fill(&mut plan, index, &mut linker, &mut output) {
                plan.error = Some(error.context(format!("program `{}`", program.name)));
            }
            programs.push(plan);
        }
        let btf = btf_upload::build(object, output.types, self.target)?;
        let mut maps = self.maps;
        maps.extend(output.tables.into_plans());
        let mut warnings = object.warnings();
        warnings.extend(self.externs.warnings);
        Ok(LoadPlan {
            object_name: object.name.clone(),
            object_path: object.path.clone(),
            target_name: self.target.name(),
            license: object.license.clone(),
            kernel_version: match object.kernel_version {
                Some(version) => version,
                None => self.target.version()?,
            },
            btf_required: object
                .maps
                .iter()
                .any(|map| map.origin == MapOrigin::StructOps),
            btf,
            maps,
            programs,
            types: object.btf.clone(),
            variables: Arc::clone(&object.variables),
            warnings,
            choices: Vec::new(),
        })
    }

    /// Why each program's own instructions could not be relocated. An error in a subprogram is the whole object's.
    fn program_errors(&self, code: &mut Code<'_>) -> Result<Vec<Option<Error>>> {
        let object = self.object;
        let errors = object.programs.iter().map(|program| {
            let error = code.take_error(program.function)?;
            Some(error.context(format!("program `{}`", program.name)))
        });
        let errors = errors.collect();
        for (index, function) in object.functions.iter().enumerate() {
            if let Some(error) = code.take_error(index) {
                return Err(error.context(format!("function `{}`", function.name)));
            }
        }
        Ok(errors)
    }

    fn fill(
        &self,
        plan: &mut ProgramPlan,
        index: usize,
        linker: &mut Linker<'_, '_>,
        output: &mut Output<'_>,
    ) -> Result<()> {
        let Some(program) = self.object.programs.get(index) else {
            return Ok(());
        };
        let mut linked = linker.link(program.function)?;
        let references = References {
            object: self.object,
            maps: &self.maps,
            externs: &self.externs,
            arena: self.arena,
            names: &self.names,
        };
        let refs = references.relocate(&mut linked, &mut output.tables);
        sanitize_insns::sanitize(&mut linked.insns, self.target);
        plan.insns = std::mem::take(&mut linked.insns);
        plan.refs = refs?;
        self.fill_info(plan, &linked)?;
        let Output { tags, types, .. } = output;
        tags.fix(self.object, plan, types);
        describe(plan, &linked, linker.code(), &mut output.room)?;
        if plan
            .refs
            .iter()
            .any(|r| matches!(&r.kind, RefKind::Kfunc { module: Some(_) }))
        {
            plan.fd_array.clone_from(&self.externs.modules);
        }
        self.fill_kind(plan, program, index)
    }

    fn fill_info(&self, plan: &mut ProgramPlan, linked: &Linked) -> Result<()> {
        if !self.infos.is_empty() && self.target.supports(Feature::BtfFunc) {
            plan.func_info = self.infos.func_info(self.object, linked)?;
            plan.line_info = self.infos.line_info(self.object, linked)?;
        }
        Ok(())
    }

    /// Type, attach type and attach target, in the form that this kernel accepts.
    fn fill_kind(&self, plan: &mut ProgramPlan, program: &OpenProgram, index: usize) -> Result<()> {
        if program.kind == ProgramType::UNSPEC {
            return Err(unknown_type(program));
        }
        if program.kind == ProgramType::STRUCT_OPS {
            let (target, attach_type) = self.bindings.of(index)?;
            plan.attach_target = Some(target.clone());
            plan.expected_attach_type = *attach_type;
            return Ok(());
        }
        let section = program.def.map_or(SectionFlags::empty(), |def| def.flags);
        if section.contains(SectionFlags::ATTACH_TYPE_OPTIONAL)
            && !self.target.supports(Feature::ExpAttachType)
        {
            plan.expected_attach_type = AttachType::default();
        }
        if section.contains(SectionFlags::USDT) && self.target.supports(Feature::UprobeMultiLink) {
            plan.expected_attach_type = AttachType::TRACE_UPROBE_MULTI;
        }
        plan.attach_target = attach_target::resolve(program, self.target, &self.types)?;
        Ok(())
    }
}

/// Describes what CO-RE did to all parts of a program.
fn describe(
    plan: &mut ProgramPlan,
    linked: &Linked,
    code: &Code<'_>,
    room: &mut usize,
) -> Result<()> {
    for part in &linked.parts {
        for step in code.steps(part.function) {
            *room = room.checked_sub(step.text_len()).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidObject,
                    format!(
                        "what CO-RE does to all programs takes more than {MOST_DESCRIBED} bytes to describe"
                    ),
                )
            })?;
            let mut step = step.clone();
            step.insn = step.insn.saturating_add(part.start);
            plan.core.push(step);
        }
    }
    Ok(())
}

/// The names that must be looked up among the kernel's types, for the whole object.
fn wanted_types(object: &OpenObject, autoload: &[bool]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    externs::wanted_types(object, &mut names);
    struct_ops::wanted_types(object, &mut names);
    for (program, autoload) in object.programs.iter().zip(autoload) {
        if *autoload {
            attach_target::wanted_types(program, &mut names);
        }
    }
    names
}

/// The functions whose CO-RE relocations count: the programs to be loaded, and every subprogram.
fn wanted_functions(object: &OpenObject, autoload: &[bool]) -> Vec<bool> {
    let mut wanted = vec![true; object.functions.len()];
    for (program, autoload) in object.programs.iter().zip(autoload) {
        if let Some(wanted) = wanted.get_mut(program.function) {
            *wanted = *autoload;
        }
    }
    wanted
}

/// What a program's plan contains whether or not the program is loaded.
fn listed(program: &OpenProgram, autoload: bool) -> ProgramPlan {
    ProgramPlan {
        name: program.name.clone(),
        section: program.section.clone(),
        def: program.def,
        kind: program.kind,
        expected_attach_type: program.attach_type,
        autoload,
        autoattach: program.autoattach,
        flags: flags(program),
        attach_program: program.attach_program.is_some(),
        ifindex: program.ifindex,
        log_level: program.log_level,
        ..ProgramPlan::default()
    }
}

/// The program's own flags and those that its section's name implies.
fn flags(program: &OpenProgram) -> u32 {
    let mut flags = ProgramFlags::from_bits_retain(program.flags);
    if let Some(def) = program.def {
        flags.set(
            ProgramFlags::SLEEPABLE,
            flags.contains(ProgramFlags::SLEEPABLE) || def.flags.contains(SectionFlags::SLEEPABLE),
        );
        if def.flags.contains(SectionFlags::XDP_FRAGS) && program.kind == ProgramType::XDP {
            flags |= ProgramFlags::XDP_HAS_FRAGS;
        }
    }
    flags.bits()
}

fn unknown_type(program: &OpenProgram) -> Error {
    Error::new(
        ErrorKind::InvalidObject,
        format!(
            "section `{}` does not say what type of program it is",
            program.section
        ),
    )
    .with_hint("give it a SEC() name that libbpf knows, such as SEC(\"kprobe/FUNCTION\"), or set the program's type")
}

#[cfg(test)]
mod tests {
    use super::super::offline::OfflineKernel;
    use super::super::target::{KernelSource, ModuleBtf};
    use super::super::testing::{add_program, exit, kernel, nop, object};
    use super::*;
    use crate::KernelVersion;
    use crate::btf::Btf;
    use crate::symbols::{Addresses, KernelSymbol};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A kernel without types, which counts how often it is asked for its version.
    #[derive(Debug)]
    struct NoTypes(Arc<AtomicUsize>);

    impl KernelSource for NoTypes {
        fn name(&self) -> String {
            "no types".to_owned()
        }

        fn vmlinux_btf(&self) -> Result<Btf<'static>> {
            Err(Error::new(ErrorKind::NotFound, "no types"))
        }

        fn module_btfs(&self, _: &Arc<Btf<'static>>) -> Result<Vec<ModuleBtf>> {
            Ok(Vec::new())
        }

        fn version(&self) -> Result<KernelVersion> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(KernelVersion::new(6, 12, 0))
        }

        fn kconfig(&self) -> Result<Vec<u8>> {
            Ok(Vec::new())
        }

        fn kallsyms(&self, _: &mut dyn FnMut(KernelSymbol<'_>)) -> Result<Addresses> {
            Ok(Addresses::Told)
        }

        fn possible_cpus(&self) -> Result<u32> {
            Ok(1)
        }

        fn page_size(&self) -> u32 {
            4096
        }

        fn supports(&self, _: Feature) -> bool {
            true
        }
    }

    /// What a kernel of this version gets for a program in this section: attach type and flags.
    fn planned(section: &str, version: (u8, u8)) -> (AttachType, ProgramFlags) {
        let mut object = object();
        add_program(&mut object, section, vec![nop(), exit()], &[]);
        let target = kernel(KernelVersion::new(version.0, version.1, 0), |_| {});
        let plan = object.relocate(&target).unwrap();
        let program = plan.programs.first().unwrap();
        assert!(program.error.is_none(), "{:?}", program.error);
        let flags = ProgramFlags::from_bits_retain(program.flags);
        (program.expected_attach_type, flags)
    }

    #[test]
    fn kernels_without_attach_types_get_none_where_it_is_optional() {
        for def in crate::open::SectionDef::ALL {
            let name = def.pattern.trim_end_matches('+');
            let optional = def.flags.contains(SectionFlags::ATTACH_TYPE_OPTIONAL);
            if def.needs_attach_target() || def.kind == ProgramType::STRUCT_OPS {
                continue;
            }
            let old = if optional {
                AttachType(0)
            } else {
                def.attach_type
            };
            assert_eq!(planned(name, (4, 16)).0, old, "{name}");
            if !def.flags.contains(SectionFlags::USDT) {
                assert_eq!(planned(name, (7, 2)).0, def.attach_type, "{name}");
            }
        }
    }

    #[test]
    fn what_one_program_lacks_does_not_keep_the_others_from_being_relocated_each() {
        let mut object = object();
        for section in ["socket", "fentry/vfs_read", "xdp"] {
            add_program(&mut object, section, vec![nop(), exit()], &[]);
        }
        let without_types = Target::offline(OfflineKernel::default());
        let whole = object.relocate(&without_types).unwrap_err();
        let plan = object.relocate_each(&without_types).unwrap();
        let mut errors = plan.programs.iter().map(|program| program.error.as_ref());
        let second = errors.nth(1).unwrap().unwrap();
        assert!(errors.next().unwrap().is_none() && plan.programs.iter().all(|p| p.autoload));
        assert_eq!(
            (second.kind(), second.message()),
            (whole.kind(), whole.message())
        );
        assert!(
            second.chain().any(|what| what.starts_with("program")),
            "{second}"
        );
        assert!(
            plan.programs
                .iter()
                .all(|p| !p.insns.is_empty() || p.error.is_some())
        );
    }

    /// A plan of the whole object for each of a thousand programs would be a million programs.
    #[test]
    fn programs_with_mistakes_of_their_own_are_planned_twice_at_most() {
        let versions = Arc::new(AtomicUsize::new(0));
        let target = Target::new(Arc::new(NoTypes(Arc::clone(&versions))));
        let mut object = object();
        for number in 0..200 {
            let section = ["xdp", "fentry/vfs_read"][number % 2];
            add_program(&mut object, section, vec![nop(), exit()], &[]);
        }
        let plan = object.relocate_each(&target).unwrap();
        let errors = plan.programs.iter().map(|p| p.error.is_some());
        assert!(errors.eq((0..200).map(|number| number % 2 == 1)));
        // A plan that is completed asks for the version once.
        assert_eq!(versions.load(Ordering::Relaxed), 1);
        // Large parts are shared by all plans.
        assert!(Arc::ptr_eq(&plan.variables, &object.variables));
    }

    #[test]
    fn static_probes_become_multi_probes_where_there_are_some() {
        assert_eq!(planned("usdt", (6, 5)).0, AttachType(0));
        assert_eq!(planned("usdt", (6, 6)).0, AttachType::TRACE_UPROBE_MULTI);
        assert_eq!(planned("usdt.s", (6, 6)).0, AttachType::TRACE_UPROBE_MULTI);
        assert_eq!(planned("uprobe", (6, 6)).0, AttachType(0));
    }

    #[test]
    fn sections_imply_flags() {
        let flags = |section| planned(section, (7, 2)).1;
        assert_eq!(flags("uprobe.s"), ProgramFlags::SLEEPABLE);
        assert_eq!(flags("syscall"), ProgramFlags::SLEEPABLE);
        assert_eq!(flags("xdp.frags"), ProgramFlags::XDP_HAS_FRAGS);
        assert_eq!(flags("xdp.frags/cpumap"), ProgramFlags::XDP_HAS_FRAGS);
        assert_eq!(flags("xdp"), ProgramFlags::empty());
    }
}
