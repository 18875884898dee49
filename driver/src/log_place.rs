//! Where the log really is, and where it must not be.

use std::{
    env, fs,
    fs::DirBuilder,
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// The folders in which the callers take every new or changed file for a new driver, at any depth, and call `init`.
pub(crate) struct Watched(Vec<PathBuf>);

impl Watched {
    /// The driver directory that is configured and that of the running program, which are the same in most clusters.
    pub(crate) fn new(driver_dir: &Path) -> Self {
        let program = env::current_exe().ok();
        let running = program.iter().filter_map(|it| it.parent()).filter(|it| is_driver(it));
        Self(running.chain([driver_dir]).map(|dir| resolve(plugin_dir(dir))).collect())
    }

    fn contains(&self, path: &Path) -> bool {
        self.0.iter().any(|it| path.starts_with(it))
    }
}

/// Where the file of that name really is, its folder made if it is missing; nothing, if it is watched there.
///
/// Links are followed, of folders and of the file itself: the installer leaves one in the driver directory. One of
/// the file itself counts only if it is root's or this user's, because everybody may put one into `/tmp`.
///
/// # Errors
/// Something is in the way that is no regular file, or the folder cannot be made.
pub(crate) fn real(file: &Path, watched: &Watched) -> io::Result<Option<PathBuf>> {
    let mut path = file.to_owned();
    for _ in 0..MAX_LINKS {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let dir = resolve(path.parent().unwrap_or(Path::new("/")));
        path = dir.join(name);
        match fs::symlink_metadata(&path) {
            Ok(it) if it.is_symlink() && is_trusted(&it) => path = dir.join(fs::read_link(&path)?),
            Ok(it) if !it.is_file() => return Err(io::ErrorKind::InvalidInput.into()),
            _ if watched.contains(&path) => return Ok(None),
            _ => {
                DirBuilder::new().recursive(true).mode(0o750).create(dir)?;
                return Ok(Some(path));
            }
        }
    }
    Err(io::ErrorKind::InvalidInput.into())
}

/// `path` without links, as far as it exists.
fn resolve(path: &Path) -> PathBuf {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => resolve(parent).join(name),
        _ => path.to_owned(),
    }
}

/// The folder with the folders of all vendors, if `dir` is one of these; else `dir`.
fn plugin_dir(dir: &Path) -> &Path {
    dir.parent().filter(|_| is_driver(dir)).unwrap_or(dir)
}

/// `vendor~driver`.
fn is_driver(dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name.as_encoded_bytes().contains(&b'~'))
}

fn is_trusted(link: &fs::Metadata) -> bool {
    link.uid() == 0 || link.uid() == rustix::process::geteuid().as_raw()
}

const MAX_LINKS: usize = 8;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{lchown, symlink};

    use super::*;

    #[track_caller]
    fn check(dir: &Path, file: &str, expected: Option<&str>) {
        let watched = Watched::new(&dir.join("exec/oracle~oci"));
        let found = real(&dir.join(file), &watched).unwrap();
        assert_eq!(found, expected.map(|it| dir.join(it)), "{file}");
    }

    #[test]
    fn links_are_followed_out_of_the_watched_folders_and_into_them() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("exec/oracle~oci")).unwrap();
        fs::create_dir_all(at("log")).unwrap();
        symlink("../../log", at("exec/oracle~oci/out")).unwrap();
        symlink("../../log/file", at("exec/oracle~oci/file")).unwrap();
        symlink(at("exec"), at("in")).unwrap();
        symlink("../in/oracle~oci/there", at("log/back")).unwrap();
        check(dir.path(), "log/file", Some("log/file"));
        check(dir.path(), "new/folder/file", Some("new/folder/file"));
        check(dir.path(), "exec/oracle~oci/out/new/file", Some("log/new/file"));
        check(dir.path(), "exec/oracle~oci/file", Some("log/file"));
        check(dir.path(), "exec/oracle~oci/other", None);
        check(dir.path(), "log/back", None);
        check(dir.path(), "exec/file", None);
        check(dir.path(), "in/new/file", None);
        check(dir.path(), "in/oracle~oci/file", Some("log/file"));
        check(dir.path(), "executable/file", Some("executable/file"));
        assert!(!at("exec/new").exists());
    }

    #[test]
    fn a_link_of_another_user_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("file");
        symlink("victim", &link).unwrap();
        lchown(&link, Some(12345), None).unwrap();
        real(&link, &Watched::new(dir.path().join("exec").as_path())).unwrap_err();
    }
}
