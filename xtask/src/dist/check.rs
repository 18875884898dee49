//! The proof that a build can be repeated: two copies of the sources, two builds, the same bytes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use xshell::cmd;

use super::{build::Builder, packed, sha256};
use crate::checkout::Checkout;

/// Builds and packs the checkout twice; returns the archive. The folders are left for a closer
/// look when the two differ.
pub(super) fn reproduced(
    checkout: &Checkout,
    builder: &Builder<'_>,
    epoch: u64,
) -> Result<Vec<u8>> {
    let dir = checkout.target().join("dist-check");
    checkout.sh.remove_path(&dir)?;
    // names of different length: a path that found its way into the binary would move its bytes
    let once = |name: &str| {
        let source = dir.join(name).join("sources");
        copy_sources(checkout, &source)?;
        packed(builder, &source, &dir.join(name).join("target"), epoch)
    };
    let first = once("first")?;
    let second = once("second-and-longer")?;
    ensure!(
        first == second,
        "two builds of the same sources differ: sha256 {} and {}; compare the folders in {}",
        sha256(&first),
        sha256(&second),
        dir.display()
    );
    println!("✓ two builds, the same bytes: sha256 {}", sha256(&first));
    checkout.sh.remove_path(&dir)?;
    Ok(first)
}

/// Copies what git knows or would take in, as it stands in the checkout.
fn copy_sources(checkout: &Checkout, to: &Path) -> Result<()> {
    let list = cmd!(checkout.sh, "git ls-files -z --cached --others --exclude-standard");
    let list = list.quiet().read()?;
    for name in list.split('\0').map(PathBuf::from) {
        let from = checkout.dir.join(&name);
        if !from.is_file() {
            continue; // deleted, but not yet from git's index
        }
        let to = to.join(&name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from, to)?;
    }
    Ok(())
}
