//! API keys.

use oci_rest::{ApiKey, Credentials};
use oci_signer::PrivateKey;

use crate::script::chain;

fn key(fingerprint: Option<&str>) -> Result<ApiKey, oci_rest::Error> {
    let key = PrivateKey::from_pem(include_str!("../../testdata/api-key.pem"), None).unwrap();
    ApiKey::new("ocid1.tenancy.oc1..t", "ocid1.user.oc1..u", fingerprint, key)
}

#[test]
fn the_fingerprint_follows_from_the_key() {
    let computed = "57:44:0d:65:0b:ab:1c:95:b8:b6:bb:b5:0c:b1:af:55";
    assert_eq!(key(None).unwrap().describe(), format!("ocid1.user.oc1..u with the key {computed}"));
    for same in [computed.to_owned(), computed.to_uppercase(), format!(" {computed}\n")] {
        key(Some(&same)).unwrap();
    }
}

#[test]
fn another_fingerprint_is_an_error_that_names_both() {
    let other = "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff";
    assert_eq!(
        chain(&key(Some(other)).unwrap_err()),
        format!(
            "the fingerprint {other} is configured, but the key's is 57:44:0d:65:0b:ab:1c:95:b8:b6:bb:b5:0c:b1:af:55: one of the two \
             is not the user's current API key"
        )
    );
}

#[test]
fn debug_shows_no_key() {
    let text = format!("{:?}", key(None).unwrap());
    assert!(!text.contains("PRIVATE") && !text.contains("ocid1.tenancy"), "{text}");
}
