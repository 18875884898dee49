//! The kubeconfig and the files it names: small, regular, and not for everybody.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use zeroize::Zeroizing;

use crate::Error;

/// A file's bytes, and its permission bits.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) mode: u32,
}

/// Reads a whole file of at most 1 MiB. What is no regular file is refused, because reading a pipe may never
/// end.
pub(crate) fn read(path: &Path) -> io::Result<Content> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // all room at once, so that no copy of a secret is left behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + 1));
    let count = File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    if count > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(Content { bytes, mode: metadata.permissions().mode() & 0o7777 })
}

/// Refuses a file with a secret that everybody may read, and one without that everybody may change.
pub(crate) fn check_mode(path: &Path, mode: u32, is_secret: bool) -> Result<(), Error> {
    let exposed = |problem: String, chmod| {
        Err(Error::Exposed { path: path.to_owned(), mode, problem, chmod })
    };
    if is_secret && mode & EVERYBODY != 0 {
        let problem = format!("{} holds a secret and everybody may read it", path.display());
        return exposed(problem, "600");
    }
    if mode & WRITABLE_BY_EVERYBODY != 0 {
        return exposed(format!("everybody may change {}", path.display()), "644");
    }
    Ok(())
}

const LARGEST: usize = 1024 * 1024;
const EVERYBODY: u32 = 0o007;
const WRITABLE_BY_EVERYBODY: u32 = 0o002;
