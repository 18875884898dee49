//! The checkout that a task works on: its folder, and a shell that stands in it.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell};

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

    /// The command without what `cargo run` told this program about its own package. Some build
    /// scripts watch these variables: ring would be built anew, by `cargo xtask` and by the command
    /// in turn.
    pub(crate) fn afresh<'a>(&self, command: Cmd<'a>) -> Cmd<'a> {
        let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let ours = |name: &String| OF_A_PACKAGE.iter().any(|prefix| name.starts_with(prefix));
        names.filter(ours).fold(command, Cmd::env_remove)
    }

    /// The folder for everything that is made.
    pub(crate) fn target(&self) -> PathBuf {
        self.sh.var("CARGO_TARGET_DIR").map_or_else(|_| self.dir.join("target"), PathBuf::from)
    }
}

const OF_A_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];
