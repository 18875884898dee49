//! The guest: a kernel and a file system in memory, made of Debian's packages.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use xshell::{Shell, cmd};

use crate::{checkout::Checkout, progress::quietly};

use super::packages::{Closure, inside};

/// A guest on disk.
pub(super) struct Image {
    /// Its files, without a kernel's modules.
    pub(super) root: PathBuf,
    pub(super) kernel: PathBuf,
    /// The files and the modules, as the kernel unpacks them.
    pub(super) initrd: PathBuf,
}

impl Image {
    /// The guest that these packages make: the one that is there, or a new one.
    ///
    /// # Errors
    /// Debian's packages cannot be had or unpacked.
    pub(super) fn ready(checkout: &Checkout) -> Result<Self> {
        let (sh, target) = (&checkout.sh, checkout.target());
        let mut packages = Closure::of(sh, &target, PACKAGES)?;
        let dir = target.join("vm").join(format!("guest-{}", key(&packages)));
        if !dir.is_dir() {
            let part = target.join("vm/guest.part");
            sh.remove_path(&part)?;
            quietly("make the guest of Debian's packages", || {
                let root = part.join("root");
                packages.unpack(&root)?;
                sh.create_dir(part.join("kernel/lib"))?;
                fs::rename(root.join("boot"), part.join("kernel/boot"))?;
                fs::rename(root.join("usr/lib/modules"), part.join("kernel/lib/modules"))?;
                trim(sh, &root)?;
                boot_files(sh, &part)
            })?;
            fs::rename(&part, &dir)?;
        }
        Ok(Self {
            root: dir.join("root"),
            kernel: dir.join("vmlinuz"),
            initrd: dir.join("initrd.cpio"),
        })
    }
}

/// Names the image by what it is made of: the packages' versions, and how they are put together.
fn key(packages: &Closure<'_>) -> String {
    let digest = Sha256::new().chain_update(&packages.listing);
    let digest = digest.chain_update(include_str!("image.rs"));
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Takes away what no case needs: every byte is copied at every boot.
fn trim(sh: &Shell, root: &Path) -> Result<()> {
    let _folder = sh.push_dir(root);
    let script = format!(
        "rm -rf {UNUSED}
         ln -sf dash usr/bin/sh; ln -sf mawk usr/bin/awk
         mkdir -p proc sys run tmp dev mnt root guest old var/lib usr/lib/modules"
    );
    cmd!(sh, "sh -e -c {script}").quiet().run().context("cannot trim the guest")
}

/// Makes `vmlinuz` and `initrd.cpio` in `dir`, of its `root` and `kernel`.
fn boot_files(sh: &Shell, dir: &Path) -> Result<()> {
    let (root, kernel) = (dir.join("root"), dir.join("kernel"));
    let modules = kernel.join("lib/modules");
    let version = fs::read_dir(&modules)?.next().context("the kernel package has no modules")??;
    let version = version.file_name().into_string().ok().context("a kernel version is UTF-8")?;
    fs::rename(kernel.join("boot").join(format!("vmlinuz-{version}")), dir.join("vmlinuz"))?;

    let (loader, depmod) = inside(&root, KMOD, "depmod");
    let depmod = &depmod;
    let (_, modprobe) = inside(&root, KMOD, "modprobe");
    cmd!(sh, "{loader} {depmod...} -b {kernel} {version}").quiet().run()?;
    let files = dir.join("initrd");
    cmd!(sh, "cp -al {root} {files}").quiet().run()?;
    let (from, to) = (modules.join(&version), files.join("usr/lib/modules").join(&version));
    sh.create_dir(&to)?;
    for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        sh.copy_file(from.join(list), to.join(list))?;
    }
    for module in MODULES.split_whitespace() {
        let modprobe = &modprobe;
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
    archive(sh, &root, &files, &dir.join("initrd.cpio"))?;
    sh.remove_path(files)?;
    Ok(sh.remove_path(kernel)?)
}

/// Packs `files` as the kernel unpacks them at boot. Everything is root's, whoever packs it.
pub(super) fn archive(sh: &Shell, root: &Path, files: &Path, to: &Path) -> Result<()> {
    let _folder = sh.push_dir(files);
    let busybox = root.join("usr/bin/busybox");
    let script = r#"find . | LC_ALL=C sort | "$1" cpio -o -H newc -R 0:0 >"$2" 2>/dev/null"#;
    cmd!(sh, "sh -e -c {script} sh {busybox} {to}").quiet().run().context("cannot pack the guest")
}

/// What the guest has: a kernel, a node's tools, a target, and what the suite needs to play with them.
const PACKAGES: &[&str] = &[
    "busybox-static",
    "coreutils",
    "dash",
    "dmsetup",
    "e2fsprogs",
    "grep",
    "iproute2",
    "kmod",
    "libgcc-s1",
    // for virtual machines: a third of the usual one, and it has all of MODULES
    "linux-image-cloud-amd64",
    "mawk",
    "mount",
    "multipath-tools",
    "open-iscsi",
    "procps",
    "sed",
    "tgt",
    "udev",
    "util-linux",
    "xfsprogs",
];
/// One program with many names.
const KMOD: &str = "usr/bin/kmod";
/// What the kernel has to load for it.
const MODULES: &str = "\
    iscsi_tcp sd_mod xfs veth loop configfs dummy overlay \
    dm_mod dm_multipath dm_service_time dm_queue_length dm_round_robin dm_flakey dm_delay \
    virtio_net virtio_pci crc32c_generic crc32c_intel libcrc32c";
const UNUSED: &str = "\
    var usr/include usr/share \
    usr/bin/perl* usr/bin/python3* usr/lib/python3* \
    usr/lib/initramfs-tools usr/lib/klibc* usr/lib/systemd/system usr/lib/terminfo \
    usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/perl* usr/lib/x86_64-linux-gnu/e2fsprogs \
    usr/lib/x86_64-linux-gnu/gconv usr/lib/x86_64-linux-gnu/krb5 usr/lib/x86_64-linux-gnu/libdb-5* \
    usr/lib/x86_64-linux-gnu/libicu* usr/lib/x86_64-linux-gnu/libkrb5* \
    usr/lib/x86_64-linux-gnu/libperl* usr/lib/x86_64-linux-gnu/libpython* \
    usr/lib/x86_64-linux-gnu/libsqlite*";
