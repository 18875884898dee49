//! The second guest: a node of its own beside the first, for the pod that moves.
//!
//! The two have a link to each other and to nothing else. The second one has a disk, and keeps running when
//! its kernel restarts: a reset there is the loss of power.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command},
};

use anyhow::{Context as _, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The second guest, as long as it runs; it ends with this value.
pub(super) struct Second(Child);

impl Second {
    pub(super) fn boot(command: &mut Command) -> Result<Self> {
        command.spawn().map(Self).context("cannot start the second guest")
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        // A kill would leave what timeout has started.
        let sent = i32::try_from(self.0.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGTERM));
        if matches!(sent, Ok(Ok(()))) {
            let _ = self.0.wait();
        }
    }
}

/// What the second guest has: a processor, a blank disk, a console in a file, and the link.
pub(super) fn hardware(dir: &Path, link: &Path) -> Result<Vec<String>> {
    let (disk, console) = (dir.join("node-2.disk"), dir.join("console-2.log"));
    File::create(&disk)
        .and_then(|file| file.set_len(DISK_BYTES))
        .with_context(|| format!("cannot make {}", disk.display()))?;
    let mut hardware = ["-smp", "1", "-m", "768"].map(str::to_owned).to_vec();
    hardware.extend([
        "-serial".into(),
        format!("file:{}", console.display()),
        "-drive".into(),
        format!("file={},if=virtio,format=raw", disk.display()),
    ]);
    hardware.extend(plug(link, 2));
    Ok(hardware)
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

const DISK_BYTES: u64 = 256 << 20;
