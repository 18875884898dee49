//! The variables `OCI_RESOURCE_PRINCIPAL_*`, of every version.

use std::{fmt, path::Path};

use oci_signer::KeyId;
use zeroize::Zeroizing;

use crate::Error;

/// What the variables say.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) region: Option<String>,
    pub(crate) version: Version,
}

#[derive(Debug)]
pub(crate) enum Version {
    /// 1.1
    Instance { service: Service, id: Option<String>, auth: Option<String> },
    /// 2.1, 2.1.1, 2.1.2
    Key { service: Service, id: String, auth: String, key_id: KeyId, key: Key },
    /// 2.2
    Token { token: Secret, key: Key },
    /// 3.0
    Part { part: Box<Self>, url: String, auth: String },
}

/// The service that owns the resource.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) endpoint: String,
    /// With `{id}` for the resource.
    pub(crate) path: String,
    pub(crate) security_context: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Key {
    pem: Secret,
    passphrase: Option<Secret>,
}

/// Every variable that [`Environment::read`] may ask for.
pub(crate) fn variables() -> impl Iterator<Item = String> {
    let of = |suffix| VARIABLES.iter().map(move |name| format!("{PREFIX}{name}{suffix}"));
    ["", LEAF, PARENT].into_iter().flat_map(of)
}

impl Environment {
    pub(crate) fn read(var: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let vars = Vars { var, suffix: "" };
        if vars.wanted("VERSION")? != "3.0" {
            return vars.resource();
        }
        let parent = Vars { suffix: PARENT, ..vars };
        let (url, auth) = (parent.wanted("RPT_URL")?, parent.wanted("RPST_ENDPOINT")?);
        let part = Vars { suffix: LEAF, ..vars }.resource()?;
        let version = Version::Part { part: Box::new(part.version), url, auth };
        Ok(Self { region: part.region, version })
    }
}

impl Service {
    pub(crate) fn url(&self, id: &str) -> String {
        let path = self.path.replace("{id}", id);
        format!("{}{path}", self.endpoint.trim_end_matches('/'))
    }

    /// Other SDKs write `{}`, or leave it out where it is last.
    fn with_id_in_path(self) -> Self {
        let path = match self.path.strip_suffix("{}") {
            Some(path) => format!("{path}{{id}}"),
            None if self.path.ends_with("{id}") => self.path,
            None => format!("{}/{{id}}", self.path.trim_end_matches('/')),
        };
        Self { path, ..self }
    }
}

impl Key {
    pub(crate) fn read(&self) -> Result<(Zeroizing<String>, Option<Zeroizing<String>>), Error> {
        let passphrase = self.passphrase.as_ref().map(Secret::read).transpose()?;
        let passphrase = passphrase.map(|it| Zeroizing::new(it.trim_end().to_owned()));
        Ok((self.pem.read()?, passphrase))
    }
}

/// The variables of one resource: of this one, or of one that it is a part of.
#[derive(Clone, Copy)]
struct Vars<'a> {
    var: &'a dyn Fn(&str) -> Option<String>,
    suffix: &'static str,
}

impl Vars<'_> {
    fn resource(&self) -> Result<Environment, Error> {
        let version = self.wanted("VERSION")?;
        let version = match &*version {
            "1.1" => Version::Instance {
                service: self.service("/20180711/resourcePrincipalToken/{id}")?,
                id: self.get("RPT_ID"),
                auth: self.get("RPST_ENDPOINT"),
            },
            "2.1" | "2.1.1" | "2.1.2" => self.with_key(&version)?,
            "2.2" => Version::Token { token: Secret::new(self.wanted("RPST")?), key: self.key()? },
            _ => {
                let name = self.name("VERSION");
                let problem = format!("{name} is none of {VERSIONS}, which are known");
                return Err(Error::credentials(WHAT, problem, None));
            }
        };
        // a token alone does not say where it is good
        let region = match version {
            Version::Token { .. } => Some(self.wanted("REGION")?),
            _ => self.get("REGION"),
        };
        Ok(Environment { region, version })
    }

    fn with_key(&self, version: &str) -> Result<Version, Error> {
        let id = self.wanted("RESOURCE_ID")?;
        let service = if version == "2.1.2" {
            self.service("/20180711/resourcePrincipalTokenV212/{id}")?.with_id_in_path()
        } else {
            let path = "/20180711/resourcePrincipalTokenV2/{id}".to_owned();
            Service { path, security_context: None, ..self.service("")? }
        };
        let key_id = match version {
            "2.1" => format!("resource/v2.1/{id}"),
            _ => format!("resource/v{version}/{}/{id}", self.wanted("TENANCY_ID")?),
        };
        let (auth, key) = (self.wanted("RPST_ENDPOINT")?, self.key()?);
        Ok(Version::Key { service, id, auth, key_id: KeyId::verbatim(key_id), key })
    }

    fn service(&self, default_path: &str) -> Result<Service, Error> {
        Ok(Service {
            endpoint: self.wanted("RPT_ENDPOINT")?,
            path: self.get("RPT_PATH").unwrap_or_else(|| default_path.to_owned()),
            security_context: self.get("SECURITY_CONTEXT"),
        })
    }

    fn key(&self) -> Result<Key, Error> {
        let passphrase = self.get("PRIVATE_PEM_PASSPHRASE").map(Secret::new);
        Ok(Key { pem: Secret::new(self.wanted("PRIVATE_PEM")?), passphrase })
    }

    fn name(&self, name: &str) -> String {
        format!("{PREFIX}{name}{}", self.suffix)
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.var)(&self.name(name)).filter(|it| !it.is_empty())
    }

    fn wanted(&self, name: &str) -> Result<String, Error> {
        self.get(name).ok_or_else(|| {
            let problem = format!(
                "the variable {} is not set; is this a function or container with a resource \
                 principal?",
                self.name(name)
            );
            Error::credentials(WHAT, problem, None)
        })
    }
}

/// A secret, or the absolute path of the file that holds it.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    pub(crate) fn read(&self) -> Result<Zeroizing<String>, Error> {
        let path = Path::new(&*self.0);
        if !path.is_absolute() {
            return Ok(self.0.clone());
        }
        super::read(path).map_err(|source| {
            let problem = format!("cannot read {}", path.display());
            Error::credentials(WHAT, problem, Some(Box::new(source)))
        })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

pub(crate) const WHAT: &str = "the resource principal";
const PREFIX: &str = "OCI_RESOURCE_PRINCIPAL_";
const LEAF: &str = "_FOR_LEAF_RESOURCE";
const PARENT: &str = "_FOR_PARENT_RESOURCE";
const VARIABLES: [&str; 13] = [
    "VERSION",
    "RPST",
    "PRIVATE_PEM",
    "PRIVATE_PEM_PASSPHRASE",
    "REGION",
    "RPT_ENDPOINT",
    "RPT_PATH",
    "RPT_ID",
    "RPT_URL",
    "RPST_ENDPOINT",
    "RESOURCE_ID",
    "TENANCY_ID",
    "SECURITY_CONTEXT",
];
const VERSIONS: &str = "1.1, 2.1, 2.1.1, 2.1.2, 2.2 and 3.0";
