//! The checkout that a task works on: its folder, and a shell that stands in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::Shell;

/// Where the sources are.
pub(crate) struct Checkout {
    pub(crate) dir: PathBuf,
    /// Its working folder is the checkout; its search path reaches the administrator's programs.
    pub(crate) sh: Shell,
}

impl Checkout {
    /// The checkout that this program was built from.
    pub(crate) fn open() -> Result<Self> {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = xtask.parent().context("xtask stands in no checkout")?.to_owned();
        let sh = Shell::new()?;
        sh.change_dir(&dir);
        // some root shells come without these two
        let path = sh.var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        sh.set_var("PATH", path);
        Ok(Self { dir, sh })
    }

    /// The folder for everything that is made.
    pub(crate) fn target(&self) -> PathBuf {
        self.dir.join("target")
    }
}
