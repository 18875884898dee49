//! The 29 vectors: the signing string exactly, and the very bytes of the signature.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderMap, HeaderValue, Request, request::Parts};
use oci_signer::{Coverage, KeyId, PrivateKey, Signer, signing_string};
use ring::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct File {
    pub(crate) keys: Keys,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
pub(crate) struct Keys {
    pub(crate) test2048: TestKey,
    leaf2048: LeafKey,
    published1024: PublishedKey,
}

#[derive(Deserialize)]
pub(crate) struct TestKey {
    pub(crate) pkcs8_pem: String,
    pub(crate) pkcs1_pem: String,
    pub(crate) public_spki_pem: String,
    pub(crate) pkcs8_pem_with_oci_label: String,
    pub(crate) fingerprint: String,
    pub(crate) passphrase_for_encrypted: String,
    pub(crate) encrypted: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct LeafKey {
    pkcs1_pem: String,
    cert_pem: String,
}

#[derive(Deserialize)]
struct PublishedKey {
    spki_der_base64: String,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    key: String,
    method: String,
    url: String,
    headers_in: BTreeMap<String, String>,
    headers_out: BTreeMap<String, String>,
    body_base64: Option<String>,
    date: String,
    #[serde(rename = "keyId")]
    key_id: String,
    signed_headers: Vec<String>,
    signing_string: String,
    signature: String,
    authorization: String,
}

impl Vector {
    fn request(&self, headers: &BTreeMap<String, String>) -> Parts {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn body(&self) -> Vec<u8> {
        BASE64.decode(self.body_base64.as_deref().unwrap_or_default()).unwrap()
    }

    fn coverage(&self) -> Coverage {
        match self.name.as_str() {
            "objectstorage-put-no-content-headers" => Coverage::WithoutBody,
            "get-x-date" => Coverage::Listed(&["x-date", "(request-target)", "host"]),
            "order-variation" => Coverage::Listed(&["(request-target)", "host", "date"]),
            name if name.starts_with("federation-") => Coverage::Federation,
            _ => Coverage::Regional,
        }
    }
}

pub(crate) fn file() -> File {
    serde_json::from_str(include_str!("../../testdata/signing-vectors.json")).unwrap()
}

#[test]
fn every_signing_string_is_exact() {
    let file = file();
    assert_eq!(file.vectors.len(), 29);
    for vector in &file.vectors {
        let mut request = vector.request(&vector.headers_out);
        let text = signing_string(&request, &HeaderMap::new(), vector.coverage()).unwrap();
        assert_eq!(text, vector.signing_string, "{}", vector.name);

        // without the header, the host is that of the URI
        request.headers.remove("host");
        let text = signing_string(&request, &HeaderMap::new(), vector.coverage()).unwrap();
        assert_eq!(text, vector.signing_string, "{}", vector.name);
    }
}

#[test]
fn every_signature_of_a_2048_bit_key_is_exact() {
    let file = file();
    let mut signed = 0;
    for vector in &file.vectors {
        let pem = match vector.key.as_str() {
            "test2048" => &file.keys.test2048.pkcs8_pem,
            "leaf2048" => &file.keys.leaf2048.pkcs1_pem,
            _ => continue,
        };
        let key = PrivateKey::from_pem(pem, None).unwrap();
        let key_id = KeyId::verbatim(vector.key_id.clone());
        let signer = Signer::new(key_id, key).with_coverage(vector.coverage());
        let request = vector.request(&vector.headers_in);
        let at = httpdate::parse_http_date(&vector.date).unwrap();

        let headers = signer.sign(&request, &vector.body(), at).unwrap();

        let expected = Authorization::parse(&vector.authorization);
        assert_eq!(expected.0["signature"], vector.signature);
        assert_eq!(Authorization::parse(text(&headers["authorization"])), expected);
        assert!(headers["authorization"].is_sensitive());
        for (name, value) in headers.iter().filter(|(name, _)| *name != "authorization") {
            assert!(vector.signed_headers.iter().any(|it| *name == **it), "{}", vector.name);
            assert_eq!(text(value), vector.headers_out[name.as_str()], "{}", vector.name);
        }
        signed += 1;
    }
    assert_eq!(signed, 27);
}

/// ring does not sign with 1024 bits, but verifies: what Oracle published must fit our text.
#[test]
fn the_published_signatures_fit_our_signing_string() {
    let file = file();
    let public_key = BASE64.decode(&file.keys.published1024.spki_der_base64).unwrap();
    let public_key = UnparsedPublicKey::new(
        &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        &public_key[LENGTH_OF_SPKI_HEADER..],
    );
    let mut verified = 0;
    for vector in file.vectors.iter().filter(|it| it.key == "published1024") {
        let request = vector.request(&vector.headers_out);
        let text = signing_string(&request, &HeaderMap::new(), Coverage::Regional).unwrap();
        let signature = BASE64.decode(&vector.signature).unwrap();
        public_key.verify(text.as_bytes(), &signature).unwrap();
        verified += 1;
    }
    assert_eq!(verified, 2);
}

#[test]
fn key_ids_have_the_forms_that_the_service_knows() {
    let file = file();
    let key_id = |name: &str| {
        let vector = file.vectors.iter().find(|it| it.name == name).unwrap();
        KeyId::verbatim(vector.key_id.clone())
    };
    let text = |name: &str| file.vectors.iter().find(|it| it.name == name).unwrap().key_id.clone();

    let api_key = text("get-simple");
    let [tenancy, user, fingerprint] = api_key.split('/').collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(KeyId::api_key(tenancy, user, fingerprint), key_id("get-simple"));
    assert_eq!(fingerprint, file.keys.test2048.fingerprint);

    let token = text("token-get");
    for spelling in [&token, token.strip_prefix("ST$").unwrap(), &format!(" {token}\r\n")] {
        assert_eq!(KeyId::session_token(spelling), key_id("token-get"));
    }

    let federation = text("federation-x509-real-cert-sha256");
    let certificate = pem::parse(&file.keys.leaf2048.cert_pem).unwrap();
    assert_eq!(
        KeyId::federation(federation.split('/').next().unwrap(), certificate.contents()),
        key_id("federation-x509-real-cert-sha256")
    );
}

/// The parameters of an Authorization header, which may come in any order.
#[derive(Debug, PartialEq)]
struct Authorization(BTreeMap<String, String>);

impl Authorization {
    fn parse(header: &str) -> Self {
        let parameters = header.strip_prefix("Signature ").unwrap().split(',');
        let parameters = parameters.map(|it| {
            let (name, value) = it.split_once('=').unwrap();
            let value = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            (name.to_owned(), value.to_owned())
        });
        Self(parameters.collect())
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap()
}

const LENGTH_OF_SPKI_HEADER: usize = 22;
