//! Keys as users have them, encrypted or not, whole or not.

use oci_signer::PrivateKey;
use proptest::prelude::*;

#[cfg(feature = "encrypted-keys")]
use crate::refused_keys::UNSUPPORTED;
use crate::vectors;

#[track_caller]
fn accepts(pem: &str, passphrase: Option<&str>, fingerprint: &str) {
    let key = PrivateKey::from_pem(pem, passphrase).unwrap();
    assert_eq!(key.fingerprint(), fingerprint);
}

#[test]
fn plain_keys_are_read_whatever_stands_around_them() {
    let key = vectors::file().keys.test2048;
    let pkcs8 = key.pkcs8_pem.trim();
    let one_line =
        pkcs8.replace('\n', "").replace("KEY-----", "KEY-----\n").replace("\n-----END", "-----END");
    for pem in [
        key.pkcs8_pem.clone(),
        key.pkcs1_pem.clone(),
        key.pkcs8_pem_with_oci_label.clone(),
        pkcs8.to_owned(),
        format!("{pkcs8}OCI_API_KEY"),
        key.pkcs8_pem.replace('\n', "\r\n"),
        key.pkcs1_pem.replace('\n', "\r\n"),
        key.pkcs8_pem.replace('\n', "\n    "),
        format!("Bag Attributes\n    friendlyName: me\n{}", key.pkcs8_pem),
        format!("{}{}", key.public_spki_pem, key.pkcs1_pem),
        format!("{}{}", key.pkcs1_pem, key.public_spki_pem),
        one_line,
        key.pkcs8_pem.replace('\n', "\\n"),
        key.pkcs1_pem.replace('\n', "\\r\\n"),
        key.pkcs8_pem.replace('\n', "\\n\n"),
        key.pkcs8_pem.replace('\n', "\n\n"),
        key.pkcs8_pem.replace('\n', "\r"),
        key.pkcs8_pem.replace('\n', "\t\n\t"),
        key.pkcs8_pem.replace('\n', " "),
        format!("\"{}\"", pkcs8.replace('\n', "\\n")),
    ] {
        accepts(&pem, None, &key.fingerprint);
        accepts(&pem, Some("not needed"), &key.fingerprint);
        accepts(&pem, Some(""), &key.fingerprint);
    }
}

#[test]
fn what_is_no_pem_is_told_by_its_kind() {
    for (text, said) in [
        ("ssh-rsa AAAA", "this is a public key; the private key that belongs to it is needed"),
        (
            "0\u{fffd}\u{4}\u{fffd}",
            "this is not text, and a private key in PEM is needed; `openssl pkey -in <file> -out <new \
             file>` makes it of one in DER or PKCS #12",
        ),
    ] {
        assert_eq!(PrivateKey::from_pem(text, None).unwrap_err().to_string(), said);
    }
}

#[test]
fn longer_keys_are_read() {
    accepts(
        include_str!("../../testdata/accepted/bits-3072.pem"),
        None,
        "ca:85:14:71:60:a7:9a:0c:75:02:65:c9:2b:fc:19:5a",
    );
    accepts(
        include_str!("../../testdata/accepted/bits-4096.pem"),
        None,
        "8d:0a:2e:2e:35:0d:e4:ba:40:c6:c4:94:05:12:2d:1a",
    );
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn encrypted_keys_are_read_with_their_passphrase() {
    let key = vectors::file().keys.test2048;
    assert_eq!(key.encrypted.len(), 12);
    for (name, pem) in &key.encrypted {
        for end in ["\n", "\r\n", "\\n", "\r", "\n\n", " \n  "] {
            let pem = pem.replace('\n', end);
            let read = PrivateKey::from_pem(&pem, Some(&key.passphrase_for_encrypted));
            match name.as_str() {
                "p8enc-pbes1-md5-des" | "p8enc-pbes1-sha1-3des" => {
                    assert_eq!(read.unwrap_err().to_string(), UNSUPPORTED);
                }
                _ => assert_eq!(read.unwrap().fingerprint(), key.fingerprint, "{name}"),
            }
        }
    }
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn a_missing_or_wrong_passphrase_is_said() {
    let key = vectors::file().keys.test2048;
    for (name, pem) in &key.encrypted {
        for passphrase in [None, Some("")] {
            let error = PrivateKey::from_pem(pem, passphrase).unwrap_err();
            assert!(error.is_passphrase());
            assert_eq!(
                error.to_string(),
                "the private key is encrypted and there is no passphrase"
            );
        }
        if name.contains("pbes1") {
            continue;
        }
        for passphrase in ["hunter2-tesT", "hunter2-test ", "\u{1f511}"] {
            let error = PrivateKey::from_pem(pem, Some(passphrase)).unwrap_err();
            assert!(error.is_passphrase(), "{name}");
            assert_eq!(
                error.to_string(),
                "the private key cannot be decrypted: the passphrase is wrong or the key is damaged"
            );
        }
    }
}

#[cfg(not(feature = "encrypted-keys"))]
#[test]
fn a_build_without_decryption_says_how_to_decrypt() {
    let key = vectors::file().keys.test2048;
    for pem in key.encrypted.values() {
        let read = PrivateKey::from_pem(pem, Some(&key.passphrase_for_encrypted));
        assert_eq!(
            read.unwrap_err().to_string(),
            "the private key is encrypted, which this build does not support; \
             `openssl rsa -in <file> -out <new file>` decrypts it"
        );
    }
}

/// One wrong passphrase in about 256 passes the padding check; the result is no key all the same.
#[cfg(feature = "encrypted-keys")]
#[test]
fn a_wrong_passphrase_never_passes_for_damage() {
    let pem = &vectors::file().keys.test2048.encrypted["p1enc-aes128"];
    for number in 0..2000 {
        let error = PrivateKey::from_pem(pem, Some(&format!("wrong{number}"))).unwrap_err();
        assert!(error.is_passphrase(), "{number}: {error}");
    }
}

#[test]
fn every_part_of_a_key_is_refused() {
    let key = vectors::file().keys.test2048;
    for pem in key.encrypted.values().chain([&key.pkcs1_pem, &key.pkcs8_pem]) {
        let end = pem.find("-----END").unwrap();
        for length in (0..end).step_by(7) {
            let cut = format!("{}\n{}", &pem[..length], &pem[end..]);
            for text in [&pem[..length], &cut] {
                PrivateKey::from_pem(text, None).unwrap_err();
            }
        }
    }
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            _ = PrivateKey::from_pem(&text, Some("passphrase"));
        }

        #[test]
        fn no_content_panics(
            label in "(RSA |ENCRYPTED )?PRIVATE KEY",
            content in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let pem = pem::encode(&pem::Pem::new(label, content));
            prop_assert!(PrivateKey::from_pem(&pem, Some("passphrase")).is_err());
        }

        /// Changes where lengths, versions and algorithms stand, so that parsers get far.
        #[test]
        fn no_change_panics(which in 0..14_usize, changes in prop::collection::vec((0..120_usize, any::<u8>()), 1..4)) {
            let key = vectors::file().keys.test2048;
            let pems: Vec<_> = key.encrypted.values().chain([&key.pkcs1_pem, &key.pkcs8_pem]).collect();
            let parsed = pem::parse(pems[which]).unwrap();
            let (label, headers) = (parsed.tag().to_owned(), parsed.headers().clone());
            let mut der = parsed.into_contents();
            for (at, byte) in changes {
                der[at] = byte;
            }
            let mut changed = pem::Pem::new(label, der);
            *changed.headers_mut() = headers;
            _ = PrivateKey::from_pem(&pem::encode(&changed), Some("hunter2-test"));
        }

        #[test]
        fn no_dek_info_panics(dek_info in "([A-Z0-9-]{0,12}|AES-128-CBC|DES-EDE3-CBC),?[0-9A-Fa-f ]{0,40}") {
            let pem = &vectors::file().keys.test2048.encrypted["p1enc-aes128"];
            let line = pem.lines().find(|line| line.starts_with("DEK-Info")).unwrap();
            let pem = pem.replace(line, &format!("DEK-Info: {dek_info}"));
            prop_assert!(PrivateKey::from_pem(&pem, Some("hunter2-test")).is_err());
        }
    }
}
