//! Prints what the programs of an object write to their streams.

use crate::cannot_print;
use crate::show::escape::{Escaping, Format};
use crate::show::events::Style;
use crate::show::outlet::Outlet;
use crate::stop::Stop;
use rawbpf::btf::Value;
use rawbpf::load::Object;
use rawbpf::program::{Program, Stream};
use rawbpf::{ErrorKind, Result};
use std::io::Write;

/// The size of one read in bytes.
const READ: usize = 1 << 14;
/// The maximum number of reads before the next stream: the kernel keeps 100 000 bytes, and a program that keeps writing would
/// never be done.
const READS: usize = 100_000 / READ + 1;

/// The programs that can have streams; none before Linux 6.17.
pub(crate) struct Streams<'o> {
    programs: &'o [Program],
    buffer: Vec<u8>,
    style: Style,
    /// A character may be split between two reads.
    stderr: Escaping<Outlet<'o>>,
}

impl<'o> Streams<'o> {
    /// The streams of all programs of an object.
    pub(crate) fn new(object: &'o Object, style: Style, stop: &'o Stop) -> Result<Self> {
        let mut programs = object.programs();
        if let Some(first) = programs.first() {
            match first.read_stream(Stream::Stdout, &mut []) {
                Err(error) if error.kind() == ErrorKind::Unsupported => programs = &[],
                answer => drop(answer?),
            }
        }
        Ok(Self {
            programs,
            buffer: vec![0; READ],
            style,
            stderr: Escaping::new(Outlet::stderr(stop), Format::Text),
        })
    }

    /// Prints what has been written since the last call: to standard output and standard error, or as JSON.
    pub(crate) fn print(&mut self, out: &mut impl Write) -> Result<()> {
        for program in self.programs {
            for &stream in Stream::ALL {
                for _ in 0..READS {
                    let read = program.read_stream(stream, &mut self.buffer)?;
                    if read == 0 {
                        break;
                    }
                    let text = self.buffer.get(..read).unwrap_or_default();
                    match (self.style, stream) {
                        // A failure is ignored, as in `say`.
                        (Style::Table, Stream::Stderr) => drop(self.stderr.write_all(text)),
                        _ => print(out, program.name(), stream, text, self.style)?,
                    }
                }
            }
        }
        Ok(())
    }
}

fn print(
    out: &mut impl Write,
    program: &str,
    stream: Stream,
    text: &[u8],
    style: Style,
) -> Result<()> {
    match style {
        Style::Table => out.write_all(text),
        Style::Json => {
            let text = String::from_utf8_lossy(text);
            let line = Value::Struct(vec![
                ("program".into(), Value::Text(program.into())),
                (stream.name().into(), Value::Text(text.into())),
            ]);
            writeln!(out, "{}", line.json())
        }
    }
    .and_then(|()| out.flush())
    .map_err(cannot_print)
}
