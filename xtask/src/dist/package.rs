//! What people get: the binary, its installer, examples, licence and README.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::build::Target;

/// A folder of files, whatever it is packed as.
pub(super) struct Package {
    pub(super) name: String,
    /// In order of their paths.
    pub(super) files: Vec<File>,
}

pub(super) struct File {
    /// Below the package's folder.
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) content: Vec<u8>,
}

impl Package {
    /// The package's name with version and target, which is its folder's name too.
    pub(super) fn name(target: Target) -> String {
        format!("oci-flexvolume-driver-{}-{}", env!("CARGO_PKG_VERSION"), target.triple())
    }

    /// Reads the files from the sources in `source` and the path of the built binary.
    pub(super) fn collect(target: Target, source: &Path, binary: &Path) -> Result<Self> {
        let mut files = vec![
            File::read("oci", 0o755, binary)?,
            File::read("install.sh", 0o755, &source.join("deploy/install.sh"))?,
            File::read("LICENSE", 0o644, &source.join("LICENSE"))?,
            File::read("README.md", 0o644, &source.join("README.md"))?,
        ];
        let examples = source.join("examples");
        let entries = fs::read_dir(&examples).context("cannot list examples/")?;
        for entry in entries {
            let name = entry?.file_name().into_string().ok().context("a name is not UTF-8")?;
            files.push(File::read(&format!("examples/{name}"), 0o644, &examples.join(&name))?);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { name: Self::name(target), files })
    }
}

impl File {
    fn read(path: &str, mode: u32, from: &Path) -> Result<Self> {
        let content = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        Ok(Self { path: path.to_owned(), mode, content })
    }
}
