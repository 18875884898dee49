//! `config.yaml`: credentials and scope, as the Go driver's documentation has it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use config_file::yaml;
use oci_iaas::{Ocid, Region};
use zeroize::Zeroizing;

mod document;
mod error;
mod problem;

use document::Document;

pub use error::ConfigError;
pub use problem::Problem;

/// What a master knows: who it is and where its nodes are.
#[derive(Debug)]
pub struct Config {
    /// Who signs.
    pub auth: Auth,
    /// The region; the metadata service tells it when absent.
    pub region: Option<Region>,
    /// The compartment of the instances; the metadata service tells it when absent.
    pub compartment: Option<Ocid>,
    /// Narrows the search for a node by its VNICs.
    pub vcn: Option<Ocid>,
    /// The Core API's address where it is not the region's own.
    pub endpoint: Option<http::Uri>,
    /// The address of the service that gives tokens, where it is not the usual one.
    pub auth_endpoint: Option<http::Uri>,
    /// What of the file is not used, and why, in words for the log.
    remarks: Vec<String>,
    /// Whether a key or a passphrase is in the file.
    holds_secret: bool,
}

/// Who signs.
#[derive(Debug)]
pub enum Auth {
    /// A user, by an API key.
    ApiKey(UserKey),
    /// The instance that the driver runs on.
    InstancePrincipals,
    /// The service account of the pod that the driver runs in.
    WorkloadIdentity,
    /// What the environment says: `OCI_RESOURCE_PRINCIPAL_*`.
    ResourcePrincipals,
    /// Whom an identity domain takes this process for: `OCI_WORKLOAD_IDENTITY_*`.
    TokenExchange,
    /// A profile of the configuration file of Oracle's SDKs.
    Profile {
        /// The file, where it is not the usual one.
        file: Option<PathBuf>,
        /// The profile.
        name: String,
    },
}

/// A private key.
pub enum Key {
    /// As PEM text.
    Inline(Zeroizing<String>),
    /// In a file.
    File(PathBuf),
}

/// An API signing key and whose it is.
pub struct UserKey {
    /// The tenancy's OCID.
    pub tenancy: Ocid,
    /// The user's OCID.
    pub user: Ocid,
    /// The private key.
    pub key: Key,
    /// The private key's passphrase.
    pub passphrase: Option<Zeroizing<String>>,
    /// The key's fingerprint, if the file gives it.
    pub fingerprint: Option<String>,
}

/// Shows the file, never the text.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(***)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserKey")
            .field("tenancy", &self.tenancy)
            .field("user", &self.user)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file is missing, unreadable, readable by everybody although it holds a key, not YAML, or
    /// says something that cannot be. No error shows a value of the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let at = |source| ConfigError::read(path, source);
        let content = config_file::read(path).map_err(at)?;
        let mode = content.mode;
        let text = content.text().map_err(at)?;
        let mut config =
            Self::parse(&text).map_err(|problem| ConfigError::content(path, problem))?;
        if config.holds_secret && mode & EVERYBODY != 0 {
            // refused below if the secret is used
            let remark = format!("it holds a secret and everybody may read it (mode {mode:04o})");
            config.remarks.push(remark);
        }
        match &mut config.auth {
            Auth::ApiKey(user) => {
                if mode & EVERYBODY != 0 {
                    return Err(ConfigError::exposed(path, mode));
                }
                if let (Key::File(key), Some(dir)) = (&mut user.key, path.parent())
                    && !key.starts_with("~")
                {
                    *key = dir.join(&*key);
                }
            }
            _ if mode & WRITABLE_BY_EVERYBODY != 0 && config.holds_secret => {
                return Err(ConfigError::exposed(path, mode));
            }
            _ if mode & WRITABLE_BY_EVERYBODY != 0 => {
                return Err(ConfigError::writable(path, mode));
            }
            _ => {}
        }
        for remark in &config.remarks {
            log::warn!("{}: {remark}", path.display());
        }
        Ok(config)
    }

    /// Reads the text of a `config.yaml`.
    ///
    /// # Errors
    /// As [`Config::read`], without those of the file.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let first = yaml::first(text).map_err(|problem| Problem::from_yaml(&problem))?;
        let document: Option<Document> = first.value;
        let config = document.ok_or_else(|| Problem::missing(&["auth"])).and_then(Document::check);
        if !first.has_more {
            return config;
        }
        let mut config = config.map_err(Problem::of_first_document)?;
        config.remarks.push(ONE_DOCUMENT.to_owned());
        Ok(config)
    }
}

const EVERYBODY: u32 = 0o007;
const WRITABLE_BY_EVERYBODY: u32 = 0o002;
const ONE_DOCUMENT: &str = "only the first document is read, which ends at the second `---`";

#[cfg(test)]
mod tests;
