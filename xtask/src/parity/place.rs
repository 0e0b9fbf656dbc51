//! Where questions are answered: on this machine, one by one, or in a guest, all in one boot.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::Depth;
use super::embedded::Object;
use super::question::{Answer, Program, Question};
use crate::binaries::Binaries;
use crate::vm::{Cache, Guest};

/// A kernel to ask on.
#[derive(Debug)]
pub(crate) enum Place {
    /// The kernel that runs here.
    Host(Binaries),
    /// A guest that has ended, with all its answers by object and question.
    Guest(Answers),
}

type Answers = BTreeMap<(usize, Question), Answer>;

impl Place {
    /// This machine.
    pub(crate) fn host() -> Result<Self> {
        Ok(Self::Host(Binaries::build()?))
    }

    /// Debian's kernel of a series: boots it and asks everything about all objects.
    pub(crate) fn guest(series: &str, objects: &[Object], depth: Depth) -> Result<Self> {
        let binaries = Binaries::build_for_guest()?;
        let kernels = Cache::open()?.kernels(&[series.to_owned()])?;
        let kernel = kernels
            .into_iter()
            .next()
            .with_context(|| format!("no kernel {series}"))?;
        let files = tempfile::tempdir()?;
        for (number, object) in objects.iter().enumerate() {
            let folder = files.path().join(number.to_string());
            fs::create_dir(&folder)?;
            // Objects keep their names: those of data maps begin with them.
            fs::copy(&object.path, folder.join(&object.name))?;
        }
        let script = script(objects, Question::all(depth))?;
        fs::write(files.path().join("ask"), script)?;
        let guest = Guest::new(kernel)
            .file(files.path(), "")
            .file(&binaries.rawbpf, "rawbpf")
            .file(&binaries.reference, "reference")
            .timeout(Duration::from_secs(3600));
        let mut listener = Listener::new(Question::all(depth));
        let ending = guest.run("sh ask", |line| listener.hear(line))?;
        for complaint in &ending.complaints {
            eprintln!("Linux {series} complained: {complaint}");
        }
        ensure!(
            ending.status == 0,
            "the guest's script failed: {}",
            listener.strange.join("\n")
        );
        Ok(Self::Guest(listener.answers))
    }

    /// Asks, or looks up what was answered.
    pub(crate) fn ask(&self, question: Question, number: usize, object: &Object) -> Result<Answer> {
        match self {
            Self::Host(binaries) => ask_here(binaries, question, &object.path),
            Self::Guest(answers) => answers
                .get(&(number, question))
                .cloned()
                .ok_or_else(|| anyhow!("the guest said nothing of {}", object.name)),
        }
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

/// The shell script that asks everything. A line of its output is `@OBJECT QUESTION KIND TEXT`.
fn script(objects: &[Object], questions: &[Question]) -> Result<String> {
    let mut script = String::from(
        "ask() {\n\
         key=$1; shift\n\
         \"$@\" > /tmp/out 2> /tmp/err\n\
         status=$?\n\
         sed \"s/^/@$key out /\" /tmp/out\n\
         sed \"s/^/@$key err /\" /tmp/err\n\
         echo; echo \"@$key end $status\"\n\
         }\n",
    );
    for (number, object) in objects.iter().enumerate() {
        // What a shell could take for something else does not occur in objects' names.
        let harmless = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
        if !object.name.chars().all(harmless) {
            bail!("the name {:?} is too odd for a guest", object.name);
        }
        for (index, question) in questions.iter().enumerate() {
            let program = match question.program() {
                Program::Reference => "./reference",
                Program::Rawbpf => "./rawbpf",
            };
            let words = question.words().join(" ");
            writeln!(
                script,
                "ask '{number} {index}' {program} {words} {number}/{}",
                object.name
            )?;
        }
    }
    Ok(script)
}

/// Puts answers together again from the guest's lines.
#[derive(Debug)]
struct Listener<'a> {
    questions: &'a [Question],
    answers: Answers,
    /// Lines that are no part of an answer.
    strange: Vec<String>,
}

impl<'a> Listener<'a> {
    fn new(questions: &'a [Question]) -> Self {
        Self {
            questions,
            answers: Answers::new(),
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
        let answer = self.answers.entry((number, question)).or_default();
        match kind {
            "out" => add_line(&mut answer.output, text),
            "err" => add_line(&mut answer.message, text),
            // A shell reports a signal as 128 and its number; the programs themselves end with less.
            "end" => answer.status = text.parse().ok().filter(|status| *status < 128),
            _ => return None,
        }
        Some(())
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
        let questions = Question::all(Depth::Load);
        let mut listener = Listener::new(questions);
        for line in [
            "@1 0 out {",
            "@1 0 out  }",
            "",
            "@1 0 end 0",
            "@1 3 err no",
            "noise",
            "@1 3 end 139",
        ] {
            listener.hear(line);
        }
        let good = Answer {
            status: Some(0),
            output: "{\n }\n".into(),
            message: String::new(),
        };
        assert_eq!(
            listener.answers[&(1, Question::Reference(Depth::Load))],
            good
        );
        let died = Answer {
            status: None,
            output: String::new(),
            message: "no\n".into(),
        };
        assert_eq!(listener.answers[&(1, Question::LoadEach)], died);
        assert_eq!(listener.strange, ["noise"]);
    }

    #[test]
    fn scripts_hold_no_surprises() {
        let object = |name: &str| Object {
            name: name.into(),
            path: "x".into(),
        };
        let text = script(&[object("a.bpf.o")], &[Question::Plan]).unwrap();
        assert!(
            text.ends_with("ask '0 0' ./rawbpf plan --json 0/a.bpf.o\n"),
            "{text}"
        );
        assert!(script(&[object("a;b")], &[Question::Plan]).is_err());
    }
}
