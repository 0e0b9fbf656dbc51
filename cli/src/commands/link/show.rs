//! `rawbpf link show`.

use super::details::{Details, Lookup};
use crate::commands::attachments::{Functions, kind_of, target};
use crate::commands::holders::{Held, Holder, Holders};
use crate::commands::listing::{Named, OutputArgs, holders_cell};
use crate::commands::pinned::Pins;
use crate::commands::which::{self, Which};
use crate::show::table::print_table;
use clap::Args;
use rawbpf::Result;
use rawbpf::attach::Link;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rawbpf link show\n  rawbpf link show id 12 --pretty\n  rawbpf link show pinned /sys/fs/bpf/tool/link"
)]
pub(crate) struct ShowArgs {
    /// Only this one: `id N` or `pinned PATH` [default: all]
    #[arg(value_name = "LINK", num_args = 0..=2)]
    which: Vec<String>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// A link. The names are bpftool's.
#[derive(Serialize)]
struct Listed<'h> {
    id: u32,
    #[serde(rename = "type")]
    kind: Named,
    #[serde(skip_serializing_if = "Option::is_none")]
    prog_id: Option<u32>,
    #[serde(flatten)]
    details: Details,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pinned: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pids: Vec<&'h Holder>,
    /// For the table.
    #[serde(skip)]
    target: String,
}

pub(super) fn show(args: &ShowArgs, out: &mut impl Write) -> Result<()> {
    let which = Which::of_all::<Link>(&args.which)?;
    let (holders, pins) = (Holders::now(), Pins::of_all::<Link>());
    let (mut lookup, mut functions) = (Lookup::default(), Functions::default());
    let mut listed = Vec::new();
    for found in which::each::<Link>(which) {
        let (_, info) = found?;
        listed.push(Listed {
            id: info.id,
            kind: kind_of(&info),
            prog_id: (info.program_id != 0).then_some(info.program_id),
            target: target(&info.details, &mut functions),
            details: Details::of(&info, &mut lookup),
            pinned: pins.of(info.id),
            pids: holders.of(Held::Link, info.id),
        });
    }
    args.output.print::<Link, _, _>(out, which, &listed, print)
}

fn print(out: &mut impl Write, listed: &[Listed<'_>]) -> io::Result<()> {
    let rows = || {
        listed.iter().map(|link| {
            [
                link.id.to_string().into(),
                link.kind.text(),
                link.prog_id
                    .map_or_else(String::new, |id| id.to_string())
                    .into(),
                link.target.as_str().into(),
                holders_cell(&link.pids),
                link.pinned.join(",").into(),
            ]
        })
    };
    print_table(
        out,
        "links",
        ["id", "type", "program", "attached to", "held by", "pinned"],
        rows,
    )
}
