//! A kernel, and those of its modules that the guest needs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::{checkout::Checkout, progress::quietly};

use super::{
    image::{self, Image},
    packages::{Closure, inside},
};

/// A kernel on disk.
pub(super) struct Kernel {
    pub(super) file: PathBuf,
    /// Its modules in one, as it unpacks them at boot.
    pub(super) modules: PathBuf,
}

impl Kernel {
    /// Linux as a program (user-mode Linux), from Debian's package.
    ///
    /// # Errors
    /// The package cannot be had or unpacked.
    pub(super) fn user_mode(checkout: &Checkout, image: &Image) -> Result<Self> {
        let sh = &checkout.sh;
        let mut packages = Closure::of(sh, &checkout.target(), &["user-mode-linux"])?;
        let dir = checkout.target().join("vm").join(packages.named("uml", RECIPE));
        if !dir.is_dir() {
            let part = checkout.target().join("vm/uml.part");
            sh.remove_path(&part)?;
            quietly("unpack user-mode Linux", || {
                let files = part.join("packages");
                packages.unpack(&files)?;
                fs::rename(files.join("usr/bin/linux.uml"), part.join("linux.uml"))?;
                fs::rename(files.join("usr/lib/uml/modules"), files.join("lib/modules"))?;
                pack_modules(sh, &image.root, (&files, &part), "")?;
                Ok(sh.remove_path(files)?)
            })?;
            fs::rename(&part, &dir)?;
        }
        Ok(Self { file: dir.join("linux.uml"), modules: dir.join(MODULES) })
    }
}

/// Writes the [`NEEDED`] modules of `kernel` and `more`, with what they need, to `dir`; the kernel's version.
/// The tools are those of `root`.
pub(super) fn pack_modules(
    sh: &Shell,
    root: &Path,
    (kernel, dir): (&Path, &Path),
    more: &str,
) -> Result<String> {
    let all = kernel.join("lib/modules");
    let version = fs::read_dir(&all)?.next().context("the kernel's package has no modules")??;
    let version = version.file_name().into_string().ok().context("a kernel version is UTF-8")?;
    let (loader, depmod) = inside(root, KMOD, "depmod");
    let (_, modprobe) = inside(root, KMOD, "modprobe");
    let (depmod, modprobe) = (&depmod, &modprobe);
    cmd!(sh, "{loader} {depmod...} -b {kernel} {version}").quiet().run()?;

    let files = dir.join("modules");
    let (from, to) = (all.join(&version), files.join("usr/lib/modules").join(&version));
    sh.create_dir(&to)?;
    std::os::unix::fs::symlink("usr/lib", files.join("lib"))?;
    for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        sh.copy_file(from.join(list), to.join(list))?;
    }
    for module in NEEDED.split_whitespace().chain(more.split_whitespace()) {
        let needed =
            cmd!(sh, "{loader} {modprobe...} -d {kernel} -S {version} --show-depends {module}");
        // `insmod FILE [PARAMETER…]`, or `builtin NAME`
        for line in needed.quiet().read()?.lines() {
            let Some(file) = line.strip_prefix("insmod ") else { continue };
            let file = Path::new(file.split(' ').next().unwrap_or(file));
            let place = file.to_str().and_then(|it| it.split_once(&format!("/{version}/")));
            let place = to.join(place.context("a module lies outside its kernel's folder")?.1);
            sh.create_dir(place.parent().context("a module lies in a folder")?)?;
            sh.copy_file(file, place)?;
        }
    }
    cmd!(sh, "{loader} {depmod...} -b {files} {version}").quiet().run()?;
    image::pack(sh, root, &files, &dir.join(MODULES))?;
    sh.remove_path(files)?;
    Ok(version)
}

/// The file with a kernel's modules, in its folder.
pub(super) const MODULES: &str = "modules.cpio";
const RECIPE: &str = include_str!("kernel.rs");
/// One program with many names.
const KMOD: &str = "usr/bin/kmod";
/// What a PC of qemu's has besides: its hardware, and a target in the kernel.
pub(super) const PC: &str = "\
    virtio_pci virtio_net virtio_blk virtio_scsi virtio_console iscsi_target_mod target_core_file";
const NEEDED: &str = "\
    iscsi_tcp sd_mod xfs ext4 veth loop configfs dummy \
    dm_mod dm_multipath dm_service_time dm_queue_length dm_round_robin dm_flakey dm_delay \
    crc32c_generic libcrc32c";
