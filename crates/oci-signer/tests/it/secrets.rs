//! Nothing secret is printable: not in an error, not in a `Debug`.

use std::time::SystemTime;

use http::Request;
use oci_signer::{KeyId, PrivateKey, Signer};

use crate::vectors;

/// Fails if `shown` has ten characters in a row of one of the `secrets`.
#[track_caller]
fn hides(secrets: &[&str], shown: &str) {
    for secret in secrets {
        let characters: Vec<char> = secret.chars().collect();
        for part in characters.windows(10.min(characters.len())) {
            let part: String = part.iter().collect();
            assert!(!shown.contains(&part), "{part:?} in {shown}");
        }
    }
}

#[track_caller]
fn errors_hide(pem: &str, passphrase: &str) {
    let body: String = pem.lines().filter(|line| !line.contains("-----")).collect();
    for given in [None, Some(passphrase)] {
        if let Err(error) = PrivateKey::from_pem(pem, given) {
            hides(&[&body, passphrase], &format!("{error} {error:?}"));
        }
    }
}

#[test]
fn errors_hold_nothing_of_key_and_passphrase() {
    let key = vectors::file().keys.test2048;
    let marker = "MARKERMARKER";
    for pem in key.encrypted.values().chain([&key.pkcs1_pem, &key.pkcs8_pem]) {
        errors_hide(pem, marker);
        errors_hide(&pem.replace("-----END", "MARKERMARKER!-----END"), marker);
        errors_hide(&pem.replace("-----\n", "-----\nMARKERMARKER: MARKERMARKER\n\n"), marker);
        errors_hide(&pem.replace("\n-----END", "\n\n-----END"), marker);
        errors_hide(&pem.replace("PRIVATE KEY", "MARKERMARKER"), marker);
        errors_hide(&pem.replacen("PRIVATE KEY", "MARKERMARKER", 1), marker);
        errors_hide(&pem[..pem.len() / 2], marker);
        errors_hide(&pem.replace("DEK-Info: ", "DEK-Info: MARKERMARKER"), marker);
    }
    errors_hide(marker, marker);
}

#[test]
fn debug_shows_neither_key_nor_token_nor_signature() {
    let key = vectors::file().keys.test2048;
    let private = PrivateKey::from_pem(&key.pkcs8_pem, None).unwrap();
    assert_eq!(format!("{private:?}"), "PrivateKey(***)");

    let key_id = KeyId::session_token("SECRETSECRET");
    assert_eq!(format!("{key_id:?}"), "KeyId(***)");

    let signer = Signer::new(key_id, private);
    assert_eq!(format!("{signer:?}"), "Signer { coverage: Regional, .. }");

    let (request, ()) = Request::get("https://host/").body(()).unwrap().into_parts();
    let signer = signer.on_behalf_of("DELEGATIONTOKEN").unwrap();
    hides(&["DELEGATIONTOKEN"], &format!("{signer:?}"));
    let headers = signer.sign(&request, b"", SystemTime::UNIX_EPOCH).unwrap();
    hides(&["DELEGATIONTOKEN"], &format!("{headers:?}"));
    let signature = headers["authorization"].to_str().unwrap().split("signature=").nth(1).unwrap();
    hides(&["SECRETSECRET", signature], &format!("{headers:?}"));
}
