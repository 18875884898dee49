//! What `config.yaml` may look like, and what is said of one that is wrong.

use super::*;

mod files;

#[track_caller]
fn check(text: &str, problem: &str) {
    assert_eq!(Config::parse(text).unwrap_err().to_string(), problem);
}

/// The API key of a file that has one.
fn user(config: &Config) -> &UserKey {
    let Auth::ApiKey(user) = &config.auth else { panic!("{:?}", config.auth) };
    user
}

fn inline(user: &UserKey) -> &str {
    let Key::Inline(text) = &user.key else { panic!("{user:?}") };
    text
}

/// The documented file with some lines changed.
fn with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(DOCUMENTED.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn the_documented_file_is_read() {
    let config = Config::parse(DOCUMENTED).unwrap();
    let auth = user(&config);
    assert_eq!(auth.tenancy.as_str(), "ocid1.tenancy.oc1..aaaatenancy");
    assert_eq!(auth.user.as_str(), "ocid1.user.oc1..aaaauser");
    assert_eq!(
        inline(auth),
        "-----BEGIN RSA PRIVATE KEY-----\n<snip>\n-----END RSA PRIVATE KEY-----"
    );
    assert_eq!(
        auth.fingerprint.as_deref(),
        Some("d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7e")
    );
    assert_eq!(config.region.as_ref().unwrap().id(), "us-phoenix-1");
    let compartment = config.compartment.as_ref().unwrap();
    assert_eq!(compartment.as_str(), "ocid1.compartment.oc1..aaaacompartment");
    assert!(auth.passphrase.is_none() && config.vcn.is_none() && config.endpoint.is_none());
}

#[test]
fn region_and_compartment_may_be_left_to_the_metadata_service() {
    for empty in ["", "  region:\n", "  region: ''\n", "  region: ~\n"] {
        let config = Config::parse(&with(&[("  region: us-phoenix-1\n", empty)])).unwrap();
        assert!(config.region.is_none());
    }
}

#[test]
fn a_passphrase_has_three_spellings_and_may_look_like_a_number() {
    for spelling in ["passphrase", "key_passphrase", "key_passphase"] {
        for (value, read) in
            [("secret", "secret"), ("1234", "1234"), ("0x10", "0x10"), ("true", "true")]
        {
            let text = format!("{DOCUMENTED}  {spelling}: {value}\n");
            let config = Config::parse(&text).unwrap();
            assert_eq!(user(&config).passphrase.as_deref().map(String::as_str), Some(read));
        }
    }
}

#[test]
fn the_cloud_controller_managers_file_is_read() {
    let text = format!(
        "{DOCUMENTED}compartment: ocid1.compartment.oc1..aaaacompartment\nvcn: ocid1.vcn.oc1.phx.aaaavcn\n\
         loadBalancer:\n  subnet1: x\nrateLimiter: {{}}\nmetrics: {{prefix: p}}\ntags: {{}}\nuseWorkloadIdentity: false\n"
    );
    assert_eq!(Config::parse(&text).unwrap().vcn.unwrap().as_str(), "ocid1.vcn.oc1.phx.aaaavcn");
}

#[test]
fn other_ways_to_authenticate_are_one_line() {
    let check = |text: &str, expected: &str| {
        assert_eq!(format!("{:?}", Config::parse(text).unwrap().auth), expected, "{text}");
    };
    check("useInstancePrincipals: true", "InstancePrincipals");
    check("auth: {useInstancePrincipals: true, region: phx}", "InstancePrincipals");
    check("useWorkloadIdentity: true", "WorkloadIdentity");
    check("useResourcePrincipals: true", "ResourcePrincipals");
    check("useTokenExchange: true", "TokenExchange");
    check("auth: {profile: other}", r#"Profile { file: None, name: "other" }"#);
    check("auth: {config_file: /f}", r#"Profile { file: Some("/f"), name: "DEFAULT" }"#);
    let text = "useInstancePrincipals: true\nendpoints: {auth: 'https://auth.example'}";
    let endpoint = Config::parse(text).unwrap().auth_endpoint.unwrap();
    assert_eq!(endpoint, "https://auth.example/");
}

/// As the cloud controller manager does, whose file people share.
#[test]
fn an_api_key_beside_a_principal_is_not_used_and_said() {
    let check = |line: &str, way: &str, remark: &str| {
        let config = Config::parse(&format!("{DOCUMENTED}  passphrase: MARKER\n{line}\n")).unwrap();
        assert_eq!(format!("{:?}", config.auth), way);
        assert_eq!(config.remarks, [remark]);
        assert_eq!(config.region.unwrap().id(), "us-phoenix-1");
    };
    let unused = "auth.tenancy, auth.user, auth.key, auth.fingerprint, auth.passphrase are not used, \
                  because";
    let top = "useInstancePrincipals: true";
    let unused_for = |name: &str| format!("{unused} {name} is given");
    check(top, "InstancePrincipals", &unused_for("useInstancePrincipals"));
    check(&format!("  {top}"), "InstancePrincipals", &unused_for("useInstancePrincipals"));
    check("useWorkloadIdentity: on", "WorkloadIdentity", &unused_for("useWorkloadIdentity"));
    check("useResourcePrincipals: 'y'", "ResourcePrincipals", &unused_for("useResourcePrincipals"));
    // what is not used need not be right
    let text = "useInstancePrincipals: true\nauth: {tenancy: none}";
    let remarks = Config::parse(text).unwrap().remarks;
    assert_eq!(remarks, ["auth.tenancy is not used, because useInstancePrincipals is given"]);
}

#[test]
fn only_the_first_document_is_read_and_said() {
    let one = "only the first document is read, which ends at the second `---`";
    let config = Config::parse(&format!("{DOCUMENTED}---\nkind: other\n")).unwrap();
    assert_eq!(config.remarks, [one]);
    assert_eq!(Config::parse(&format!("{DOCUMENTED}---\n")).unwrap().remarks, [""; 0]);
    check(&format!("---\n# of the cluster\n{DOCUMENTED}"), &format!("auth is {ABSENT}; {one}"));
}

#[test]
fn what_is_missing_is_named() {
    check("", &format!("auth is {ABSENT}"));
    check("---\n", &format!("auth is {ABSENT}"));
    check("auth: {}", &format!("auth.tenancy, auth.user, auth.key are {ABSENT}"));
    check(&with(&[("  user: ocid1.user.oc1..aaaauser\n", "")]), &format!("auth.user is {ABSENT}"));
}

#[test]
fn what_is_wrong_is_named_and_not_quoted() {
    check(
        &with(&[("ocid1.user.oc1..aaaauser", "MARKER")]),
        "auth.user is no user OCID (ocid1.user.…)",
    );
    check(
        &with(&[("ocid1.user.oc1..aaaauser", "ocid1.tenancy.oc1..aaaa")]),
        "auth.user is no user OCID (ocid1.user.…)",
    );
    check(
        &with(&[("region: us-phoenix-1", "region: 'MAR KER'")]),
        "auth.region is no region; it looks like us-phoenix-1 or phx",
    );
    check(
        &format!("{DOCUMENTED}  MARKER: x\n"),
        "line 12 column 3: a key that is not known here; correct or remove it \
         (below auth: tenancy, user, key, key_file, passphrase, fingerprint, region, regionKey, \
         compartment, vcn, profile, config_file; below endpoints: auth, iaas; at the left: \
         useInstancePrincipals, useWorkloadIdentity, useResourcePrincipals, useTokenExchange, \
         compartment, vcn, regionKey)",
    );
    check(
        &with(&[("tenancy: ocid1", "tenancy:\n    - ocid1")]),
        "line 4 column 5: a list where text belongs; check the indentation, and put a value with \
         brackets or braces in quotes",
    );
    check(
        &format!("{DOCUMENTED}  user: ocid1.user.oc1..aaaauser\n"),
        "line 3 column 3: `user` is given twice; remove one of the two",
    );
    check(
        &with(&[("    -----BEGIN", "-----BEGIN")]),
        "line 8: a line of several that is not indented deeper than its key; such a value needs \
         `key: |`, and its lines need more spaces than that line",
    );
    for address in [
        "https://u:MARKER@host",
        "https://host:",
        "https://host:99999",
        "http://host:0",
        "https://:443",
        "iaas",
    ] {
        check(
            &format!("{DOCUMENTED}endpoints:\n  iaas: {address:?}\n"),
            "endpoints.iaas is no URL of a host, with a port from 1 to 65535 or none; it looks like \
             https://iaas.us-phoenix-1.oraclecloud.com",
        );
    }
}

#[test]
fn what_contradicts_itself_is_named() {
    check(
        &format!("{DOCUMENTED}  passphrase: a\n  key_passphrase: b\n"),
        "auth.passphrase is given twice with different values; keep one",
    );
    check(
        &format!("{DOCUMENTED}compartment: ocid1.compartment.oc1..other\n"),
        "compartment is given twice with different values; keep one",
    );
    check(
        &format!("{DOCUMENTED}regionKey: iad\n"),
        "auth.region and regionKey name different regions; remove regionKey",
    );
    check(
        "useInstancePrincipals: true\nuseWorkloadIdentity: true",
        "useInstancePrincipals and useWorkloadIdentity are both given; keep one",
    );
    check(
        "useResourcePrincipals: true\nauth: {config_file: /f}",
        "useResourcePrincipals and auth.config_file are both given; keep one",
    );
    check(
        "auth: {profile: a, key_passphase: MARKER}",
        "auth.profile is given and auth.passphrase too, which belongs to an API key; keep one",
    );
    check(
        &format!("{DOCUMENTED}  key_file: /f\n"),
        "auth.key and auth.key_file are both given; keep one",
    );
}

#[test]
fn the_marker_of_a_secret_is_in_no_message() {
    let secret_inputs = [
        with(&[("<snip>", "MARKER"), ("region: us-phoenix-1", "region: [MARKER]")]),
        with(&[("key: |", "key:")]).replace("<snip>", "MARKER: :"),
        with(&[("    <snip>", "<MARKER>: *MARKER")]),
        format!("{DOCUMENTED}  passphrase: [MARKER]\n"),
        format!("{DOCUMENTED}  passphrase: \"MARKER\n"),
        format!("{DOCUMENTED}  passphrase: &MARKER *MARKER\n"),
        format!("{DOCUMENTED}useInstancePrincipals: MARKER\n"),
        "MARKER".to_owned(),
        "auth: MARKER".to_owned(),
        "auth: {key: MARKER, MARKER: 1}".to_owned(),
        "auth: !MARKER x".to_owned(),
        "\t- MARKER: {".to_owned(),
    ];
    for text in secret_inputs {
        let shown = format!("{:?} {0}", Config::parse(&text).unwrap_err());
        assert!(!shown.contains("MARKER"), "{shown}");
    }
    let config = Config::parse(&with(&[("<snip>", "MARKER")])).unwrap();
    assert!(!format!("{config:?}").contains("MARKER"));
}

const DOCUMENTED: &str = "---
auth:
  tenancy: ocid1.tenancy.oc1..aaaatenancy
  compartment: ocid1.compartment.oc1..aaaacompartment
  user: ocid1.user.oc1..aaaauser
  region: us-phoenix-1
  key: |
    -----BEGIN RSA PRIVATE KEY-----
    <snip>
    -----END RSA PRIVATE KEY-----
  fingerprint: d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7e
";

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_damage_panics_or_shows_the_key(
            at: prop::sample::Index,
            cut in 0..9_usize,
            text in "[\\[\\]{}\"',:|>&*!#%@`~ \n-]{0,5}|null|\\PC{0,5}",
        ) {
            let whole = DOCUMENTED.replace("<snip>", "MARKER");
            let at = at.index(whole.len());
            let end = (at + cut).min(whole.len());
            if let (Some(head), Some(tail)) = (whole.get(..at), whole.get(end..))
                && let Err(problem) = Config::parse(&format!("{head}{text}{tail}"))
            {
                let said = problem.to_string();
                prop_assert!(!said.contains("MARKER") && !said.contains('\n'), "{said}");
            }
        }
    }
}

const ABSENT: &str = "missing; below auth an API key needs tenancy, user and key (or key_file); an \
                      instance that signs for itself needs the one line \
                      useInstancePrincipals: true";
