//! What is ours in the guest: the driver in its place, the suite, and the first processes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::checkout::Checkout;

/// Writes the files that come on top of the image; the folder.
///
/// # Errors
/// A file cannot be written, or a program not be stripped.
pub(super) fn write(checkout: &Checkout, suite: &Path, driver: &Path) -> Result<PathBuf> {
    let sh = &checkout.sh;
    let dir = checkout.target().join("vm/overlay");
    sh.remove_path(&dir)?;
    for folder in [DRIVER, SUITE] {
        sh.create_dir(dir.join(folder))?;
    }
    // Without what only a debugger needs they are a tenth of the size.
    for (from, to) in [(driver, dir.join(DRIVER).join("oci")), (suite, dir.join(SUITE).join("vm"))]
    {
        cmd!(sh, "strip -o {to} {from}").quiet().run().context("cannot strip a program")?;
    }
    for (name, text) in SCRIPTS {
        let path = dir.join(name);
        sh.write_file(&path, text)?;
        cmd!(sh, "chmod 755 {path}").quiet().run()?;
    }
    Ok(dir)
}

/// Where kubelet looks for it.
const DRIVER: &str = "usr/libexec/kubernetes/kubelet-plugins/volume/exec/oracle~oci";
const SUITE: &str = "suite";
const SCRIPTS: [(&str, &str); 6] = [
    ("init", include_str!("guest/init.sh")),
    ("suite/node", include_str!("guest/node.sh")),
    ("suite/node-1", include_str!("guest/node-1.sh")),
    ("suite/node-2", include_str!("guest/node-2.sh")),
    ("suite/cases", include_str!("guest/cases.sh")),
    ("suite/on-node-2", include_str!("guest/on-node-2.sh")),
];
