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

/// The public keys of all users, as PKCS#1 DER by key id.
#[derive(Debug, Default)]
pub(crate) struct KeyRing(HashMap<String, Vec<u8>>);

/// The parameters of an Authorization header.
#[derive(Debug, PartialEq, Eq)]
struct Authorization<'a> {
    key_id: &'a str,
    headers: Vec<&'a str>,
    signature: Vec<u8>,
}

impl KeyRing {
    pub(crate) fn add(&mut self, key_id: String, public_key: Vec<u8>) {
        self.0.insert(key_id, public_key);
    }

    /// Verifies a request as the service does.
    ///
    /// # Errors
    /// The text for the 401 `NotAuthenticated`: Oracle's, with our reason in brackets where Oracle is silent.
    pub(crate) fn verify(
        &self,
        request: &Parts,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), String> {
        let authorization = header(request, "authorization").map_err(incorrect)?;
        let authorization = parse(&authorization).map_err(incorrect)?;
        check_coverage(request, &authorization.headers).map_err(incorrect)?;
        let key =
            self.0.get(authorization.key_id).ok_or("the key is not known").map_err(incorrect)?;
        let text = signing_string(request, &authorization.headers).map_err(incorrect)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(text.as_bytes(), &authorization.signature)
            .map_err(|_| incorrect("the signature does not match"))?;
        check_date(request, now)?;
        check_body(request, body).map_err(incorrect)
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
fn check_coverage(request: &Parts, signed: &[&str]) -> Result<(), String> {
    if !signed.contains(&"date") && !signed.contains(&"x-date") {
        return Err("date is not signed".into());
    }
    let bodiless = [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS];
    let body: &[&str] = if bodiless.contains(&request.method) {
        &[]
    } else {
        &["content-length", "content-type", "x-content-sha256"]
    };
    match ["(request-target)", "host"].iter().chain(body).find(|name| !signed.contains(name)) {
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

/// Source: "Maximum Allowed Client Clock Skew", Oracle's API documentation.
const ALLOWED_SKEW: Duration = Duration::from_secs(300);

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::credentials::ApiKeyUser;

    #[derive(Deserialize)]
    struct Vectors {
        keys: BTreeMap<String, String>,
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        method: String,
        url: String,
        headers_in: BTreeMap<String, String>,
        headers_out: BTreeMap<String, String>,
        body_base64: Option<String>,
        #[serde(rename = "keyId")]
        key_id: String,
        authorization: String,
        signing_string: String,
    }

    fn vectors() -> Vectors {
        serde_json::from_str(include_str!("../testdata/signing-vectors.json")).unwrap()
    }

    pub(crate) fn vector_key(name: &str) -> String {
        vectors().keys.remove(name).unwrap()
    }

    fn noon() -> SystemTime {
        httpdate::parse_http_date("Fri, 20 Nov 2026 12:00:00 GMT").unwrap()
    }

    fn ring_for(vector: &Vector) -> KeyRing {
        let user = ApiKeyUser::from_pem("t", "u", &vector_key("test2048")).unwrap();
        let mut ring = KeyRing::default();
        ring.add(vector.key_id.clone(), user.public_key().to_vec());
        ring
    }

    fn received(vector: &Vector) -> (Parts, Vec<u8>) {
        let mut request = http::Request::builder().method(vector.method.as_str()).uri(&vector.url);
        for (name, value) in vector.headers_in.iter().chain(&vector.headers_out) {
            request.headers_mut().unwrap().insert(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                http::HeaderValue::from_str(value).unwrap(),
            );
        }
        let request = request.header("authorization", &vector.authorization).body(()).unwrap();
        let body = vector.body_base64.as_ref().map(|text| BASE64.decode(text).unwrap());
        (request.into_parts().0, body.unwrap_or_default())
    }

    fn vector(name: &str) -> Vector {
        vectors().vectors.into_iter().find(|vector| vector.name == name).unwrap()
    }

    #[test]
    fn what_oracles_sdk_signs_is_good() {
        let vectors = vectors().vectors;
        assert_eq!(vectors.len(), 22);
        for vector in &vectors {
            let (parts, body) = received(vector);
            let signed = parse(&vector.authorization).unwrap().headers;
            assert_eq!(
                signing_string(&parts, &signed).unwrap(),
                vector.signing_string,
                "{}",
                vector.name
            );
            assert_eq!(ring_for(vector).verify(&parts, &body, noon()), Ok(()), "{}", vector.name);
        }
    }

    /// Changes a good POST and says why it is bad then.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Parts, &mut Vec<u8>), reason: &str) {
        let vector = vector("post-json-attach-volume");
        let (mut parts, mut body) = received(&vector);
        change(&mut parts, &mut body);
        let message = ring_for(&vector).verify(&parts, &body, noon()).unwrap_err();
        assert_eq!(message, incorrect(reason));
    }

    fn edit_authorization(parts: &mut Parts, from: &str, to: &str) {
        let text = header(parts, "authorization").unwrap();
        assert!(text.contains(from), "{text}");
        parts.headers.insert("authorization", text.replace(from, to).parse().unwrap());
    }

    #[test]
    fn forged_requests_are_refused() {
        let set = |name: &'static str, value: &'static str| {
            move |parts: &mut Parts, _: &mut Vec<u8>| {
                parts.headers.insert(name, value.parse().unwrap());
            }
        };
        let edit = |from: &'static str, to: &'static str| {
            move |parts: &mut Parts, _: &mut Vec<u8>| edit_authorization(parts, from, to)
        };
        let no_match = "the signature does not match";
        check(
            |parts, _| drop(parts.headers.remove("authorization")),
            "the header authorization is missing",
        );
        check(set("authorization", "Basic abc"), "the scheme is not Signature");
        check(edit("ocid1.user", "ocid1.other"), "the key is not known");
        check(edit("rsa-sha256", "hmac-sha256"), "the algorithm is not rsa-sha256");
        check(edit("algorithm=\"rsa-sha256\",", ""), "algorithm is missing");
        check(edit("version=\"1\"", "version=\"2\""), "the version is not 1");
        check(edit("version=\"1\"", "algorithm=\"rsa-sha256\""), "algorithm is there twice");
        check(edit(" host", ""), "host is not signed");
        check(edit("date ", ""), "date is not signed");
        check(edit(" x-content-sha256", ""), "x-content-sha256 is not signed");
        check(edit(" content-length", ""), "content-length is not signed");
        check(edit("(request-target) host", "host (request-target)"), no_match);
        check(
            edit("x-content-sha256\"", "x-content-sha256 x-none\""),
            "the header x-none is missing",
        );
        check(edit("signature=\"", "signature=\"AAAA"), no_match);
        check(edit("signature=\"", "signature=\"!"), "the signature is no Base64");
        check(edit("\",", "\";"), "parameters are not separated by single commas");
        check(set("host", "evil.example"), no_match);
        check(set("content-type", "text/plain"), no_match);
        check(|parts, _| parts.method = Method::PUT, no_match);
        check(|parts, _| parts.uri = "/20160918/volumes".parse().unwrap(), no_match);
        check(|_, body| body[0] = b' ', "x-content-sha256 is not the body's digest");
        check(|_, body| body.push(b' '), "content-length is not the length of the body");
    }

    #[test]
    fn bodies_of_bodiless_methods_must_be_covered() {
        let vector = vector("delete-detach");
        let (mut parts, _) = received(&vector);
        parts.headers.remove("content-length");
        let result = ring_for(&vector).verify(&parts, b"x", noon());
        assert_eq!(result, Err(incorrect("the body is not covered by x-content-sha256")));
    }

    #[test]
    fn any_order_and_blanks_are_read() {
        let text = r#"Signature keyId="a/b/c", signature="AAA=",headers="date host",algorithm="rsa-sha256""#;
        let headers = vec!["date", "host"];
        assert_eq!(
            parse(text),
            Ok(Authorization { key_id: "a/b/c", headers, signature: vec![0, 0] })
        );
    }

    #[test]
    fn clocks_may_differ_by_five_minutes() {
        let vector = vector("get-simple");
        let (parts, body) = received(&vector);
        let at = |now| ring_for(&vector).verify(&parts, &body, now);
        assert_eq!(at(noon() + Duration::from_secs(300)), Ok(()));
        assert_eq!(at(noon() - Duration::from_secs(300)), Ok(()));
        assert_eq!(
            at(noon() + Duration::from_secs(412)).unwrap_err(),
            "Date 'Fri, 20 Nov 2026 12:00:00 UTC' is not within allowed clock skew. Current 'Fri, 20 Nov 2026 12:06:52 UTC', \
             valid datetime range: ['Fri, 20 Nov 2026 12:01:52 UTC', 'Fri, 20 Nov 2026 12:11:53 UTC']"
        );
        assert!(at(noon() - Duration::from_secs(302)).is_err());
    }
}
