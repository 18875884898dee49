//! Session tokens of `oci session authenticate`.

use std::{path::PathBuf, time::Duration};

use zeroize::Zeroizing;

use crate::{Error, Session, TokenSource};

/// A token and a key in two files, which `oci session refresh` renews; they are read again when the
/// token ends or is refused.
#[derive(Clone)]
pub struct SessionFile {
    /// The token.
    pub token: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
    /// The key's passphrase.
    pub passphrase: Option<Zeroizing<String>>,
}

impl TokenSource for SessionFile {
    fn session(&self, _: Duration) -> Result<Session, Error> {
        let read = |path: &PathBuf| {
            super::read(path).map_err(|source| {
                let problem = format!("cannot read {}", path.display());
                Error::credentials(WHAT, problem, Some(Box::new(source)))
            })
        };
        Session::new(&read(&self.token)?, read(&self.key)?, self.passphrase.clone())
    }

    fn describe(&self) -> String {
        format!("the owner of the session token in {}", self.token.display())
    }
}

/// A passphrase is not shown.
impl std::fmt::Debug for SessionFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionFile")
            .field("token", &self.token)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

const WHAT: &str = "the session token";
