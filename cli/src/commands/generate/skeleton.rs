//! `rawbpf gen skeleton` and `subskeleton`: headers for programs that link libbpf.

use crate::cannot_print;
use crate::commands::object::warn;
use crate::stop::Stop;
use clap::Args;
use rawbpf::bindings::c::{Skeleton, Subskeleton};
use rawbpf::{Error, ErrorKind, OpenObject, Result};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "The header has the names and the layout of the one that bpftool writes. It goes to standard output:\n  \
                  rawbpf gen skeleton tool.bpf.o > tool.skel.h\n  \
                  rawbpf gen skeleton tool.bpf.o name tool > tool.skel.h"
)]
pub(super) struct SkeletonArgs {
    /// The compiled object (.bpf.o)
    #[arg(value_name = "OBJECT")]
    object: PathBuf,
    /// The word `name`, and the name of the structure [default: tool_bpf, for tool.bpf.o]
    #[arg(num_args = 2, value_names = ["name", "NAME"])]
    named: Option<Vec<String>>,
}

impl SkeletonArgs {
    fn name(&self) -> Result<Option<&str>> {
        match self.named.as_deref() {
            None => Ok(None),
            Some([word, name]) if word == "name" => Ok(Some(name)),
            Some(words) => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("`{}` is no option", words.join(" ")),
            )
            .with_hint("`name NAME` says what to call the structure")),
        }
    }
}

pub(super) fn skeleton(args: &SkeletonArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let name = args.name()?;
    let open = OpenObject::from_file(&args.object)?;
    warn(&open.warnings(), stop);
    let bytes = fs::read(&args.object).map_err(|e| Error::from_io(e, "read", &args.object))?;
    let mut skeleton = Skeleton::new(&open, &bytes);
    if let Some(name) = name {
        skeleton = skeleton.name(name);
    }
    print(&skeleton.write()?, out)
}

pub(super) fn subskeleton(args: &SkeletonArgs, stop: &Stop, out: &mut impl Write) -> Result<()> {
    let name = args.name()?;
    let open = OpenObject::from_file(&args.object)?;
    warn(&open.warnings(), stop);
    let mut subskeleton = Subskeleton::new(&open);
    if let Some(name) = name {
        subskeleton = subskeleton.name(name);
    }
    print(&subskeleton.write()?, out)
}

fn print(header: &str, out: &mut impl Write) -> Result<()> {
    out.write_all(header.as_bytes()).map_err(cannot_print)
}
