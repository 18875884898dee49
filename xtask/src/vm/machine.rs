//! What runs the guest: qemu, with or without KVM.

use std::{
    fmt, fs,
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use xshell::cmd;

use crate::{checkout::Checkout, prerequisites, progress::quietly};

use super::{
    console::{Console, Verdict},
    image::{self, Image},
    packages::{Closure, inside},
};

/// The ways to run a guest.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Machine {
    /// An emulated PC: works everywhere
    Qemu,
    /// A PC with the host's processor
    Kvm,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qemu => "qemu",
            Self::Kvm => "kvm",
        })
    }
}

impl Machine {
    /// Makes everything ready for a boot.
    pub(super) fn prepare(self, checkout: &Checkout) -> Result<Guest> {
        let image = Image::ready(checkout)?;
        let guest = Guest { machine: self, image, qemu: qemu(checkout)? };
        if self == Self::Kvm {
            quietly("boot under KVM, for a try", || guest.probe(checkout))?;
        }
        Ok(guest)
    }
}

/// A guest that can be booted.
pub(super) struct Guest {
    machine: Machine,
    image: Image,
    /// The emulator's command, and its variables.
    qemu: Qemu,
}

#[derive(Default)]
struct Qemu {
    command: Vec<String>,
    modules: Option<PathBuf>,
}

impl Guest {
    /// Boots with `overlay` on top of the image, shows what is said and waits for the end.
    pub(super) fn run(&self, checkout: &Checkout, overlay: &Path, case: &str) -> Result<Verdict> {
        let dir = checkout.target().join("vm");
        let (files, initrd) = (dir.join("overlay.cpio"), dir.join("run.cpio"));
        image::archive(&checkout.sh, &self.image.root, overlay, &files)?;
        // The kernel unpacks one archive after the other.
        fs::copy(&self.image.initrd, &initrd)?;
        let mut all = fs::OpenOptions::new().append(true).open(&initrd)?;
        std::io::copy(&mut fs::File::open(files)?, &mut all)?;
        let mut command = self.command(&initrd, &format!("case={case}"), SUITE_SECONDS);
        let mut guest = command.stdout(Stdio::piped()).spawn().context("cannot start qemu")?;
        let said = BufReader::new(guest.stdout.take().context("the guest has no console")?);
        let console = Console::new(&dir.join("console.log"))?;
        let verdict = console.follow(said)?;
        guest.wait()?;
        Ok(verdict)
    }

    /// A device that can be opened may still not run a guest, and hang.
    fn probe(&self, checkout: &Checkout) -> Result<()> {
        let sh = &checkout.sh;
        let files = checkout.target().join("vm/probe");
        sh.create_dir(&files)?;
        sh.write_file(files.join("init"), PROBE)?;
        cmd!(sh, "chmod 755 {files}/init").quiet().run()?;
        let (alone, initrd) = (files.with_extension("cpio"), files.with_extension("run.cpio"));
        image::archive(sh, &self.image.root, &files, &alone)?;
        fs::write(&initrd, [fs::read(&self.image.initrd)?, fs::read(&alone)?].concat())?;
        let output = self.command(&initrd, "", PROBE_SECONDS).output()?;
        ensure!(
            String::from_utf8_lossy(&output.stdout).contains(PROBE_MARK),
            "this machine's /dev/kvm does not run a guest; leave out --machine kvm"
        );
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "xshell cannot read a program while it runs")]
    fn command(&self, initrd: &Path, word: &str, seconds: u32) -> Command {
        let accelerator = match self.machine {
            Machine::Qemu => ["tcg,thread=multi", "max"],
            Machine::Kvm => ["kvm", "host"],
        };
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5".to_owned(), seconds.to_string()]).args(&self.qemu.command);
        command.args(["-accel", accelerator[0], "-cpu", accelerator[1]]);
        command.args(HARDWARE.split_whitespace());
        command.arg("-kernel").arg(&self.image.kernel).arg("-initrd").arg(initrd);
        command.arg("-append").arg(format!("{KERNEL} {word}"));
        command.envs(self.qemu.modules.iter().map(|it| ("QEMU_MODULE_DIR", it)));
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        command
    }
}

/// The emulator that is installed, or one unpacked in the target folder: installing Debian's would
/// take newer tools of qemu's away.
fn qemu(checkout: &Checkout) -> Result<Qemu> {
    let sh = &checkout.sh;
    if prerequisites::has(sh, QEMU) {
        return Ok(Qemu { command: vec![QEMU.into()], modules: None });
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
    Ok(Qemu { command, modules: Some(dir.join("usr/lib/x86_64-linux-gnu/qemu")) })
}

const QEMU: &str = "qemu-system-x86_64";
// Not microvm: now and then its clock cannot be calibrated, and the guest hangs.
const HARDWARE: &str = "\
    -machine q35 -smp 2 -m 1536 -nodefaults -no-user-config -display none -serial stdio -no-reboot";
const KERNEL: &str = "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr audit=0";
/// How long the whole suite may take.
const SUITE_SECONDS: u32 = 1200;
const PROBE_SECONDS: u32 = 20;
const PROBE_MARK: &str = "the guest runs";
const PROBE: &str = "#!/bin/sh\necho the guest runs\nexec busybox poweroff -f\n";
