//! Percent-encoding of paths and queries.

use oci_iaas::encode;
use proptest::prelude::*;

#[test]
fn all_but_unreserved_characters_are_encoded() {
    for (text, encoded) in [
        ("", ""),
        ("azAZ09-._~", "azAZ09-._~"),
        ("Uocm:PHX-AD-1", "Uocm%3APHX-AD-1"),
        ("NEXT+/==", "NEXT%2B%2F%3D%3D"),
        ("a b&c?d#e%20", "a%20b%26c%3Fd%23e%2520"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("\0\n\u{7f}", "%00%0A%7F"),
    ] {
        assert_eq!(encode(text), encoded);
    }
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn decoding_gives_the_text_back(text: String) {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~%".contains(&it)));
            prop_assert_eq!(decode(&encoded), text);
        }
    }
}

fn decode(encoded: &str) -> String {
    let mut rest = encoded.as_bytes();
    let mut bytes = Vec::new();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let hex = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}
