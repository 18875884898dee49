//! A sysfs tree in a temporary directory, written down as lines.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use tempfile::TempDir;

/// Files, folders and links below a directory of its own.
#[derive(Debug)]
pub(crate) struct Tree(TempDir);

impl Tree {
    /// A tree with an empty `sys/class` and `dev`.
    pub(crate) fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(tree.path("sys/class")).unwrap();
        fs::create_dir_all(tree.path("dev")).unwrap();
        tree
    }

    /// Adds `lines`: `path = content` makes a file, `path -> place` a link.
    pub(crate) fn add(&self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some((path, place)) = line.split_once(" -> ") {
                symlink(place, self.with_parents(path)).unwrap();
            } else {
                let (path, content) = line.split_once(" =").unwrap();
                fs::write(self.with_parents(path), format!("{}\n", content.trim())).unwrap();
            }
        }
    }

    /// Makes a file of exactly this text.
    pub(crate) fn write(&self, path: &str, text: &str) {
        fs::write(self.with_parents(path), text).unwrap();
    }

    /// Exchanges a part of a file, if there is one.
    pub(crate) fn replace(&self, path: &str, from: &str, to: &str) {
        if let Ok(text) = fs::read_to_string(self.path(path)) {
            self.write(path, &text.replace(from, to));
        }
    }

    /// Removes `paths` with all below them, as far as they exist.
    pub(crate) fn remove(&self, paths: &[String]) {
        for path in paths {
            let path = self.path(path);
            if path.is_symlink() || path.is_file() {
                fs::remove_file(path).unwrap();
            } else if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            }
        }
    }

    /// The text of a file without its line end; nothing if it is not there.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default().trim_end().to_owned()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn with_parents(&self, path: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}
