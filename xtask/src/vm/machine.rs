//! What runs the guest: qemu, with or without KVM, or Linux as a program.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    panic::resume_unwind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use xshell::{Shell, cmd};

use crate::{checkout::Checkout, prerequisites, progress::quietly};

use super::{
    cases::Cases,
    console::{Console, Verdict, Wish},
    hypervisor,
    image::{self, Image},
    kernel::Kernel,
    lines::Lines,
    packages::{Closure, inside},
    second::{self, Second},
};

/// The ways to run a guest.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Machine {
    /// An emulated PC: works everywhere
    Qemu,
    /// A PC with the host's processor
    Kvm,
    /// Linux as a program, on one processor
    Uml,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qemu => "qemu",
            Self::Kvm => "kvm",
            Self::Uml => "user-mode Linux",
        })
    }
}

impl Machine {
    /// Makes everything ready for a boot.
    pub(super) fn prepare(self, checkout: &Checkout) -> Result<Guest> {
        let mut image = Image::ready(checkout)?;
        let mut emulator = Emulator::default();
        match self {
            Self::Qemu | Self::Kvm => emulator = qemu(checkout)?,
            Self::Uml => image.kernel = Kernel::user_mode(checkout, &image)?,
        }
        let guest = Guest { dir: checkout.target().join("vm"), machine: self, image, emulator };
        if self == Self::Kvm {
            quietly("boot under KVM, for a try", || guest.probe(&checkout.sh))?;
        }
        Ok(guest)
    }
}

/// A guest that can be booted.
pub(super) struct Guest {
    /// Where its files are.
    dir: PathBuf,
    machine: Machine,
    image: Image,
    emulator: Emulator,
}

/// qemu's command, and the folder of its modules if it is not the installed one.
#[derive(Default)]
struct Emulator {
    command: Vec<String>,
    modules: Option<PathBuf>,
}

/// How guests are booted.
pub(super) struct Boot {
    /// Image and overlay.
    pub(super) initrd: PathBuf,
    /// So many, side by side.
    pub(super) guests: usize,
    /// For the first process.
    pub(super) words: String,
    /// How long the whole may take.
    pub(super) limit: Duration,
    /// How long a guest may say nothing; a case says nothing until it ends.
    pub(super) silence: Duration,
}

impl Guest {
    /// Boots all and deals the cases to them; what they have seen together.
    pub(super) fn run_all(&self, boot: &Boot, cases: &Cases) -> Result<Verdict> {
        let verdicts: Result<Vec<_>> = thread::scope(|scope| {
            let run = |number| scope.spawn(move || self.run(boot, number, cases));
            let running: Vec<_> = (1..=boot.guests).map(run).collect();
            let end =
                |it: ScopedJoinHandle<'_, _>| it.join().unwrap_or_else(|it| resume_unwind(it));
            running.into_iter().map(end).collect()
        });
        verdicts?.into_iter().reduce(Verdict::and).context("no guest was to be booted")
    }

    /// Boots one, shows what is said and waits for the end. It is given whatever it asks for: cases, and a second
    /// guest beside it.
    fn run(&self, boot: &Boot, number: usize, cases: &Cases) -> Result<Verdict> {
        let dir = self.dir.join(GUESTS).join(number.to_string());
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        // Not in the checkout: a socket's path is short.
        let link = tempfile::tempdir()?;
        let mut hardware = words(FIRST);
        // One alone has all that two have.
        hardware.extend(words(if boot.guests > 1 { "-smp 1" } else { "-smp 2" }));
        hardware.extend(second::plug(link.path(), 1));
        hardware.extend(hypervisor::hardware(link.path()));
        let volumes = tempfile::tempdir_in(&dir)?;
        let mut command = self.command(boot, &boot.words, &hardware);
        command.current_dir(volumes.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guest = command.spawn().context("cannot start the guest")?;
        let said = guest.stdout.take().context("the guest has no console")?;
        let lines = Lines::new(said, guest.id(), boot.silence);
        let mut answers = guest.stdin.take().context("the guest has no console")?;
        let name = if boot.guests > 1 { format!("[{number}] ") } else { String::new() };
        let console = Console::new(&dir.join("console.log"), name)?;
        second::prepare(&dir)?;
        let mut second = Second::default();
        let verdict = console.follow(lines, |wish| match wish {
            Wish::Case => {
                let case = cases.next(number).unwrap_or_default();
                writeln!(answers, "{case}").context("the guest takes no case")
            }
            Wish::Second => {
                let hardware = second::hardware(&dir, link.path());
                second.boot(&mut self.command(boot, "node=2", &hardware))
            }
        })?;
        guest.wait()?;
        Ok(verdict)
    }

    /// A device that can be opened may still not run a guest, and hang.
    fn probe(&self, sh: &Shell) -> Result<()> {
        let files = self.dir.join("probe");
        sh.create_dir(&files)?;
        let init = files.join("init");
        sh.write_file(&init, PROBE_INIT)?;
        cmd!(sh, "chmod 755 {init}").quiet().run()?;
        let initrd = self.initrd(sh, &files)?;
        let boot = Boot { initrd, guests: 1, words: String::new(), limit: PROBE, silence: PROBE };
        let output = self.command(&boot, "", &words(FIRST)).output()?;
        ensure!(
            String::from_utf8_lossy(&output.stdout).contains(PROBE_MARK),
            "this machine's /dev/kvm does not run a guest; leave out --machine kvm"
        );
        Ok(())
    }

    /// The image with `overlay` on top: the kernel unpacks one archive after the other.
    pub(super) fn initrd(&self, sh: &Shell, overlay: &Path) -> Result<PathBuf> {
        let (ours, all) = (overlay.with_extension("cpio"), overlay.with_extension("initrd"));
        image::pack(sh, &self.image.root, overlay, &ours)?;
        let mut file = File::create(&all)?;
        for part in [&self.image.archive, &self.image.kernel.modules, &ours] {
            io::copy(&mut File::open(part)?, &mut file)?;
        }
        Ok(all)
    }

    #[expect(clippy::disallowed_methods, reason = "xshell cannot read a program while it runs")]
    fn command(&self, boot: &Boot, word: &str, hardware: &[String]) -> Command {
        let Boot { initrd, limit, .. } = boot;
        let kernel = &self.image.kernel.file;
        let mut command = Command::new("timeout");
        // In the foreground, so that an interrupt reaches the guest too.
        command.args(["--foreground", "--kill-after=5", &limit.as_secs().to_string()]);
        let accelerator = match self.machine {
            Machine::Qemu => ["tcg,thread=multi", "max"],
            Machine::Kvm => ["kvm", "host"],
            Machine::Uml => {
                // Its memory is a file there.
                command.env("TMPDIR", &self.dir).arg(kernel);
                command.arg(format!("initrd={}", initrd.display()));
                command.arg(format!("uml_dir={}", self.dir.join("uml-run").display()));
                command.args(UML.split_whitespace()).args(word.split_whitespace());
                command.stdin(Stdio::null()).stderr(Stdio::inherit());
                return command;
            }
        };
        command.args(&self.emulator.command);
        command.args(["-accel", accelerator[0], "-cpu", accelerator[1]]);
        command.args(HARDWARE.split_whitespace()).args(hardware);
        command.arg("-kernel").arg(kernel).arg("-initrd").arg(initrd);
        command.arg("-append").arg(format!("{KERNEL} {word}"));
        command.envs(self.emulator.modules.iter().map(|it| ("QEMU_MODULE_DIR", it)));
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        command
    }
}

/// The emulator that is installed, or one unpacked in the target folder: installing Debian's would
/// take newer tools of qemu's away.
fn qemu(checkout: &Checkout) -> Result<Emulator> {
    let sh = &checkout.sh;
    if prerequisites::has(sh, QEMU) {
        return Ok(Emulator { command: vec![QEMU.into()], modules: None });
    }
    let dir = checkout.target().join("vm/qemu");
    if !dir.is_dir() {
        let part = dir.with_extension("part");
        sh.remove_path(&part)?;
        quietly("unpack qemu", || {
            Closure::of(sh, &checkout.target(), &["qemu-system-x86"])?.unpack(&part)
        })?;
        fs::rename(&part, &dir)?;
    }
    let (loader, mut arguments) = inside(&dir, "usr/bin/qemu-system-x86_64", QEMU);
    if let Some(libraries) = arguments.get_mut(1) {
        *libraries += &format!(":{libraries}/pulseaudio");
    }
    let mut command = vec![loader];
    command.append(&mut arguments);
    for data in ["usr/share/qemu", "usr/share/seabios"] {
        command.extend(["-L".to_owned(), dir.join(data).display().to_string()]);
    }
    Ok(Emulator { command, modules: Some(dir.join("usr/lib/x86_64-linux-gnu/qemu")) })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The folder with a folder for each guest of the last run.
pub(super) const GUESTS: &str = "guests";
const QEMU: &str = "qemu-system-x86_64";
// Not microvm: now and then its clock cannot be calibrated, and the guest hangs.
const HARDWARE: &str = "\
    -machine q35 -nodefaults -no-user-config -display none";
const FIRST: &str = "-m 1536 -serial stdio -no-reboot";
// Without no_timer_check a busy host makes the kernel doubt its clock, and panic.
const KERNEL: &str = "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr audit=0 no_timer_check net.ifnames=0";
const UML: &str = "mem=1536M quiet loglevel=3 con=null con0=fd:0,fd:1";
const PROBE: Duration = Duration::from_secs(20);
const PROBE_MARK: &str = "the guest runs";
const PROBE_INIT: &str = "#!/bin/sh\necho the guest runs\nexec busybox poweroff -f\n";
