//! What runs the guest: qemu, with or without KVM, or Linux as a program.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use xshell::cmd;

use crate::{checkout::Checkout, prerequisites, progress::quietly};

use super::{
    console::{Console, Verdict},
    hypervisor,
    image::{self, Image},
    kernel::Kernel,
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
    pub(super) fn prepare(self, checkout: &Checkout) -> Result<Guest<'_>> {
        let mut image = Image::ready(checkout)?;
        let mut emulator = Emulator::default();
        match self {
            Self::Qemu | Self::Kvm => emulator = qemu(checkout)?,
            Self::Uml => image.kernel = Kernel::user_mode(checkout, &image)?,
        }
        let guest = Guest { checkout, machine: self, image, emulator };
        if self == Self::Kvm {
            quietly("boot under KVM, for a try", || guest.probe())?;
        }
        Ok(guest)
    }
}

/// A guest that can be booted.
pub(super) struct Guest<'a> {
    checkout: &'a Checkout,
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

impl Guest<'_> {
    /// Boots with `overlay` on top of the image, shows what is said and waits for the end. Whenever
    /// the guest asks for it, a second one is booted beside it. `choice` is for its init; it has so many
    /// `seconds`.
    pub(super) fn run(&self, overlay: &Path, choice: &str, seconds: u32) -> Result<Verdict> {
        let dir = self.checkout.target().join("vm");
        let initrd = self.initrd(overlay)?;
        // Not in the checkout: a socket's path is short.
        let link = tempfile::tempdir()?;
        let mut hardware = words(FIRST);
        hardware.extend(second::plug(link.path(), 1));
        hardware.extend(hypervisor::hardware(link.path()));
        let volumes = tempfile::tempdir_in(&dir)?;
        let mut command = self.command(&initrd, choice, (&hardware, seconds));
        command.current_dir(volumes.path());
        let mut guest = command.stdout(Stdio::piped()).spawn().context("cannot start the guest")?;
        let said = BufReader::new(guest.stdout.take().context("the guest has no console")?);
        let console = Console::new(&dir.join("console.log"))?;
        second::prepare(&dir)?;
        let mut second = Second::default();
        let verdict = console.follow(said, || {
            let hardware = second::hardware(&dir, link.path());
            second.boot(&mut self.command(&initrd, "node=2", (&hardware, seconds)))
        })?;
        guest.wait()?;
        Ok(verdict)
    }

    /// A device that can be opened may still not run a guest, and hang.
    fn probe(&self) -> Result<()> {
        let sh = &self.checkout.sh;
        let files = self.checkout.target().join("vm/probe");
        sh.create_dir(&files)?;
        let init = files.join("init");
        sh.write_file(&init, PROBE)?;
        cmd!(sh, "chmod 755 {init}").quiet().run()?;
        let initrd = self.initrd(&files)?;
        let output = self.command(&initrd, "", (&words(FIRST), PROBE_SECONDS)).output()?;
        ensure!(
            String::from_utf8_lossy(&output.stdout).contains(PROBE_MARK),
            "this machine's /dev/kvm does not run a guest; leave out --machine kvm"
        );
        Ok(())
    }

    /// The image with `overlay` on top: the kernel unpacks one archive after the other.
    fn initrd(&self, overlay: &Path) -> Result<PathBuf> {
        let (ours, all) = (overlay.with_extension("cpio"), overlay.with_extension("initrd"));
        image::pack(&self.checkout.sh, &self.image.root, overlay, &ours)?;
        let mut file = File::create(&all)?;
        for part in [&self.image.archive, &self.image.kernel.modules, &ours] {
            io::copy(&mut File::open(part)?, &mut file)?;
        }
        Ok(all)
    }

    #[expect(clippy::disallowed_methods, reason = "xshell cannot read a program while it runs")]
    fn command(&self, initrd: &Path, word: &str, (hardware, seconds): (&[String], u32)) -> Command {
        let kernel = &self.image.kernel.file;
        let mut command = Command::new("timeout");
        // In the foreground, so that an interrupt reaches the guest too.
        command.args(["--foreground", "--kill-after=5", &seconds.to_string()]);
        let accelerator = match self.machine {
            Machine::Qemu => ["tcg,thread=multi", "max"],
            Machine::Kvm => ["kvm", "host"],
            Machine::Uml => {
                let dir = self.checkout.target().join("vm");
                // Its memory is a file there.
                command.env("TMPDIR", &dir).arg(kernel);
                command.arg(format!("initrd={}", initrd.display()));
                command.arg(format!("uml_dir={}", dir.join("uml-run").display()));
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

const QEMU: &str = "qemu-system-x86_64";
// Not microvm: now and then its clock cannot be calibrated, and the guest hangs.
const HARDWARE: &str = "\
    -machine q35 -nodefaults -no-user-config -display none";
const FIRST: &str = "-smp 2 -m 1536 -serial stdio -no-reboot";
// Without no_timer_check a busy host makes the kernel doubt its clock, and panic.
const KERNEL: &str = "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr audit=0 no_timer_check net.ifnames=0";
const UML: &str = "mem=1536M quiet loglevel=3 con=null con0=null,fd:1";
const PROBE_SECONDS: u32 = 20;
const PROBE_MARK: &str = "the guest runs";
const PROBE: &str = "#!/bin/sh\necho the guest runs\nexec busybox poweroff -f\n";
