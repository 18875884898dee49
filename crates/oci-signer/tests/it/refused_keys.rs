//! Keys that cannot be used: each is named, with what to do.

use oci_signer::PrivateKey;

use crate::vectors;

macro_rules! refused {
    ($file:literal) => {
        include_str!(concat!("../../testdata/refused/", $file))
    };
}

#[track_caller]
fn check(pem: &str, message: &str) {
    let error = PrivateKey::from_pem(pem, Some("hunter2-test")).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_key_that_cannot_sign_must_be_replaced() {
    let bits = |bits: u32| {
        format!("the private key has {bits} bits, and only 2048, 3072 and 4096 are supported")
    };
    let exponent = "the public exponent of the private key is 3, and at least 65537 is needed";
    for (pem, what) in [
        (refused!("bits-1024.pem"), &*bits(1024)),
        (refused!("bits-2056.pem"), &bits(2056)),
        (refused!("bits-2560.pem"), &bits(2560)),
        (refused!("bits-8192.pem"), &bits(8192)),
        (refused!("exponent-3.pem"), exponent),
        (refused!("three-primes.pem"), "the private key has more than two primes"),
        (refused!("pss.pem"), "this key is for RSASSA-PSS only"),
        (refused!("ec.pem"), "this is not an RSA key"),
        (refused!("ec-pkcs8.pem"), "this is not an RSA key"),
        (refused!("ed25519.pem"), "this is not an RSA key"),
        (refused!("dsa.pem"), "this is not an RSA key"),
    ] {
        check(pem, &format!("{what}; {MAKE_ONE}"));
    }
}

#[test]
fn an_openssh_key_can_be_rewritten() {
    check(
        refused!("openssh.pem"),
        "this is a key in OpenSSH's own format; `ssh-keygen -p -m PEM -f <file>` rewrites \
         the file as PEM, if it is an RSA key",
    );
}

/// Unknown ciphers, and key derivations that would take hours or all memory.
#[cfg(feature = "encrypted-keys")]
#[test]
fn an_odd_encryption_can_be_replaced() {
    check(refused!("camellia.pem"), UNSUPPORTED);
    check(refused!("expensive-pbkdf2.pem"), UNSUPPORTED);
    check(refused!("expensive-scrypt.pem"), UNSUPPORTED);
}

#[test]
fn what_is_given_instead_of_a_key_is_named() {
    let public_key = vectors::file().keys.test2048.public_spki_pem;
    check("", NO_KEY);
    check(
        "ssh-rsa AAAAB3NzaC1yc2E me@home",
        "this is a public key; the private key that belongs to it is needed",
    );
    check(&public_key, "this is a public key; the private key that belongs to it is needed");
    check(
        &block("CERTIFICATE", b"content"),
        "this is a certificate; the private key that belongs to it is needed",
    );
    check(
        &block("CERTIFICATE REQUEST", b"content"),
        "this is PEM text, but neither PRIVATE KEY, RSA PRIVATE KEY nor ENCRYPTED PRIVATE KEY",
    );
}

#[test]
fn a_damaged_key_must_be_copied_again() {
    check(&block("PRIVATE KEY", b"content"), DAMAGED);
    check(&block("RSA PRIVATE KEY", b"content"), DAMAGED);
    check("-----BEGIN PRIVATE KEY-----", DAMAGED);
    check("-----BEGIN PRIVATE KEY-----\nä\n-----END PRIVATE KEY-----", DAMAGED);

    let key = pem::parse(vectors::file().keys.test2048.pkcs1_pem).unwrap();
    let mut changed = key.contents().to_vec();
    *changed.last_mut().unwrap() ^= 2;
    check(
        &block("RSA PRIVATE KEY", &changed),
        "the private key is damaged: its numbers do not belong together (InconsistentComponents)",
    );
}

fn block(label: &str, content: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, content))
}

const MAKE_ONE: &str =
    "make an API key with `openssl genrsa -out key.pem 2048` and add its public half to the user";
const NO_KEY: &str = "there is no private key: text from -----BEGIN PRIVATE KEY----- \
    to -----END PRIVATE KEY----- was expected";
const DAMAGED: &str = "the private key is damaged or incomplete; copy the whole file again, \
    lines BEGIN and END included";
#[cfg(feature = "encrypted-keys")]
pub(crate) const UNSUPPORTED: &str = "the private key is encrypted in a way that is not \
    supported; `openssl pkcs8 -topk8 -v2 aes-256-cbc -in <file> -out <new file>` encrypts it anew \
    (if openssl refuses, add -provider legacy -provider default)";
