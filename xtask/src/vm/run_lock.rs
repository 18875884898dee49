//! One run at a time: all runs of a checkout use the same files, and the same two cores.

use std::{
    env,
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    path::Path,
    process,
};

use anyhow::{Context as _, Result};

/// The right to use the folder, until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the folder; if another run has it, says which and waits for its end.
    pub(super) fn wait(dir: &Path) -> Result<Self> {
        let mut file = open(dir)?;
        if let Some(holder) = take(&mut file)? {
            println!("waiting: {} is used by {holder}", dir.display());
            file.lock()?;
        }
        file.set_len(0)?;
        let arguments: Vec<_> = env::args().skip(1).collect();
        write!(file, "process {}: cargo xtask {}", process::id(), arguments.join(" "))?;
        Ok(Self { _file: file })
    }
}

fn open(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).open(&path);
    file.with_context(|| format!("cannot open {}", path.display()))
}

/// Takes the lock if it is free; otherwise who has it.
fn take(file: &mut File) -> Result<Option<String>> {
    match file.try_lock() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            // It may not have said yet who it is.
            Ok(Some(if holder.is_empty() { "another run".into() } else { holder }))
        }
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_learns_who_has_the_folder_until_it_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let first = RunLock::wait(dir.path()).unwrap();
        let mut second = open(dir.path()).unwrap();
        let holder = take(&mut second).unwrap().unwrap();
        assert!(holder.starts_with(&format!("process {}: cargo xtask", process::id())), "{holder}");
        drop(first);
        assert_eq!(take(&mut second).unwrap(), None);
    }
}
