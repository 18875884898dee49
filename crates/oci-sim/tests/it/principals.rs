//! Instances get certificates, certificates get tokens, tokens sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Request;
use oci_sim::{ApiKeyUser, Config, Sim};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
use serde_json::{Value, json};

use crate::client::{Scene, ask_as, get};

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
    assert_eq!(pod(&scene.sim, "ACCOUNT", KEY).0, 401);
    scene.sim.add_service_account("ACCOUNT");
    let (status, answer) = pod(&scene.sim, "ACCOUNT", KEY);
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

/// A voucher is good for the one whom it was given, for the key of the resource, and for a token only.
#[test]
fn a_resource_gets_its_token_for_its_voucher_and_its_key() {
    let scene = Scene::new(Config::default());
    let user = scene.sim.credentials();
    let [one, two] = ["2.1", "2.1"].map(|version| scene.sim.add_resource(version, user));
    let caller = |id: &str| format!("resource/v2.1/{id}");
    let ask = |caller: &str, method, path: &str, body| {
        ask_as(&scene.sim, (caller, user), method, path, body)
    };
    let vouch = |caller: &str, id: &str| {
        ask(caller, "GET", &format!("/20180711/resourcePrincipalTokenV2/{id}"), None)
    };
    assert_eq!(vouch(&caller(&one), &two).status, 401);
    assert_eq!(vouch(&user.key_id(), &one).status, 401);
    let voucher = vouch(&caller(&one), &one);
    assert_eq!(voucher.status, 200, "{voucher:?}");
    let token = |caller: &str, service: &str, key: &str| {
        let body = json!({
            "resourcePrincipalToken": voucher.text("resourcePrincipalToken"),
            "servicePrincipalSessionToken": service,
            "sessionPublicKey": key,
        });
        ask(caller, "POST", "/v1/resourcePrincipalSessionToken", Some(body))
    };
    let service = voucher.text("servicePrincipalSessionToken");
    let private = RsaPrivateKey::from_pkcs8_pem(&user.private_key_pem).unwrap();
    let key = BASE64.encode(private.to_public_key().to_public_key_der().unwrap());
    assert_eq!(token(&caller(&two), &service, &key).status, 401, "of another resource");
    assert_eq!(token(&caller(&one), "other", &key).status, 401, "half of a voucher");
    assert_eq!(token(&caller(&one), &service, KEY).status, 401, "another key");
    let answer = token(&caller(&one), &service, &key);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(get(&scene.sim, &format!("ST${}", answer.text("token")), user).status, 200);
    assert_eq!(get(&scene.sim, &caller(&one), user).status, 401, "without a token");
}

/// Of a key that does not exist.
const KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqSzaHo4HPyyYZeAJXGju8iz2X2/Wx672aZPVPxcMpWffGPs+ah4vIt3utZP6cF/9yrCl4DIA5hgKa2ZV+FCaejLSnweEVWlxQ9IsTWEJuAfYnt54QWcHAg2fyqAgcQ+oMBY2s6DztoUA4VahSOlcwQX5csykMgvYQgo0kedHq1jUWa84CBUvTOVYWgIaEGqS4wDOyFr9Wpth5UGQg+EbN3bBhj48zqfyEEuJD3e99jJ5vIg/S1BsO+0Yw7/iGLbmj/Voh/d7fkTvKms3PQuC++2rT4cjD4B7zOFflrQW9fcNInFZCOMNAKKu1zkoTEyFrgVyPk2mlIKoEcY+IbkbywIDAQAB";
