//! Resource principals, version 2.2: what functions and container instances find in their environment.

use std::{fs, path::Path, time::Duration};

use zeroize::Zeroizing;

use crate::{Error, Session, TokenSource};

/// A token and a key, each in a variable or in a file that it names; files are read again when the
/// token ends or is refused.
///
/// Source: Oracle's SDKs, `OCI_RESOURCE_PRINCIPAL_*`.
#[derive(Clone)]
pub struct ResourcePrincipal {
    token: Zeroizing<String>,
    key: Zeroizing<String>,
    passphrase: Option<Zeroizing<String>>,
    region: String,
}

impl ResourcePrincipal {
    /// Reads the variables through `var`, which answers like `std::env::var`.
    ///
    /// # Errors
    /// One is missing, or the version is not 2.2.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let wanted = |name: &str| {
            var(name).filter(|it| !it.is_empty()).ok_or_else(|| {
                let problem = format!(
                    "the variable {name} is not set; this is no function or container with a \
                     resource principal"
                );
                Error::credentials(WHAT, problem, None)
            })
        };
        if wanted("OCI_RESOURCE_PRINCIPAL_VERSION")? != "2.2" {
            let problem = "OCI_RESOURCE_PRINCIPAL_VERSION is not 2.2, the only one that is known";
            return Err(Error::credentials(WHAT, problem, None));
        }
        Ok(Self {
            token: Zeroizing::new(wanted("OCI_RESOURCE_PRINCIPAL_RPST")?),
            key: Zeroizing::new(wanted("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM")?),
            passphrase: var("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE").map(Zeroizing::new),
            region: wanted("OCI_RESOURCE_PRINCIPAL_REGION")?,
        })
    }

    /// The region that the environment names, by key or identifier.
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl TokenSource for ResourcePrincipal {
    fn session(&self, _: Duration) -> Result<Session, Error> {
        let passphrase = self.passphrase.as_ref().map(|it| literal_or_file(it)).transpose()?;
        let passphrase = passphrase.map(|it| Zeroizing::new(it.trim_end().to_owned()));
        Session::new(&literal_or_file(&self.token)?, literal_or_file(&self.key)?, passphrase)
    }

    fn describe(&self) -> String {
        "the resource principal of this environment".to_owned()
    }
}

/// Shows the region.
impl std::fmt::Debug for ResourcePrincipal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResourcePrincipal").field("region", &self.region).finish_non_exhaustive()
    }
}

fn literal_or_file(value: &str) -> Result<Zeroizing<String>, Error> {
    if !Path::new(value).is_absolute() {
        return Ok(Zeroizing::new(value.to_owned()));
    }
    fs::read_to_string(value).map(Zeroizing::new).map_err(|source| {
        Error::credentials(WHAT, format!("cannot read {value}"), Some(Box::new(source)))
    })
}

const WHAT: &str = "the resource principal";
