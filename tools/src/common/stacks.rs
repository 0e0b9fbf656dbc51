//! Stacks with their counts, by the names of their functions.

use super::values::{text, uint};
use super::{Outcome, Run};
use rawbpf::btf::Value;
use rawbpf::load::Object;
use rawbpf::symbols::{Frame, Symbolizer, Symbols};
use std::io::{self, BufWriter, Write};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct sample` of the programs: what is counted together.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Sample {
    tgid: u32,
    kernel_stack: i32,
    user_stack: i32,
    comm: [u8; 16],
}
rawbpf::layout!(Sample {
    tgid,
    kernel_stack,
    user_stack,
    comm
});

/// How stacks are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One function per line, the innermost first, then the process and the count.
    Lines,
    /// A line for each stack, the outermost function first: the input of flame graph tools.
    Folded,
    Json,
}

impl Form {
    pub(crate) fn of(run: &Run, folded: bool) -> Self {
        match (run.json, folded) {
            (true, _) => Self::Json,
            (false, true) => Self::Folded,
            (false, false) => Self::Lines,
        }
    }
}

/// A stack with its functions, the innermost first.
struct Stack {
    tgid: u32,
    comm: Value,
    kernel: Vec<String>,
    user: Vec<String>,
    count: u64,
}

/// Prints what the maps `counts` and `stacks` contain, the most frequent stack last.
pub(crate) fn print_stacks(object: &Object, form: Form) -> Outcome {
    let addresses = object.map("stacks")?.typed::<u32, [u64; 127]>()?;
    let frames = |id: i32| -> rawbpf::Result<Vec<u64>> {
        let stack = u32::try_from(id).map_or(Ok(None), |id| addresses.get(&id))?;
        let inner_first = stack.into_iter().flatten();
        Ok(inner_first.take_while(|address| *address != 0).collect())
    };
    let mut names = Symbolizer::new(Symbols::of_kernel()?);
    let mut stacks = Vec::new();
    for entry in &object.map("counts")?.typed::<Sample, u64>()? {
        let (sample, count) = entry?;
        let user = names.process(sample.tgid, &frames(sample.user_stack)?);
        let kernel = names.kernel(&frames(sample.kernel_stack)?);
        stacks.push(Stack {
            tgid: sample.tgid,
            comm: text(&sample.comm),
            kernel: kernel.into_iter().map(name).collect(),
            user: user.into_iter().map(name).collect(),
            count,
        });
    }
    stacks.sort_by_key(|stack| stack.count);
    let mut out = BufWriter::new(io::stdout());
    for stack in &stacks {
        stack.print(&mut out, form)?;
    }
    Ok(out.flush()?)
}

/// The function, and the line if that is known: not the instruction, as those of a line are to be seen together.
fn name(mut frame: Frame) -> String {
    frame.offset = None;
    frame.to_string()
}

impl Stack {
    fn print(&self, out: &mut impl Write, form: Form) -> io::Result<()> {
        match form {
            Form::Lines => self.print_lines(out),
            Form::Folded => self.print_folded(out),
            Form::Json => writeln!(out, "{}", self.value().json()),
        }
    }

    fn print_lines(&self, out: &mut impl Write) -> io::Result<()> {
        for frame in self.kernel.iter().chain(&self.user) {
            writeln!(out, "    {frame}")?;
        }
        // Without a process, all are counted together.
        if self.tgid != 0 {
            writeln!(out, "    {:<16} {} ({})", "-", self.comm, self.tgid)?;
        }
        writeln!(out, "        {}\n", self.count)
    }

    fn print_folded(&self, out: &mut impl Write) -> io::Result<()> {
        let frames = self.user.iter().rev().chain(self.kernel.iter().rev());
        let comm = (self.tgid != 0).then(|| self.comm.to_string());
        let words: Vec<_> = comm.iter().chain(frames).map(String::as_str).collect();
        writeln!(out, "{} {}", words.join(";"), self.count)
    }

    fn value(&self) -> Value {
        let list =
            |names: &[String]| Value::Array(names.iter().cloned().map(Value::Text).collect());
        let members = [
            ("comm", self.comm.clone()),
            ("pid", uint(self.tgid)),
            ("count", uint(self.count)),
            ("kernel", list(&self.kernel)),
            ("user", list(&self.user)),
        ];
        let named = members.map(|(name, value)| (name.to_owned(), value));
        Value::Struct(named.into())
    }
}
