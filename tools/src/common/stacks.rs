//! Stacks with their counts, by the names of their functions.

use super::values::uint;
use super::{Outcome, Run};
use rawbpf::btf::Value;
use rawbpf::map::Map;
use rawbpf::symbols::{Frame, Symbolizer, Symbols};
use std::io::{self, BufWriter, Write};

/// What is counted together, as the programs see it.
pub(crate) struct Sample {
    /// Zero, with an empty name, if processes are not told apart.
    pub(crate) tgid: u32,
    pub(crate) comm: String,
    /// Numbers in the map of stacks, negative if there is none.
    pub(crate) kernel_stack: i32,
    pub(crate) user_stack: i32,
    pub(crate) count: u64,
}

/// The samples in the map `counts` of an object. Its keys have the same fields in all objects, but a type of its own in each.
macro_rules! samples {
    ($counts:expr) => {{
        let mut samples = Vec::new();
        for entry in &$counts {
            let (sample, count) = entry?;
            samples.push($crate::common::Sample {
                tgid: sample.tgid,
                comm: sample.comm.to_string(),
                kernel_stack: sample.kernel_stack,
                user_stack: sample.user_stack,
                count,
            });
        }
        samples
    }};
}
pub(crate) use samples;

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

/// The map of the programs that has each stack once.
pub(crate) type StackMap = Map<u32, [u64; 127]>;

/// Prints the stacks, the most frequent one last.
pub(crate) fn print_stacks(map: &StackMap, mut samples: Vec<Sample>, form: Form) -> Outcome {
    samples.sort_by_key(|sample| sample.count);
    let addresses = |id: i32| -> rawbpf::Result<Vec<u64>> {
        let stack = u32::try_from(id).map_or(Ok(None), |id| map.get(&id))?;
        let inner_first = stack.into_iter().flatten();
        Ok(inner_first.take_while(|address| *address != 0).collect())
    };
    let mut names = Symbolizer::new(Symbols::of_kernel()?);
    let mut out = BufWriter::new(io::stdout());
    for sample in samples {
        let kernel = names.kernel(&addresses(sample.kernel_stack)?);
        let user = names.process(sample.tgid, &addresses(sample.user_stack)?);
        let stack = Stack {
            kernel: kernel.into_iter().map(name).collect(),
            user: user.into_iter().map(name).collect(),
            sample,
        };
        stack.print(&mut out, form)?;
    }
    Ok(out.flush()?)
}

/// The function, and the line if that is known: not the instruction, as those of a line are to be seen together.
fn name(mut frame: Frame) -> String {
    frame.offset = None;
    frame.to_string()
}

/// A stack with its functions, the innermost first.
struct Stack {
    kernel: Vec<String>,
    user: Vec<String>,
    sample: Sample,
}

impl Stack {
    fn print(&self, out: &mut impl Write, form: Form) -> io::Result<()> {
        match form {
            Form::Lines => self.print_lines(out),
            Form::Folded => self.print_folded(out),
            Form::Json => writeln!(out, "{}", self.value().json()),
        }
    }

    /// The process's name, if processes are told apart.
    fn comm(&self) -> Option<Value> {
        (self.sample.tgid != 0).then(|| Value::Text(self.sample.comm.clone()))
    }

    fn print_lines(&self, out: &mut impl Write) -> io::Result<()> {
        for frame in self.kernel.iter().chain(&self.user) {
            writeln!(out, "    {frame}")?;
        }
        if let Some(comm) = self.comm() {
            writeln!(out, "    {:<16} {comm} ({})", "-", self.sample.tgid)?;
        }
        writeln!(out, "        {}\n", self.sample.count)
    }

    fn print_folded(&self, out: &mut impl Write) -> io::Result<()> {
        let comm = self.comm().map(|comm| comm.to_string());
        let frames = self.user.iter().rev().chain(self.kernel.iter().rev());
        let words: Vec<_> = comm.iter().chain(frames).map(String::as_str).collect();
        writeln!(out, "{} {}", words.join(";"), self.sample.count)
    }

    fn value(&self) -> Value {
        let list =
            |names: &[String]| Value::Array(names.iter().cloned().map(Value::Text).collect());
        let pid = self.comm().map(|_| uint(self.sample.tgid));
        let members = [
            ("comm", self.comm().unwrap_or(Value::Missing)),
            ("pid", pid.unwrap_or(Value::Missing)),
            ("count", uint(self.sample.count)),
            ("kernel", list(&self.kernel)),
            ("user", list(&self.user)),
        ];
        let named = members.map(|(name, value)| (name.to_owned(), value));
        Value::Struct(named.into())
    }
}
