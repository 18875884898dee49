//! Identifiers as the cloud gives them out: OCIDs, UUIDs, request ids.

use std::fmt::Write as _;

use ring::rand::{SecureRandom as _, SystemRandom};

/// A new OCID, for example `ocid1.volume.oc1.phx.abyhqljt…`. `region` is empty for tenancies, compartments and users.
pub(crate) fn ocid(kind: &str, realm: &str, region: &str) -> String {
    format!("ocid1.{kind}.{realm}.{region}.aaaa{}", unique(48))
}

/// A random string of lower-case letters and digits as in the last part of an OCID.
pub(crate) fn unique(length: usize) -> String {
    random(length).iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// A random UUID, such as ends an IQN.
pub(crate) fn uuid() -> String {
    let hex = hex(16, false);
    let parts =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    parts.join("-")
}

/// The id of a request: what the client chose, extended by the service's own, or all the service's.
pub(crate) fn request_id(chosen: Option<&str>) -> String {
    let first = chosen.map_or_else(|| hex(16, true), str::to_owned);
    format!("{first}/{}/{}", hex(16, true), hex(16, true))
}

fn hex(bytes: usize, upper: bool) -> String {
    let mut text = String::new();
    for byte in random(bytes) {
        let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
    }
    text
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    // it fails only on a system without getrandom(2); equal ids would show at once
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_the_right_shape() {
        let id = ocid("volume", "oc1", "phx");
        assert!(id.starts_with("ocid1.volume.oc1.phx.aaaa") && id.len() == 73, "{id}");
        assert!(ocid("tenancy", "oc1", "").starts_with("ocid1.tenancy.oc1..aaaa"));
        assert_eq!(uuid().split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(request_id(Some("MINE")).starts_with("MINE/"));
        assert_ne!(unique(20), unique(20));
    }
}
