//! What the programs of an object write to their streams, passed on.

use crate::cannot_print;
use crate::events::Style;
use rawbpf::btf::Value;
use rawbpf::load::{Object, Program, Stream};
use rawbpf::{ErrorKind, Result};
use std::io::Write;

/// The programs that may have something to say; none before Linux 6.17.
pub(crate) struct Streams<'o> {
    programs: &'o [Program],
    buffer: Vec<u8>,
    style: Style,
}

impl<'o> Streams<'o> {
    /// The streams of all programs of an object.
    pub(crate) fn new(object: &'o Object, style: Style) -> Result<Self> {
        let mut programs = object.programs();
        if let Some(first) = programs.first() {
            match first.read_stream(Stream::Stdout, &mut []) {
                Err(error) if error.kind() == ErrorKind::Unsupported => programs = &[],
                answer => drop(answer?),
            }
        }
        Ok(Self {
            programs,
            buffer: vec![0; 1 << 14],
            style,
        })
    }

    /// Prints what was written since: to standard output and standard error, or as JSON.
    pub(crate) fn print(&mut self, out: &mut impl Write) -> Result<()> {
        for program in self.programs {
            for stream in Stream::ALL {
                while let read @ 1.. = program.read_stream(stream, &mut self.buffer)? {
                    let text = self.buffer.get(..read).unwrap_or_default();
                    print(out, program.name(), stream, text, self.style)?;
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
    let text = String::from_utf8_lossy(text);
    let name = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    match (style, stream) {
        (Style::Table, Stream::Stdout) => write!(out, "{text}"),
        (Style::Table, Stream::Stderr) => {
            eprint!("{text}");
            Ok(())
        }
        (Style::Json, _) => {
            let line = Value::Struct(vec![
                ("program".into(), Value::Text(program.into())),
                (name.into(), Value::Text(text.into_owned())),
            ]);
            writeln!(out, "{}", line.json())
        }
    }
    .and_then(|()| out.flush())
    .map_err(cannot_print)
}
