//! The programs that a task needs: found, installed from Debian's packages, or named.

use anyhow::{Context as _, Result, ensure};
use xshell::{Shell, cmd};

/// A program and the Debian package it comes from.
pub(crate) type Program = (&'static str, &'static str);

/// What the tests work on: real filesystems on loop devices.
pub(crate) const DISKS: &[Program] = &[
    ("mkfs.ext4", "e2fsprogs"),
    ("fsck.ext4", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("sfdisk", "fdisk"),
    ("pkill", "procps"),
    ("strace", "strace"),
    ("blkid", "util-linux"),
    ("unshare", "util-linux"),
    ("losetup", "mount"),
    ("mount", "mount"),
];

/// What reads the scripts.
pub(crate) const SCRIPTS: &[Program] = &[("shellcheck", "shellcheck"), ("setpriv", "util-linux")];

/// What makes the disks that must not be touched.
pub(crate) const DESTROYERS: &[Program] = &[
    ("mkfs.vfat", "dosfstools"),
    ("mkfs.exfat", "exfatprogs"),
    ("mkfs.ntfs", "ntfs-3g"),
    ("mkfs.f2fs", "f2fs-tools"),
    ("mkfs.jfs", "jfsutils"),
    ("mkfs.nilfs2", "nilfs-tools"),
    ("mkudffs", "udftools"),
    ("genisoimage", "genisoimage"),
    ("mksquashfs", "squashfs-tools"),
    ("cryptsetup", "cryptsetup-bin"),
];

/// Makes sure that all the programs can be run. Root gets what is missing through apt-get, another user
/// is told what to install.
pub(crate) fn provide(sh: &Shell, programs: &[Program]) -> Result<()> {
    let packages = missing(sh, programs);
    if !packages.is_empty() {
        install(sh, &packages)?;
    }
    let still = missing(sh, programs);
    ensure!(still.is_empty(), "programs of these packages are still missing: {}", still.join(" "));
    Ok(())
}

/// Installs packages of Debian, if root runs this.
pub(crate) fn install(sh: &Shell, packages: &[&str]) -> Result<()> {
    let command = format!("apt-get install {}", packages.join(" "));
    ensure!(is_root(sh)?, "programs are missing; run as root: {command}");
    println!("▸ {command}");
    let _env = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    let install =
        || cmd!(sh, "apt-get install --yes --quiet --no-install-recommends {packages...}").run();
    if install().is_err() {
        cmd!(sh, "apt-get update --quiet").run()?; // fresh machines have no package lists
        install().with_context(|| format!("cannot install; do it by hand: {command}"))?;
    }
    Ok(())
}

/// Fails unless root runs this.
pub(crate) fn require_root(sh: &Shell, why: &str) -> Result<()> {
    ensure!(is_root(sh)?, "{why}: run this as root");
    Ok(())
}

/// Whether `name` can be run.
pub(crate) fn has(sh: &Shell, name: &str) -> bool {
    which::which_in(name, sh.var("PATH").ok(), sh.current_dir()).is_ok()
}

fn missing(sh: &Shell, programs: &[Program]) -> Vec<&'static str> {
    let absent = programs.iter().filter(|(program, _)| !has(sh, program));
    let mut packages: Vec<_> = absent.map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

fn is_root(sh: &Shell) -> Result<bool> {
    Ok(cmd!(sh, "id -u").quiet().read()? == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_by_its_package_once() {
        let sh = Shell::new().unwrap();
        let programs = [("sh", "dash"), ("no-such-1", "gone"), ("no-such-2", "gone")];
        assert_eq!(missing(&sh, &programs), ["gone"]);
    }
}
