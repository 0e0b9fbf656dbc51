//! `rawbpf new`: a small project that builds and runs.

use super::write::write_new;
use crate::cannot_print;
use clap::Args;
use rawbpf::{Error, ErrorKind, Result};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    after_help = "The project shows every program that is started. Its eBPF program is there in C and compiled, so that clang is needed only to \
                  change it:\n  \
                  rawbpf new tool && cd tool && cargo build && sudo target/debug/tool"
)]
pub(crate) struct NewArgs {
    /// The folder of the project, whose last part is its name
    #[arg(value_name = "NAME")]
    folder: PathBuf,
}

/// A file of the project, with `{{name}}` and the like where the project's own words go.
struct File {
    path: &'static str,
    text: &'static str,
}

const FILES: &[File] = &[
    File {
        path: "Cargo.toml",
        text: include_str!("../../template/manifest.toml"),
    },
    File {
        path: ".gitignore",
        text: include_str!("../../template/gitignore"),
    },
    File {
        path: "README.md",
        text: include_str!("../../template/README.md"),
    },
    File {
        path: "src/main.rs",
        text: include_str!("../../template/main.rs"),
    },
    File {
        path: "src/bpf/{{name}}.bpf.c",
        text: include_str!("../../template/program.bpf.c"),
    },
];

/// What the C source compiles to (`cargo xtask template`).
const OBJECT: &[u8] = include_bytes!("../../template/program.bpf.o");

pub(crate) fn new(args: &NewArgs, out: &mut impl Write) -> Result<()> {
    let folder = &args.folder;
    let name = Name::of(folder)?;
    expect_empty(folder)?;
    let sources = folder.join("src/bpf");
    fs::create_dir_all(&sources).map_err(|e| Error::from_io(e, "make", &sources))?;
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.join(path);
        write_new(&path, bytes).map_err(|e| Error::from_io(e, "write", &path))
    };
    for File { path, text } in FILES {
        write(&name.fill(path), name.fill(text).as_bytes())?;
    }
    write(&name.fill("src/bpf/{{name}}.bpf.o"), OBJECT)?;
    let (folder, name) = (folder.display(), name.package);
    writeln!(
        out,
        "{folder}: a project that shows every program that is started. Next:\n\
         cd {folder} && cargo build && sudo target/debug/{name}"
    )
    .map_err(cannot_print)
}

/// What the project is called.
struct Name<'p> {
    package: &'p str,
}

impl<'p> Name<'p> {
    /// The last part of the path, if packages may be called that.
    fn of(folder: &'p Path) -> Result<Self> {
        let package = folder.file_name().and_then(|name| name.to_str());
        let package = package.unwrap_or_default();
        let starts_well = package.starts_with(|c: char| c.is_ascii_alphabetic());
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if starts_well && package.chars().all(allowed) && !RESERVED.contains(&package) {
            return Ok(Self { package });
        }
        Err(Error::new(
            ErrorKind::InvalidArgument,
            format!("`{package}` cannot be the name of a package"),
        )
        .with_hint(
            "a name starts with a letter, has letters, digits, `-` and `_`, and is no word of Rust",
        ))
    }

    fn fill(&self, text: &str) -> String {
        let module = self.package.replace('-', "_");
        text.replace("{{name}}", self.package)
            .replace("{{module}}", &module)
            .replace("{{version}}", env!("CARGO_PKG_VERSION"))
    }
}

/// Words of Rust, and names that Cargo or the project itself uses.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "main",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "rawbpf",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Nothing of the user's is mixed with the project.
fn expect_empty(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{} exists, and is not empty", folder.display()),
            )
            .with_hint("choose another name, or empty the folder")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::from_io(error, "use", folder)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_packages() {
        for name in ["tool", "my-tool", "t_2", "some/where/tool", "/tmp/x1"] {
            assert!(Name::of(Path::new(name)).is_ok(), "{name}");
        }
        for name in [
            "", "..", "2t", "a b", "match", "größe", "-x", "a\"b", "rawbpf",
        ] {
            let error = Name::of(Path::new(name)).err().expect(name);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}");
        }
        let name = Name::of(Path::new("x/my-tool")).expect("a name");
        assert_eq!(name.fill("{{name}} {{module}}"), "my-tool my_tool");
    }
}
