//! OCIDs, and the names of volumes that become OCIDs.

use oci_iaas::{Ocid, ParseOcidError, Region};
use proptest::prelude::*;

/// Kind, realm, region and unique part.
fn parts(text: &str) -> Result<(String, String, Option<String>, String), ParseOcidError> {
    let ocid: Ocid = text.parse()?;
    assert_eq!(ocid.to_string(), text);
    assert_eq!(ocid.as_ref(), text);
    let region = ocid.region().map(str::to_owned);
    Ok((ocid.kind().to_owned(), ocid.realm().to_owned(), region, ocid.unique().to_owned()))
}

#[test]
fn an_ocid_tells_kind_realm_region_and_unique_part() {
    for (text, kind, realm, region, unique) in [
        ("ocid1.volume.oc1.phx.abyhqljr", "volume", "oc1", Some("phx"), "abyhqljr"),
        ("ocid1.bootvolume.oc1.iad.abuwcljr", "bootvolume", "oc1", Some("iad"), "abuwcljr"),
        (
            "ocid1.instance.oc4.uk-gov-london-1.anwg",
            "instance",
            "oc4",
            Some("uk-gov-london-1"),
            "anwg",
        ),
        ("ocid1.tenancy.oc1..aaaa", "tenancy", "oc1", None, "aaaa"),
        ("ocid1.user.oc1..aaaa_b-C9", "user", "oc1", None, "aaaa_b-C9"),
        ("ocid1.vcn.oc1.phx.future.aaaa", "vcn", "oc1", Some("phx"), "aaaa"),
        ("ocidv1:tenancy:oc1:phx:1460406592660:aaaa", "tenancy", "oc1", Some("phx"), "aaaa"),
    ] {
        let region = region.map(str::to_owned);
        assert_eq!(parts(text), Ok((kind.into(), realm.into(), region, unique.into())), "{text}");
    }
}

#[test]
fn what_is_no_ocid_is_refused() {
    let long = format!("ocid1.volume.oc1.phx.{}", "a".repeat(255));
    for (text, error) in [
        ("", ParseOcidError::Empty),
        (&long, ParseOcidError::TooLong),
        ("volume", ParseOcidError::Malformed),
        ("ocid1.volume.oc1.phx", ParseOcidError::Malformed),
        ("ocid1.volume.oc1.phx.", ParseOcidError::Malformed),
        ("ocid1..oc1.phx.a", ParseOcidError::Malformed),
        ("ocid1.volume..phx.a", ParseOcidError::Malformed),
        ("other.volume.oc1.phx.a", ParseOcidError::Malformed),
        (" ocid1.volume.oc1.phx.a", ParseOcidError::Malformed),
        ("ocid1.volume.oc1.phx.a\n", ParseOcidError::Malformed),
        ("ocid1.volume.oc1.phx.a/b", ParseOcidError::Malformed),
        ("ocid1.volume.oc1.phx.ä", ParseOcidError::Malformed),
        ("oci://ocid1.instance.oc1.phx.a", ParseOcidError::Malformed),
    ] {
        assert_eq!(parts(text), Err(error), "{text}");
        let json = serde_json::to_string(text).unwrap();
        let refused = serde_json::from_str::<Ocid>(&json).unwrap_err();
        assert!(refused.to_string().starts_with(&error.to_string()), "{refused}");
    }
}

#[test]
fn the_rule_is_named() {
    for (error, message) in [
        (ParseOcidError::Empty, "it is empty"),
        (ParseOcidError::TooLong, "an OCID has at most 255 characters"),
        (
            ParseOcidError::Malformed,
            "an OCID looks like ocid1.<type>.<realm>.[<region>].<unique>, \
             of letters, digits, '-' and '_'",
        ),
        (
            ParseOcidError::NotTheLastPart,
            "a volume is named by its OCID or by the last part of it, \
             of letters, digits, '-' and '_'",
        ),
    ] {
        assert_eq!(error.to_string(), message);
    }
}

#[track_caller]
fn check_volume(region: &str, name: &str, expected: Result<&str, ParseOcidError>) {
    let volume = Ocid::volume(&Region::parse(region).unwrap(), name);
    assert_eq!(volume.as_ref().map(Ocid::as_str).map_err(|&it| it), expected, "{name}");
}

#[test]
fn a_short_name_becomes_the_ocid_of_a_volume_of_the_region() {
    for (region, ocid) in [
        ("phx", "ocid1.volume.oc1.phx.abc"),
        ("us-ashburn-1", "ocid1.volume.oc1.iad.abc"),
        ("fra", "ocid1.volume.oc1.eu-frankfurt-1.abc"),
        ("LHR", "ocid1.volume.oc1.uk-london-1.abc"),
        ("us-gov-phoenix-1", "ocid1.volume.oc3.us-gov-phoenix-1.abc"),
        ("us-ashburn-2", "ocid1.volume.oc42.us-ashburn-2.abc"),
        ("xx-newtown-1", "ocid1.volume.oc1.xx-newtown-1.abc"),
    ] {
        check_volume(region, "abc", Ok(ocid));
    }
}

#[test]
fn a_whole_ocid_is_used_as_it_is() {
    for ocid in [
        "ocid1.volume.oc1.phx.abc",
        "ocid1.volume.oc2.us-langley-1.abc",
        "ocid1.bootvolume.oc1.iad.abc",
        "ocidv1:volume:oc1:phx:1460406592660:abc",
    ] {
        check_volume("eu-frankfurt-1", ocid, Ok(ocid));
    }
    check_volume("phx", "ocid1.volume.oc1", Err(ParseOcidError::Malformed));
    check_volume("phx", "ocid1.volume.oc1.phx.a/../b", Err(ParseOcidError::Malformed));
}

#[test]
fn names_that_are_no_part_of_an_ocid_are_refused() {
    check_volume("phx", "", Err(ParseOcidError::Empty));
    for name in
        [" ", "a b", "a/b", "/", "..", ".", "a.b", "a:b", "a\0b", "a\nb", "a\u{7f}", "ä", "a%2Fb"]
    {
        check_volume("phx", name, Err(ParseOcidError::NotTheLastPart));
    }
    check_volume("phx", &"a".repeat(256), Err(ParseOcidError::TooLong));
    check_volume("phx", "ocid", Ok("ocid1.volume.oc1.phx.ocid"));
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn parsing_never_panics_and_printing_gives_the_text_back(text in "\\PC*|(ocid1?)?([.:]?[a-z0-9./ -]{0,9}){0,8}") {
            _ = parts(&text);
        }

        #[test]
        fn a_volume_never_leaves_the_path_of_its_call(name in "\\PC*|[a-z0-9./ -]{0,20}|ocid1[a-z./]{0,30}") {
            if let Ok(volume) = Ocid::volume(&Region::parse("phx").unwrap(), &name) {
                prop_assert!(volume.as_str().starts_with("ocid"));
                prop_assert!(!volume.as_str().contains(['/', '?', '#', '%', ' ']));
                prop_assert!(volume.as_str().len() <= 255);
            }
        }
    }
}
