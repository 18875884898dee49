//! What may be asked for, and how the rest is refused.

use expect_test::{Expect, expect};
use serde_json::{Map, Value, json};

use super::*;

/// Parses these options of a volume `v`.
pub(crate) fn parse(pairs: &[(&str, &str)]) -> Result<VolumeOptions<'static>, Error> {
    let object = pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
    parse_object(object.collect())
}

/// Parses this object, whose volume is `v` unless it says otherwise.
pub(crate) fn parse_json(json: &str) -> Result<VolumeOptions<'static>, Error> {
    parse_object(serde_json::from_str(json).unwrap())
}

fn parse_object(mut object: Map<String, Value>) -> Result<VolumeOptions<'static>, Error> {
    object.entry("kubernetes.io/pvOrVolumeName").or_insert(json!("v"));
    let options = Options::from_json(Value::Object(object).to_string().as_bytes()).unwrap();
    // A test's process does not live long.
    VolumeOptions::parse(Box::leak(Box::new(options)))
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |it| format!("{error}: {}", chain(it)))
}

#[track_caller]
fn check(json: &str, expected: &Expect) {
    expected.assert_eq(&match parse_json(json) {
        Ok(parsed) => format!("{parsed:#?}"),
        Err(error) => chain(&error),
    });
}

#[test]
fn a_volume_without_options_has_the_defaults() {
    check(
        "{}",
        &expect![[r#"
        VolumeOptions {
            name: VolumeName {
                name: "v",
                id: None,
            },
            attachment: AttachOptions {
                kind: Iscsi {
                    use_chap: false,
                },
                reads: false,
                read_only: false,
                shareable: false,
                allow_shared_read_write: false,
            },
            use_chap: false,
            chap: None,
            multipath: false,
            wanted: Wanted {
                fs: None,
                options: MountOptions(
                    [],
                ),
                read_only: false,
                check: Sampled {
                    budget: 10s,
                    seed: 0,
                },
                format: true,
                grow: true,
            },
        }"#]],
    );
}

#[test]
fn all_options_are_read_in_any_case_and_with_blanks_around_them() {
    check(
        r#"{"kubernetes.io/fsType":" XFS ","kubernetes.io/readwrite":"ro","volumeId":" ocid1.volume.oc1.phx.aaaa ",
            "attachmentType":"ISCSI","useChap":"True","attachReadOnly":" true","shareable":"TRUE",
            "allowSharedReadWrite":true,"multipath":"true","mountOptions":" noatime, nouuid ",
            "format":"Never","blankCheck":"full\n","blankCheckSeconds":" 60 ","growOnMount":"False",
            "kubernetes.io/secret/chapUsername":"dXNlcg==","kubernetes.io/secret/chapSecret":"c2VjcmV0"}"#,
        &expect![[r#"
            VolumeOptions {
                name: VolumeName {
                    name: "v",
                    id: Some(
                        "ocid1.volume.oc1.phx.aaaa",
                    ),
                },
                attachment: AttachOptions {
                    kind: Iscsi {
                        use_chap: true,
                    },
                    reads: true,
                    read_only: true,
                    shareable: true,
                    allow_shared_read_write: true,
                },
                use_chap: true,
                chap: Some(
                    Chap(user, ***),
                ),
                multipath: true,
                wanted: Wanted {
                    fs: Some(
                        Xfs,
                    ),
                    options: MountOptions(
                        [
                            "noatime",
                            "nouuid",
                        ],
                    ),
                    read_only: true,
                    check: Full,
                    format: false,
                    grow: false,
                },
            }"#]],
    );
}

#[test]
fn an_empty_value_is_the_default() {
    let empty = r#"{"kubernetes.io/fsType":"","kubernetes.io/readwrite":"","volumeId":"","attachmentType":"",
        "useChap":"","attachReadOnly":" ","shareable":"","allowSharedReadWrite":"","multipath":"",
        "mountOptions":"","format":"","blankCheck":null,"blankCheckSeconds":"","growOnMount":""}"#;
    let [empty, absent] = [empty, "{}"].map(|it| format!("{:?}", parse_json(it).unwrap()));
    assert_eq!(empty, absent);
}

#[test]
fn what_the_caller_adds_is_no_option() {
    for name in [
        "kubernetes.io/pod.name",
        "kubernetes.io/mounterArgs.FsGroup",
        "kubernetes.io/of-a-later-version",
        "storage.kubernetes.io/later",
        "kubernetes.io/secret/other",
    ] {
        parse(&[(name, "MARK")]).unwrap();
    }
}

#[test]
fn wrong_values_are_refused_whichever_call_uses_them() {
    let error = |name: &str, value: &str| chain(&parse(&[(name, value)]).unwrap_err()) + "\n";
    let all: String = [
        ("kubernetes.io/readwrite", "RO"),
        ("kubernetes.io/fsType", "ext4 -F"),
        ("kubernetes.io/fsType", "../ext4"),
        ("volumeId", "aaaa"),
        ("volumeId", "ocid1.instance.oc1.phx.aaaa"),
        ("attachmentType", "emulated"),
        ("useChap", "yes"),
        ("attachReadOnly", "1"),
        ("shareable", "tru"),
        ("allowSharedReadWrite", "on"),
        ("multipath", "no"),
        ("mountOptions", "bind"),
        ("format", "always"),
        ("blankCheck", "none"),
        ("blankCheckSeconds", "-1"),
        ("blankCheckSeconds", "3601"),
        ("blankCheckSeconds", "10s"),
        ("growOnMount", "never"),
    ]
    .map(|(name, value)| error(name, value))
    .concat();
    expect![[r#"
        option "kubernetes.io/readwrite" is neither "ro" nor "rw"
        file system "ext4 -F" is not supported: use ext4, ext3 or xfs
        file system "../ext4" is not supported: use ext4, ext3 or xfs
        `aaaa` names no volume: the option volumeId is the whole OCID of a volume, ocid1.volume.…
        `ocid1.instance.oc1.phx.aaaa` names no volume: it is the OCID of something else; a volume's begins ocid1.volume.
        the option attachmentType is `emulated`; it may be iscsi (the default) or paravirtualized
        the option useChap is `yes`; it may be false (the default) or true
        the option attachReadOnly is `1`; it may be false (the default) or true
        the option shareable is `tru`; it may be false (the default) or true
        the option allowSharedReadWrite is `on`; it may be false (the default) or true
        the option multipath is `no`; it may be false (the default) or true
        mount option "bind" is refused: it makes mount do something other than mounting the volume
        the option format is `always`; it may be if-blank (the default) or never
        the option blankCheck is `none`; it may be sampled (the default) or full
        the option blankCheckSeconds is `-1`; it may be a number of seconds from 0 to 3600 (10 is the default)
        the option blankCheckSeconds is `3601`; it may be a number of seconds from 0 to 3600 (10 is the default)
        the option blankCheckSeconds is `10s`; it may be a number of seconds from 0 to 3600 (10 is the default)
        the option growOnMount is `never`; it may be true (the default) or false
    "#]].assert_eq(&all);
}

#[test]
fn mount_options_of_another_file_system_than_the_one_asked_for_are_refused() {
    let options = |fs, mount| [("kubernetes.io/fsType", fs), ("mountOptions", mount)];
    let error = parse(&options("ext4", "noatime,nouuid")).unwrap_err();
    assert!(
        chain(&error).starts_with("mount option \"nouuid\" is refused: ext4 may have "),
        "{error}"
    );
    parse(&options("xfs", "noatime,nouuid")).unwrap();
    // What is on the disk is not known here.
    parse(&options("", "noatime,nouuid")).unwrap();
}

#[test]
fn options_of_iscsi_sessions_are_refused_for_a_plugged_disk() {
    for option in ["useChap", "multipath"] {
        let error = parse(&[("attachmentType", "paravirtualized"), (option, "true")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the option {option} is true, and a paravirtualized attachment has no iSCSI session; remove {option}, \
                 or attachmentType"
            )
        );
        parse(&[("attachmentType", "paravirtualized"), (option, "false")]).unwrap();
    }
}

#[test]
fn unknown_options_are_refused_with_the_one_that_was_meant() {
    let error = |name: &&str| parse(&[(*name, "MARK")]).unwrap_err().to_string() + "\n";
    let all: String = [
        "formatt",
        "fromat",
        "Format",
        "mountoptions",
        "mount-options",
        "mountOption",
        "volumeID",
        "volume_id",
        "usechap",
        "chap",
        "readonly",
        "fsType",
        "attachmenttype",
        "size",
        "",
        "chapSecret",
        "kubernetes.io",
    ]
    .iter()
    .map(error)
    .collect();
    expect![[r#"
        `formatt` is no option of this driver; did you mean `format`?
        `fromat` is no option of this driver; did you mean `format`?
        `Format` is no option of this driver; did you mean `format`?
        `mountoptions` is no option of this driver; did you mean `mountOptions`?
        `mount-options` is no option of this driver; did you mean `mountOptions`?
        `mountOption` is no option of this driver; did you mean `mountOptions`?
        `volumeID` is no option of this driver; did you mean `volumeId`?
        `volume_id` is no option of this driver; did you mean `volumeId`?
        `usechap` is no option of this driver; did you mean `useChap`?
        `chap` is no option of this driver; it knows volumeId, useChap, mountOptions, multipath, attachmentType, attachReadOnly, shareable, allowSharedReadWrite, format, blankCheckSeconds, blankCheck, growOnMount
        `readonly` is no option of this driver; readOnly is a field beside options, not one of them
        `fsType` is no option of this driver; fsType is a field beside options, not one of them
        `attachmenttype` is no option of this driver; did you mean `attachmentType`?
        `size` is no option of this driver; it knows volumeId, useChap, mountOptions, multipath, attachmentType, attachReadOnly, shareable, allowSharedReadWrite, format, blankCheckSeconds, blankCheck, growOnMount
        `` is no option of this driver; it knows volumeId, useChap, mountOptions, multipath, attachmentType, attachReadOnly, shareable, allowSharedReadWrite, format, blankCheckSeconds, blankCheck, growOnMount
        `chapSecret` is no option of this driver; it knows volumeId, useChap, mountOptions, multipath, attachmentType, attachReadOnly, shareable, allowSharedReadWrite, format, blankCheckSeconds, blankCheck, growOnMount
        `kubernetes.io` is no option of this driver; it knows volumeId, useChap, mountOptions, multipath, attachmentType, attachReadOnly, shareable, allowSharedReadWrite, format, blankCheckSeconds, blankCheck, growOnMount
    "#]].assert_eq(&all);
}

#[test]
fn secrets_that_cannot_be_used_are_refused() {
    let user = r#""kubernetes.io/secret/chapUsername":"dXNlcg==""#;
    check(
        &format!(r#"{{{user},"kubernetes.io/secret/chapSecret":"/w=="}}"#),
        &expect!["the secrets chapUsername and chapSecret of the volume are not UTF-8 text"],
    );
    check(
        &format!(r#"{{{user},"kubernetes.io/secret/chapSecret":""}}"#),
        &expect!["the CHAP credentials of the volume cannot be used: the CHAP secret is empty"],
    );
    assert!(parse_json(&format!("{{{user}}}")).unwrap().chap.is_none());
}

#[test]
fn ro_among_the_mount_options_is_read_only_too() {
    assert!(parse(&[("mountOptions", "noatime,ro")]).unwrap().wanted.read_only);
}
