//! Who sent this request? The `Authorization: Signature …` header read and verified from scratch, by Oracle's published rules.
//!
//! Source: Oracle's "Request Signatures" page and draft-cavage-http-signatures-08. Nothing of our signer is used here, so that
//! a mistake cannot agree with itself.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Method;
use http::request::Parts;
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

/// The public keys of all callers by key id, and the users who have delegated what they may do, by token.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    keys: HashMap<String, Key>,
    delegations: HashMap<String, String>,
}

#[derive(Debug)]
struct Key {
    /// As PKCS#1 DER.
    public_key: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// An API key.
    User,
    /// The key of an instance's certificate: it signs for tokens only.
    Leaf,
    /// The key of a resource: it signs for tokens only, too.
    Resource,
    /// The key that a token is bound to.
    Session { expires: SystemTime },
}

/// What a request is signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An operation of the API.
    Operation,
    /// A token for a certificate.
    Federation,
    /// A token for a resource.
    Resource,
}

/// The parameters of an Authorization header.
#[derive(Debug, PartialEq, Eq)]
struct Authorization<'a> {
    key_id: &'a str,
    headers: Vec<&'a str>,
    signature: Vec<u8>,
}

impl KeyRing {
    pub(crate) fn add(&mut self, key_id: String, public_key: Vec<u8>) {
        self.keys.insert(key_id, Key { public_key, kind: Kind::User });
    }

    pub(crate) fn add_leaf(&mut self, key_id: String, public_key: Vec<u8>) {
        self.keys.insert(key_id, Key { public_key, kind: Kind::Leaf });
    }

    pub(crate) fn add_token(&mut self, key_id: String, public_key: Vec<u8>, expires: SystemTime) {
        self.keys.insert(key_id, Key { public_key, kind: Kind::Session { expires } });
    }

    pub(crate) fn add_resource(&mut self, key_id: String, public_key: Vec<u8>) {
        self.keys.insert(key_id, Key { public_key, kind: Kind::Resource });
    }

    /// The key under this id, as PKCS#1 DER.
    pub(crate) fn public_key(&self, key_id: &str) -> Option<&[u8]> {
        Some(&self.keys.get(key_id)?.public_key)
    }

    pub(crate) fn add_delegation(&mut self, token: String, user: String) {
        self.delegations.insert(token, user);
    }

    /// Who gave the delegation token of this request, if it has a known one.
    pub(crate) fn delegator(&self, request: &Parts) -> Option<&str> {
        self.delegations.get(&header(request, DELEGATION).ok()?).map(String::as_str)
    }

    pub(crate) fn remove(&mut self, key_id: &str) {
        self.keys.remove(key_id);
    }

    pub(crate) fn remove_tokens(&mut self) {
        self.keys.retain(|_, key| !matches!(key.kind, Kind::Session { .. }));
    }

    /// Verifies a request as the service does, or, for a token, as the auth service does; the key id.
    ///
    /// # Errors
    /// The text for the 401 `NotAuthenticated`: Oracle's, with our reason in brackets where Oracle is silent.
    pub(crate) fn verify(
        &self,
        request: &Parts,
        body: &[u8],
        now: SystemTime,
        purpose: Purpose,
    ) -> Result<String, String> {
        let authorization = header(request, "authorization").map_err(incorrect)?;
        let authorization = parse(&authorization).map_err(incorrect)?;
        check_coverage(request, &authorization.headers, purpose).map_err(incorrect)?;
        let key =
            self.keys.get(authorization.key_id).ok_or("the key is not known").map_err(incorrect)?;
        let text = signing_string(request, &authorization.headers).map_err(incorrect)?;
        check_kind(&key.kind, purpose, now).map_err(incorrect)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.public_key)
            .verify(text.as_bytes(), &authorization.signature)
            .map_err(|_| incorrect("the signature does not match"))?;
        check_date(request, now)?;
        check_body(request, body).map_err(incorrect)?;
        self.check_delegation(request, &key.kind).map_err(incorrect)?;
        Ok(authorization.key_id.to_owned())
    }

    /// The holder of a token may act on behalf of a user who has delegated that.
    fn check_delegation(&self, request: &Parts, kind: &Kind) -> Result<(), &'static str> {
        match (request.headers.contains_key(DELEGATION), kind) {
            (false, _) => Ok(()),
            (true, Kind::Session { .. }) if self.delegator(request).is_some() => Ok(()),
            (true, Kind::Session { .. }) => Err("the delegation token is not known"),
            (true, _) => Err("only those with a token act on behalf of others"),
        }
    }
}

/// Certificates and resources sign for tokens, everything else signs for the API, and a token ends.
fn check_kind(kind: &Kind, purpose: Purpose, now: SystemTime) -> Result<(), &'static str> {
    match (kind, purpose) {
        (Kind::Session { expires }, _) if *expires <= now => Err("the token has expired"),
        (Kind::Leaf, Purpose::Federation)
        | (Kind::Resource, Purpose::Resource)
        | (Kind::Session { .. }, Purpose::Resource)
        | (Kind::User | Kind::Session { .. }, Purpose::Operation) => Ok(()),
        (Kind::Leaf, _) => Err("a certificate's key signs for tokens only"),
        (Kind::Resource, _) => Err("a resource's key signs for tokens only"),
        (Kind::User | Kind::Session { .. }, Purpose::Federation) => {
            Err("a token needs a certificate's key")
        }
        (Kind::User, Purpose::Resource) => Err("a token needs a resource's key"),
    }
}

/// Reads the header's parameters: any order, blanks after commas allowed, no parameter twice.
fn parse(text: &str) -> Result<Authorization<'_>, String> {
    let mut rest = text.strip_prefix("Signature ").ok_or("the scheme is not Signature")?.trim();
    let mut parameters: HashMap<&str, &str> = HashMap::new();
    while !rest.is_empty() {
        let (name, tail) = rest.split_once("=\"").ok_or("a parameter is not name=\"value\"")?;
        let (value, tail) = tail.split_once('"').ok_or("a quote is missing")?;
        if parameters.insert(name, value).is_some() {
            return Err(format!("{name} is there twice"));
        }
        rest = match tail.strip_prefix(',') {
            Some(next) if !next.trim().is_empty() => next.trim_start(),
            None if tail.is_empty() => tail,
            _ => return Err("parameters are not separated by single commas".into()),
        };
    }
    let parameter = |name| parameters.get(name).copied().ok_or(format!("{name} is missing"));
    if parameter("algorithm")? != "rsa-sha256" {
        return Err("the algorithm is not rsa-sha256".into());
    }
    // a missing version means the current one
    if parameters.get("version").is_some_and(|version| *version != "1") {
        return Err("the version is not 1".into());
    }
    let signature =
        BASE64.decode(parameter("signature")?).map_err(|_| "the signature is no Base64")?;
    let headers = parameter("headers")?.split(' ').collect();
    Ok(Authorization { key_id: parameter("keyId")?, headers, signature })
}

/// What must be signed is signed: the date, the request target and the host, and for bodies three headers more.
///
/// For a token the host must not be signed: the service behind the address does not know it.
fn check_coverage(request: &Parts, signed: &[&str], purpose: Purpose) -> Result<(), String> {
    let for_token = purpose == Purpose::Federation;
    if !signed.contains(&"date") && !signed.contains(&"x-date") {
        return Err("date is not signed".into());
    }
    let bodiless = [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS];
    let body: &[&str] = if bodiless.contains(&request.method) {
        &[]
    } else {
        &["content-length", "content-type", "x-content-sha256"]
    };
    if for_token && signed.contains(&"host") {
        return Err("host is signed".into());
    }
    if request.headers.contains_key(DELEGATION) && !signed.contains(&DELEGATION) {
        return Err("the delegation token is not signed".into());
    }
    let always: &[&str] =
        if for_token { &["(request-target)"] } else { &["(request-target)", "host"] };
    match always.iter().chain(body).find(|name| !signed.contains(name)) {
        Some(name) => Err(format!("{name} is not signed")),
        None => Ok(()),
    }
}

/// One line per signed header, from the request as it was received.
fn signing_string(request: &Parts, signed: &[&str]) -> Result<String, String> {
    let mut lines = Vec::new();
    for name in signed {
        let value = if *name == "(request-target)" {
            let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
            format!("{} {target}", request.method.as_str().to_ascii_lowercase())
        } else {
            header(request, name)?
        };
        lines.push(format!("{name}: {value}"));
    }
    Ok(lines.join("\n"))
}

/// The client's clock is right within five minutes; `x-date` goes before `date`.
fn check_date(request: &Parts, now: SystemTime) -> Result<(), String> {
    let name = if request.headers.contains_key("x-date") { "x-date" } else { "date" };
    let text = header(request, name).map_err(incorrect)?;
    let date = httpdate::parse_http_date(&text).map_err(|_| incorrect("the date is not a date"))?;
    let (earliest, latest) = (now - ALLOWED_SKEW, now + ALLOWED_SKEW + Duration::from_secs(1));
    if (earliest..=latest).contains(&date) {
        return Ok(());
    }
    let [date, now, earliest, latest] = [date, now, earliest, latest]
        .map(|time| httpdate::fmt_http_date(time).replace("GMT", "UTC"));
    Err(format!(
        "Date '{date}' is not within allowed clock skew. Current '{now}', valid datetime range: ['{earliest}', '{latest}']"
    ))
}

/// Length and digest are those of the body that arrived.
fn check_body(request: &Parts, body: &[u8]) -> Result<(), String> {
    if let Ok(length) = header(request, "content-length")
        && length != body.len().to_string()
    {
        return Err("content-length is not the length of the body".into());
    }
    match header(request, "x-content-sha256") {
        Ok(hash) if hash != BASE64.encode(digest(&SHA256, body)) => {
            Err("x-content-sha256 is not the body's digest".into())
        }
        Err(_) if !body.is_empty() => Err("the body is not covered by x-content-sha256".into()),
        _ => Ok(()),
    }
}

/// A header's value; several of a name are joined as HTTP says.
fn header(request: &Parts, name: &str) -> Result<String, String> {
    let values: Vec<&str> =
        request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    if values.is_empty() {
        Err(format!("the header {name} is missing"))
    } else {
        Ok(values.join(", "))
    }
}

fn incorrect(reason: impl AsRef<str>) -> String {
    format!(
        "The required information to complete authentication was not provided or was incorrect. [{}]",
        reason.as_ref()
    )
}

const DELEGATION: &str = "opc-obo-token";
/// Source: "Maximum Allowed Client Clock Skew", Oracle's API documentation.
const ALLOWED_SKEW: Duration = Duration::from_secs(300);

#[cfg(test)]
pub(crate) mod tests;
