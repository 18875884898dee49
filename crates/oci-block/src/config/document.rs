//! The keys of `config.yaml`, and what they mean.

use std::path::PathBuf;

use config_file::yaml::switch;
use oci_iaas::{Ocid, Region};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{Auth, Config, Key, Problem, UserKey};

/// The document, key by key: also those of the cloud controller manager, whose file may be shared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    auth: Option<AuthKeys>,
    #[serde(default, deserialize_with = "switch", rename = "useInstancePrincipals")]
    use_instance_principals: bool,
    #[serde(default, deserialize_with = "text")]
    compartment: Text,
    #[serde(default, deserialize_with = "text")]
    vcn: Text,
    #[serde(default, deserialize_with = "text", rename = "regionKey")]
    region_key: Text,
    endpoints: Option<Endpoints>,
    #[serde(default, deserialize_with = "switch", rename = "useWorkloadIdentity")]
    use_workload_identity: bool,
    #[serde(default, deserialize_with = "switch", rename = "useResourcePrincipals")]
    use_resource_principals: bool,
    #[serde(default, deserialize_with = "switch", rename = "useTokenExchange")]
    use_token_exchange: bool,
    #[serde(default, rename = "loadBalancer")]
    _load_balancer: Ignored,
    #[serde(default, rename = "rateLimiter")]
    _rate_limiter: Ignored,
    #[serde(default, rename = "metrics")]
    _metrics: Ignored,
    #[serde(default, rename = "tags")]
    _tags: Ignored,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthKeys {
    #[serde(default, deserialize_with = "text")]
    tenancy: Text,
    #[serde(default, deserialize_with = "text")]
    user: Text,
    #[serde(default, deserialize_with = "text")]
    key: Text,
    #[serde(default, deserialize_with = "text")]
    key_file: Text,
    #[serde(default, deserialize_with = "text")]
    profile: Text,
    #[serde(default, deserialize_with = "text")]
    config_file: Text,
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
    #[serde(default, deserialize_with = "switch", rename = "useInstancePrincipals")]
    use_instance_principals: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoints {
    #[serde(default, deserialize_with = "text")]
    auth: Text,
    #[serde(default, deserialize_with = "text")]
    iaas: Text,
}

impl Document {
    /// What the document means.
    ///
    /// # Errors
    /// Something is missing, twice, or cannot be.
    pub(super) fn check(self) -> Result<Config, Problem> {
        let way = self.way()?;
        if way.is_none() && self.auth.is_none() {
            return Err(Problem::missing(&["auth"]));
        }
        let remarks = self.unused(way.as_ref()).into_iter().collect();
        let holds_secret = self.auth.as_ref().is_some_and(AuthKeys::hold_secret);
        let auth = self.auth.unwrap_or_default();
        let endpoints = self.endpoints.unwrap_or_default();
        let region = region(&auth.region, one("regionKey", [&auth.region_key, &self.region_key])?)?;
        let compartment = one("compartment", [&auth.compartment, &self.compartment])?;
        let vcn = one("vcn", [&auth.vcn, &self.vcn])?;
        Ok(Config {
            region,
            compartment: compartment.map(|text| ocid("compartment", text)).transpose()?,
            vcn: vcn.map(|text| ocid("vcn", text)).transpose()?,
            endpoint: endpoints.iaas.map(|text| endpoint("iaas", &text)).transpose()?,
            auth_endpoint: endpoints.auth.map(|text| endpoint("auth", &text)).transpose()?,
            auth: match way {
                Some((_, way)) => way,
                None => Auth::ApiKey(auth.check()?),
            },
            remarks,
            holds_secret,
        })
    }

    /// An API key beside another way to authenticate, which the cloud controller manager ignores too.
    fn unused(&self, way: Option<&Way>) -> Option<String> {
        let ((name, _), auth) = (way?, self.auth.as_ref()?);
        let mut keys: Vec<_> = auth.of_a_user().collect();
        keys.dedup();
        let (keys, verb) = (keys.join(", "), if keys.len() == 1 { "is" } else { "are" });
        (!keys.is_empty()).then(|| format!("{keys} {verb} not used, because {name} is given"))
    }

    /// The way to authenticate that is not an API key, if one is chosen, and by which key: one.
    fn way(&self) -> Result<Option<Way>, Problem> {
        let none = AuthKeys::default();
        let auth = self.auth.as_ref().unwrap_or(&none);
        let name = if auth.profile.is_some() { "auth.profile" } else { "auth.config_file" };
        let profile = (auth.profile.is_some() || auth.config_file.is_some()).then(|| {
            let profile = auth.profile.as_ref().map_or(DEFAULT_PROFILE, |it| it);
            let file = auth.config_file.as_ref().map(|it| PathBuf::from(it.as_str()));
            Auth::Profile { file, name: profile.to_owned() }
        });
        let instance = self.use_instance_principals || auth.use_instance_principals;
        let mut ways = [
            ("useInstancePrincipals", instance.then_some(Auth::InstancePrincipals)),
            ("useWorkloadIdentity", self.use_workload_identity.then_some(Auth::WorkloadIdentity)),
            (
                "useResourcePrincipals",
                self.use_resource_principals.then_some(Auth::ResourcePrincipals),
            ),
            ("useTokenExchange", self.use_token_exchange.then_some(Auth::TokenExchange)),
            (name, profile),
        ]
        .into_iter()
        .filter_map(|(name, way)| Some((name, way?)));
        let Some((name, way)) = ways.next() else { return Ok(None) };
        if let Some((other, _)) = ways.next() {
            return Err(Problem::new(format!("{name} and {other} are both given; keep one")));
        }
        match (&way, auth.of_a_user().next()) {
            (Auth::Profile { .. }, Some(key)) => Err(Problem::new(format!(
                "{name} is given and {key} too, which belongs to an API key; keep one"
            ))),
            _ => Ok(Some((name, way))),
        }
    }
}

impl AuthKeys {
    /// The keys that are given and belong to an API key.
    fn of_a_user(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("auth.tenancy", &self.tenancy),
            ("auth.user", &self.user),
            ("auth.key", &self.key),
            ("auth.key_file", &self.key_file),
            ("auth.fingerprint", &self.fingerprint),
            ("auth.passphrase", &self.passphrase),
            ("auth.passphrase", &self.key_passphrase),
            ("auth.passphrase", &self.key_passphase),
        ];
        all.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name)
    }

    fn hold_secret(&self) -> bool {
        self.of_a_user().any(|it| matches!(it, "auth.key" | "auth.passphrase"))
    }

    fn check(self) -> Result<UserKey, Problem> {
        let passphrase =
            one("auth.passphrase", [&self.passphrase, &self.key_passphrase, &self.key_passphase])?
                .cloned();
        let key = match (self.key, self.key_file) {
            (Some(_), Some(_)) => {
                return Err(Problem::new("auth.key and auth.key_file are both given; keep one"));
            }
            (Some(text), None) => Some(Key::Inline(text)),
            (None, Some(file)) => Some(Key::File(PathBuf::from(file.as_str()))),
            (None, None) => None,
        };
        let needed = [
            ("auth.tenancy", self.tenancy.is_some()),
            ("auth.user", self.user.is_some()),
            ("auth.key", key.is_some()),
        ];
        let (Some(tenancy), Some(user), Some(key)) = (&self.tenancy, &self.user, key) else {
            let absent = needed.into_iter().filter(|(_, given)| !given);
            return Err(Problem::missing(&absent.map(|(name, _)| name).collect::<Vec<_>>()));
        };
        Ok(UserKey {
            tenancy: ocid("tenancy", tenancy)?,
            user: ocid("user", user)?,
            key,
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

fn endpoint(name: &str, text: &Value) -> Result<http::Uri, Problem> {
    let wrong = || {
        Problem::new(format!(
            "endpoints.{name} is no URL of a host, with a port from 1 to 65535 or none; it looks like \
             https://{name}.us-phoenix-1.oraclecloud.com"
        ))
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let scheme = matches!(uri.scheme_str(), Some("https" | "http"));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let no_user = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    (scheme && bare && no_user && oci_rest::has_host(&uri)).then_some(uri).ok_or_else(wrong)
}

/// A way to authenticate, and the key that chooses it.
type Way = (&'static str, Auth);
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

const DEFAULT_PROFILE: &str = "DEFAULT";
