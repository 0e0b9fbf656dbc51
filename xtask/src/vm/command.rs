//! The chore `cargo xtask vm` itself.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::matrix::{self, Claims, Deed};

use super::build::{self, Programs};
use super::guest::{self, Accelerator, Ending, Guest, quoted};
use super::kernels::{Cache, Kernel, TESTED};
use super::report::{self, Counts, Row};

/// Boots Debian's kernels in virtual machines and runs the live tests in each.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Kernel series to boot, such as 5.10 [default: 5.10 6.1 6.12 7.2].
    kernels: Vec<String>,
    /// Run this shell command in the guest instead of the tests, and exit with its status.
    #[arg(long, value_name = "COMMAND", conflicts_with = "btf")]
    run: Option<String>,
    /// Put the contents of this folder at /files, where the command runs (with --run).
    #[arg(long, value_name = "FOLDER", requires = "run")]
    files: Vec<PathBuf>,
    /// Write the BTF of the kernel to this file, without booting it.
    #[arg(long, value_names = ["KERNEL", "FILE"], num_args = 2, conflicts_with = "kernels")]
    btf: Option<Vec<String>>,
    /// Boot this many guests at a time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// CPUs per guest
    #[arg(long, value_name = "N", default_value_t = 2)]
    cpus: u32,
    /// Memory per guest, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    memory: u64,
    /// Stop a guest after this many seconds, as a failure
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    timeout: u64,
    /// Kernel modules to insert, along with their dependencies
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = guest::MODULES)]
    modules: Vec<String>,
    /// How to run a guest's CPUs
    #[arg(long, value_enum, default_value_t = Accelerator::Tcg)]
    accelerator: Accelerator,
    /// Write what the tests say about attachments to tests/attach/README.md, instead of comparing
    #[arg(long, conflicts_with_all = ["run", "btf"])]
    matrix: bool,
    /// Arguments for the test programs, such as a part of a test's name.
    #[arg(last = true, value_name = "TEST ARGS")]
    for_tests: Vec<String>,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let cache = Cache::open()?;
    if let Some([series, file]) = args.btf.as_deref() {
        return write_btf(&cache, series, file);
    }
    let series = match &args.kernels[..] {
        [] => TESTED.map(str::to_owned).to_vec(),
        some => some.to_vec(),
    };
    if let Some(command) = &args.run {
        return run_command(args, command, &cache.kernels(&series)?);
    }
    let kernels = cache.kernels(&series)?;
    let root = build::workspace()?;
    let tests = Tests {
        programs: build::build(&root)?,
        root,
        args: &args.for_tests,
    };
    let mut rows = in_turn(&kernels, args.jobs, |kernel| tests.run(args, kernel));
    for row in rows.iter_mut().filter(|row| row.trouble.is_empty()) {
        settle(args, row)?;
    }
    print!("\n{}", report::table(&rows));
    let green = rows.iter().all(|row| row.trouble.is_empty());
    Ok(if green {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Compares what the tests of a green kernel said with the table of attachments, or writes it there.
fn settle(args: &Args, row: &mut Row) -> Result<()> {
    let deed = if args.matrix {
        Deed::Write
    } else {
        Deed::Compare
    };
    let extent = matrix::extent(&args.for_tests);
    let differences = matrix::settle(&row.series, &row.claims, extent, deed)?;
    for line in &differences {
        println!("{}: {line}", row.series);
    }
    if !differences.is_empty() {
        row.trouble
            .push("the table of attachments differs".to_owned());
    }
    Ok(())
}

fn write_btf(cache: &Cache, series: &str, file: &str) -> Result<ExitCode> {
    for kernel in cache.kernels(&[series.to_owned()])? {
        let btf = kernel.btf()?;
        fs::write(file, &btf).with_context(|| format!("while writing {file}"))?;
        println!(
            "{file}: the BTF of Linux {}, {} bytes",
            kernel.release,
            btf.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// A guest as the arguments describe it.
fn described(args: &Args, kernel: &Kernel) -> Guest {
    Guest::new(kernel.clone())
        .modules(&args.modules)
        .accelerator(args.accelerator)
        .processors(args.cpus)
        .memory_mib(args.memory)
        .timeout(Duration::from_secs(args.timeout))
}

/// Runs a command in each kernel's guest, until one fails.
fn run_command(args: &Args, command: &str, kernels: &[Kernel]) -> Result<ExitCode> {
    for kernel in kernels {
        let guest = args
            .files
            .iter()
            .fold(described(args, kernel), |guest, f| guest.file(f, ""));
        let ending = guest.run(command, |line| println!("{line}"))?;
        for complaint in &ending.complaints {
            eprintln!("Linux {} complained: {complaint}", kernel.release);
        }
        if ending.status != 0 {
            return Ok(ExitCode::from(ending.status));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How often tests are run in a guest that dies. An emulated CPU occasionally fails a kernel in the middle of its own code,
/// while a death caused by a test recurs. A failed test is not retried.
const ATTEMPTS: u32 = 3;

/// The live tests, ready to run in any guest.
#[derive(Debug)]
struct Tests<'a> {
    root: PathBuf,
    programs: Programs,
    args: &'a [String],
}

impl Tests<'_> {
    fn run(&self, args: &Args, kernel: &Kernel) -> Row {
        let prefix = if args.jobs > 1 {
            format!("[{}] ", kernel.series)
        } else {
            String::new()
        };
        println!("{prefix}=== Linux {} ===", kernel.release);
        let started = Instant::now();
        let mut attempt = 1;
        let (ending, counts, claims) = loop {
            let (mut counts, mut claims) = (Counts::default(), Claims::default());
            let ending = self.guest(args, kernel).run(&self.script(), |line| {
                counts.line(line);
                claims.line(line);
                println!("{prefix}{line}");
            });
            match &ending {
                Err(error) if attempt < ATTEMPTS && args.accelerator == Accelerator::Tcg => {
                    println!("{prefix}{error:#}");
                    println!("{prefix}the guest died; attempt {attempt} of {ATTEMPTS}");
                    attempt += 1;
                }
                _ => break (ending, counts, claims),
            }
        };
        let trouble = match &ending {
            Ok(ending) => {
                let trouble = self.trouble(ending, &counts);
                if !trouble.is_empty() {
                    println!("{prefix}the end of the console:\n{}", ending.console);
                }
                trouble
            }
            Err(error) => {
                println!("{prefix}{error:#}");
                vec!["the guest died".to_owned()]
            }
        };
        Row {
            series: kernel.series.clone(),
            release: kernel.release.clone(),
            boot: ending.ok().map(|ending| ending.boot),
            elapsed: started.elapsed(),
            counts,
            claims,
            trouble,
        }
    }

    fn guest(&self, args: &Args, kernel: &Kernel) -> Guest {
        let guest = described(args, kernel)
            .file(&self.root.join("fixtures"), "fixtures")
            .file(&self.programs.command, "rawbpf")
            .file(&self.programs.tools, "rawbpf-tools")
            // Nothing that this kernel can do may be skipped.
            .variable("CI", "true")
            .variable("RUST_BACKTRACE", "1")
            .variable("RAWBPF_GUEST", &kernel.series)
            .variable("RAWBPF_FIXTURES", "/files/fixtures")
            .variable("RAWBPF_COMMAND", "/files/rawbpf")
            .variable("RAWBPF_TOOLS", "/files/rawbpf-tools")
            .variable("RAWBPF_EXAMPLES", "/files/examples");
        let programs = [
            ("tests", &self.programs.tests),
            ("examples", &self.programs.examples),
        ];
        let files = programs
            .into_iter()
            .flat_map(|(folder, files)| files.iter().map(move |file| (folder, file)));
        files.fold(guest, |guest, (folder, (name, path))| {
            guest.file(path, &format!("{folder}/{name}"))
        })
    }

    /// The shell script that runs every test program, continuing after one that fails.
    fn script(&self) -> String {
        let args: Vec<_> = self.args.iter().map(|arg| quoted(arg)).collect();
        format!(
            "worst=0\n\
             for program in tests/*; do\n\
                 \"$program\" {}; status=$?\n\
                 [ $status = 0 ] || {{ echo \"$program ended with status $status\"; worst=1; }}\n\
             done\n\
             exit $worst\n",
            args.join(" ")
        )
    }

    fn trouble(&self, ending: &Ending, counts: &Counts) -> Vec<String> {
        let mut trouble = Vec::new();
        if counts.failed > 0 {
            trouble.push("tests failed".to_owned());
        }
        let programs = self.programs.tests.len() as u64;
        if counts.results < programs {
            let silent = programs - counts.results;
            trouble.push(format!(
                "{silent} of {programs} test programs gave no result"
            ));
        }
        if trouble.is_empty() && ending.status != 0 {
            trouble.push(format!("the tests ended with status {}", ending.status));
        }
        if let Some(first) = ending.complaints.first() {
            trouble.push(format!("the kernel complained: {first}"));
        }
        trouble
    }
}

/// Does a job for every item, `jobs` at a time, and returns the results in the same order.
fn in_turn<I: Sync, T: Send>(items: &[I], jobs: usize, job: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<T>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let worker = || {
        while let Some((item, result)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).zip(results.get(index))
        } {
            let value = job(item);
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(worker);
        }
    });
    results
        .into_iter()
        .filter_map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let slow_first = |item: &u64| {
            thread::sleep(Duration::from_millis(20 / item));
            item * 10
        };
        for jobs in [1, 2, 9] {
            assert_eq!(in_turn(&[1, 2, 3], jobs, slow_first), [10, 20, 30]);
        }
        assert!(in_turn(&[], 1, slow_first).is_empty());
    }

    #[test]
    fn the_script_goes_on_after_a_failure_and_remembers_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tests")).unwrap();
        for (name, body) in [
            ("a", "#!/bin/sh\nexit 3"),
            ("b", "#!/bin/sh\necho \"b got $1\""),
        ] {
            let path = folder.path().join("tests").join(name);
            fs::write(&path, body).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
        }
        let programs = Programs {
            tests: vec![],
            command: PathBuf::new(),
            tools: PathBuf::new(),
            examples: Vec::new(),
        };
        let args = ["it's".to_owned()];
        let tests = Tests {
            root: PathBuf::new(),
            programs,
            args: &args,
        };
        let mut sh = std::process::Command::new("sh");
        let output = sh
            .arg("-c")
            .arg(tests.script())
            .current_dir(&folder)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, "tests/a ended with status 3\nb got it's\n");
        assert_eq!(output.status.code(), Some(1));
    }
}
