//! A compiler for the target where rustup has none: Debian's, unpacked beside the build, not
//! installed, with zig as C compiler and linker.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell, cmd};

use crate::{checkout::Checkout, prerequisites, progress::quietly};

/// The unpacked tools.
pub(super) struct Toolchain {
    dir: PathBuf,
    /// The search path that finds `cargo zigbuild`.
    path: String,
}

impl Toolchain {
    /// Downloads and unpacks what is not there yet, about 240 MB, into the target folder.
    pub(super) fn ready(checkout: &Checkout) -> Result<Self> {
        let sh = &checkout.sh;
        let dir = checkout.target().join("toolchain");
        if !dir.is_dir() {
            prerequisites::provide(
                sh,
                &[("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("pip3", "python3-pip")],
            )?;
            let part = checkout.target().join("toolchain.part");
            sh.remove_path(&part)?;
            quietly("compiler and standard library from Debian", || debian(sh, &part))?;
            quietly("zig from PyPI", || zig(sh, &part))?;
            fs::rename(&part, &dir)?;
        }
        let path = format!("{}:{}", dir.join(PYTHON).join("bin").display(), sh.var("PATH")?);
        Ok(Self { dir, path })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The command with these tools in place of the installed ones.
    pub(super) fn applied_to<'a>(&self, cargo: Cmd<'a>) -> Result<Cmd<'a>> {
        let libraries = self.dir.join("usr/lib/x86_64-linux-gnu");
        Ok(cargo
            .env("PATH", &self.path)
            .env("RUSTC", self.dir.join("usr/bin/rustc"))
            .env("LD_LIBRARY_PATH", libraries)
            .env("RUSTC_BOOTSTRAP", "1") // -Zbuild-std with a stable compiler
            .env("CARGO_ZIGBUILD_ZIG_PATH", self.dir.join(PYTHON).join("ziglang/zig")))
    }
}

/// Unpacks the compiler, the standard library and its sources into `dir`.
fn debian(sh: &Shell, dir: &Path) -> Result<()> {
    let packages = dir.join("packages");
    sh.create_dir(&packages)?;
    let _here = sh.push_dir(&packages);
    if cmd!(sh, "apt-cache show rustc-web").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        cmd!(sh, "apt-get update --quiet=2").quiet().run()?;
    }
    // the names of the two libraries change with the version
    let library = dependency(sh, "libstd-rust-web-dev", "libstd-rust-web-")?;
    let llvm = dependency(sh, &library, "libllvm")?;
    let download = cmd!(
        sh,
        "apt-get --quiet=2 download rustc-web libstd-rust-web-dev rust-web-src {library} {llvm}"
    );
    download.quiet().ignore_stderr().run().context("cannot download Debian's rustc-web")?;
    for package in sh.read_dir(&packages)? {
        cmd!(sh, "dpkg-deb --extract {package} {dir}").quiet().run()?;
    }
    Ok(sh.remove_path(&packages)?)
}

/// The dependency of `package` whose name begins with `prefix`.
fn dependency(sh: &Shell, package: &str, prefix: &str) -> Result<String> {
    let text = cmd!(sh, "apt-cache depends {package}").quiet().read()?;
    let mut names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let name = names.find(|name| name.starts_with(prefix));
    Ok(name.with_context(|| format!("{package} does not depend on {prefix}…"))?.to_owned())
}

fn zig(sh: &Shell, dir: &Path) -> Result<()> {
    let folder = dir.join(PYTHON);
    cmd!(sh, "pip3 install --quiet --disable-pip-version-check --root-user-action ignore --target {folder} {TOOLS...}")
        .quiet()
        .run()
        .context("cannot get zig from PyPI")
}

const PYTHON: &str = "python"; // below the toolchain's folder
const TOOLS: [&str; 2] = ["ziglang==0.17.0", "cargo-zigbuild==0.24.0"];
