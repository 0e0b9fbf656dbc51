//! Where questions are answered: on this machine, one by one, or in a guest, all in one boot.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::Depth;
use super::embedded::Object;
use super::question::{Answer, Program, Question};
use crate::binaries::Binaries;
use crate::vm::{Cache, Guest, Kernel};

/// A kernel to ask on.
#[derive(Debug)]
pub(crate) enum Place {
    /// The kernel that runs here.
    Host(Binaries),
    /// A guest with another kernel.
    Guest(Kernel, Binaries),
}

/// Answers questions about one object.
pub(crate) type Ask<'a> = &'a dyn Fn(Question) -> Result<Answer>;

impl Place {
    /// This machine.
    pub(crate) fn host() -> Result<Self> {
        Ok(Self::Host(Binaries::build()?))
    }

    /// A guest with Debian's kernel of this series.
    pub(crate) fn guest(series: &str) -> Result<Self> {
        let binaries = Binaries::build_for_guest()?;
        let kernels = Cache::open()?.kernels(&[series.to_owned()])?;
        let kernel = kernels
            .into_iter()
            .next()
            .with_context(|| format!("no kernel {series}"))?;
        Ok(Self::Guest(kernel, binaries))
    }

    /// Calls `each` with every object's number and its answers, as soon as they are known.
    pub(crate) fn ask_all(
        &self,
        objects: &[Object],
        depth: Depth,
        each: &mut dyn FnMut(usize, Ask<'_>),
    ) -> Result<()> {
        match self {
            Self::Host(binaries) => {
                for (number, object) in objects.iter().enumerate() {
                    each(number, &|question| {
                        ask_here(binaries, question, &object.path)
                    });
                }
                Ok(())
            }
            Self::Guest(kernel, binaries) => {
                let files = tempfile::tempdir()?;
                for (number, object) in objects.iter().enumerate() {
                    let folder = files.path().join(number.to_string());
                    fs::create_dir(&folder)?;
                    // Objects keep their names: names of data maps start with them.
                    fs::copy(&object.path, folder.join(&object.name))?;
                }
                let guest = Guest::new(kernel.clone())
                    .file(files.path(), "")
                    .file(&binaries.rawbpf, "rawbpf")
                    .file(&binaries.reference, "reference")
                    .timeout(GUEST_TIMEOUT);
                let boots = Boots {
                    guest: &guest,
                    script: files.path().join("ask"),
                    objects,
                };
                boots.all(&mut Listener::new(Question::all(depth), each))
            }
        }
    }
}

/// Time limits for a guest, and for one question in it.
const GUEST_TIMEOUT: Duration = Duration::from_secs(2 * 3600);
const QUESTION_TIMEOUT: Duration = Duration::from_secs(300);

/// Boots guests until everything has been asked.
#[derive(Debug)]
struct Boots<'a> {
    guest: &'a Guest,
    script: PathBuf,
    objects: &'a [Object],
}

impl Boots<'_> {
    /// Verifiers have bugs, and so do emulated CPUs: if a guest dies, the next one continues with the object in progress, or
    /// after it if that was the second death there.
    fn all(&self, listener: &mut Listener) -> Result<()> {
        let mut died_at = None;
        let mut first = 0;
        while first < self.objects.len() {
            let Err(death) = self.from(first, listener) else {
                listener.next(None);
                return Ok(());
            };
            let Some(at) = listener.object else {
                return Err(death);
            };
            eprintln!("the guest died at {}: {death:#}", self.objects[at].name);
            if died_at == Some(at) {
                listener.next(None);
                first = at + 1;
            } else {
                listener.forget();
                first = at;
            }
            died_at = Some(at);
        }
        Ok(())
    }

    fn from(&self, first: usize, listener: &mut Listener) -> Result<()> {
        fs::write(
            &self.script,
            script(self.objects, first, listener.questions)?,
        )?;
        let ending = self.guest.run("sh ask", |line| listener.hear(line))?;
        for complaint in &ending.complaints {
            eprintln!("the guest's kernel complained: {complaint}");
        }
        ensure!(
            ending.status == 0,
            "the guest's script failed: {}",
            listener.strange.join("\n")
        );
        Ok(())
    }
}

fn ask_here(binaries: &Binaries, question: Question, object: &Path) -> Result<Answer> {
    let program = match question.program() {
        Program::Reference => &binaries.reference,
        Program::Rawbpf => &binaries.rawbpf,
    };
    let output = Command::new(program)
        .args(question.words())
        .arg(object)
        .output()
        .with_context(|| format!("start {}", program.display()))?;
    Ok(Answer {
        status: output.status.code(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        message: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The shell script that asks everything, starting at object number `first`. A line of its output is `@OBJECT QUESTION KIND
/// TEXT`.
///
/// The verifier's log can be megabytes long, is not compared, and would take long over a serial line; it is left out.
fn script(objects: &[Object], first: usize, questions: &[Question]) -> Result<String> {
    let mut script = format!(
        "ask() {{\n\
         key=$1; shift\n\
         echo \"@$key begin\"\n\
         timeout {} \"$@\" > /tmp/out 2> /tmp/err\n\
         status=$?\n\
         sed \"s/\\\"verifier_log\\\": \\\".*/\\\"verifier_log\\\": null/; s/^/@$key out /\" /tmp/out\n\
         head -c 4096 /tmp/err | sed \"s/^/@$key err /\"\n\
         echo; echo \"@$key end $status\"\n\
         }}\n",
        QUESTION_TIMEOUT.as_secs()
    );
    for (number, object) in objects.iter().enumerate().skip(first) {
        // Characters with a meaning to the shell do not occur in objects' names.
        let harmless = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
        if !object.name.chars().all(harmless) {
            bail!(
                "the name {:?} has characters that a guest's shell script cannot use",
                object.name
            );
        }
        for (index, question) in questions.iter().enumerate() {
            let program = match question.program() {
                Program::Reference => "./reference",
                Program::Rawbpf => "./rawbpf",
            };
            // Programs need to be tried alone only if the load before left some out.
            let condition = match question {
                Question::LoadEach => "grep -q '\"loaded\": false' /tmp/out && ",
                _ => "",
            };
            let words = question.words().join(" ");
            writeln!(
                script,
                "{condition}ask '{number} {index}' {program} {words} {number}/{}",
                object.name
            )?;
        }
    }
    Ok(script)
}

/// Reassembles answers from the guest's lines, and passes them on object by object.
struct Listener<'a> {
    questions: &'a [Question],
    each: &'a mut dyn FnMut(usize, Ask<'_>),
    /// The object in progress, and its answers so far.
    object: Option<usize>,
    answers: BTreeMap<Question, Answer>,
    /// Lines that are not part of an answer.
    strange: Vec<String>,
}

impl<'a> Listener<'a> {
    fn new(questions: &'a [Question], each: &'a mut dyn FnMut(usize, Ask<'_>)) -> Self {
        Self {
            questions,
            each,
            object: None,
            answers: BTreeMap::new(),
            strange: Vec::new(),
        }
    }

    fn hear(&mut self, line: &str) {
        if self.part(line).is_none() && !line.is_empty() {
            self.strange.push(line.to_owned());
        }
    }

    fn part(&mut self, line: &str) -> Option<()> {
        let mut words = line.strip_prefix('@')?.splitn(4, ' ');
        let number: usize = words.next()?.parse().ok()?;
        let question = *self.questions.get(words.next()?.parse::<usize>().ok()?)?;
        let kind = words.next()?;
        let text = words.next().unwrap_or_default();
        if self.object != Some(number) {
            self.next(Some(number));
        }
        let answer = self.answers.entry(question).or_default();
        match kind {
            "begin" => {}
            "out" => add_line(&mut answer.output, text),
            "err" => add_line(&mut answer.message, text),
            // A shell reports a signal as 128 plus its number; the programs themselves exit with less.
            "end" => answer.status = text.parse().ok().filter(|status| *status < 128),
            _ => return None,
        }
        Some(())
    }

    /// Passes on the object in progress, and turns to the next.
    fn next(&mut self, next: Option<usize>) {
        let answers = std::mem::take(&mut self.answers);
        if let Some(object) = std::mem::replace(&mut self.object, next) {
            (self.each)(object, &|question| {
                answers
                    .get(&question)
                    .cloned()
                    .ok_or_else(|| anyhow!("the guest died before it could be asked"))
            });
        }
    }

    /// Drops the answers about an object that will be asked about again.
    fn forget(&mut self) {
        self.answers.clear();
        self.object = None;
    }
}

fn add_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_put_together_from_lines() {
        let mut heard = Vec::new();
        let mut each = |object, ask: Ask<'_>| {
            let [reference, load, each] = [
                Question::Reference(Depth::Load),
                Question::Load,
                Question::LoadEach,
            ]
            .map(|question| ask(question).ok());
            heard.push((object, reference, load, each));
        };
        let mut listener = Listener::new(Question::all(Depth::Load), &mut each);
        for line in [
            "@1 0 begin",
            "@1 0 out {",
            "@1 0 out  }",
            "",
            "@1 0 end 0",
            "@1 1 begin",
            "@1 1 err no",
            "noise",
            "@1 1 end 139",
            "@2 0 begin",
        ] {
            listener.hear(line);
        }
        listener.next(None);
        assert_eq!(listener.strange, ["noise"]);
        let good = Answer {
            status: Some(0),
            output: "{\n }\n".into(),
            message: String::new(),
        };
        let died = Answer {
            status: None,
            output: String::new(),
            message: "no\n".into(),
        };
        let expected = [
            (1, Some(good), Some(died), None),
            (2, Some(Answer::default()), None, None),
        ];
        assert_eq!(heard, expected);
    }

    #[test]
    fn scripts_hold_no_surprises() {
        let object = |name: &str| Object {
            name: name.into(),
            path: "x".into(),
        };
        let text = script(&[object("a.bpf.o")], 0, &[Question::Plan]).unwrap();
        assert!(
            text.ends_with("ask '0 0' ./rawbpf plan --json 0/a.bpf.o\n"),
            "{text}"
        );
        assert!(script(&[object("a;b")], 0, &[Question::Plan]).is_err());
    }
}
