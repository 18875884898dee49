//! Regions of all realms, known and unknown.

use oci_iaas::{Ocid, Region, RegionInfo};
use proptest::prelude::*;

/// Identifier, key, realm, OCID part, endpoints.
fn shown(region: &Region) -> String {
    format!(
        "{} {} {} {} {} {}",
        region.id(),
        region.key().unwrap_or("-"),
        region.realm(),
        region.ocid_part(),
        region.iaas_endpoint(),
        region.auth_endpoint()
    )
}

#[track_caller]
fn check(name: &str, expected: &str) {
    let region = match Region::parse(name) {
        Ok(region) => shown(&region),
        Err(error) => error.to_string(),
    };
    assert_eq!(region, expected, "{name}");
}

#[test]
fn a_region_has_its_key_realm_and_endpoints() {
    let phoenix = "us-phoenix-1 phx oc1 phx \
        https://iaas.us-phoenix-1.oraclecloud.com https://auth.us-phoenix-1.oraclecloud.com";
    for name in ["phx", "PHX", "us-phoenix-1", "US-Phoenix-1", " phx\n"] {
        check(name, phoenix);
    }
    check(
        "iad",
        "us-ashburn-1 iad oc1 iad \
         https://iaas.us-ashburn-1.oraclecloud.com https://auth.us-ashburn-1.oraclecloud.com",
    );
    check(
        "lhr",
        "uk-london-1 lhr oc1 uk-london-1 \
         https://iaas.uk-london-1.oraclecloud.com https://auth.uk-london-1.oraclecloud.com",
    );
    check(
        "us-luke-1",
        "us-luke-1 luf oc2 us-luke-1 \
         https://iaas.us-luke-1.oraclegovcloud.com https://auth.us-luke-1.oraclegovcloud.com",
    );
    check(
        "vll",
        "eu-madrid-2 vll oc19 eu-madrid-2 \
         https://iaas.eu-madrid-2.oraclecloud.eu https://auth.eu-madrid-2.oraclecloud.eu",
    );
}

#[test]
fn an_unknown_region_is_taken_by_its_name() {
    check(
        "xx-newtown-1",
        "xx-newtown-1 - oc1 xx-newtown-1 \
         https://iaas.xx-newtown-1.oraclecloud.com https://auth.xx-newtown-1.oraclecloud.com",
    );
    check(
        "us-dedicated-1.example.com",
        "us-dedicated-1 - oc1 us-dedicated-1 \
         https://iaas.us-dedicated-1.example.com https://auth.us-dedicated-1.example.com",
    );
}

#[test]
fn a_name_that_would_change_the_host_is_refused() {
    let long = "a".repeat(201);
    for name in [
        "",
        " ",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a/b",
        "a@b",
        "a:1",
        "a b",
        "a\nb",
        "ä",
        "a#",
        "https://iaas.us-phoenix-1.oraclecloud.com",
        "ocid1.volume.oc1.phx.a_b",
        &long,
    ] {
        check(
            name,
            "the region is not a name such as us-phoenix-1 or phx, \
             of at most 200 letters, digits and '-'",
        );
    }
}

#[test]
fn the_metadata_service_knows_every_realm() {
    let info = |domain: &str| {
        let json = serde_json::json!({
            "realmKey": "oc99", "realmDomainComponent": domain,
            "regionKey": "XYZ", "regionIdentifier": "XX-newtown-1", "more": 1,
        });
        serde_json::from_value::<RegionInfo>(json).unwrap()
    };
    assert_eq!(
        shown(&Region::from_metadata(&info("oraclecloud99.com")).unwrap()),
        "xx-newtown-1 xyz oc99 xx-newtown-1 https://iaas.xx-newtown-1.oraclecloud99.com \
         https://auth.xx-newtown-1.oraclecloud99.com"
    );
    assert_eq!(
        Region::from_metadata(&info("evil.example/")).unwrap_err().to_string(),
        "the realmDomainComponent is not a name such as us-phoenix-1 or phx, \
         of at most 200 letters, digits and '-'"
    );
    serde_json::from_str::<RegionInfo>(r#"{"realmKey": "oc1"}"#).unwrap_err();
}

#[test]
fn a_resource_tells_its_region() {
    for (ocid, region) in [
        ("ocid1.volume.oc1.phx.a", Some(("us-phoenix-1", "oc1", "oraclecloud.com"))),
        ("ocid1.volume.oc1.uk-london-1.a", Some(("uk-london-1", "oc1", "oraclecloud.com"))),
        (
            "ocid1.image.oc3.us-gov-phoenix-1.a",
            Some(("us-gov-phoenix-1", "oc3", "oraclegovcloud.com")),
        ),
        (
            "ocid1.image.oc3.us-gov-newtown-1.a",
            Some(("us-gov-newtown-1", "oc3", "oraclegovcloud.com")),
        ),
        ("ocid1.image.oc98.xx-newtown-1.a", Some(("xx-newtown-1", "oc98", "oraclecloud.com"))),
        ("ocid1.tenancy.oc1..a", None),
        ("ocid1.image.oc1.-.a", None),
    ] {
        let found = Region::of(&ocid.parse::<Ocid>().unwrap());
        let found = found.map(|it| (it.id().to_owned(), it.realm().to_owned(), it.iaas_endpoint()));
        let region = region.map(|(id, realm, domain)| {
            (id.to_owned(), realm.to_owned(), format!("https://iaas.{id}.{domain}"))
        });
        assert_eq!(found, region, "{ocid}");
    }
}

#[test]
fn every_row_of_the_table_is_complete_and_unique() {
    let rows: Vec<Vec<&str>> = include_str!("../../src/regions.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 85);
    for row in &rows {
        let [id, key, realm, domain] = row[..] else { panic!("{row:?}") };
        assert_eq!(key.len(), 3);
        let part = if ["phx", "iad"].contains(&key) { key } else { id };
        for name in [id, key, &id.to_uppercase(), &key.to_uppercase()] {
            let region = Region::parse(name).unwrap();
            let volume = Ocid::volume(&region, "aaaa").unwrap();
            assert_eq!(volume.as_str(), format!("ocid1.volume.{realm}.{part}.aaaa"));
            assert_eq!((region.id(), region.key(), region.realm()), (id, Some(key), realm));
            assert_eq!(region.iaas_endpoint(), format!("https://iaas.{id}.{domain}"));
        }
    }
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn no_name_changes_the_host(name in "\\PC*|[a-z0-9.:/@ -]{0,12}") {
            if let Ok(region) = Region::parse(&name) {
                for endpoint in [region.iaas_endpoint(), region.auth_endpoint()] {
                    let uri: http::Uri = endpoint.parse().unwrap();
                    prop_assert_eq!(uri.authority().unwrap().as_str(), uri.host().unwrap());
                    prop_assert_eq!(uri.path(), "/");
                    prop_assert_eq!(uri.query(), None);
                }
            }
        }
    }
}
