//! The release binary to measure: the static one that is shipped, where it can be built.

use std::path::PathBuf;

use anyhow::Result;

use crate::{checkout::Checkout, demo, dist};

/// A built driver.
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    /// What it is, in words.
    pub(crate) kind: &'static str,
}

impl Binary {
    /// Builds for musl if the toolchain has its standard library, else for this host.
    pub(crate) fn build(checkout: &Checkout) -> Result<Self> {
        Ok(match dist::binary(checkout)? {
            Some(path) => Self { path, kind: "the static release binary, as it is shipped" },
            None => Self {
                path: demo::build(checkout)?,
                kind: "the release binary with the C library of this host",
            },
        })
    }
}
