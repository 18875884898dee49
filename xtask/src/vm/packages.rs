//! Debian's packages with everything they depend on: downloaded and unpacked, by any user, without installing.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use xshell::{Shell, cmd};

/// A set of packages, closed under "depends on", as if nothing were installed.
pub(super) struct Closure<'a> {
    sh: &'a Shell,
    /// apt's lists and downloads: ours, so that it needs no root and no lists of the system.
    apt: PathBuf,
    packages: &'a [&'a str],
    /// What apt would fetch: one line a package, with its version and digest.
    listing: String,
}

impl<'a> Closure<'a> {
    /// Asks apt what belongs to `packages`. The package lists are fetched once.
    ///
    /// # Errors
    /// No lists, or no such package.
    pub(super) fn of(sh: &'a Shell, target: &Path, packages: &'a [&'a str]) -> Result<Self> {
        let apt = target.join("vm/apt");
        for folder in ["state/lists/partial", "cache/archives/partial", "none/partial"] {
            sh.create_dir(apt.join(folder))?;
        }
        sh.write_file(apt.join("state/status"), "")?;
        let mut closure = Self { sh, apt, packages, listing: String::new() };
        if closure.list().is_err() {
            closure.update()?;
            closure.list()?;
        }
        Ok(closure)
    }

    /// A name for what `recipe` makes of these packages: another one for each of their versions.
    pub(super) fn named(&self, name: &str, recipe: &str) -> String {
        let digest = Sha256::new().chain_update(&self.listing).chain_update(recipe).finalize();
        let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("{name}-{digest}")
    }

    /// Downloads and unpacks all of it into `root`.
    ///
    /// # Errors
    /// What apt, dpkg-deb or tar say.
    pub(super) fn unpack(&mut self, root: &Path) -> Result<()> {
        if self.download().is_err() {
            // The lists are older than the archive.
            self.update()?;
            self.list()?;
            self.download()?;
        }
        for folder in ["bin", "sbin", "lib", "lib64"] {
            self.sh.create_dir(root.join("usr").join(folder))?;
            let link = root.join(folder);
            std::os::unix::fs::symlink(format!("usr/{folder}"), &link)
                .with_context(|| format!("cannot make the link {}", link.display()))?;
        }
        // dpkg-deb's own extraction would put folders in the place of these links.
        let script = r#"root=$1; shift
            for deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"; done"#;
        let debs = self.archives()?;
        cmd!(self.sh, "sh -e -c {script} sh {root} {debs...}").quiet().run()?;
        Ok(self.sh.remove_path(self.apt.join("cache"))?)
    }

    fn list(&mut self) -> Result<()> {
        let (options, packages) = (self.options(), self.packages);
        // It would leave out what is downloaded already.
        let nothing = format!("Dir::Cache::archives={}/none", self.apt.display());
        let listing = cmd!(
            self.sh,
            "apt-get {options...} -o {nothing} --print-uris --yes install {packages...}"
        )
        .quiet()
        .ignore_stderr()
        .read()
        .context("apt cannot tell what belongs to the guest's packages")?;
        // 'URI' FILE SIZE DIGEST
        let mut lines: Vec<_> = listing.lines().filter(|line| line.starts_with('\'')).collect();
        lines.sort_unstable();
        ensure!(!lines.is_empty(), "apt names no archives");
        self.listing = lines.join("\n");
        Ok(())
    }

    fn update(&self) -> Result<()> {
        let options = self.options();
        cmd!(self.sh, "apt-get {options...} update")
            .quiet()
            .run()
            .context("cannot fetch Debian's package lists")
    }

    fn download(&self) -> Result<()> {
        let (options, packages) = (self.options(), self.packages);
        cmd!(self.sh, "apt-get {options...} --download-only --yes install {packages...}")
            .quiet()
            .ignore_stdout()
            .run()
            .context("cannot download Debian's packages")
    }

    fn archives(&self) -> Result<Vec<PathBuf>> {
        let name = |line: &str| line.split(' ').nth(1).map(str::to_owned);
        let names = self.listing.lines().map(|line| name(line).context("apt names no file"));
        let folder = self.apt.join("cache/archives");
        names.map(|name| Ok(folder.join(name?))).collect()
    }

    fn options(&self) -> Vec<String> {
        let apt = self.apt.display();
        let settings = [
            format!("Dir::State={apt}/state"),
            format!("Dir::State::status={apt}/state/status"),
            format!("Dir::Cache={apt}/cache"),
            "Debug::NoLocking=1".into(),
            "APT::Sandbox::User=".into(),
            "APT::Install-Recommends=0".into(),
        ];
        let pairs = settings.into_iter().flat_map(|it| ["-o".to_owned(), it]);
        ["-qq".to_owned()].into_iter().chain(pairs).collect()
    }
}

/// A program of `root` under a name of its choice, to be run with that root's libraries and not the
/// host's: a command and its first arguments.
pub(super) fn inside(root: &Path, program: &str, name: &str) -> (String, Vec<String>) {
    let root = root.display();
    let libraries = format!("{root}/usr/lib/x86_64-linux-gnu");
    let loader = format!("{libraries}/ld-linux-x86-64.so.2");
    let program = format!("{root}/{program}");
    (loader, ["--library-path", &libraries, "--argv0", name, &program].map(str::to_owned).to_vec())
}
