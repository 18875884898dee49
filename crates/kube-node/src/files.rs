//! Who may see or change the kubeconfig and the files it names.

use std::path::Path;

use crate::Error;

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

const EVERYBODY: u32 = 0o007;
const WRITABLE_BY_EVERYBODY: u32 = 0o002;
