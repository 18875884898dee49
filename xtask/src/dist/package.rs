//! What a release holds: the binary, its installer, examples, licence, README and the pages that it leads to.

use std::{
    fs,
    path::{Path, PathBuf},
};

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
        ];
        for name in ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"] {
            files.push(File::read(name, 0o644, &source.join(name))?);
        }
        for folder in ["docs", "examples"] {
            for path in paths_below(source, folder.into())? {
                let name = path.to_str().context("a name is not UTF-8")?;
                files.push(File::read(name, 0o644, &source.join(&path))?);
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { name: Self::name(target), files })
    }
}

/// The files below a folder of `root`, as paths below `root`.
fn paths_below(root: &Path, folder: PathBuf) -> Result<Vec<PathBuf>> {
    let dir = root.join(&folder);
    let mut paths = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            paths.extend(paths_below(root, path)?);
        } else {
            paths.push(path);
        }
    }
    Ok(paths)
}

impl File {
    fn read(path: &str, mode: u32, from: &Path) -> Result<Self> {
        let content = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        Ok(Self { path: path.to_owned(), mode, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The targets of the links of a page that lead to another file.
    fn links(page: &str) -> impl Iterator<Item = &str> {
        page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).filter_map(|(link, _)| {
            let file = link.split('#').next()?;
            (!file.is_empty() && !link.starts_with("http")).then_some(file)
        })
    }

    /// `docs/decisions/../x` is `docs/x`.
    fn plain(path: &Path) -> PathBuf {
        path.components().fold(PathBuf::new(), |mut plain, part| {
            if part.as_os_str() == ".." {
                plain.pop();
            } else {
                plain.push(part);
            }
            plain
        })
    }

    #[test]
    fn the_pages_lead_to_what_is_in_the_package_or_to_the_code() {
        let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let package = Package::collect(Target::X86_64Musl, source, Path::new("/bin/true")).unwrap();
        let mut lost = Vec::new();
        for file in package.files.iter().filter(|file| file.path.ends_with(".md")) {
            let page = String::from_utf8(file.content.clone()).unwrap();
            for link in links(&page) {
                let to = plain(&Path::new(&file.path).with_file_name(link));
                let is_code = ["crates", "driver", "xtask"].iter().any(|dir| to.starts_with(dir));
                let is_there = match is_code {
                    true => source.join(&to).exists(),
                    false => {
                        package.files.iter().any(|file| Path::new(&file.path).starts_with(&to))
                    }
                };
                if !is_there {
                    lost.push(format!("{}: {link}", file.path));
                }
            }
        }
        assert_eq!(lost, Vec::<String>::new());
    }
}
