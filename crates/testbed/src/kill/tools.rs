//! The host's programs, made so that a chosen one does not end well.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::points::WRITES;

/// Programs that do what they are named after, but for the one that the plan is about; and a watch
/// over mkfs.
#[derive(Debug)]
pub struct Tools {
    dir: PathBuf,
}

impl Tools {
    /// Programs in `dir`, for a node whose volume is at `device`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn new(dir: &Path, device: &str) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let tools = Self { dir: dir.to_owned() };
        tools.plan("at=0")?;
        for program in PROGRAMS {
            // udev and open-iscsi are for some hosts only.
            let Some(real) = real(program) else { continue };
            let text = SCRIPT
                .replace("{dir}", &dir.to_string_lossy())
                .replace("{program}", program)
                .replace("{real}", &real)
                .replace("{device}", device)
                .replace("{writes}", WRITES);
            let path = dir.join(program);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(tools)
    }

    /// From now on nothing happens to them.
    ///
    /// # Errors
    /// The plan cannot be written.
    pub fn leave_alone(&self) -> io::Result<()> {
        self.plan("at=0")
    }

    /// What mkfs must not have done.
    pub fn violations(&self) -> String {
        fs::read_to_string(self.dir.join("violations")).unwrap_or_default()
    }

    /// Where the driver is to look for programs.
    pub fn search_path(&self) -> &Path {
        &self.dir
    }

    /// What happens at the next call.
    pub(super) fn plan(&self, plan: &str) -> io::Result<()> {
        fs::write(self.dir.join("starts"), "0")?;
        fs::write(self.dir.join("plan"), format!("{plan}\n"))
    }

    /// How many programs were started since the plan was made.
    pub(super) fn starts(&self) -> Result<usize> {
        let count = fs::read_to_string(self.dir.join("starts"))?;
        count.trim().parse().with_context(|| format!("{count:?} is no count"))
    }

    /// What strace has seen of the `start`-th program, or of the driver, which is the 0th.
    pub(super) fn trace(&self, start: usize) -> io::Result<String> {
        fs::read_to_string(self.trace_path(start))
    }

    pub(super) fn trace_path(&self, start: usize) -> PathBuf {
        self.dir.join(format!("trace.{start}"))
    }
}

fn real(program: &str) -> Option<String> {
    let dirs = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    dirs.map(|dir| format!("{dir}/{program}")).into_iter().find(|it| Path::new(it).exists())
}

/// All that the node's calls run.
const PROGRAMS: [&str; 12] = [
    "blkid",
    "e2fsck",
    "iscsiadm",
    "mkfs.ext4",
    "mkfs.xfs",
    "mount",
    "resize2fs",
    "udevadm",
    "umount",
    "wipefs",
    "xfs_growfs",
    "xfs_repair",
];

const SCRIPT: &str = r#"#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
n=$(($(cat {dir}/starts) + 1)); echo $n > {dir}/starts
how=; kill=; . {dir}/plan
case {program}:$1 in
mkfs.*:-V) ;;
mkfs.*)
    for disk; do :; done
    case $(blkid -p -o value -s TYPE "$disk") in
    ext4) e2fsck -fn "$disk" ;;
    xfs) xfs_repair -n "$disk" ;;
    *) false ;;
    esac >/dev/null 2>&1 && echo "over a whole file system: $*" >> {dir}/violations
    [ "$disk" -ef {device} ] || echo "on another disk: $*" >> {dir}/violations
    ;;
esac
trace="strace -q -o {dir}/trace.$n -e trace={writes}"
[ $at = all ] && exec $trace {real} "$@"
[ $at = $n ] && case $how in
before) kill -9 $PPID ;;
instead) kill -9 $PPID; exit 1 ;;
after) {real} "$@"; kill -9 $PPID; exit 0 ;;
within) exec $trace -e $kill {real} "$@" ;;
esac
exec {real} "$@"
"#;
