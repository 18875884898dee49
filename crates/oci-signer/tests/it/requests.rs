//! Requests that no vector has: what the signer adds, takes and refuses.

use std::time::{Duration, SystemTime};

use expect_test::{Expect, expect};
use http::{Method, Request, request::Parts};
use oci_signer::{Coverage, KeyId, PrivateKey, Signer};
use proptest::prelude::*;

use crate::vectors;

fn signer(key_id: &str) -> Signer {
    let key = PrivateKey::from_pem(&vectors::file().keys.test2048.pkcs1_pem, None).unwrap();
    Signer::new(KeyId::verbatim(key_id.to_owned()), key)
}

fn request(method: Method, uri: &str) -> Parts {
    Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0
}

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_176_000)
}

/// Shows all headers but the signature itself.
fn shown(signer: &Signer, request: &Parts, body: &[u8], at: SystemTime) -> String {
    let headers = match signer.sign(request, body, at) {
        Ok(headers) => headers,
        Err(error) => return error.to_string(),
    };
    let lines = headers.iter().map(|(name, value)| {
        let value = value.to_str().unwrap();
        let value = value.split_once("signature=").map_or(value, |(before, _)| before);
        format!("{name}: {value}\n")
    });
    lines.collect()
}

#[track_caller]
fn check(method: Method, uri: &str, body: &[u8], expected: Expect) {
    expected.assert_eq(&shown(&signer("t/u/f"), &request(method, uri), body, noon()));
}

#[test]
fn the_headers_to_add_depend_on_the_method() {
    check(
        Method::GET,
        "https://host/a?b=c",
        b"",
        expect![[r#"
        date: Fri, 20 Nov 2026 12:00:00 GMT
        authorization: Signature version="1",keyId="t/u/f",algorithm="rsa-sha256",headers="date (request-target) host",
    "#]],
    );
    check(
        Method::DELETE,
        "https://host/a",
        b"",
        expect![[r#"
        date: Fri, 20 Nov 2026 12:00:00 GMT
        authorization: Signature version="1",keyId="t/u/f",algorithm="rsa-sha256",headers="date (request-target) host",
    "#]],
    );
    check(
        Method::POST,
        "https://host/a",
        b"",
        expect![[r#"
        date: Fri, 20 Nov 2026 12:00:00 GMT
        content-length: 0
        content-type: application/json
        x-content-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
        authorization: Signature version="1",keyId="t/u/f",algorithm="rsa-sha256",headers="date (request-target) host content-length content-type x-content-sha256",
    "#]],
    );
    check(
        Method::POST,
        "https://host/a",
        "{\"name\":\"größe\"}".as_bytes(),
        expect![[r#"
        date: Fri, 20 Nov 2026 12:00:00 GMT
        content-length: 18
        content-type: application/json
        x-content-sha256: ZGuq3lbVdMSoFAK8+H2BqCvre8XPD+9PJj+fO/vuq6k=
        authorization: Signature version="1",keyId="t/u/f",algorithm="rsa-sha256",headers="date (request-target) host content-length content-type x-content-sha256",
    "#]],
    );
}

#[test]
fn a_body_that_would_go_unsigned_is_refused() {
    check(
        Method::DELETE,
        "https://host/a",
        b"{}",
        expect![
            "a DELETE request with a body cannot be signed: the signature would not cover the body"
        ],
    );
}

#[test]
fn a_request_without_host_is_refused() {
    check(Method::GET, "/a", b"", expect!["host must be signed, and the request has none"]);
}

#[test]
fn the_token_endpoint_needs_no_host() {
    let signer = signer("t/u/f").with_coverage(Coverage::Federation);
    expect![[r#"
        date: Fri, 20 Nov 2026 12:00:00 GMT
        content-length: 2
        content-type: application/json
        x-content-sha256: RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=
        authorization: Signature version="1",keyId="t/u/f",algorithm="rsa-sha256",headers="date (request-target) content-length content-type x-content-sha256",
    "#]].assert_eq(&shown(&signer, &request(Method::POST, "/v1/x509"), b"{}", noon()));
}

#[test]
fn own_headers_are_signed_as_they_are() {
    let mut request = request(Method::PUT, "https://host/a");
    request.headers.insert("content-type", "application/octet-stream".parse().unwrap());
    request.headers.insert("host", "front:8443".parse().unwrap());
    request.headers.insert("date", "stale".parse().unwrap());
    let headers = signer("t/u/f").sign(&request, b"x", noon()).unwrap();
    let text = oci_signer::signing_string(&request, &headers, Coverage::Regional).unwrap();
    expect![[r#"
        date: Fri, 20 Nov 2026 12:00:00 GMT
        (request-target): put /a
        host: front:8443
        content-length: 1
        content-type: application/octet-stream
        x-content-sha256: LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="#]]
    .assert_eq(&text);
}

#[test]
fn a_query_without_a_path_gets_the_slash_with_which_it_is_sent() {
    let request = request(Method::GET, "https://host?a=b");
    let headers = signer("t/u/f").sign(&request, b"", noon()).unwrap();
    let text = oci_signer::signing_string(&request, &headers, Coverage::Regional).unwrap();
    expect![[r#"
        date: Fri, 20 Nov 2026 12:00:00 GMT
        (request-target): get /?a=b
        host: host"#]]
    .assert_eq(&text);
}

#[test]
fn a_delegation_token_is_sent_and_covered() {
    let signer = signer("ST$t").on_behalf_of("DELEGATION\n").unwrap();
    let request = request(Method::POST, "https://host/a");
    let headers = signer.sign(&request, b"", noon()).unwrap();
    assert_eq!(headers["opc-obo-token"], "DELEGATION");
    assert!(headers["opc-obo-token"].is_sensitive());
    expect![[r#"
        date: Fri, 20 Nov 2026 12:00:00 GMT
        (request-target): post /a
        host: host
        opc-obo-token: DELEGATION
        content-length: 0
        content-type: application/json
        x-content-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="#]]
    .assert_eq(&oci_signer::signing_string(&request, &headers, Coverage::OnBehalfOf).unwrap());
    let error = signer.on_behalf_of("MAR\nKER").unwrap_err();
    expect!["header opc-obo-token cannot be signed: it is not visible ASCII"]
        .assert_eq(&error.to_string());
}

#[test]
fn headers_that_are_no_text_are_refused() {
    let mut request = request(Method::PUT, "https://host/a");
    request.headers.insert("content-type", http::HeaderValue::from_bytes(b"a/\xff").unwrap());
    expect!["header content-type cannot be signed: it is not visible ASCII"].assert_eq(&shown(
        &signer("t/u/f"),
        &request,
        b"x",
        noon(),
    ));
}

#[test]
fn key_ids_that_would_break_the_header_are_refused() {
    for key_id in ["", "a\"b", "a b", "a\nb", "ä"] {
        let request = request(Method::GET, "https://host/a");
        let message =
            "the key id cannot be signed with: it is empty, or not visible ASCII without quotes";
        assert_eq!(shown(&signer(key_id), &request, b"", noon()), message);
    }
}

#[test]
fn clocks_that_are_far_off_are_refused() {
    let day = Duration::from_secs(86_400);
    let year_10000 = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    for at in [SystemTime::UNIX_EPOCH - day, year_10000, year_10000 + day] {
        let request = request(Method::GET, "https://host/a");
        let message =
            "the clock is before 1970 or after 9999, and a request of that date cannot be signed";
        assert_eq!(shown(&signer("t/u/f"), &request, b"", at), message);
    }
    for at in [SystemTime::UNIX_EPOCH, year_10000 - Duration::from_secs(1)] {
        signer("t/u/f").sign(&request(Method::GET, "https://host/a"), b"", at).unwrap();
    }
}

#[test]
fn one_signer_serves_many_threads() {
    let signer = signer("t/u/f");
    let request = request(Method::GET, "https://host/a");
    let first = signer.sign(&request, b"", noon()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(signer.sign(&request, b"", noon()).unwrap(), first);
            });
        }
    });
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn no_request_panics(
            uri in "(https?://[a-z0-9.:\\[\\]-]{0,12})?[/?a-z%\u{fc}0-9=&+~ -]{0,20}",
            method in "[A-Za-z]{1,7}",
            type_ in prop::collection::vec(any::<u8>(), 0..8),
        ) {
            let request = Request::builder().method(method.as_str()).uri(&uri);
            if let Ok(request) = request.header("content-type", &type_[..]).body(()) {
                let (request, ()) = request.into_parts();
                for coverage in [Coverage::Regional, Coverage::Listed(&["content-type", "host"])] {
                    _ = oci_signer::signing_string(&request, &http::HeaderMap::new(), coverage);
                }
            }
        }
    }
}
