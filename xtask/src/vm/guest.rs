//! Runs a command in a virtual machine: a kernel, an initramfs, two serial ports, nothing else.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::image::{self, Contents};
use super::kernels::Kernel;
use super::stream::{self, Event, Scanner};
use super::tools::QEMU;

/// A guest's default modules: a network device to create, traffic control, two with functions for programs, and one with a
/// variable in its BTF.
pub(crate) const MODULES: [&str; 7] = [
    "veth",
    "sch_ingress",
    "sch_sfq",
    "cls_bpf",
    "nf_conntrack",
    "nf_nat",
    "drop_monitor",
];

/// How often a kernel may try to boot.
const BOOTS: u32 = 3;

/// How long booting may take; busy machines have needed half a minute.
const BOOT_TIMEOUT: Duration = Duration::from_secs(180);

/// How a guest's CPUs are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Accelerator {
    /// Software emulation: slow, but works everywhere.
    Tcg,
    /// Hardware virtualization, through /dev/kvm.
    Kvm,
}

/// A virtual machine for running one command.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    kernel: Kernel,
    modules: Vec<String>,
    files: Vec<(PathBuf, String)>,
    variables: Vec<(String, String)>,
    accelerator: Accelerator,
    processors: u32,
    memory_mib: u64,
    timeout: Duration,
}

/// How a guest's command ended.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// The command's exit status.
    pub(crate) status: u8,
    /// From the start of the emulator to the start of the command.
    pub(crate) boot: Duration,
    /// The kernel's complaints meanwhile (`WARNING:`, `BUG:`...).
    pub(crate) complaints: Vec<String>,
    /// The end of the kernel's console.
    pub(crate) console: String,
}

impl Guest {
    /// A machine with two CPUs and 2 GiB of memory that may take ten minutes.
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            modules: MODULES.map(str::to_owned).to_vec(),
            files: Vec::new(),
            variables: Vec::new(),
            accelerator: Accelerator::Tcg,
            processors: 2,
            memory_mib: 2048,
            timeout: Duration::from_secs(600),
        }
    }

    /// Inserts these modules, and their dependencies, instead of [`MODULES`].
    pub(crate) fn modules(mut self, names: &[String]) -> Self {
        self.modules = names.to_vec();
        self
    }

    /// Puts a file or folder of this machine at `place` below `/files`, where the command runs. An empty `place` puts a
    /// folder's contents there.
    pub(crate) fn file(mut self, source: &Path, place: &str) -> Self {
        self.files.push((source.to_owned(), place.to_owned()));
        self
    }

    /// Sets a variable in the command's environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Chooses how the CPUs are run.
    pub(crate) fn accelerator(mut self, accelerator: Accelerator) -> Self {
        self.accelerator = accelerator;
        self
    }

    /// Sets the number of CPUs.
    pub(crate) fn processors(mut self, processors: u32) -> Self {
        self.processors = processors;
        self
    }

    /// Sets the minimum amount of memory; a guest with large files gets more.
    pub(crate) fn memory_mib(mut self, memory: u64) -> Self {
        self.memory_mib = memory;
        self
    }

    /// Stops the machine with an error after this time.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Boots, runs a shell command as root in `/files`, calls `on_line` for every line that it writes, and stops the
    /// machine.
    ///
    /// A failing command is not an error of this function; a machine that does not boot (in three attempts), crashes or
    /// takes too long is, and the message has the end of its console.
    pub(crate) fn run(&self, command: &str, mut on_line: impl FnMut(&str)) -> Result<Ending> {
        let what = || format!("in the guest with Linux {}", self.kernel.release);
        let (initramfs, size) = image::build(&Contents {
            kernel: &self.kernel,
            modules: &self.modules,
            files: &self.files,
            command: &script(&self.variables, command),
        })?;
        let mut attempt = 1;
        loop {
            let mut qemu = self.qemu(size)?;
            let mut machine =
                Machine::start(qemu.stdin(initramfs.try_clone()?)).with_context(what)?;
            match machine.watch(self.timeout, &mut on_line) {
                Ok(ending) => return Ok(ending),
                // Nothing of ours has run yet: emulated timers can fail a kernel on a busy machine.
                Err(death) if death.phase == Phase::Boot && attempt < BOOTS => {
                    eprintln!("{} did not boot; trying again", self.kernel.release);
                    attempt += 1;
                }
                Err(death) => return Err(anyhow!(death.story)).with_context(what),
            }
        }
    }

    fn qemu(&self, initramfs_size: u64) -> Result<Command> {
        // The initramfs is in memory twice while it is being unpacked, and may fill half of it.
        let memory = self.memory_mib.max(4 * (initramfs_size >> 20) + 512);
        let mut qemu = tied_to_us(&QEMU.path()?);
        qemu.args(match self.accelerator {
            // One thread for all CPUs: with a thread each, QEMU 7.2 can go on executing a breakpoint that the kernel has
            // already removed from its code, and the guest then spins on it forever.
            Accelerator::Tcg => [
                "-accel",
                "tcg,thread=single",
                "-cpu",
                emulated(&self.kernel),
            ],
            Accelerator::Kvm => ["-accel", "kvm", "-cpu", "host"],
        });
        qemu.args([
            "-smp",
            &self.processors.to_string(),
            "-m",
            &format!("{memory}M"),
        ]);
        qemu.args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ]);
        qemu.arg("-kernel")
            .arg(&self.kernel.image)
            .args(["-initrd", "/dev/stdin"]);
        // The kernel's console shares a channel with QEMU's own messages; the command's output has its own.
        qemu.args([
            "-chardev",
            "file,id=console,path=/dev/stderr",
            "-serial",
            "chardev:console",
        ]);
        qemu.args([
            "-chardev",
            "file,id=output,path=/dev/stdout",
            "-serial",
            "chardev:output",
        ]);
        // Emulated CPUs and timers are slow enough to look broken; a crash must stop the machine.
        qemu.args([
            "-append",
            "console=ttyS0 loglevel=5 lsm=bpf panic=-1 oops=panic mitigations=off nowatchdog \
             rcupdate.rcu_cpu_stall_suppress=1 no_timer_check random.trust_cpu=on \
             8250.nr_uarts=2",
        ]);
        Ok(qemu)
    }
}

/// The emulated CPU model for a kernel.
///
/// QEMU 7.2 sometimes gets the flags of `cmpxchg16b` wrong, which crashed one boot in three of Linux 6.12, so kernels do
/// without it. Those from 6.18 on hardly use it while booting and cannot do without: they would have no memory for BPF
/// arenas and the like (`kmalloc_nolock`). Five-level page tables are only slower.
fn emulated(kernel: &Kernel) -> &'static str {
    if kernel.version() < (6, 18) {
        "max,la57=off,-cx16"
    } else {
        "max,la57=off"
    }
}

/// A command that runs a program and ends when this process does, however that happens. Without `setpriv` (from util-linux)
/// it still ends on Ctrl-C, which every process of the terminal gets.
fn tied_to_us(program: &Path) -> Command {
    let has_setpriv = Command::new("setpriv")
        .args(["--pdeathsig", "clear", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_setpriv {
        return Command::new(program);
    }
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL", "--"]).arg(program);
    tied
}

/// The shell script that sets the variables and runs the command.
fn script(variables: &[(String, String)], command: &str) -> String {
    let exports = variables
        .iter()
        .map(|(name, value)| format!("export {name}={}", quoted(value)));
    let lines: Vec<_> = exports.chain([command.to_owned(), String::new()]).collect();
    lines.join("\n")
}

/// Text as one word for the shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What the threads that read from QEMU send.
#[derive(Debug)]
enum Piece {
    Output(Vec<u8>),
    Console(Vec<u8>),
}

/// A running QEMU; dropping it kills it.
#[derive(Debug)]
struct Machine {
    qemu: Child,
    started: Instant,
    pieces: Receiver<Piece>,
}

impl Machine {
    fn start(qemu: &mut Command) -> Result<Self> {
        let started = Instant::now();
        let mut qemu = qemu
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("while starting QEMU")?;
        let (sender, pieces) = channel();
        if let Some(output) = qemu.stdout.take() {
            forward(output, sender.clone(), Piece::Output);
        }
        if let Some(console) = qemu.stderr.take() {
            forward(console, sender, Piece::Console);
        }
        Ok(Self {
            qemu,
            started,
            pieces,
        })
    }

    /// Reads output until the command has ended or the machine has died.
    fn watch(
        &mut self,
        timeout: Duration,
        on_line: &mut impl FnMut(&str),
    ) -> Result<Ending, Death> {
        let mut heard = Heard::default();
        let status = loop {
            if let Some(status) = heard.exit {
                break status;
            }
            let limit = if heard.boot.is_some() {
                timeout
            } else {
                timeout.min(BOOT_TIMEOUT)
            };
            // A machine that never stops talking must stop, too.
            let next = match limit.checked_sub(self.started.elapsed()) {
                Some(left) => self.pieces.recv_timeout(left),
                None => Err(RecvTimeoutError::Timeout),
            };
            match next {
                Ok(piece) => heard.piece(&piece, self.started, on_line),
                Err(end) => return Err(self.died(end, limit, heard, on_line)),
            }
        };
        // What the kernel says when the command's descriptors are closed counts, too.
        let until = Instant::now() + Duration::from_secs(1);
        while let Ok(piece) = self.pieces.recv_timeout(Duration::from_millis(100)) {
            heard.piece(&piece, self.started, on_line);
            if Instant::now() > until {
                break;
            }
        }
        let console = String::from_utf8_lossy(&heard.console);
        let complaints = stream::complaints(&console);
        Ok(Ending {
            status,
            boot: heard.boot.unwrap_or_default(),
            complaints: complaints.into_iter().map(str::to_owned).collect(),
            console: stream::tail(&console, 60),
        })
    }

    fn died(
        &mut self,
        end: RecvTimeoutError,
        limit: Duration,
        heard: Heard,
        on_line: &mut impl FnMut(&str),
    ) -> Death {
        if let Some(Event::Line(line)) = heard.scanner.end() {
            on_line(&line);
        }
        let why = match end {
            RecvTimeoutError::Timeout => {
                format!("it was still running after {} s", limit.as_secs())
            }
            RecvTimeoutError::Disconnected => match self.qemu.wait() {
                Ok(status) => format!("it ended without a word (QEMU: {status})"),
                Err(error) => format!("it ended without a word ({error})"),
            },
        };
        let console = String::from_utf8_lossy(&heard.console);
        // A crash report is often longer than the tail, and its first line says what it is.
        let complaints = stream::complaints(&console).join("\n");
        let tail = stream::tail(&console, 40);
        Death {
            phase: if heard.boot.is_some() {
                Phase::Command
            } else {
                Phase::Boot
            },
            story: format!(
                "{why}; what its kernel complained about, and the end of its console:\n\
                 {complaints}\n\n{tail}"
            ),
        }
    }
}

/// What a machine has said so far.
#[derive(Debug, Default)]
struct Heard {
    console: Vec<u8>,
    scanner: Scanner,
    boot: Option<Duration>,
    exit: Option<u8>,
}

impl Heard {
    fn piece(&mut self, piece: &Piece, started: Instant, on_line: &mut impl FnMut(&str)) {
        match piece {
            Piece::Console(bytes) => self.console.extend_from_slice(bytes),
            Piece::Output(bytes) => self.scanner.feed(bytes, |event| match event {
                Event::Line(line) => on_line(&line),
                Event::Ready => self.boot = Some(started.elapsed()),
                Event::Exit(status) => self.exit = Some(status),
            }),
        }
    }
}

/// How a machine came to an end before its command did.
#[derive(Debug)]
struct Death {
    phase: Phase,
    story: String,
}

/// How far a machine got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its kernel did not get to the command.
    Boot,
    /// The command was running.
    Command,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended on its own; either way nothing is left of it.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn forward(
    mut from: impl Read + Send + 'static,
    to: Sender<Piece>,
    piece: impl Fn(Vec<u8>) -> Piece + Send + 'static,
) {
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if to.send(piece(buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_survive_the_shell() {
        let variables = [("A".to_owned(), "it's $HOME".to_owned())];
        let script = script(&variables, "printf %s \"$A\"");
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "it's $HOME");
    }
}
