//! Opening: its stages in order, and its options.

use super::collect::Collected;
use super::externs::Externs;
use super::{
    Function, OpenObject, OpenProgram, SectionDef, btf_fixup, globals, map_def, relocs, struct_ops,
};
use crate::Result;
use crate::sha256::sha256;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open an object.
///
/// ```no_run
/// let object = rawbpf::OpenOptions::new()
///     .kconfig("CONFIG_HZ=250\n")
///     .open_file("opensnoop.bpf.o")?;
/// # Ok::<(), rawbpf::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[doc(alias = "bpf_object_open_opts")]
pub struct OpenOptions {
    object_name: Option<String>,
    pin_root_path: Option<PathBuf>,
    kconfig: String,
    btf_path: Option<PathBuf>,
    unknown_attributes: UnknownAttributes,
    token: TokenSource,
    sections: Vec<&'static SectionDef>,
    other_sections: Option<&'static SectionDef>,
}

/// What to do about attributes of map definitions that this library does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(alias = "relaxed_maps")]
pub enum UnknownAttributes {
    /// They are an error.
    #[default]
    Refuse,
    /// They are ignored.
    Ignore,
}

/// Where the BPF token comes from: permissions of the initial user namespace, delegated through a BPF file system to the user
/// namespace of a container. Since Linux 6.9; processes with capabilities in the initial namespace do not need one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[doc(alias = "bpf_token_path")]
pub enum TokenSource {
    /// The file system at the path in the environment variable `LIBBPF_BPF_TOKEN_PATH` (no token if that is empty). If it is
    /// not set, `/sys/fs/bpf`, where a token is optional.
    #[default]
    Environment,
    /// The BPF file system that is mounted here, where a token is required.
    Mount(PathBuf),
    /// No token, whatever the environment says.
    None,
}

impl OpenOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the object's name, with which the names of its data maps start. The default is the file name up to the first dot or,
    /// for an object in memory, the start of the SHA-256 of its contents. Only the first 15 characters are used.
    pub fn object_name(mut self, name: impl Into<String>) -> Self {
        self.object_name = Some(name.into());
        self
    }

    /// With this name, unless one is set.
    pub(crate) fn named_unless(&self, name: &str) -> Self {
        let mut options = self.clone();
        options.object_name.get_or_insert_with(|| name.to_owned());
        options
    }

    /// Sets where maps are pinned by name, instead of `/sys/fs/bpf`.
    pub fn pin_root_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.pin_root_path = Some(path.into());
        self
    }

    /// Sets kernel configuration values (lines such as `CONFIG_HZ=250`), which override the kernel's own.
    pub fn kconfig(mut self, text: impl Into<String>) -> Self {
        self.kconfig = text.into();
        self
    }

    /// Sets a file with kernel types, used for CO-RE instead of the running kernel's.
    #[doc(alias = "btf_custom_path")]
    pub fn btf_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.btf_path = Some(path.into());
        self
    }

    /// What to do about attributes of map definitions that this library does not know.
    #[doc(alias = "relaxed_maps")]
    pub fn unknown_attributes(mut self, what: UnknownAttributes) -> Self {
        self.unknown_attributes = what;
        self
    }

    /// Sets where the BPF token for loading it comes from.
    #[doc(alias = "bpf_token_path")]
    pub fn token(mut self, source: TokenSource) -> Self {
        self.token = source;
        self
    }

    /// Adds a section name that determines the type of its programs. Names added here are tried first, in the order of the
    /// calls, then those of [`SectionDef::ALL`].
    ///
    /// ```
    /// use rawbpf::open::{AutoAttach, SectionDef, SectionFlags};
    /// use rawbpf::{AttachType, OpenOptions, ProgramType};
    ///
    /// static WATCH: SectionDef = SectionDef {
    ///     pattern: "watch+", // SEC("watch/syscalls/sys_enter_openat")
    ///     kind: ProgramType::TRACEPOINT,
    ///     attach_type: AttachType(0),
    ///     flags: SectionFlags::empty(),
    ///     auto_attach: Some(AutoAttach::Tracepoint),
    /// };
    /// let options = OpenOptions::new().section(&WATCH);
    /// # drop(options);
    /// ```
    #[doc(alias = "libbpf_register_prog_handler")]
    pub fn section(mut self, def: &'static SectionDef) -> Self {
        self.sections.push(def);
        self
    }

    /// Sets the definition for all sections that no name matches. The definition's own pattern is ignored.
    #[doc(alias = "libbpf_register_prog_handler")]
    pub fn other_sections(mut self, def: &'static SectionDef) -> Self {
        self.other_sections = Some(def);
        self
    }

    /// The definition that matches this section name (without a leading `?`).
    #[doc(alias = "find_sec_def")]
    fn section_def(&self, section: &str) -> Option<&'static SectionDef> {
        let own = self.sections.iter().copied();
        own.chain(SectionDef::ALL)
            .find(|def| def.matches(section))
            .or(self.other_sections)
    }

    /// Opens an object in memory.
    ///
    /// # Errors
    /// The bytes are not a valid BPF object; the error names the section, symbol or offset. Problems of single programs, such
    /// as an unknown section, are not errors yet: they are reported when the program is to be loaded.
    #[doc(alias = "bpf_object__open_mem")]
    pub fn open_bytes(&self, bytes: &[u8]) -> Result<OpenObject> {
        self.open(bytes, None)
    }

    /// Opens an object that was read from `path`, if from a file.
    pub(crate) fn open(&self, bytes: &[u8], path: Option<&Path>) -> Result<OpenObject> {
        self.open_stages(bytes, path).map_err(|error| {
            let what = match (path, &self.object_name) {
                (Some(path), _) => path.display().to_string(),
                (None, Some(name)) => name.clone(),
                (None, None) => "in memory".into(),
            };
            error.context(format!("object {what}"))
        })
    }

    #[doc(alias = "bpf_object_open")]
    fn open_stages(&self, bytes: &[u8], path: Option<&Path>) -> Result<OpenObject> {
        let name = self.name(bytes, path);
        let file = Collected::new(bytes)?;
        let functions = file.functions()?;
        let (raw_btf, btf_ext) = btf_fixup::read(&file, bytes)?;
        let externs = Externs::collect(&file, raw_btf.as_ref())?;
        let btf = match &raw_btf {
            Some(raw) => Some(btf_fixup::fix(&file, raw, &externs)?),
            None => None,
        };
        let mut maps = map_def::maps(&file, btf.as_ref(), self.unknown_attributes)?;
        let arena_map = map_def::arena(&file, &maps)?;
        let sections = globals::Sections::of(btf.as_ref());
        maps.extend(globals::maps(&file, &sections, &name)?);
        let kconfig = globals::kconfig_map(&sections, &name, &externs);
        let kconfig_map = kconfig.as_ref().map(|_| maps.len());
        maps.extend(kconfig);
        maps.extend(struct_ops::maps(&file, btf.as_ref(), &sections)?);
        let variables = globals::variables(&file, btf.as_ref(), &maps, arena_map);
        let bytes_of = |section: &Option<crate::elf::Section<'_>>| match section {
            Some(section) => section.data().map(<[u8]>::to_vec),
            None => Ok(Vec::new()),
        };
        let mut object = OpenObject {
            name,
            path: path.map(Path::to_path_buf),
            license: file.license.clone(),
            kernel_version: file.kernel_version,
            byte_order: file.byte_order,
            btf: btf.map(Arc::new),
            btf_ext,
            programs: self.programs(&functions, file.text),
            code_without_functions: file.code_without(&functions),
            functions,
            text_section: file.text,
            maps,
            externs: externs.list,
            variables: Arc::new(variables),
            kconfig_map,
            user_kconfig: self.kconfig.clone(),
            pin_root: self.pin_root_path.clone(),
            arena_map,
            arena_data: bytes_of(&file.arena)?,
            jump_tables: bytes_of(&file.jump_tables)?,
            btf_path: self.btf_path.clone(),
            token: self.token.clone(),
            alternatives: Vec::new(),
        };
        relocs::collect(&mut object, &file, &externs.by_symbol)?;
        Ok(object)
    }

    /// The object's name: given by the caller, or from the file name, or else derived from its contents. (libbpf uses the
    /// address and length of the buffer, which differ from run to run, and so would the names of maps.)
    fn name(&self, bytes: &[u8], path: Option<&Path>) -> String {
        const LONGEST: usize = 15;
        let cut = |name: &str| -> String {
            let mut end = name.len().min(LONGEST);
            while !name.is_char_boundary(end) {
                end -= 1;
            }
            name.get(..end).unwrap_or_default().to_string()
        };
        if let Some(name) = &self.object_name {
            return cut(name);
        }
        let Some(path) = path else {
            let hash = sha256(bytes);
            let start = hash.first_chunk().copied().map_or(0, u64::from_be_bytes);
            return cut(&format!("{start:016x}"));
        };
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = cut(&file);
        match name.split_once('.') {
            Some((stem, _)) => stem.to_string(),
            None => name,
        }
    }

    /// The entry programs: every function that is not in `.text`.
    #[doc(alias("bpf_object__init_prog", "bpf_object_init_progs"))]
    fn programs(
        &self,
        functions: &[Function],
        text: Option<crate::SectionIndex>,
    ) -> Vec<OpenProgram> {
        let entries = functions
            .iter()
            .enumerate()
            .filter(|(_, function)| Some(function.section) != text);
        entries
            .map(|(index, function)| {
                let (section, autoload) = match function.section_name.strip_prefix('?') {
                    Some(section) => (section, false),
                    None => (function.section_name.as_str(), true),
                };
                let def = self.section_def(section);
                OpenProgram {
                    function: index,
                    name: function.name.clone(),
                    section: section.to_string(),
                    def,
                    kind: def.map(|def| def.kind).unwrap_or_default(),
                    attach_type: def.map(|def| def.attach_type).unwrap_or_default(),
                    flags: 0,
                    autoload,
                    autoattach: true,
                    attach_target: None,
                    attach_program: None,
                    log_level: 0,
                    ifindex: 0,
                }
            })
            .collect()
    }
}
