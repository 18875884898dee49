//! `cargo xtask sdk-test`: Oracle's own clients against the simulated cloud.

use std::{fs, path::PathBuf};

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{checkout::Checkout, prerequisites, progress::quietly};

/// Drive the simulated cloud with Oracle's Python SDK and command line
#[derive(clap::Args)]
pub(crate) struct Args;

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        all(checkout)
    }
}

/// Every check; a failed one is an error.
pub(crate) fn all(checkout: &Checkout) -> Result<()> {
    let sh = &checkout.sh;
    let clients = Clients::provide(checkout)?;
    // with the features that the tests have: nothing is built twice
    let simulator =
        cmd!(sh, "cargo build --locked --workspace --all-features --bin oci-sim --quiet");
    checkout.afresh(simulator).run()?;
    let simulator = checkout.target().join("debug/oci-sim");
    let (python, oci) = (clients.program("python"), clients.program("oci"));
    let path = sh.var("PATH")?;
    // nothing of the caller's proxies, certificates and profiles
    let clients = cmd!(sh, "{python} {CHECKS}/main.py {simulator} {oci}").env_clear();
    Ok(clients
        .env("PATH", path)
        .env("HOME", checkout.target().join(FOLDER))
        .env("PYTHONPYCACHEPREFIX", checkout.target().join(FOLDER).join("bytecode"))
        .run()?)
}

/// Oracle's clients in a virtual environment of their own.
struct Clients {
    folder: PathBuf,
}

impl Clients {
    /// Installs what `requirements.txt` says, unless that is done already.
    fn provide(checkout: &Checkout) -> Result<Self> {
        let sh = &checkout.sh;
        let folder = checkout.target().join(FOLDER);
        let (wanted, done) = (format!("{CHECKS}/requirements.txt"), folder.join(DONE));
        let clients = Self { folder };
        if sh.path_exists(&done) && sh.read_file(&done)? == sh.read_file(&wanted)? {
            return Ok(clients);
        }
        provide_python(sh)?;
        let folder = &clients.folder;
        quietly("install Oracle's SDK and command line (0.5 GB)", || {
            sh.remove_path(folder)?;
            fs::create_dir_all(folder)?;
            cmd!(sh, "python3 -m venv {folder}").quiet().run()?;
            let python = clients.program("python");
            let pip = ["-m", "pip", "install", "--quiet", "--no-compile"];
            let options = ["--disable-pip-version-check", "--root-user-action=ignore"];
            cmd!(sh, "{python} {pip...} {options...} -r {wanted}").quiet().run()?;
            Ok(sh.copy_file(&wanted, &done)?)
        })?;
        Ok(clients)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }
}

/// Debian keeps what a virtual environment needs in a package without a program.
fn provide_python(sh: &Shell) -> Result<()> {
    prerequisites::provide(sh, &[("python3", "python3")])?;
    if cmd!(sh, "python3 -c 'import ensurepip'").quiet().ignore_stderr().run().is_err() {
        prerequisites::install(sh, &["python3-venv"])?;
    }
    Ok(())
}

const CHECKS: &str = "crates/oci-sim/tests/sdk";
/// Below the folder for everything that is made.
const FOLDER: &str = "oracle-sdk";
/// A copy of the list of what is installed, written last.
const DONE: &str = "requirements.txt";
