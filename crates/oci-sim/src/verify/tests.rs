//! The verifier against Oracle's own signatures, and against forgeries.

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
    serde_json::from_str(include_str!("../../testdata/signing-vectors.json")).unwrap()
}

pub(crate) fn vector_key(name: &str) -> String {
    vectors().keys.remove(name).unwrap()
}

fn noon() -> SystemTime {
    httpdate::parse_http_date("Fri, 20 Nov 2026 12:00:00 GMT").unwrap()
}

fn ring_for(vector: &Vector) -> KeyRing {
    let name = if vector.name.contains("real-cert") { "leaf2048" } else { "test2048" };
    let user = ApiKeyUser::from_pem("t", "u", &vector_key(name)).unwrap();
    let (id, key) = (vector.key_id.clone(), user.public_key().to_vec());
    let mut ring = KeyRing::default();
    if vector.is_for_token() {
        ring.add_leaf(id, key)
    } else {
        ring.add(id, key)
    }
    ring
}

impl Vector {
    fn is_for_token(&self) -> bool {
        self.name.starts_with("federation")
    }

    fn purpose(&self) -> Purpose {
        if self.is_for_token() { Purpose::Federation } else { Purpose::Operation }
    }

    fn verified(&self, parts: &Parts, body: &[u8], now: SystemTime) -> Result<String, String> {
        ring_for(self).verify(parts, body, now, self.purpose())
    }
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
    assert_eq!(vectors.len(), 25);
    for vector in &vectors {
        let (parts, body) = received(vector);
        let signed = parse(&vector.authorization).unwrap().headers;
        assert_eq!(
            signing_string(&parts, &signed).unwrap(),
            vector.signing_string,
            "{}",
            vector.name
        );
        let verified = vector.verified(&parts, &body, noon());
        assert_eq!(verified.as_ref(), Ok(&vector.key_id), "{}", vector.name);
    }
}

/// Changes a good POST and says why it is bad then.
#[track_caller]
fn check(change: impl FnOnce(&mut Parts, &mut Vec<u8>), reason: &str) {
    let vector = vector("post-json-attach-volume");
    let (mut parts, mut body) = received(&vector);
    change(&mut parts, &mut body);
    let message = vector.verified(&parts, &body, noon()).unwrap_err();
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
    check(edit("x-content-sha256\"", "x-content-sha256 x-none\""), "the header x-none is missing");
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
    let result = vector.verified(&parts, b"x", noon());
    assert_eq!(result, Err(incorrect("the body is not covered by x-content-sha256")));
}

#[test]
fn any_order_and_blanks_are_read() {
    let text =
        r#"Signature keyId="a/b/c", signature="AAA=",headers="date host",algorithm="rsa-sha256""#;
    let headers = vec!["date", "host"];
    assert_eq!(parse(text), Ok(Authorization { key_id: "a/b/c", headers, signature: vec![0, 0] }));
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    let vector = vector("get-simple");
    let (parts, body) = received(&vector);
    let at = |now| vector.verified(&parts, &body, now).map(drop);
    assert_eq!(at(noon() + Duration::from_secs(300)), Ok(()));
    assert_eq!(at(noon() - Duration::from_secs(300)), Ok(()));
    assert_eq!(
        at(noon() + Duration::from_secs(412)).unwrap_err(),
        "Date 'Fri, 20 Nov 2026 12:00:00 UTC' is not within allowed clock skew. Current 'Fri, 20 Nov 2026 12:06:52 UTC', \
         valid datetime range: ['Fri, 20 Nov 2026 12:01:52 UTC', 'Fri, 20 Nov 2026 12:11:53 UTC']"
    );
    assert!(at(noon() - Duration::from_secs(302)).is_err());
}

#[test]
fn each_kind_of_key_signs_for_its_own_service() {
    let now = noon();
    let (token, ended) = (Kind::Session { expires: now + DAY }, Kind::Session { expires: now });
    let (operation, federation, resource) =
        (Purpose::Operation, Purpose::Federation, Purpose::Resource);
    for (kind, purpose, verdict) in [
        (&Kind::User, operation, Ok(())),
        (&Kind::User, federation, Err("a token needs a certificate's key")),
        (&Kind::User, resource, Err("a token needs a resource's key")),
        (&Kind::Leaf, operation, Err("a certificate's key signs for tokens only")),
        (&Kind::Leaf, federation, Ok(())),
        (&Kind::Leaf, resource, Err("a certificate's key signs for tokens only")),
        (&Kind::Resource, operation, Err("a resource's key signs for tokens only")),
        (&Kind::Resource, federation, Err("a resource's key signs for tokens only")),
        (&Kind::Resource, resource, Ok(())),
        (&token, operation, Ok(())),
        (&token, federation, Err("a token needs a certificate's key")),
        (&token, resource, Ok(())),
        (&ended, operation, Err("the token has expired")),
        (&ended, resource, Err("the token has expired")),
    ] {
        assert_eq!(check_kind(kind, purpose, now), verdict, "{kind:?} for {purpose:?}");
    }
    let (api, token) = (vector("get-simple"), vector("federation-x509-real-cert-sha256"));
    for (vector, purpose) in [(&api, federation), (&token, operation)] {
        let (parts, body) = received(vector);
        ring_for(vector).verify(&parts, &body, now, purpose).unwrap_err();
    }
}

/// A caller that changes it, or adds one, would act as another: it must be signed, and known, and the caller's to use.
#[test]
fn a_delegation_token_is_signed_and_known() {
    let vector = vector("get-simple");
    let mut ring = ring_for(&vector);
    let (mut parts, body) = received(&vector);
    parts.headers.insert(DELEGATION, "DELEGATION".parse().unwrap());
    let session = Kind::Session { expires: noon() };
    let unknown = Err("the delegation token is not known");
    assert_eq!(ring.check_delegation(&parts, &session), unknown);
    ring.add_delegation("DELEGATION".into(), "user".into());
    assert_eq!(ring.check_delegation(&parts, &session), Ok(()));
    let foreign = Err("only those with a token act on behalf of others");
    assert_eq!(ring.check_delegation(&parts, &Kind::User), foreign);
    let unsigned = incorrect("the delegation token is not signed");
    assert_eq!(ring.verify(&parts, &body, noon(), Purpose::Operation), Err(unsigned));
}

#[test]
fn a_token_ends() {
    let session = vector("token-get");
    let user = ApiKeyUser::from_pem("t", "u", &vector_key("test2048")).unwrap();
    let (parts, body) = received(&session);
    let mut ring = KeyRing::default();
    ring.add_token(session.key_id.clone(), user.public_key().to_vec(), noon());
    let before = ring.verify(&parts, &body, noon() - Duration::from_secs(1), Purpose::Operation);
    assert_eq!(before, Ok(session.key_id));
    let after = ring.verify(&parts, &body, noon(), Purpose::Operation);
    assert_eq!(after, Err(incorrect("the token has expired")));
}

const DAY: Duration = Duration::from_secs(86_400);
