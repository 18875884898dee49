//! The second guest: a node of its own beside the first, for the pod that moves.
//!
//! The two have a link to each other and to nothing else. A reset of the second ends it: that is the loss of power.
//! It is switched on by another boot, and finds its disk as it was.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command},
};

use anyhow::{Context as _, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The second guest, if it was ever wanted; it ends with this value.
#[derive(Default)]
pub(super) struct Second(Option<Child>);

impl Second {
    /// Boots it; if it runs, it is switched off before.
    pub(super) fn boot(&mut self, command: &mut Command) -> Result<()> {
        self.switch_off();
        self.0 = Some(command.spawn().context("cannot start the second guest")?);
        Ok(())
    }

    fn switch_off(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        // A kill would leave what timeout has started.
        if let (Ok(None), Ok(id)) = (child.try_wait(), i32::try_from(child.id())) {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
            let _ = child.wait();
        }
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        self.switch_off();
    }
}

/// A blank disk and a blank page for its console, for all boots of a run.
pub(super) fn prepare(dir: &Path) -> Result<()> {
    let disk = dir.join(DISK);
    File::create(&disk)
        .and_then(|file| file.set_len(DISK_BYTES))
        .and_then(|()| fs::write(dir.join(CONSOLE), ""))
        .with_context(|| format!("cannot make {}", disk.display()))
}

/// What the second guest has: a processor, a disk, a console in a file, and the link.
pub(super) fn hardware(dir: &Path, link: &Path) -> Vec<String> {
    let (disk, console) = (dir.join(DISK), dir.join(CONSOLE));
    let console = format!("file,id=console,append=on,path={}", console.display());
    let disk = format!("file={},if=virtio,format=raw", disk.display());
    let hardware = ["-smp", "1", "-m", "768", "-no-reboot", "-serial", "chardev:console"];
    let mut hardware = hardware.map(str::to_owned).to_vec();
    hardware.extend(["-chardev", &console, "-drive", &disk].map(str::to_owned));
    hardware.extend(plug(link, 2));
    hardware
}

/// The network card of a guest, at its end of the link.
pub(super) fn plug(link: &Path, number: u8) -> Vec<String> {
    let end = |number: u8| link.join(number.to_string()).display().to_string();
    let (here, there) = (end(number), end(3 - number));
    let ends = format!(
        "dgram,id=link,local.type=unix,local.path={here},remote.type=unix,remote.path={there}"
    );
    let card = format!("virtio-net-pci,netdev=link,mac=52:54:00:00:00:0{number},romfile=");
    ["-netdev", &ends, "-device", &card].map(str::to_owned).to_vec()
}

const DISK: &str = "node-2.disk";
const CONSOLE: &str = "console-2.log";
const DISK_BYTES: u64 = 256 << 20;
