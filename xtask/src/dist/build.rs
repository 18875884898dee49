//! The static release binary, by the compiler and standard library at hand.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use xshell::{Cmd, cmd};

use super::toolchain::Toolchain;
use crate::{checkout::Checkout, prerequisites};

/// What the binary runs on.
#[derive(Clone, Copy)]
pub(super) enum Target {
    X86_64Musl,
}

impl Target {
    pub(super) fn triple(self) -> &'static str {
        match self {
            Self::X86_64Musl => "x86_64-unknown-linux-musl",
        }
    }
}

/// Where compiler and standard library come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Route {
    /// The toolchain of this checkout, which has the target's standard library
    Rustup,
    /// Debian's compiler, which builds the standard library too, and zig as C compiler
    BuildStd,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rustup => "the installed toolchain (--route rustup)",
            Self::BuildStd => "Debian's compiler and zig (--route build-std)",
        })
    }
}

/// Everything that a build needs, made ready.
pub(super) struct Builder<'a> {
    checkout: &'a Checkout,
    target: Target,
    tools: Tools,
}

enum Tools {
    Rustup,
    BuildStd(Toolchain),
}

impl<'a> Builder<'a> {
    /// Takes the route asked for, or the first one that leads there. The second one downloads its
    /// tools once, into the target folder.
    pub(super) fn ready(
        checkout: &'a Checkout,
        target: Target,
        route: Option<Route>,
    ) -> Result<Self> {
        let route = match route {
            Some(route) => route,
            None if has_standard_library(checkout, target)? => Route::Rustup,
            None => Route::BuildStd,
        };
        let tools = match route {
            Route::Rustup => {
                prerequisites::provide(&checkout.sh, &[("gcc", "gcc")])?;
                Tools::Rustup
            }
            Route::BuildStd => Tools::BuildStd(Toolchain::ready(checkout)?),
        };
        Ok(Self { checkout, target, tools })
    }

    pub(super) fn target(&self) -> Target {
        self.target
    }

    pub(super) fn route(&self) -> Route {
        match self.tools {
            Tools::Rustup => Route::Rustup,
            Tools::BuildStd(_) => Route::BuildStd,
        }
    }

    /// Builds the sources in `source`; returns the path of the binary.
    pub(super) fn build(&self, source: &Path, target_dir: &Path) -> Result<PathBuf> {
        let sh = &self.checkout.sh;
        let _dir = sh.push_dir(source);
        let triple = self.target.triple();
        let what = ["--package", "driver", "--bin", "oci"];
        let how = ["--quiet", "--locked", "--release", "--target", triple, "--target-dir"];
        let mut flags = self.remapped(source, target_dir)?;
        let cargo = match &self.tools {
            Tools::Rustup => {
                // 100 KB of relocations in 1 KB, which musl understands since 1.2.4
                flags.push("-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned());
                cmd!(sh, "cargo build {how...} {target_dir} {what...}")
                    .env(format!("CC_{}", triple.replace('-', "_")), "gcc")
            }
            Tools::BuildStd(tools) => {
                flags.extend(
                    ["-Clink-self-contained=no", "-Ctarget-feature=+crt-static"].map(String::from),
                );
                let standard_library = "-Zbuild-std=std,panic_abort";
                let zigbuild =
                    cmd!(sh, "cargo zigbuild {standard_library} {how...} {target_dir} {what...}");
                tools.applied_to(zigbuild)?
            }
        };
        self.checkout.afresh(with_rustflags(cargo, &flags)).quiet().run()?;
        Ok(target_dir.join(triple).join("release/oci"))
    }

    /// Names of folders that would differ from one machine to the next, replaced in the binary.
    fn remapped(&self, source: &Path, target_dir: &Path) -> Result<Vec<String>> {
        let sh = &self.checkout.sh;
        let cargo_home = match sh.var("CARGO_HOME") {
            Ok(dir) => PathBuf::from(dir),
            Err(_) => PathBuf::from(sh.var("HOME").context("neither CARGO_HOME nor HOME is set")?)
                .join(".cargo"),
        };
        // of several that fit the last one wins
        let mut pairs = vec![(cargo_home, "/cargo"), (source.to_owned(), "/src")];
        if let Tools::BuildStd(tools) = &self.tools {
            pairs.push((tools.dir().to_owned(), "/toolchain"));
        }
        pairs.push((target_dir.to_owned(), "/target"));
        let flag =
            |(from, to): &(PathBuf, &str)| format!("--remap-path-prefix={}={to}", from.display());
        Ok(pairs.iter().map(flag).collect())
    }
}

/// Each flag is one argument of the compiler, blanks included.
fn with_rustflags<'a>(cargo: Cmd<'a>, flags: &[String]) -> Cmd<'a> {
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
}

pub(super) fn has_standard_library(checkout: &Checkout, target: Target) -> Result<bool> {
    let triple = target.triple();
    let dir = cmd!(checkout.sh, "rustc --print target-libdir --target {triple}").quiet().read()?;
    Ok(Path::new(&dir).is_dir())
}
