//! Instances get certificates, certificates get tokens, tokens sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Request;
use oci_sim::{ApiKeyUser, Config, Sim};
use serde_json::{Value, json};

use crate::client::{Scene, get};

/// A document of the metadata service.
fn identity(sim: &Sim, name: &str) -> String {
    let request = Request::get(format!("/opc/v2/identity/{name}"))
        .header("authorization", "Bearer Oracle")
        .body(Vec::new())
        .unwrap();
    let response = sim.handle(request).whole().unwrap();
    assert_eq!(response.status(), 200, "{name}");
    String::from_utf8(response.into_body()).unwrap()
}

#[test]
fn an_instance_keeps_its_certificate_until_it_is_rotated() {
    let scene = Scene::new(Config::default());
    let first = ["cert.pem", "key.pem", "intermediate.pem"].map(|name| identity(&scene.sim, name));
    assert!(first[0].starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert!(first[1].starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert_eq!(identity(&scene.sim, "cert.pem"), first[0]);
    scene.sim.rotate_certificate(&scene.instance);
    assert_ne!(identity(&scene.sim, "cert.pem"), first[0]);
    assert_ne!(identity(&scene.sim, "key.pem"), first[1]);
    assert_eq!(identity(&scene.sim, "intermediate.pem"), first[2]);
}

#[test]
fn a_token_needs_the_signature_of_a_certificate() {
    let scene = Scene::new(Config::default());
    let text = json!({"certificate": "", "publicKey": "", "intermediateCertificates": []});
    let request = Request::post("/v1/x509").body(text.to_string().into_bytes()).unwrap();
    let response = scene.sim.handle(request).whole().unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(scene.sim.requests()[0].operation, "Federation");
}

fn pod(sim: &Sim, account: &str, key: &str) -> (u16, Value) {
    let request = Request::post("/resourcePrincipalSessionTokens")
        .header("authorization", format!("Bearer {account}"))
        .body(json!({ "podKey": key }).to_string().into_bytes())
        .unwrap();
    let response = sim.handle(request).whole().unwrap();
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

#[test]
fn a_pod_gets_its_token_for_its_service_account() {
    let scene = Scene::new(Config::default());
    let key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqSzaHo4HPyyYZeAJXGju8iz2X2/Wx672aZPVPxcMpWffGPs+ah4vIt3utZP6cF/9yrCl4DIA5hgKa2ZV+FCaejLSnweEVWlxQ9IsTWEJuAfYnt54QWcHAg2fyqAgcQ+oMBY2s6DztoUA4VahSOlcwQX5csykMgvYQgo0kedHq1jUWa84CBUvTOVYWgIaEGqS4wDOyFr9Wpth5UGQg+EbN3bBhj48zqfyEEuJD3e99jJ5vIg/S1BsO+0Yw7/iGLbmj/Voh/d7fkTvKms3PQuC++2rT4cjD4B7zOFflrQW9fcNInFZCOMNAKKu1zkoTEyFrgVyPk2mlIKoEcY+IbkbywIDAQAB";
    assert_eq!(pod(&scene.sim, "ACCOUNT", key).0, 401);
    scene.sim.add_service_account("ACCOUNT");
    let (status, answer) = pod(&scene.sim, "ACCOUNT", key);
    assert_eq!(status, 200, "{answer}");
    let inner = BASE64.decode(answer.as_str().unwrap()).unwrap();
    let inner: Value = serde_json::from_slice(&inner).unwrap();
    assert!(inner["token"].as_str().unwrap().starts_with("ST$eyJ"));
    assert_eq!(pod(&scene.sim, "ACCOUNT", "AAAA").0, 400);
}

#[test]
fn a_token_signs_until_it_ends_or_is_revoked() {
    let scene = Scene::new(Config::default());
    let minute = std::time::Duration::from_secs(60);
    let user = ApiKeyUser::fresh().unwrap();
    let by_token = |token: &str| get(&scene.sim, &format!("ST${token}"), &user).status;
    let token = scene.sim.issue_token(&user, minute).unwrap();
    assert_eq!(by_token(&token), 200);
    scene.sim.advance(minute);
    assert_eq!(by_token(&token), 401);
    let token = scene.sim.issue_token(&user, minute).unwrap();
    scene.sim.revoke_tokens();
    assert_eq!(by_token(&token), 401);
}
