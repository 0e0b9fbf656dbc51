//! Calls of kernel functions, counted.

use crate::common::{
    Args, Column, Outcome, Tool, attach_to_many, left, load_for_many, right, uint,
};
use rawbpf::btf::Value;
use rawbpf::symbols::Symbols;
use std::collections::BTreeMap;

pub(crate) const TOOL: Tool = Tool {
    name: "funccount",
    about: "Counts calls of kernel functions",
    operands: "PATTERN...",
    options: &[],
    examples: &[
        ("'vfs_*'", "functions of file systems"),
        ("-d 5 'tcp_*' 'udp_*'", "for five seconds, by two patterns"),
        ("-p 185 vfs_read", "one function, called by one process"),
    ],
    run,
};

rawbpf::include_bpf!("bpf/funccount.bpf.o", mod = bpf);

const COLUMNS: &[Column] = &[left("FUNC", 26), right("COUNT", 8)];

fn run(mut args: Args) -> Outcome {
    let mut run = args.common()?;
    let patterns = args.operands("PATTERN")?;

    let mut open = bpf::open()?;
    open.rodata.targ_tgid = run.pid;
    let loaded = bpf::Loaded::new(load_for_many(open.into_object()?)?)?;
    let symbols = Symbols::of_kernel()?;
    let links = attach_to_many(loaded.object(), &patterns)?;
    run.stop
        .begin(&format!("counting calls of {}", patterns.join(", ")))?;
    run.stop.wait();
    drop(links);

    // An address may lie behind the start of its function.
    let mut counts = BTreeMap::<String, u64>::new();
    for entry in &loaded.maps.counts {
        let (address, of_each_cpu) = entry?;
        let name = symbols.name_of(address).map(|(name, _)| name.to_owned());
        let name = name.unwrap_or_else(|| format!("{address:#x}"));
        *counts.entry(name).or_default() += of_each_cpu.iter().sum::<u64>();
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| *count);
    let mut table = run.table(COLUMNS)?;
    for (name, count) in counts {
        table.row([Value::Text(name), uint(count)])?;
    }
    Ok(table.flush()?)
}
