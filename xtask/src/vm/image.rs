//! The guest: a kernel and a file system in memory, made of Debian's packages.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::{checkout::Checkout, progress::quietly};

use super::{
    kernel::{self, Kernel, MODULES},
    packages::Closure,
};

/// A guest on disk.
pub(super) struct Image {
    /// Its files.
    pub(super) root: PathBuf,
    /// Its files in one, as the kernel unpacks them at boot.
    pub(super) archive: PathBuf,
    /// The kernel for a PC.
    pub(super) kernel: Kernel,
}

impl Image {
    /// The guest that these packages make: the one that is there, or a new one.
    ///
    /// # Errors
    /// Debian's packages cannot be had or unpacked.
    pub(super) fn ready(checkout: &Checkout) -> Result<Self> {
        let (sh, target) = (&checkout.sh, checkout.target());
        let mut packages = Closure::of(sh, &target, PACKAGES)?;
        let dir = target.join("vm").join(packages.named("guest", RECIPE));
        if !dir.is_dir() {
            let part = target.join("vm/guest.part");
            sh.remove_path(&part)?;
            quietly("make the guest of Debian's packages", || {
                let (root, kernel) = (part.join("root"), part.join("kernel"));
                packages.unpack(&root)?;
                sh.create_dir(kernel.join("lib"))?;
                fs::rename(root.join("usr/lib/modules"), kernel.join("lib/modules"))?;
                fs::rename(root.join("boot"), kernel.join("boot"))?;
                trim(sh, &root)?;
                pack(sh, &root, &root, &part.join("root.cpio"))?;
                let version = kernel::pack_modules(sh, &root, (&kernel, &part), kernel::PC)?;
                fs::rename(kernel.join(format!("boot/vmlinuz-{version}")), part.join("vmlinuz"))?;
                Ok(sh.remove_path(kernel)?)
            })?;
            let vm = target.join("vm");
            for old in sh.read_dir(&vm)? {
                let is_image =
                    old.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"guest-"));
                if is_image {
                    sh.remove_path(old)?;
                }
            }
            fs::rename(&part, &dir)?;
        }
        Ok(Self {
            root: dir.join("root"),
            archive: dir.join("root.cpio"),
            kernel: Kernel { file: dir.join("vmlinuz"), modules: dir.join(MODULES) },
        })
    }
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

/// Packs `files` as the kernel unpacks them at boot. Everything is root's, whichever user packs it.
pub(super) fn pack(sh: &Shell, root: &Path, files: &Path, to: &Path) -> Result<()> {
    let _folder = sh.push_dir(files);
    let busybox = root.join("usr/bin/busybox");
    let script = r#"find . | LC_ALL=C sort | "$1" cpio -o -H newc -R 0:0 >"$2" 2>/dev/null"#;
    cmd!(sh, "sh -e -c {script} sh {busybox} {to}").quiet().run().context("cannot pack the guest")
}

/// How the image is made of its packages.
const RECIPE: &str = concat!(include_str!("image.rs"), include_str!("kernel.rs"));
/// What the guest has: a kernel, a node's tools, a target, and what the suite needs to play with them.
const PACKAGES: &[&str] = &[
    "busybox-static",
    "coreutils",
    "dash",
    "diffutils",
    "dmsetup",
    // an SSH server and client of 0.2 MB: how a case reaches the second node
    "dropbear-bin",
    "e2fsprogs",
    "findutils",
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
    // kills the driver and its programs at a system call
    "strace",
    "tgt",
    "udev",
    "util-linux",
    "xfsprogs",
];
const UNUSED: &str = "\
    var usr/include usr/share \
    usr/bin/perl* usr/bin/python3* usr/lib/python3* \
    usr/lib/initramfs-tools usr/lib/klibc* usr/lib/systemd/system usr/lib/terminfo \
    usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/perl* usr/lib/x86_64-linux-gnu/e2fsprogs \
    usr/lib/x86_64-linux-gnu/gconv usr/lib/x86_64-linux-gnu/krb5 usr/lib/x86_64-linux-gnu/libdb-5* \
    usr/lib/x86_64-linux-gnu/libicu* usr/lib/x86_64-linux-gnu/libkrb5* \
    usr/lib/x86_64-linux-gnu/libperl* usr/lib/x86_64-linux-gnu/libpython* \
    usr/lib/x86_64-linux-gnu/libsqlite*";
