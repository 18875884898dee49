//! The release binary to measure: the static one that is shipped, where it can be built.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::cmd;

use crate::{checkout::Checkout, demo};

/// A built driver.
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    /// What it is, in words.
    pub(crate) kind: &'static str,
}

impl Binary {
    /// Builds for musl if the toolchain has its standard library, else for this host.
    pub(crate) fn build(checkout: &Checkout) -> Result<Self> {
        let sh = &checkout.sh;
        let libraries = cmd!(sh, "rustc --print target-libdir --target {MUSL}").quiet().read()?;
        if !Path::new(&libraries).is_dir() {
            let kind = "the release binary with the C library of this host";
            return Ok(Self { path: demo::build(checkout)?, kind });
        }
        let what = ["--package", "driver", "--bin", "oci", "--target", MUSL];
        let build = cmd!(sh, "cargo build --locked --release --quiet {what...}");
        checkout.afresh(build.env("CC_x86_64_unknown_linux_musl", "gcc")).quiet().run()?;
        let path = checkout.target().join(MUSL).join("release/oci");
        Ok(Self { path, kind: "the static release binary, as it is shipped" })
    }
}

const MUSL: &str = "x86_64-unknown-linux-musl";
