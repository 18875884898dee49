//! `cargo xtask dist`: the files of a release, byte for byte reproducible.
//!
//! `build` makes the static binary, `toolchain` the tools for it where rustup has none, `package`
//! collects what belongs together, `archive` packs it and `check` builds it twice. Another format
//! (rpm, deb, an OCI image) is a module beside `archive` that packs the same `Package`; another
//! processor is a value of [`Target`].

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use xshell::cmd;

use crate::{checkout::Checkout, progress::quietly};
use build::{Builder, Route, Target, has_standard_library};
use package::Package;

mod archive;
mod build;
mod check;
mod package;
mod toolchain;

/// Make the static binary, an archive with it, and SHA256SUMS, in target/dist
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build twice, in two folders from two copies of the sources, and compare every byte
    #[arg(long)]
    check: bool,
    /// Where compiler and standard library come from; without it rustup's, if it has the target
    #[arg(long, value_enum)]
    route: Option<Route>,
}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let target = Target::X86_64Musl;
        let builder = Builder::ready(checkout, target, self.route)?;
        println!("▸ {} by way of {}", target.triple(), builder.route());
        let epoch = last_commit_time(checkout)?;
        let archive = if self.check {
            check::reproduced(checkout, &builder, epoch)?
        } else {
            packed(&builder, &checkout.dir, &build_dir(checkout), epoch)?
        };
        let name = format!("{}.tar.gz", Package::name(target));
        write(&checkout.target().join("dist"), &name, &archive)
    }
}

/// The static binary as it is packed; none where the toolchain at hand has not its standard library.
pub(crate) fn binary(checkout: &Checkout) -> Result<Option<PathBuf>> {
    let target = Target::X86_64Musl;
    if !has_standard_library(checkout, target)? {
        return Ok(None);
    }
    let builder = Builder::ready(checkout, target, Some(Route::Rustup))?;
    builder.build(&checkout.dir, &build_dir(checkout)).map(Some)
}

fn build_dir(checkout: &Checkout) -> PathBuf {
    checkout.target().join("dist-build")
}

/// Builds the sources in `source` and packs the result.
fn packed(builder: &Builder<'_>, source: &Path, target_dir: &Path, epoch: u64) -> Result<Vec<u8>> {
    let binary = quietly("release build", || builder.build(source, target_dir))?;
    archive::pack(&Package::collect(builder.target(), source, &binary)?, epoch)
}

/// The time stamp of everything that is packed.
fn last_commit_time(checkout: &Checkout) -> Result<u64> {
    let time = cmd!(checkout.sh, "git log -1 --format=%ct").quiet().read()?;
    time.parse().with_context(|| format!("git's time of the last commit is no number: {time:?}"))
}

fn write(dir: &Path, name: &str, archive: &[u8]) -> Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join(name), archive)?;
    fs::write(dir.join("SHA256SUMS"), format!("{}  {name}\n", sha256(archive)))?;
    println!("✓ {} ({} KiB), SHA256SUMS", dir.join(name).display(), archive.len() / 1024);
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_as_sha256sum_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.tar.gz", b"abc").unwrap();
        let sums = fs::read_to_string(dir.path().join("SHA256SUMS")).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sums, format!("{abc}  a.tar.gz\n"));
    }
}
