//! `config.yaml`: credentials and scope, as the Go driver's documentation has it.

use std::{fmt, fs, os::unix::fs::PermissionsExt, path::Path};

use oci_iaas::{Ocid, Region};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

mod error;

pub use error::ConfigError;

/// What a master knows: who it is and where its nodes are.
#[derive(Debug)]
pub struct Config {
    /// The API key that signs.
    pub auth: Auth,
    /// The region; the metadata service tells it when absent.
    pub region: Option<Region>,
    /// The compartment of the instances; the metadata service tells it when absent.
    pub compartment: Option<Ocid>,
    /// Narrows the search for a node by its VNICs.
    pub vcn: Option<Ocid>,
    /// The Core API's address where it is not the region's own.
    pub endpoint: Option<http::Uri>,
}

/// An API signing key and whose it is.
pub struct Auth {
    /// The tenancy's OCID.
    pub tenancy: Ocid,
    /// The user's OCID.
    pub user: Ocid,
    /// The private key, as PEM text.
    pub key: Zeroizing<String>,
    /// The private key's passphrase.
    pub passphrase: Option<Zeroizing<String>>,
    /// The key's fingerprint, if the file gives it.
    pub fingerprint: Option<String>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
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
        let text = Zeroizing::new(fs::read_to_string(path).map_err(at)?);
        let mode = fs::metadata(path).map_err(at)?.permissions().mode();
        let config = Self::parse(&text).map_err(|problem| ConfigError::content(path, problem))?;
        if mode & EVERYBODY != 0 {
            return Err(ConfigError::exposed(path, mode));
        }
        Ok(config)
    }

    /// Reads the text of a `config.yaml`.
    ///
    /// # Errors
    /// As [`Config::read`], without those of the file.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let document: Option<Document> = serde_yaml::from_str(text).map_err(Problem::from_yaml)?;
        document.ok_or_else(|| Problem::missing(&["auth"]))?.check()
    }
}

/// What is wrong with the text, in words that quote nothing of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Problem {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn missing(keys: &[&str]) -> Self {
        Self(format!("{} missing; docs/configuration.md shows a whole file", listed(keys)))
    }

    /// Line and column only: the library's own text quotes the document.
    fn from_yaml(error: serde_yaml::Error) -> Self {
        let place = error
            .location()
            .map_or_else(String::new, |at| format!("line {} column {}: ", at.line(), at.column()));
        let text = error.to_string();
        let what = if text.contains("unknown field") {
            "a key that this driver does not know; correct or remove it (docs/configuration.md \
             lists all keys)"
        } else if text.contains("duplicate") {
            "a key that was given before; remove one of the two"
        } else if text.contains("invalid type") || text.contains("invalid value") {
            "a value of the wrong kind (text where a group of keys belongs, or the reverse); \
             check the indentation and quote the value"
        } else {
            "not valid YAML; a multi-line key needs `key: |` and deeper indentation"
        };
        Self(format!("{place}{what}"))
    }
}

/// The document, key by key: also those of the cloud controller manager, whose file people share.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    auth: Option<AuthKeys>,
    #[serde(default, rename = "useInstancePrincipals")]
    use_instance_principals: bool,
    #[serde(default, deserialize_with = "text")]
    compartment: Text,
    #[serde(default, deserialize_with = "text")]
    vcn: Text,
    #[serde(default, deserialize_with = "text", rename = "regionKey")]
    region_key: Text,
    endpoints: Option<Endpoints>,
    #[serde(default, rename = "useWorkloadIdentity")]
    _use_workload_identity: Ignored,
    #[serde(default, rename = "loadBalancer")]
    _load_balancer: Ignored,
    #[serde(default, rename = "rateLimiter")]
    _rate_limiter: Ignored,
    #[serde(default, rename = "metrics")]
    _metrics: Ignored,
    #[serde(default, rename = "tags")]
    _tags: Ignored,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthKeys {
    #[serde(default, deserialize_with = "text")]
    tenancy: Text,
    #[serde(default, deserialize_with = "text")]
    user: Text,
    #[serde(default, deserialize_with = "text")]
    key: Text,
    #[serde(default, deserialize_with = "text")]
    passphrase: Text,
    #[serde(default, deserialize_with = "text")]
    key_passphrase: Text,
    // The Go driver's spelling.
    #[serde(default, deserialize_with = "text")]
    key_passphase: Text,
    #[serde(default, deserialize_with = "text")]
    fingerprint: Text,
    #[serde(default, deserialize_with = "text")]
    region: Text,
    #[serde(default, deserialize_with = "text", rename = "regionKey")]
    region_key: Text,
    #[serde(default, deserialize_with = "text")]
    compartment: Text,
    #[serde(default, deserialize_with = "text")]
    vcn: Text,
    #[serde(default, rename = "useInstancePrincipals")]
    use_instance_principals: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoints {
    #[serde(default, deserialize_with = "text")]
    iaas: Text,
}

impl Document {
    fn check(self) -> Result<Config, Problem> {
        let in_auth = self.auth.as_ref().is_some_and(|auth| auth.use_instance_principals);
        if self.use_instance_principals || in_auth {
            return Err(Problem::new(
                "useInstancePrincipals is set, but this version signs with an API key only; remove \
                 it and give auth.tenancy, auth.user, auth.key and auth.fingerprint",
            ));
        }
        let auth = self.auth.ok_or_else(|| Problem::missing(&["auth"]))?;
        let region = region(&auth.region, one("regionKey", [&auth.region_key, &self.region_key])?)?;
        let compartment = one("compartment", [&auth.compartment, &self.compartment])?;
        let vcn = one("vcn", [&auth.vcn, &self.vcn])?;
        Ok(Config {
            region,
            compartment: compartment.map(|text| ocid("compartment", text)).transpose()?,
            vcn: vcn.map(|text| ocid("vcn", text)).transpose()?,
            endpoint: self
                .endpoints
                .and_then(|all| all.iaas)
                .map(|text| endpoint(&text))
                .transpose()?,
            auth: auth.check()?,
        })
    }
}

impl AuthKeys {
    fn check(self) -> Result<Auth, Problem> {
        let passphrase =
            one("auth.passphrase", [&self.passphrase, &self.key_passphrase, &self.key_passphase])?
                .cloned();
        let needed =
            [("auth.tenancy", &self.tenancy), ("auth.user", &self.user), ("auth.key", &self.key)];
        let (Some(tenancy), Some(user), Some(key)) = (&self.tenancy, &self.user, &self.key) else {
            let absent = needed.into_iter().filter(|(_, value)| value.is_none());
            return Err(Problem::missing(&absent.map(|(name, _)| name).collect::<Vec<_>>()));
        };
        Ok(Auth {
            tenancy: ocid("tenancy", tenancy)?,
            user: ocid("user", user)?,
            key: key.clone(),
            passphrase,
            fingerprint: self.fingerprint.map(|text| text.to_string()),
        })
    }
}

/// The one value of a key that may stand in several places.
fn one<'a, const N: usize>(
    name: &str,
    places: [&'a Text; N],
) -> Result<Option<&'a Value>, Problem> {
    let mut given = places.into_iter().flatten();
    let first = given.next();
    if given.any(|other| Some(other) != first) {
        return Err(Problem::new(format!("{name} is given twice with different values; keep one")));
    }
    Ok(first)
}

fn region(name: &Text, key: Option<&Value>) -> Result<Option<Region>, Problem> {
    let parse = |what: &str, text: &Value| {
        Region::parse(text).map_err(|_| {
            Problem::new(format!("auth.{what} is no region; it looks like us-phoenix-1 or phx"))
        })
    };
    let name = name.as_ref().map(|text| parse("region", text)).transpose()?;
    let key = key.map(|text| parse("regionKey", text)).transpose()?;
    match (name, key) {
        (Some(name), Some(key)) if name != key => {
            Err(Problem::new("auth.region and regionKey name different regions; remove regionKey"))
        }
        (name, key) => Ok(name.or(key)),
    }
}

fn ocid(kind: &str, text: &Value) -> Result<Ocid, Problem> {
    let wrong = || {
        let name = if kind == "tenancy" || kind == "user" { "auth." } else { "" };
        Problem::new(format!("{name}{kind} is no {kind} OCID (ocid1.{kind}.…)"))
    };
    let ocid: Ocid = text.parse().map_err(|_| wrong())?;
    // A tenancy is its own root compartment.
    let fits = ocid.kind() == kind || (kind == "compartment" && ocid.kind() == "tenancy");
    fits.then_some(ocid).ok_or_else(wrong)
}

fn endpoint(text: &Value) -> Result<http::Uri, Problem> {
    let wrong = || {
        Problem::new(
            "endpoints.iaas is no address; it looks like https://iaas.us-phoenix-1.oraclecloud.com",
        )
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let scheme = matches!(uri.scheme_str(), Some("https" | "http"));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let no_user = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    (scheme && bare && no_user).then_some(uri).ok_or_else(wrong)
}

fn listed(keys: &[&str]) -> String {
    let verb = if keys.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", keys.join(", "))
}

type Value = Zeroizing<String>;
type Text = Option<Value>;

/// A text, trimmed; an empty one is absent.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.map(Zeroizing::new);
    Ok(text.filter(|text| !text.trim().is_empty()).map(|text| Zeroizing::new(text.trim().into())))
}

/// Any value, read over: a key of the cloud controller manager that means nothing here.
#[derive(Default)]
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

const EVERYBODY: u32 = 0o007;

#[cfg(test)]
mod tests;
